"""GEEA's generative parts: a variational auto-encoder and a feature decoder for each modality."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.parts.geea.adjacency_loss import adjacency_cross_entropy

_LEAKY_SLOPE = 0.01


class SubVAE(nn.Module):
    """Variational auto-encoder of one modality's vectors.

    The noise is uniform on [0, 1), not Gaussian: the released code draws it so.

    Args:
        dim: Columns of input, latent vector and output.
        n_layers: Linear layers of the encoder and of the decoder.
        generator: CPU generator of the initial values.

    Reference: GEEA, ICLR 2024, released code.
    """

    def __init__(self, dim: int, n_layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(Linear(dim, dim, generator) for _ in range(n_layers))
        self.mean, self.log_variance = Linear(dim, dim, generator), Linear(dim, dim, generator)
        self.decoder = nn.ModuleList(Linear(dim, dim, generator) for _ in range(n_layers))

    def forward(self, vectors: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction, mean and log-variance of the latent vectors, [n, dim] each.

        Args:
            vectors: [n, dim].
            noise: Scales the standard deviation, [n, dim].
        """
        hidden = vectors
        for layer in self.encoder:
            hidden = leaky_relu(layer(hidden), _LEAKY_SLOPE)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        # The first layer of the decoder has no activation.
        decoded = self.decoder[0](mean + torch.exp(0.5 * log_variance) * noise)
        for layer in self.decoder[1:]:
            decoded = leaky_relu(layer(decoded), _LEAKY_SLOPE)
        return decoded, mean, log_variance


class FeatureDecoder(nn.Module):
    """From a modality's vector back to its raw features.

    Args:
        dim: Columns of the input.
        hidden_dim: Columns of the hidden layer.
        n_features: Columns of the raw features.
        dropout: Share of hidden numbers that are dropped.
        generator: CPU generator of the initial values.
        dropped: CPU generator of the dropped places.
    """

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        n_features: int,
        dropout: float,
        generator: torch.Generator,
        dropped: torch.Generator,
    ) -> None:
        super().__init__()
        self.hidden = Linear(dim, hidden_dim, generator)
        self.norm = nn.BatchNorm1d(hidden_dim)
        self.output = Linear(hidden_dim, n_features, generator)
        self._dropout, self._dropped = dropout, (dropped,)

    def forward(self, vectors: Tensor, targets: Tensor | csr_matrix) -> Tensor:
        """Mean cross-entropy of the decoded features with the raw ones.

        The targets are raw: counts above 1 and negative numbers leave it without a lower bound, as
        in the released code.

        Args:
            vectors: [n, dim].
            targets: [n, n_features].
        """
        hidden = torch.tanh(self.hidden(vectors))
        if self._dropout:
            kept = torch.rand(hidden.shape, generator=self._dropped[0]) >= self._dropout
            hidden = hidden * kept.to(hidden.device) / (1 - self._dropout)
        hidden = self.norm(hidden)
        if isinstance(targets, csr_matrix):
            weights = self.output.weight, self.output.bias
            return adjacency_cross_entropy(hidden, *weights, targets)
        return binary_cross_entropy_with_logits(self.output(hidden), targets)


class Generators(nn.Module):
    """A ``SubVAE`` and a ``FeatureDecoder`` for each modality.

    Args:
        dim: Columns of all modalities' vectors.
        widths: Modality to the columns of its raw features.
        n_layers: As in ``SubVAE``.
        hidden_dim: As in ``FeatureDecoder``.
        dropout: As there.
        generator: CPU generator of the initial values.
        drawn: CPU generator of noise and dropped places.
    """

    def __init__(
        self,
        dim: int,
        widths: Mapping[str, int],
        n_layers: int,
        hidden_dim: int,
        dropout: float,
        generator: torch.Generator,
        drawn: torch.Generator,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.vaes = nn.ModuleDict({name: SubVAE(dim, n_layers, generator) for name in widths})
        self.decoders = nn.ModuleDict(
            {
                name: FeatureDecoder(dim, hidden_dim, width, dropout, generator, drawn)
                for name, width in widths.items()
            }
        )
        self._drawn = (drawn,)

    def flow(self, name: str, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One modality's vectors through its auto-encoder; gradients reach the input too.

        Args:
            name: Modality.
            vectors: [n, dim].

        Returns:
            Reconstruction, mean and log-variance, [n, dim] each.
        """
        noise = torch.rand(vectors.shape, generator=self._drawn[0]).to(vectors.device)
        found: tuple[Tensor, Tensor, Tensor] = self.vaes[name](vectors, noise)
        return found

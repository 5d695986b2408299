"""Variational auto-encoders of modality vectors."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.encoders import xavier_linear

LossForm = Literal["per entity", "lineage"]
"""How reconstruction error and divergence are summed, see ``vae_loss``."""

_LOG_VARIANCE_BOUND = 10.0


class ModalVAE(nn.Module):
    """Gaussian VAE with two ReLU layers on either side.

    Args:
        dim: Columns of the vectors.
        latent: Columns of hidden layers and latents.
        scale: Vectors are multiplied by this before encoding, decoded ones divided by it.
        generator: CPU generator of the initial values.

    Reference: CLAMEA, EMNLP Findings 2025, equation 16; layer sizes and initial values are
    those of TMEA's code.
    """

    def __init__(
        self,
        dim: int,
        latent: int,
        scale: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.encoder = nn.ModuleList(
            [xavier_linear(dim, latent, generator), xavier_linear(latent, latent, generator)]
        )
        self.mean, self.log_variance = (xavier_linear(latent, latent, generator) for _ in range(2))
        self.decoder = nn.ModuleList([xavier_linear(latent, latent, generator) for _ in range(2)])
        self.output = xavier_linear(latent, dim, generator)

    def encode(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (clamped to ±10) of the latents, [n, latent] each."""
        hidden = vectors * self.scale
        for layer in self.encoder:
            hidden = relu(layer(hidden))
        log_variance = self.log_variance(hidden)
        return self.mean(hidden), log_variance.clamp(-_LOG_VARIANCE_BOUND, _LOG_VARIANCE_BOUND)

    def decode(self, latents: Tensor) -> Tensor:
        """Vectors of latents, [n, dim]."""
        hidden = latents
        for layer in self.decoder:
            hidden = relu(layer(hidden))
        decoded: Tensor = self.output(hidden)
        return decoded / self.scale


def sampled(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None) -> Tensor:
    """Latents drawn by reparameterisation, [n, latent]; the means without a generator."""
    if generator is None:
        return mean
    noise = torch.randn(mean.shape, generator=generator).to(mean.device)
    return mean + noise * torch.exp(log_variance / 2)


def vae_loss(
    vae: ModalVAE, vectors: Tensor, encoded: tuple[Tensor, Tensor], latents: Tensor, form: LossForm
) -> Tensor:
    """Negative evidence lower bound of some vectors.

    ``per entity``: the squared error of the scaled vectors summed over dimensions, plus the
    divergence summed over latents, both averaged over entities: up to a constant the bound under a
    decoder of variance 1/2.
    ``lineage`` (TMEA's code): mean squared error over all elements plus the divergence summed over
    entities and latents, which makes the latents collapse.

    Args:
        vae: The auto-encoder.
        vectors: What is to be reconstructed, [n, dim]; no gradient passes to it.
        encoded: What ``encode`` gave for the vectors.
        latents: Drawn from it, [n, latent].
        form: See above.

    Reference: CLAMEA, EMNLP Findings 2025, equation 16 with its sign turned.
    """
    mean, log_variance = encoded
    error = ((vae.decode(latents) - vectors.detach()) * vae.scale).square()
    divergence = divergences(mean, log_variance)
    if form == "lineage":
        return error.mean() + divergence.sum()
    return (error.sum() + divergence.sum()) / max(1, len(vectors))


def divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of Gaussian latents from the standard one, each, [n, latent]."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def unit_scale(dim: int, form: LossForm) -> float:
    """Factor that gives unit vectors a variance of about 1 per dimension; 1 for the lineage."""
    return 1.0 if form == "lineage" else math.sqrt(dim)


def completed(vectors: Tensor, lacking: Tensor, stand_ins: Tensor) -> Tensor:
    """Vectors in which the lacking rows are replaced, [n, dim].

    Args:
        vectors: [n, dim].
        lacking: Rows to replace, [k] int64.
        stand_ins: [k, dim].
    """
    return torch.index_copy(vectors, 0, lacking, stand_ins)

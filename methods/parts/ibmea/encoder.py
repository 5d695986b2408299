"""IBMEA's encoder: each modality of an entity is a Gaussian that a vector is drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, normalize, relu

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.gat_structure import GATStructure


@dataclass(frozen=True, eq=False)
class Latents:
    """What is known of one modality, [n_entities, dim] each.

    Attributes:
        means: Of the Gaussians.
        spreads: What the noise is multiplied by.
        drawn: Mean plus noise times spread.
    """

    means: Tensor
    spreads: Tensor
    drawn: Tensor


class FeatureLatents(nn.Module):
    """``x -> ReLU(Linear) -> mean and log-variance``, each by one more linear layer.

    Args:
        n_in: Columns of the features.
        dim: Columns of the latents.
        generator: CPU generator of the initial values.
    """

    def __init__(self, n_in: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = Linear(n_in, dim, generator)
        self.mean = Linear(dim, dim, generator)
        self.log_variance = Linear(dim, dim, generator)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Means and spreads ``e^(l / 2)``, [n, dim] each."""
        hidden = relu(self.hidden(features))
        return self.mean(hidden), torch.exp(self.log_variance(hidden) / 2)


class StructureLatents(nn.Module):
    """Two graph attention networks over one entity table: the mean, normalised, and the spread.

    The spread is an ELU and so may be negative, as in the code, where it is not exponentiated.

    Args:
        mean: Network of the means.
        spread: Network of the spreads.
        n_entities: Rows of the table.
        dim: Columns of the table.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        mean: GATStructure,
        spread: GATStructure,
        n_entities: int,
        dim: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.table = normal_parameter((n_entities, dim), 1 / math.sqrt(n_entities), generator)
        self.mean, self.spread = mean, spread
        self.norm = nn.LayerNorm(dim)

    def forward(self, dropout: Dropout | None) -> tuple[Tensor, Tensor]:
        """Means and spreads of all entities, [n_entities, dim] each.

        Args:
            dropout: Of the table, drawn for each network anew; None in evaluation.
        """
        inputs = [self.table if dropout is None else dropout(self.table) for _ in range(2)]
        means = self.norm(self.mean(inputs[0], all_rows=True))
        return means, elu(self.spread(inputs[1], all_rows=True))


class BottleneckEncoder(nn.Module):
    """Latents of every modality, and their weighted concatenation.

    Args:
        graph: Union graph.
        features: Input features of the modalities without structure, [n_entities, dim] each.
        structure: Of the graph; None for a run without structure.
        dim: Columns of the latents of features.
        order: Modalities in the order of the fusion.
        noise: CPU generator of the noise in training.
        test_noise: CPU generator of the noise in evaluation; None compares means.
        generator: CPU generator of the initial values.

    Reference: IBMEA, ACM MM 2024, as the released code computes: the noise of features is uniform
    between 0 and 1, that of structure normal, and both are there in evaluation too.
    """

    def __init__(  # noqa: PLR0913 - the parts that an encoder is composed of
        self,
        graph: JointGraph,
        features: Mapping[str, Tensor],
        structure: StructureLatents | None,
        dim: int,
        order: tuple[str, ...],
        noise: torch.Generator,
        test_noise: torch.Generator | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.graph, self.modalities = graph, order
        self._features = dict(features)
        self._noise, self._test_noise = noise, test_noise
        self.structure = structure
        self.of_features = nn.ModuleDict(
            {name: FeatureLatents(each.shape[1], dim, generator) for name, each in features.items()}
        )
        self.fusion = WeightedConcatenation(order)

    def latents(
        self, noise: torch.Generator | None, dropout: Dropout | None = None
    ) -> dict[str, Latents]:
        """Latents of all entities by modality.

        Args:
            noise: CPU generator; None draws the means.
            dropout: Of the entity table; None in evaluation.
        """
        found = {}
        for name in self.modalities:
            if name == "structure":
                assert self.structure is not None  # noqa: S101 - checked where it is built
                means, spreads = self.structure(dropout)
            else:
                means, spreads = self.of_features[name](self._features[name])
            drawn = means
            if noise is not None:
                draw = torch.randn if name == "structure" else torch.rand
                drawn = means + spreads * draw(means.shape, generator=noise).to(means.device)
            found[name] = Latents(means, spreads, drawn)
        return found

    def training_latents(self, dropout: Dropout) -> dict[str, Latents]:
        """As ``latents``, with the noise of training."""
        return self.latents(self._noise, dropout)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities, drawn anew."""
        latents = self.latents(self._test_noise)
        encoded = {name: normalize(each.drawn, dim=1) for name, each in latents.items()}
        joint = normalize(self.fusion(encoded), dim=1)
        return self.graph.split(joint, by_modality=encoded, weights=self.fusion.weights())

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, drawn anew, [n_entities, sum of the dims]."""
        latents = self.latents(self._test_noise)
        joint = self.fusion({name: each.drawn for name, each in latents.items()})
        return normalize(joint, dim=1)

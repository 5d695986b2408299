"""The encoder that EVA, MCLEA and their successors share: one vector per modality and entity.

Structure comes from a graph encoder over a trainable entity table, every other modality from one
linear layer. Training needs the seed entities only, so the last graph layer and the linear layers
are computed for those rows alone; that changes no gradient.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.presence import Presence, masked
from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.sparse import FixedMatrix


class StructureEncoder(nn.Module, ABC):
    """Graph encoder over the entity table, with its graph inside."""

    @abstractmethod
    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""

    @abstractmethod
    def forward(self, inputs: Tensor, *, all_rows: bool) -> Tensor:
        """Vectors of the prepared rows, or of all entities, [n_rows, dim]."""


class ModalityEncoders(nn.Module):
    """One vector per modality and entity, before any fusion.

    Args:
        graph: Union graph.
        features: Input features of the linear modalities, [n_entities, dim] each, dense or
            in compressed sparse row form.
        structure: Graph encoder, None for a run without structure.
        dims: Output columns of each linear modality.
        order: Modalities in the order of the fusion.
        table_dim: Columns of the entity table.
        generator: CPU generator of the initial values.
        presence: Which entities have which modality, where that differs by definition; the
            others' vectors are zero.
    """

    def __init__(  # noqa: PLR0913 - the parts that an encoder is composed of
        self,
        graph: JointGraph,
        features: Mapping[str, Tensor],
        structure: StructureEncoder | None,
        dims: Mapping[str, int],
        order: tuple[str, ...],
        table_dim: int,
        generator: torch.Generator,
        *,
        presence: Presence | None = None,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.modalities = order
        self._features = {
            name: FixedMatrix.of_csr(rows) if rows.layout == torch.sparse_csr else rows
            for name, rows in features.items()
        }
        self._prepared_features: dict[str, FixedMatrix] = {}
        self.presence = dict(presence or {})
        # Its own dict from the start: a state that is read back fills either of them.
        self.prepared_presence: Presence = {}
        self.structure = structure
        self.table: nn.Parameter | None = None
        if structure is not None:
            shape = (graph.n_entities, table_dim)
            self.table = normal_parameter(shape, 1 / math.sqrt(graph.n_entities), generator)
        self.linear = nn.ModuleDict(
            {name: Linear(features[name].shape[1], dims[name], generator) for name in features}
        )

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""
        self.prepared_presence = {name: has[rows] for name, has in self.presence.items()}
        self._prepared_features = {
            name: features.restricted(rows)
            for name, features in self._features.items()
            if isinstance(features, FixedMatrix)
        }
        if self.structure is not None:
            self.structure.prepare(rows)

    def vectors(self, rows: Tensor | None, chosen: Tensor | None = None) -> dict[str, Tensor]:
        """Vectors by modality as the encoders give them; rows that lack a modality are masked.

        Args:
            rows: The rows that ``prepare`` was given, or None for all entities.
            chosen: Positions in ``rows`` (or joint ids) that are wanted; None for all of them.

        Returns:
            Modality to [n_wanted, dim].
        """
        presence = self.presence if rows is None else self.prepared_presence
        if chosen is not None:
            presence = {name: has[chosen] for name, has in presence.items()}
        encoded = {}
        for name in self.modalities:
            if name == "structure":
                assert self.structure is not None  # noqa: S101 - checked where it is built
                vectors = self.structure(self.table, all_rows=rows is None)
                vectors = vectors if chosen is None else vectors[chosen]
            else:
                vectors = self._encoded(name, rows, chosen)
            encoded[name] = masked(vectors, name, presence)
        return encoded

    def _encoded(self, name: str, rows: Tensor | None, chosen: Tensor | None) -> Tensor:
        features = self._features[name]
        if isinstance(features, FixedMatrix):
            # A product with sparse rows costs less than picking some of them would.
            sparse = features if rows is None else self._prepared_features[name]
            vectors: Tensor = self.linear[name](sparse)
            return vectors if chosen is None else vectors[chosen]
        wanted = rows if chosen is None else (chosen if rows is None else rows[chosen])
        picked: Tensor = self.linear[name](features if wanted is None else features[wanted])
        return picked

    def encode(self, rows: Tensor | None) -> dict[str, Tensor]:
        """L2-normalised vectors by modality; rows that lack a modality stay zero.

        Args:
            rows: The rows that ``prepare`` was given, or None for all entities.

        Returns:
            Modality to [n_rows, dim].
        """
        return {name: normalize(each, dim=1) for name, each in self.vectors(rows).items()}


class MultiModalEncoder(ModalityEncoders):
    """Per-modality encoders and their fusion by weighted concatenation.

    Args:
        graph: Union graph.
        features: Input features of the linear modalities, [n_entities, dim] each, dense or
            in compressed sparse row form.
        structure: Graph encoder, None for a run without structure.
        dims: Output columns of each linear modality.
        order: Modalities in the order of the fusion.
        table_dim: Columns of the entity table.
        generator: CPU generator of the initial values.
        presence: As in ``ModalityEncoders``.
    """

    def __init__(  # noqa: PLR0913 - the parts that an encoder is composed of
        self,
        graph: JointGraph,
        features: Mapping[str, Tensor],
        structure: StructureEncoder | None,
        dims: Mapping[str, int],
        order: tuple[str, ...],
        table_dim: int,
        generator: torch.Generator,
        *,
        presence: Presence | None = None,
    ) -> None:
        super().__init__(
            graph, features, structure, dims, order, table_dim, generator, presence=presence
        )
        self.fusion = WeightedConcatenation(order)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities."""
        encoded = self.encode(None)
        joint = normalize(self.fusion(encoded), dim=1)
        return self.graph.split(joint, by_modality=encoded, weights=self.fusion.weights())

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Normalised joint vectors of all entities, [n_entities, dim]."""
        return normalize(self.fusion(self.encode(None)), dim=1)

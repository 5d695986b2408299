"""LoginMEA's three orders of fusing modalities and propagating over the graph.

The base fuses first and then propagates (local to global); the sub-classes propagate first, and
take what comes out for a modality of its own (graph as modality), or propagate every modality
(graph upon modality).

Reference: LoginMEA, ECAI 2024, sections 4.2-4.4 and its supplement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.parts.loginmea.low_rank import LocalFusion, SparseRows
from mmea_bench.methods.parts.loginmea.surroundings import Propagation, Surroundings

STRUCTURE = "structure"
Features = Mapping[str, Tensor | FixedMatrix]


class Fuse(Protocol):
    """Makes the local fusion of some modalities."""

    def __call__(self, modalities: tuple[str, ...], *, generator: torch.Generator) -> LocalFusion:
        """The fusion, its initial values drawn from the generator."""


@dataclass(frozen=True)
class EncoderChoices:
    """Sizes and choices of an encoder.

    Attributes:
        modality_dim: Columns of encoded modalities.
        dim: Columns of fused vectors and graph layers.
        n_layers: Propagation steps.
        propagation: Kind of graph layers.
        merged_messages: Whether a neighbour sends one message, see ``ReflectionGraph.of``.
        structure_branch: Whether a table of entities is propagated beside the modalities.
        weighted_first: Whether the first block of the final vector is the weighted concatenation
            of the modalities rather than the fused vector.
        fuse: Makes the local fusion of the modalities named.
    """

    modality_dim: int
    dim: int
    n_layers: int
    propagation: Propagation
    merged_messages: bool
    structure_branch: bool
    weighted_first: bool
    fuse: Fuse


@dataclass(frozen=True, eq=False)
class _GraphPass:
    """One forward pass over the graph: relation directions are made once for all layers."""

    around: Surroundings
    directions: Tensor | None
    all_rows: bool

    def blocks(self, vectors: Tensor, layers: nn.ModuleList) -> list[Tensor]:
        return self.around.blocks(vectors, layers, self.directions, all_rows=self.all_rows)

    def chosen(self, vectors: Tensor) -> Tensor:
        return self.around.chosen(vectors, all_rows=self.all_rows)


class LocalToGlobal(nn.Module):
    """Modalities are fused within each entity, then propagated.

    Args:
        graph: Union graph.
        features: Inputs of each modality's linear layer, in the order of the fusion.
        choices: Sizes and choices.
        generator: CPU generator of the initial values.
        device: Where the graph lies.
    """

    always_structure: ClassVar[bool] = False

    def __init__(
        self,
        graph: JointGraph,
        features: Features,
        choices: EncoderChoices,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.graph, self._choices = graph, choices
        self._features = self._prepared = features
        self.linear = nn.ModuleDict()
        for name, inputs in features.items():
            self.linear[name] = Linear(inputs.shape[1], choices.modality_dim, generator)
        shape = (choices.n_layers, choices.dim)
        self.around = Surroundings(
            graph, choices.propagation, shape, generator, device, merged=choices.merged_messages
        )
        self._has_structure = choices.structure_branch or self.always_structure
        if self._has_structure:
            bound = math.sqrt(6 / (graph.n_entities + choices.dim))
            self.table = uniform_parameter((graph.n_entities, choices.dim), bound, generator)
            self.structure_layers = self.around.layers(generator)
        self._build(generator)

    def _build(self, generator: torch.Generator) -> None:
        """Adds the layers of the paradigm."""
        self.joint_layers = self.around.layers(generator)
        self.local = self._choices.fuse(tuple(self._features), generator=generator)
        self.weighted = WeightedConcatenation(tuple(self._features))
        self._sparse = {
            name: (SparseRows(inputs), self.linear[name])
            for name, inputs in self._features.items()
            if isinstance(inputs, FixedMatrix)
        }

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""
        self.around.prepare(rows)

    def encode(self, rows: Tensor | None) -> dict[str, Tensor]:
        """L2-normalised final vectors of the prepared rows, or of all entities where None."""
        return {"joint": self._joint(self._modality_vectors(rows), all_rows=rows is None)}

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Final vectors of all entities, [n_entities, dim]."""
        return self.encode(None)["joint"]

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Final and per-modality vectors of all entities."""
        vectors = self._modality_vectors(None)
        joint = self._joint(vectors, all_rows=True)
        return self.graph.split(joint, by_modality=vectors, weights=self.weighted.weights())

    def _modality_vectors(self, rows: Tensor | None) -> dict[str, Tensor]:
        features = self._features if rows is None else self._prepared
        return {name: self.linear[name](inputs) for name, inputs in features.items()}

    def _joint(self, vectors: dict[str, Tensor], *, all_rows: bool) -> Tensor:
        graph = _GraphPass(self.around, self.around.directions(), all_rows)
        structure = self._structure(graph) if self._has_structure else []
        blocks = self._blocks(vectors, structure, graph)
        return normalize(torch.cat(blocks, dim=1), dim=1)

    def _structure(self, graph: _GraphPass) -> list[Tensor]:
        """Mean of the neighbours' rows of the table, and what each layer makes of it."""
        average = torch.tanh(self.around.means @ self.table)
        return [graph.chosen(average), *graph.blocks(average, self.structure_layers)]

    def _blocks(
        self, vectors: dict[str, Tensor], structure: list[Tensor], graph: _GraphPass
    ) -> list[Tensor]:
        """Blocks of the final vector, [n_wanted, dim of the block] each.

        Args:
            vectors: Encoded modalities.
            structure: Blocks of the structure branch; empty without one.
            graph: Propagates to the wanted rows.
        """
        fused = self.local(vectors, self._sparse)
        blocks = graph.blocks(fused, self.joint_layers)
        if not self._choices.weighted_first:
            return [*structure, graph.chosen(fused), *blocks]
        chosen = {name: graph.chosen(each) for name, each in vectors.items()}
        return [*structure, torch.tanh(self.weighted(chosen)), *blocks]


class GraphAsModality(LocalToGlobal):
    """LoginMEA-GAM: the propagated structure is one more modality of the local fusion."""

    always_structure: ClassVar[bool] = True

    def _build(self, generator: torch.Generator) -> None:
        choices, modalities = self._choices, (*self._features, STRUCTURE)
        width = (choices.n_layers + 1) * choices.dim
        self.linear[STRUCTURE] = Linear(width, choices.modality_dim, generator)
        self.local = choices.fuse(modalities, generator=generator)
        self.weighted = WeightedConcatenation(modalities)

    def prepare(self, rows: Tensor) -> None:
        """As in the base; modalities are not propagated, so only their wanted rows are encoded."""
        super().prepare(rows)
        self._prepared = {
            name: inputs.restricted(rows) if isinstance(inputs, FixedMatrix) else inputs[rows]
            for name, inputs in self._features.items()
        }

    def _blocks(
        self,
        vectors: dict[str, Tensor],
        structure: list[Tensor],
        graph: _GraphPass,  # noqa: ARG002 - the base's; structure alone is propagated
    ) -> list[Tensor]:
        brought = self.linear[STRUCTURE](torch.cat(structure, dim=1))
        vectors = {**vectors, STRUCTURE: brought}
        return [torch.tanh(self.weighted(vectors)), self.local(vectors)]


class GraphUponModality(LocalToGlobal):
    """LoginMEA-GUM: every modality is propagated by the same layers; no local fusion."""

    def _build(self, generator: torch.Generator) -> None:
        self.joint_layers = self.around.layers(generator)
        self.weighted = WeightedConcatenation(tuple(self._features))

    def _blocks(
        self, vectors: dict[str, Tensor], structure: list[Tensor], graph: _GraphPass
    ) -> list[Tensor]:
        propagated = {}
        for name, modality in vectors.items():
            start = normalize(modality, dim=1)
            blocks = graph.blocks(start, self.joint_layers)
            propagated[name] = torch.cat([graph.chosen(start), *blocks], dim=1)
        return [*structure, self.weighted(propagated)]

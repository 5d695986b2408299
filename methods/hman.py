"""HMAN: structure, attributes and relations as three aspects that are trained together.

Structure passes two graph convolutions; attributes and relations pass feed-forward layers with a
highway gate and are not propagated. The aspects stand side by side with unit length. The published
numbers that tables quote are of this part. The second part of the paper, a BERT that is tuned on
descriptions of entities, is not here: no dataset holds descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import coo_matrix, identity
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import attribute_bags, relation_counts
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, symmetric_normalised
from mmea_bench.methods.core.layers.graph_layers import GCNLayer, HighwayGate, glorot_uniform
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.layers.weightless_gcn import truncated_normal
from mmea_bench.methods.core.losses.blocked_pairs import blocked_pair_margin_loss
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.optimisers import sgd
from mmea_bench.methods.core.training.pair_stand_ins import PairStandIns


@dataclass(frozen=True)
class HMANParams:
    """Hyper-parameters of HMAN; all are those of its released code."""

    modalities: tuple[str, ...] = ("structure", "attribute", "relation")
    structure_dim: int = 200  # code
    bag_dim: int = 100  # of attributes and of relations, code
    n_top: int = 1000  # most frequent attributes and relations, code
    propagated: bool = False  # True is MAN: all aspects pass convolutions
    gate_bias: float = -1.0  # of the highway gates at the start, code
    margin: float = 3.0  # code
    n_negatives: int = 25  # per side, uniform over both graphs, code
    refresh_every: int = 10  # steps between two draws, code
    epochs: int = 50_000  # full-batch steps, code
    learning_rate: float = 25.0  # plain SGD, code
    eval_every: int = 5000  # code


class HMAN(Method):
    """HMAN of topology, relations and attributes, and MAN as a variant."""

    paper = Paper(
        authors="Yang, Zou, Shi, Lu, Lin, Sun",
        title="Aligning Cross-Lingual Entities with Multi-Aspect Information",
        venue="EMNLP",
        year=2019,
        url="https://aclanthology.org/D19-1451/",
        code_url="https://github.com/h324yang/HMAN",
        code_commit="44f1fb4",
    )
    modalities: ClassVar[tuple[str, ...]] = HMANParams.modalities
    Params = HMANParams
    published_scoring = Scoring("manhattan", csls=0)  # code; tables that quote it are silent
    variants: ClassVar = {
        "MAN": {"propagated": True, "epochs": 2000, "eval_every": 500},
        "w/o structure": {"modalities": ("attribute", "relation")},
        "w/o attribute": {"modalities": ("structure", "relation")},
        "w/o relation": {"modalities": ("structure", "attribute")},
    }
    test_params: ClassVar = {
        "epochs": 60,
        "structure_dim": 32,
        "bag_dim": 16,
        "n_top": 60,
        "n_negatives": 10,
        "eval_every": 20,
    }

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why HMAN cannot run: it finds no aspect, or MAN no triples."""
        if self.params.propagated and "structure" not in modalities:
            return "the dataset lacks: structure, which MAN's convolutions run over"
        return super().skip_reason(modalities)

    @property
    def further_modalities(self) -> tuple[str, ...]:
        """Triples, where all aspects are propagated."""
        return ("structure",) if self.params.propagated else ()

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns the aspects side by side, with unit length."""
        params: HMANParams = self.params
        graph = JointGraph.of(view)
        aspects = self.aspects(graph, self.chosen_modalities(view.modalities), ctx)
        pairs = graph.seed_pairs(view).to(ctx.device)
        sizes = (len(pairs), graph.n_entities, params.n_negatives, params.refresh_every)
        negatives = PairStandIns(*sizes, ctx)

        def vectors() -> Tensor:
            return unit_rows(torch.cat([aspect() for aspect in aspects], dim=1))

        def step(epoch: int) -> float:
            stand_ins = negatives.at(epoch)
            return backward(blocked_pair_margin_loss(vectors(), pairs, stand_ins, params.margin))

        @torch.no_grad()
        def embed() -> Embeddings:
            return graph.split(vectors(), similarity="manhattan")

        schedule = Schedule(params.epochs, sgd(params.learning_rate), None, params.eval_every)
        return train(aspects.parameters(), step, embed, schedule, ctx)

    def aspects(self, graph: JointGraph, used: Iterable[str], ctx: RunContext) -> nn.ModuleList:
        """The encoders of the aspects, in the order of the concatenation."""
        params: HMANParams = self.params
        generator = ctx.generator("initial values")
        adjacency = counting_adjacency(graph, ctx.device)
        aspects: list[nn.Module] = []
        for modality in used:
            if modality == "structure":
                start = truncated_normal(graph.n_entities, params.structure_dim, generator)
                aspects.append(StructureAspect(adjacency, start, generator))
                continue
            make = attribute_bags if modality == "attribute" else relation_counts
            bags = FixedMatrix.of(make(graph, params.n_top).to(ctx.device))
            if params.propagated:
                aspects.append(PropagatedBags(adjacency, bags, params.bag_dim, generator))
            else:
                aspects.append(GatedBags(bags, params.bag_dim, params.gate_bias, generator))
        return nn.ModuleList(aspects).to(ctx.device)


def counting_adjacency(graph: JointGraph, device: torch.device | None = None) -> FixedMatrix:
    """``D^-1/2 A D^-1/2`` where ``A`` counts triples in either direction, plus one for oneself.

    A triple of an entity with itself adds two to the one.
    """
    size = graph.n_entities
    heads, _, tails = graph.triples.T
    ones = np.ones(len(heads), dtype=np.float32)
    counted = coo_matrix((ones, (heads, tails)), shape=(size, size)).tocsr()
    cells = (counted + counted.T + identity(size, dtype=np.float32, format="csr")).tocsr()
    cells.sort_indices()
    rows = np.repeat(np.arange(size), np.diff(cells.indptr))
    values = symmetric_normalised(rows, cells.indices.astype(np.int64), cells.data, size)
    return FixedMatrix(SparsePattern.of_csr(cells, device), torch.from_numpy(values))


class StructureAspect(nn.Module):
    """``A (ReLU(A (E * w1)) * w2)`` of a trained table ``E`` with unit rows.

    Args:
        adjacency: ``A``, [n_entities, n_entities].
        start: Where the raw table starts, [n_entities, dim].
        generator: CPU generator, of which diagonal weights draw nothing.
    """

    def __init__(self, adjacency: FixedMatrix, start: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        self.table, dim = nn.Parameter(start), start.shape[1]
        layers = [GCNLayer(dim, dim, generator, weight="diagonal", bias=False) for _ in range(2)]
        self.layers, self._adjacency = nn.ModuleList(layers), adjacency

    def forward(self) -> Tensor:
        """[n_entities, dim]."""
        first, second = self.layers
        hidden = relu(first(unit_rows(self.table), self._adjacency))
        found: Tensor = second(hidden, self._adjacency)
        return found


class GatedBags(nn.Module):
    """A feed-forward layer over bags and a highway gate with a linear candidate.

    ``u = ReLU(x W + b)`` and ``g (u V + c) + (1 - g) u`` with ``g = sigmoid(u K + k)``.

    Args:
        bags: ``x``, [n_entities, n_columns].
        dim: Columns of the output.
        gate_bias: Where ``k`` starts.
        generator: CPU generator of the initial values, Glorot-uniform.
    """

    def __init__(
        self, bags: FixedMatrix, dim: int, gate_bias: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._bags = bags
        self.weight = glorot_uniform(bags.pattern.shape[1], dim, generator)
        self.bias = nn.Parameter(torch.zeros(dim))
        self.gate = HighwayGate(dim, generator, gate_bias)
        self.candidate = glorot_uniform(dim, dim, generator)
        self.candidate_bias = nn.Parameter(torch.zeros(dim))

    def forward(self) -> Tensor:
        """[n_entities, dim]."""
        hidden = relu(self._bags @ self.weight + self.bias)
        found: Tensor = self.gate(hidden @ self.candidate + self.candidate_bias, hidden)
        return found


class PropagatedBags(nn.Module):
    """``A (ReLU(A x W) * w)``: two convolutions over bags, as MAN encodes them.

    Args:
        adjacency: ``A``, [n_entities, n_entities].
        bags: ``x``, [n_entities, n_columns].
        dim: Columns of the output.
        generator: CPU generator of the initial values, Glorot-uniform.
    """

    def __init__(
        self, adjacency: FixedMatrix, bags: FixedMatrix, dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._adjacency, self._bags = adjacency, bags
        self.weight = glorot_uniform(bags.pattern.shape[1], dim, generator)
        self.last = GCNLayer(dim, dim, generator, weight="diagonal", bias=False)

    def forward(self) -> Tensor:
        """[n_entities, dim]."""
        hidden = relu(self._adjacency @ (self._bags @ self.weight))
        found: Tensor = self.last(hidden, self._adjacency)
        return found

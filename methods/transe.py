"""TransE with parameter sharing: one translation space for both KGs.

The two ends of a seed link get the same vector; triples of both KGs train one TransE. Entities
without a seed partner are compared by their vectors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.shared_ids import SharedGraph
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.layers.weightless_gcn import truncated_normal
from mmea_bench.methods.core.losses.margins import Norm, Reduction, margin_loss
from mmea_bench.methods.core.losses.translation import (
    CorruptedTriples,
    translation_distances,
)
from mmea_bench.methods.core.search_space import Choice, Dimension, Float, Int
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    TypedCandidates,
    UniformCandidates,
)
from mmea_bench.methods.core.training.row_adagrad import RowAdagrad
from mmea_bench.methods.core.training.triple_corruption import TripleBatches


@dataclass(frozen=True)
class TransEParams:
    """Hyper-parameters of TransE (sharing); defaults are those of the toolkit EAkit."""

    dim: int = 100  # code
    margin: float = 1.0  # code
    n_negatives: int = 5  # per triple, code
    negatives: Literal["typed", "uniform"] = "typed"  # EAkit typed, OpenEA uniform
    norm: Norm = "l2"  # EAkit l2, OpenEA squared l2
    unit_rows: bool = False  # OpenEA normalises entities and relations in every pass
    # EAkit Glorot's, OpenEA truncated with the deviation 1 / sqrt(dim): under rows that are scaled
    # to unit length their first length sets how far a step turns them.
    start: Literal["xavier normal", "truncated normal"] = "xavier normal"
    reduction: Reduction = "mean"  # of a batch's hinges; EAkit mean, OpenEA sum
    initial_sum: float = 0.0  # of squared gradients; EAkit 0, OpenEA 0.1 (TensorFlow)
    refresh_every: int = 10  # epochs between two draws of negatives, EAkit
    batch_size: int = 1024  # code
    epochs: int = 1000  # code
    learning_rate: float = 0.01  # Adagrad, code
    eval_every: int = 100


class TransE(Method):
    """TransE (sharing) as EAkit trains it; ``OpenEA`` names the other toolkit's choices."""

    paper = Paper(
        authors="Bordes, Usunier, García-Durán, Weston, Yakhnenko",
        title="Translating Embeddings for Modeling Multi-relational Data",
        venue="NeurIPS",
        year=2013,
        url="https://papers.nips.cc/paper/5071",
        code_url="https://github.com/THU-KEG/EAkit",
        interpretation="The tables do not say which program they ran.",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = TransEParams
    # EAkit on DBP15K, one setting for all pairs; no source states how the FB15K rows were made.
    published_scoring = Scoring("euclidean", csls=0)
    # Our choice of ranges, around the defaults; both toolkits' negatives and norms are in it.
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "learning_rate": Float(1e-3, 0.1, log=True),
        "margin": Float(0.5, 5.0),
        "n_negatives": Int(1, 15),
        "negatives": Choice(("typed", "uniform")),
        "norm": Choice(("l2", "squared l2")),
        "unit_rows": Choice((False, True)),
        "dim": Choice((50, 100, 200)),
    }
    variants: ClassVar = {
        "OpenEA": {
            "negatives": "uniform",
            "n_negatives": 1,
            "norm": "squared l2",
            "unit_rows": True,
            "start": "truncated normal",
            "reduction": "sum",
            "initial_sum": 0.1,
            "refresh_every": 1,
            "batch_size": 5000,
        }
    }
    test_params: ClassVar = {"epochs": 60, "dim": 32, "batch_size": 256, "eval_every": 20}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the triples of both KGs and returns the vectors of all entities."""
        params: TransEParams = self.params
        graph = JointGraph.of(view)
        shared = SharedGraph.of(graph, view)
        generator = ctx.generator("initial values")
        entities, relations = (
            nn.Parameter(initial_rows(size, params, generator).to(ctx.device))
            for size in (shared.n_ids, graph.n_relations)
        )
        adagrad = RowAdagrad((entities, relations), params.learning_rate, params.initial_sum)
        updates = MiniBatchSteps(adagrad)
        sizes = (params.n_negatives, params.refresh_every, params.batch_size)
        batches = TripleBatches(corruption(shared, params.negatives), *sizes, ctx)

        def step(epoch: int) -> float:
            return updates.mean_loss(losses(adagrad, batches.distinct(epoch), params))

        def embed() -> Embeddings:
            # On unit rows the cosine ranks as the Euclidean distance does, and is cheaper.
            return graph.split(normalize(entities.detach(), dim=1)[shared.ids.to(ctx.device)])

        schedule = Schedule(params.epochs, None, None, params.eval_every)
        return train((entities, relations), step, embed, schedule, ctx)


def initial_rows(n_rows: int, params: TransEParams, generator: Generator) -> Tensor:
    """Where a table starts, [n_rows, dim]."""
    if params.start == "xavier normal":
        return xavier_normal((n_rows, params.dim), generator)
    return truncated_normal(n_rows, params.dim, generator, 1 / math.sqrt(params.dim))


def corruption(shared: SharedGraph, kind: Literal["typed", "uniform"]) -> FilteredCorruption:
    """Draws the negatives of all triples, none of which is a triple itself.

    A fair coin decides for each negative which end is replaced. A stand-in that makes a true triple
    is drawn again, ten times from where it came and then from the whole KG (EAkit).

    Args:
        shared: Union graph with merged seed partners; a merged entity belongs to both KGs.
        kind: ``typed`` draws among the heads (or tails) of the same relation, ``uniform`` among
            all entities of the triple's KG.
    """
    side = (~shared.source_side).long()
    everyone = UniformCandidates.of_triples(shared.triples, side)
    typed = TypedCandidates(shared.triples, everyone) if kind == "typed" else None
    return FilteredCorruption(shared.triples, side, shared.n_ids, everyone, typed)


def losses(
    adagrad: RowAdagrad,
    batches: Iterator[tuple[Tensor, Tensor, CorruptedTriples]],
    params: TransEParams,
) -> Iterator[Tensor]:
    """Margin loss of each batch on the rows of the tables that it reads."""
    for entity_ids, relation_ids, local in batches:
        rows = adagrad.gather((entity_ids, relation_ids))
        if params.unit_rows:
            rows = [normalize(row, dim=1) for row in rows]
        own, others = translation_distances(rows[0], rows[1], local, params.norm)
        yield margin_loss(own, others, params.margin, params.reduction)

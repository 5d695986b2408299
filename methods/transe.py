"""TransE with parameter sharing: one translation space for both KGs.

The two ends of a seed link get the same vector; triples of both KGs train one TransE. Entities
without a seed partner are compared by their vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize, relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.training.loop import Schedule, train


@dataclass(frozen=True)
class TransEParams:
    """Hyper-parameters of TransE (sharing); defaults are those of the toolkit EAkit."""

    dim: int = 100  # code
    margin: float = 1.0  # code
    n_negatives: int = 5  # per triple, code
    negatives: Literal["typed", "uniform"] = "typed"  # EAkit typed, OpenEA uniform
    norm: Literal["l2", "squared l2"] = "l2"  # EAkit l2, OpenEA squared l2
    unit_rows: bool = False  # OpenEA normalises entities and relations in every pass
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
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = TransEParams
    # EAkit on DBP15K, one setting for all pairs; no source states how the FB15K rows were made.
    published_scoring = Scoring("euclidean", csls=0)
    variants: ClassVar = {
        "OpenEA": {
            "negatives": "uniform",
            "n_negatives": 1,
            "norm": "squared l2",
            "unit_rows": True,
            "refresh_every": 1,
            "batch_size": 5000,
        }
    }
    test_params: ClassVar = {"epochs": 60, "dim": 32, "batch_size": 256, "eval_every": 20}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the triples of both KGs and returns the vectors of all entities."""
        params: TransEParams = self.params
        graph = JointGraph.of(view)
        shared_id = shared_ids(graph, view)
        model = _Model(int(shared_id.max()) + 1, graph.n_relations, params, ctx)
        triples = torch.from_numpy(graph.triples)
        ids = torch.from_numpy(shared_id)
        triples = torch.stack([ids[triples[:, 0]], triples[:, 1], ids[triples[:, 2]]], dim=1)
        source_side = torch.from_numpy(graph.triples[:, 0] < graph.n_source)
        sampler = NegativeSampler(triples, source_side, params.negatives)

        def embed() -> Embeddings:
            vectors = normalize(model.entities.detach(), dim=1)[ids.to(ctx.device)]
            # On unit rows the cosine ranks as the Euclidean distance does, and is cheaper.
            return graph.split(vectors)

        training = _Training(model, triples, sampler, params, ctx)
        schedule = Schedule(params.epochs, None, None, params.eval_every)
        return train(model.parameters(), training.step, embed, schedule, ctx)


class _Training:
    """One epoch: every triple once, in shuffled batches with their negatives."""

    def __init__(
        self,
        model: _Model,
        triples: Tensor,
        sampler: NegativeSampler,
        params: TransEParams,
        ctx: RunContext,
    ) -> None:
        self._model, self._triples, self._sampler = model, triples, sampler
        self._params, self._device = params, ctx.device
        self._shuffles, self._draws = ctx.generator("batches"), ctx.generator("negatives")
        self._negatives = sampler.draw(params.n_negatives, self._draws)

    def step(self, epoch: int) -> float:
        params = self._params
        if epoch > 1 and (epoch - 1) % params.refresh_every == 0:
            self._negatives = self._sampler.draw(params.n_negatives, self._draws)
        order = torch.randperm(len(self._triples), generator=self._shuffles)
        batches = torch.split(order, params.batch_size)
        parts = (self._triples, *self._negatives)
        losses = [
            self._model.step(*(part[rows].to(self._device) for part in parts)) for rows in batches
        ]
        return sum(losses) / len(losses)


class _Model(nn.Module):
    """Entity and relation tables with sparse Adagrad: a step touches the rows of its batch only."""

    def __init__(
        self, n_entities: int, n_relations: int, params: TransEParams, ctx: RunContext
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self._params = params
        self.entities, self.relations = (
            nn.Parameter(xavier_normal((size, params.dim), generator).to(ctx.device))
            for size in (n_entities, n_relations)
        )
        self._sums = [torch.zeros_like(table) for table in (self.entities, self.relations)]

    def step(self, triples: Tensor, stand_ins: Tensor, replaces_head: Tensor) -> float:
        """One Adagrad step on a batch.

        Args:
            triples: [b, 3].
            stand_ins: Entity of each negative, [b, k].
            replaces_head: Whether it stands in for the head rather than the tail, [b, k].
        """
        params = self._params
        n, k = stand_ins.shape
        relation_ids, relation_of = torch.unique(triples[:, 1], return_inverse=True)
        entity_ids, entity_of = torch.unique(
            torch.cat([triples[:, 0], triples[:, 2], stand_ins.flatten()]), return_inverse=True
        )
        rows = [
            table.detach().index_select(0, ids).requires_grad_()
            for table, ids in ((self.entities, entity_ids), (self.relations, relation_ids))
        ]
        entities, relations = (normalize(row, dim=1) for row in rows) if params.unit_rows else rows
        # ``embedding`` because its backward adds up repeated rows far faster than indexing does.
        head, tail = embedding(entity_of[:n], entities), embedding(entity_of[n : 2 * n], entities)
        relation = embedding(relation_of, relations)
        other = embedding(entity_of[2 * n :].view(n, k), entities)  # [b, k, dim]
        # A stand-in e gives (h + r) - e as a tail and e - (t - r) as a head.
        fixed = torch.cat([head + relation, relation - tail])  # [2b, dim]
        place = torch.arange(n, device=head.device).unsqueeze(1) + n * replaces_head
        sign = (2 * replaces_head - 1).to(head.dtype).unsqueeze(2)
        own = self._distance(head + relation - tail).unsqueeze(1)
        others = self._distance(embedding(place, fixed) + sign * other)
        loss = relu(params.margin + own - others).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        tables = (self.entities, self.relations)
        for table, sums, ids, row in zip(
            tables, self._sums, (entity_ids, relation_ids), rows, strict=True
        ):
            assert row.grad is not None  # noqa: S101 - every gathered row stands in the loss
            squares = sums.index_select(0, ids).addcmul_(row.grad, row.grad)
            sums.index_copy_(0, ids, squares)
            step = row.grad / squares.sqrt_().add_(1e-10)
            table.data.index_add_(0, ids, step, alpha=-params.learning_rate)
        return float(loss.detach())

    def _distance(self, difference: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(difference, dim=-1)
        return norm.square() if self._params.norm == "squared l2" else norm


class NegativeSampler:
    """Entities that stand in for the head or the tail of a triple.

    Args:
        triples: (head, relation, tail) in shared ids, [n, 3].
        source_side: Whether a triple is of the source KG, [n].
        kind: ``uniform`` draws any entity of the triple's KG; ``typed`` draws an entity that is
            head (tail) of the same relation somewhere, with a relation of a single such entity
            falling back to the whole KG.
    """

    def __init__(
        self, triples: Tensor, source_side: Tensor, kind: Literal["typed", "uniform"]
    ) -> None:
        self._triples = triples
        groups = triples[:, 1] if kind == "typed" else (~source_side).long()
        everyone = (~source_side).long()
        self._pools = [_Pool(groups, triples[:, column]) for column in (0, 2)]
        both = torch.cat([triples[:, 0], triples[:, 2]])
        self._whole_graph = _Pool(torch.cat([everyone, everyone]), both)
        if kind == "uniform":
            self._pools = [self._whole_graph, self._whole_graph]
        self._groups, self._everyone = groups, everyone

    def draw(self, n_negatives: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Stand-ins and whether they replace the head, [n, n_negatives] each."""
        shape = (len(self._triples), n_negatives)
        replaces_head = torch.rand(shape, generator=generator) < 0.5
        anyone = self._whole_graph.draw(self._everyone, n_negatives, generator)
        drawn = []
        for pool in self._pools:
            alone = (pool.sizes[self._groups] < 2).unsqueeze(1)
            typed = pool.draw(self._groups, n_negatives, generator)
            drawn.append(torch.where(alone, anyone, typed))
        return torch.where(replaces_head, drawn[0], drawn[1]), replaces_head


class _Pool:
    """Distinct members of groups, to draw from uniformly."""

    def __init__(self, groups: Tensor, members: Tensor) -> None:
        distinct = torch.unique(torch.stack([groups, members], dim=1), dim=0)
        self._members = distinct[:, 1]
        self.sizes = torch.bincount(distinct[:, 0])
        self._starts = torch.cumsum(self.sizes, dim=0) - self.sizes

    def draw(self, groups: Tensor, n_draws: int, generator: torch.Generator) -> Tensor:
        """Members of the group of each row, [n_rows, n_draws]."""
        shares = torch.rand((len(groups), n_draws), generator=generator, dtype=torch.float64)
        position = (shares * self.sizes[groups].unsqueeze(1)).long()
        drawn: Tensor = self._members[self._starts[groups].unsqueeze(1) + position]
        return drawn


def shared_ids(graph: JointGraph, view: TrainView) -> NDArray[np.int64]:
    """One id per group of entities that seed links join, [n_entities].

    All entities that links connect share an id, so an entity with two partners merges all three.
    """
    pairs = graph.seed_pairs(view).numpy()
    size = graph.n_entities
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, dtype=np.int64)

"""PoE: entity alignment as link prediction of one more relation, scored by a product of experts.

An interpretation: no model code was released, and the paper's visual features, rules, negatives and
sizes are not known to us. What is here: every expert gives a logit for ``(e, sameAs, e')`` and the
logits add up. Each logit is written as an inner product of a vector of ``e`` and one of ``e'``, so
that the concatenated vectors can be ranked.

* l, latent: DistMult over the triples of both KGs and the seed links.
* r, relational: two-step paths from ``e`` through a seed link to ``e'``. One weight serves all of
  them, where the model behind PoE weighs each mined rule.
* n, numerical: Gaussians of the differences of numeric attributes, as random Fourier features.
* i, visual: cosine of centred vectors; every further feature modality has such an expert too.

The weights of r, n and i are trained on the seed links; only l is trained on other relations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Similarity
from mmea_bench.methods.core.inputs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.parts.poe.experts import (
    ExpertVectors,
    feature_expert,
    numerical_expert,
    relational_expert,
)

EXPERTS = "lrni"
FEATURES = ("image", "text")
"""Feature modalities with an expert of kind ``i``."""


@dataclass(frozen=True)
class PoEParams:
    """Hyper-parameters of PoE; "ours" marks what no source states."""

    experts: str = EXPERTS  # letters of the experts in use
    dim: int = 100  # of the latent expert; KBlrn tunes 100 and 200
    relational_dim: int = 256  # columns that stand in for one per seed link, ours
    feature_dim: int = 256  # principal directions kept of each feature modality, ours
    max_attribute_pairs: int = 16  # numeric attribute pairs with an own Gaussian, ours
    n_frequencies: int = 32  # random Fourier features of each Gaussian, ours
    expert_weight: float = 10.0  # of r, n and i at the start: cosines alone hardly tell, ours
    n_negatives: int = 256  # entities that the answers of a batch are told from, ours
    batch_size: int = 4096  # triples, ours
    link_batch_size: int = 128  # seed links that accompany each batch of triples, ours
    epochs: int = 100  # ours
    learning_rate: float = 1e-3  # Adam, KBlrn
    eval_every: int = 20  # ours

    def __post_init__(self) -> None:
        if not self.experts or set(self.experts) - set(EXPERTS):
            raise ValueError(f"experts must be letters among {EXPERTS}")


class PoE(Method):
    """PoE with all experts that the dataset allows; a variant names the experts it keeps."""

    paper = Paper(
        authors="Liu, Li, García-Durán, Niepert, Oñoro-Rubio, Rosenblum",
        title="MMKG: Multi-Modal Knowledge Graphs",
        venue="ESWC",
        year=2019,
        url="https://arxiv.org/abs/1903.05485",
    )
    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment", "n-mmkg")
    modalities: ClassVar[tuple[str, ...]] = ("structure", "attribute", *FEATURES)
    Params = PoEParams
    # No source states scoring or settings: published_scoring and published_settings stay empty.
    grid: ClassVar = {"dim": (100, 200)}
    variants: ClassVar = {
        "l": {"experts": "l"},
        "lr": {"experts": "lr"},
        "rni": {"experts": "rni"},
        "lni": {"experts": "lni"},
        "lri": {"experts": "lri"},
        "lrn": {"experts": "lrn"},
    }
    test_params: ClassVar = {
        "epochs": 40,
        "dim": 32,
        "batch_size": 512,
        "learning_rate": 5e-3,
        "relational_dim": 64,
        "feature_dim": 32,
    }

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why PoE cannot run: none of its experts finds its input."""
        if self.used_modalities(modalities):
            return None
        return f"the dataset has nothing for any of the experts {self.params.experts}"

    def used_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Modalities that the chosen experts read."""
        inputs = {"l": {"structure"}, "r": {"structure"}, "n": {"attribute"}, "i": set(FEATURES)}
        wanted = set().union(*(inputs[letter] for letter in self.params.experts))
        return tuple(name for name in self.modalities if name in wanted and name in offered)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on triples and seed links and returns the joined expert vectors."""
        params: PoEParams = self.params
        graph = JointGraph.of(view)
        used = self.used_modalities(view.modalities)
        model = ProductOfExperts(graph, _experts(view, graph, used, params, ctx), params, ctx)
        training = _Training(model.to(ctx.device), graph, graph.seed_pairs(view), params, ctx)
        # Thresholds over all pairs need scores of one scale, hence the cosine (CrossEA, sec. 5.3).
        similarity: Similarity = "cosine" if view.task == "n-mmkg" else "inner"

        def embed() -> Embeddings:
            with torch.no_grad():
                source, target = model.vectors()
            return Embeddings(source, target, similarity, modality_weights=model.weights())

        schedule = Schedule(params.epochs, None, eval_every=params.eval_every)
        return train(model.parameters(), training.step, embed, schedule, ctx)


def _experts(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: PoEParams, ctx: RunContext
) -> dict[str, ExpertVectors]:
    """Fixed experts by name; one without any input is left out."""
    pairs = graph.seed_pairs(view)
    found: dict[str, ExpertVectors | None] = {}
    if "r" in params.experts and "structure" in used:
        found["relational"] = relational_expert(graph, pairs, params.relational_dim, ctx)
    if "n" in params.experts and "attribute" in used:
        sizes = params.max_attribute_pairs, params.n_frequencies
        found["numerical"] = numerical_expert(view, *sizes, ctx)
    if "i" in params.experts:
        for name in FEATURES:
            if name in used:
                found[name] = feature_expert(view, name, params.feature_dim, ctx)
    return {name: expert for name, expert in found.items() if expert is not None}


class ProductOfExperts(nn.Module):
    """Logits of ``(e, sameAs, e')`` and of ordinary triples.

    Args:
        graph: Union graph; without triples the latent expert has the seed links alone.
        experts: Fixed vectors by name.
        params: Sizes and experts.
        ctx: Device and generator.
    """

    def __init__(
        self,
        graph: JointGraph,
        experts: dict[str, ExpertVectors],
        params: PoEParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self.n_source, self.same_as = graph.n_source, graph.n_relations
        self._experts = {name: expert.to(ctx.device) for name, expert in experts.items()}
        self.has_latent = "l" in params.experts
        size = params.dim if self.has_latent else 0
        std = 1 / math.sqrt(max(1, size))
        self.entities = normal_parameter((graph.n_entities, size), std, generator)
        # Weights near one make a relation start as an inner product, which keeps gradients alive.
        self.relations = nn.Parameter(
            1 + 0.1 * torch.randn(graph.n_relations + 1, size, generator=generator)
        )
        # Weights stay positive: more evidence never speaks against a pair.
        start = torch.tensor(math.log(params.expert_weight))
        self.log_weights = nn.ParameterDict(
            {name: nn.Parameter(start.clone()) for name in self._experts}
        )

    def link_logits(self, heads: Tensor, tails: Tensor, *, paired: bool) -> Tensor:
        """Logits of sameAs.

        No gradient is sought for the experts' vectors, which makes this far cheaper than products
        of the joined ``vectors``.

        Args:
            heads: Joint ids of source entities, [n_heads].
            tails: Joint ids of target entities, [n_tails].
            paired: Whether row i is asked for with row i alone.

        Returns:
            [n_heads, n_tails], or [n_heads] where paired.
        """

        def products(source: Tensor, target: Tensor) -> Tensor:
            return (source * target).sum(dim=1) if paired else source @ target.T

        queries = embedding(heads, self.entities) * self.relations[self.same_as]
        logits = products(queries, embedding(tails, self.entities))
        for name, expert in self._experts.items():
            source = expert.source.index_select(0, heads)
            target = expert.target.index_select(0, tails - self.n_source)
            logits = logits + self.log_weights[name].exp() * products(source, target)
        return logits

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Vectors of all source and all target entities; their inner products are the logits."""
        source = [self.entities[: self.n_source] * self.relations[self.same_as]]
        target = [self.entities[self.n_source :]]
        for name, expert in self._experts.items():
            root = (self.log_weights[name] / 2).exp()
            source.append(root * expert.source)
            target.append(root * expert.target)
        return torch.cat(source, dim=1), torch.cat(target, dim=1)

    def weights(self) -> dict[str, float]:
        """Current weight of each fixed expert."""
        return {name: float(log.detach().exp()) for name, log in self.log_weights.items()}


def query_loss(answers: Tensor, others: Tensor, wrong: Tensor) -> Tensor:
    """Mean of ``-log p(answer | query)`` with sampled negatives.

    Args:
        answers: Logit of the answer of each query, [b].
        others: Logits of its negatives, [b, k].
        wrong: Which negatives are another entity than the answer, [b, k] bool.
    """
    logits = torch.cat([answers.unsqueeze(1), others.masked_fill(~wrong, -torch.inf)], dim=1)
    place = torch.zeros(len(answers), dtype=torch.int64, device=answers.device)
    return cross_entropy(logits, place)


class _Training:
    """One epoch: every triple once in shuffled batches, each with a batch of seed links."""

    def __init__(
        self,
        model: ProductOfExperts,
        graph: JointGraph,
        pairs: Tensor,
        params: PoEParams,
        ctx: RunContext,
    ) -> None:
        self._model, self._params, self._device = model, params, ctx.device
        self._n_source, self._n_entities = graph.n_source, graph.n_entities
        self._triples = torch.from_numpy(graph.triples if model.has_latent else graph.triples[:0])
        self._pairs = pairs
        self._draws = ctx.generator("batches")
        self._optimiser = torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True)

    def step(self, _epoch: int) -> float:
        losses = []
        for triples, links in zip(*self._batches(), strict=True):
            self._optimiser.zero_grad(set_to_none=True)
            parts = []
            if len(triples):
                parts.append(self._triple_loss(triples))
            if len(links):
                parts.append(self._link_loss(links))
            loss = torch.stack(parts).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            losses.append(float(loss.detach()))
        return sum(losses) / max(1, len(losses))

    def _batches(self) -> tuple[list[Tensor], list[Tensor]]:
        """Batches of triples, each of one KG, and as many of seed links, which come round again."""
        params = self._params
        batches: list[Tensor] = []
        is_source = self._triples[:, 0] < self._n_source
        for mask in (is_source, ~is_source):
            rows = torch.nonzero(mask).squeeze(1)
            rows = rows[torch.randperm(len(rows), generator=self._draws)]
            parts = torch.split(rows, params.batch_size)
            batches += [self._triples[part] for part in parts if len(part)]
        n_steps = max(len(batches), math.ceil(len(self._pairs) / params.link_batch_size))
        empty = self._triples[:0]
        batches += [empty] * (n_steps - len(batches))
        places = torch.randperm(n_steps, generator=self._draws).tolist()
        return [batches[place] for place in places], list(self._link_batches(n_steps))

    def _link_batches(self, n_steps: int) -> Iterator[Tensor]:
        size = min(self._params.link_batch_size, len(self._pairs))
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(n_steps):
            if len(order) < size:
                again = torch.randperm(len(self._pairs), generator=self._draws)
                order = torch.cat([order, again])
            yield self._pairs[order[:size]]
            order = order[size:]

    def _drawn(self, first: int, last: int) -> Tensor:
        drawn = torch.randint(first, last, (self._params.n_negatives,), generator=self._draws)
        return drawn.to(self._device)

    def _triple_loss(self, triples: Tensor) -> Tensor:
        """Head and tail queries of triples of one KG, with negatives from that KG."""
        of_source = int(triples[0, 0]) < self._n_source
        bounds = (0, self._n_source) if of_source else (self._n_source, self._n_entities)
        drawn = self._drawn(*bounds)
        heads, relations, tails = triples.to(self._device).T
        table, others = self._model.entities, embedding(drawn, self._model.entities)
        head, tail = embedding(heads, table), embedding(tails, table)
        relation = embedding(relations, self._model.relations)
        from_head, from_tail = head * relation, tail * relation
        own = (from_head * tail).sum(dim=1)
        loss = query_loss(own, from_head @ others.T, tails.unsqueeze(1) != drawn)
        return loss + query_loss(own, from_tail @ others.T, heads.unsqueeze(1) != drawn)

    def _link_loss(self, links: Tensor) -> Tensor:
        """Queries of sameAs in both directions, with negatives from the other KG."""
        heads, tails = links.to(self._device).T
        other_heads = self._drawn(0, self._n_source)
        other_tails = self._drawn(self._n_source, self._n_entities)
        logits = self._model.link_logits
        own = logits(heads, tails, paired=True)
        forth, back = (
            logits(heads, other_tails, paired=False),
            logits(other_heads, tails, paired=False).T,
        )
        loss = query_loss(own, forth, tails.unsqueeze(1) != other_tails)
        return loss + query_loss(own, back, heads.unsqueeze(1) != other_heads)

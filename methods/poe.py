"""PoE: entity alignment as link prediction of one more relation, scored by a product of experts.

An interpretation: no model code was released, and the paper's visual features, rules, negatives and
sizes are not known to us. What is here: every expert gives a logit for ``(e, sameAs, e')`` and the
logits add up. Each logit is written as an inner product of a vector of ``e`` and one of ``e'``, so
that the concatenated vectors can be ranked.

* l, latent: DistMult over the triples of both KGs, which share no relation, and the seed links.
* r, relational: two-step paths from ``e`` through a seed link to ``e'``. One weight serves all of
  them; the variant ``rules`` weighs pairs of relations, as the model behind PoE weighs mined rules.
* n, numerical: Gaussians of the differences of matched numeric attributes, one of each KG, as
  random Fourier features.
* i, visual: cosine of centred vectors; every further feature modality has such an expert too.

l is trained on all relations and on most seed links, by a likelihood of its own. The weights of all
experts are trained on the other seed links: l knows by heart what it was trained on, and weighed
there it would count far more than it tells of links that nobody knows (docs/systems.md has the
numbers). Without l nothing is known by heart, and all seed links weigh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Alignment, Embeddings, Method, RunContext, Similarity
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.sampled_softmax import query_loss, shared_query_loss
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.parts.poe.batches import TripleAndLinkBatches, links_apart
from mmea_bench.methods.parts.poe.experts import (
    ExpertVectors,
    FitBy,
    feature_expert,
    numerical_expert,
    relational_expert,
)
from mmea_bench.methods.parts.poe.product import ProductOfExperts, relations_apart
from mmea_bench.methods.parts.poe.rules import RuleChoice, RuleLogits, rule_expert

EXPERTS = "lrni"
FEATURES = ("image", "text")
"""Feature modalities with an expert of kind ``i``."""


@dataclass(frozen=True)
class PoEParams:
    """Hyper-parameters of PoE; "ours" marks what no source states."""

    experts: str = EXPERTS  # letters of the experts in use
    dim: int = 100  # of the latent expert; KBlrn tunes 100 and 200
    relational: Literal["paths", "rules"] = "paths"  # ours; rules are the interpretation's
    rule_support: int = 20  # seed links on which a rule of its own weight holds, interpretation
    rule_confidence: float = 0.1  # share of its pairs that are seed links, interpretation
    relational_dim: int = 256  # columns that stand in for one per seed link, ours
    feature_dim: int = 256  # principal directions kept of each feature modality, ours
    max_attribute_pairs: int = 16  # numeric attribute pairs with an own Gaussian, ours
    gaussians: FitBy = "moments"  # interpretation; robust ones tell more
    n_frequencies: int = 32  # random Fourier features of each Gaussian, ours
    weighed_share: float = 0.1  # of the seeds, which the latent expert does not learn; ours
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
        interpretation="No code was found.",
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
        "robust Gaussians": {"gaussians": "robust"},
        "rules": {"relational": "rules"},
    }
    test_params: ClassVar = {
        "epochs": 16,
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

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """Trains on triples and seed links and returns the joined expert vectors.

        With ``rules`` it returns scores, since a matrix of them has no vectors.
        """
        params: PoEParams = self.params
        graph = JointGraph.of(view)
        experts = _experts(view, graph, self.used_modalities(view.modalities), params, ctx)
        # Behind the experts: a rule names a relation of each KG, for which shared ids will do.
        graph = relations_apart(graph)
        dim = params.dim if "l" in params.experts else 0
        model = ProductOfExperts(graph, experts, dim, params.expert_weight, ctx).to(ctx.device)
        sizes, seeds = (params.batch_size, params.link_batch_size), graph.seed_pairs(view)
        links = seeds[:0], seeds
        if model.has_latent:
            links = links_apart(seeds, params.weighed_share, ctx) if experts else links[::-1]
        batches = TripleAndLinkBatches(graph, links, sizes, ctx, with_triples=model.has_latent)
        losses = Losses(model, batches, params.n_negatives, ctx.device)
        adam = torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True)
        updates = MiniBatchSteps(adam)
        # Thresholds over all pairs need scores of one scale, hence the cosine (CrossEA, sec. 5.3).
        similarity: Similarity = "cosine" if view.task == "n-mmkg" else "inner"

        def step(_epoch: int) -> float:
            return updates.mean_loss(losses.of(*batch) for batch in batches.epoch())

        @torch.no_grad()
        def embed() -> Alignment:
            if params.relational == "rules":
                return model.pair_scores()
            return Embeddings(*model.vectors(), similarity, modality_weights=model.weights())

        schedule = Schedule(params.epochs, None, eval_every=params.eval_every)
        return train(model.parameters(), step, embed, schedule, ctx)


def _experts(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: PoEParams, ctx: RunContext
) -> dict[str, ExpertVectors | RuleLogits]:
    """Fixed experts by name; one without any input is left out."""
    pairs = graph.seed_pairs(view)
    found: dict[str, ExpertVectors | RuleLogits | None] = {}
    if "r" in params.experts and "structure" in used:
        if params.relational == "rules":
            choice = RuleChoice(params.rule_support, params.rule_confidence)
            found["relational"] = rule_expert(graph, pairs, choice)
        else:
            found["relational"] = relational_expert(graph, pairs, params.relational_dim, ctx)
    if "n" in params.experts and "attribute" in used:
        sizes = params.max_attribute_pairs, params.n_frequencies
        found["numerical"] = numerical_expert(view, *sizes, ctx, params.gaussians, used)
    if "i" in params.experts:
        for name in FEATURES:
            if name in used:
                found[name] = feature_expert(view, name, params.feature_dim, ctx)
    return {name: expert for name, expert in found.items() if expert is not None}


class Losses:
    """Queries for the end of a triple and for the partner of an entity, with sampled negatives."""

    def __init__(
        self,
        model: ProductOfExperts,
        batches: TripleAndLinkBatches,
        n_negatives: int,
        device: torch.device,
    ) -> None:
        self._model, self._batches = model, batches
        self._n_negatives, self._device = n_negatives, device

    def of(self, triples: Tensor, links: Tensor, weighed: Tensor) -> Tensor:
        """Loss of one step.

        Args:
            triples: For the latent expert, [b, 3].
            links: Seed links for the latent expert, [b, 2].
            weighed: Seed links on which all experts are weighed, [b, 2].
        """
        wanted: list[Tensor] = []
        if len(triples):
            is_source = self._batches.is_of_source(triples)
            drawn = self._batches.others_of(self._n_negatives, is_source=is_source)
            heads, relations, tails = triples.to(self._device).T
            wanted += [heads, tails, drawn]
        others = tuple(
            self._batches.others_of(self._n_negatives, is_source=is_source)
            for is_source in (True, False)
        )
        if len(links):
            wanted += [*links.to(self._device).T, *others]
        parts = [self._of_weights(weighed.to(self._device).T, others)] if len(weighed) else []
        if not wanted:
            return torch.stack(parts).sum()
        # Gathered at once: each look-up has a gradient of the size of the whole table.
        gathered = embedding(torch.cat(wanted), self._model.entities)
        rows = torch.split(gathered, [len(ids) for ids in wanted])
        if len(triples):
            parts.append(self._of_triples(wanted[:3], rows[:3], relations))
        if len(links):
            parts.append(self._of_links(wanted[-4:], rows[-4:]))
        return torch.stack(parts).sum()

    def _of_triples(
        self, ids: Sequence[Tensor], rows: Sequence[Tensor], relations: Tensor
    ) -> Tensor:
        """Head and tail queries of triples of one KG, with negatives from that KG.

        Args:
            ids: Heads and tails of the triples, [b] each, and negatives, [k].
            rows: Their rows of the latent table.
            relations: Of the triples, [b].
        """
        (heads, tails, drawn), (head, tail, others) = ids, rows
        relation = embedding(relations, self._model.relations)
        from_head, from_tail = head * relation, tail * relation
        own = (from_head * tail).sum(dim=1)
        loss = shared_query_loss(from_head, own, others, (tails, drawn))
        return loss + shared_query_loss(from_tail, own, others, (heads, drawn))

    def _of_links(self, ids: Sequence[Tensor], rows: Sequence[Tensor]) -> Tensor:
        """Queries of sameAs to the latent expert, with negatives from the other KG.

        Args:
            ids: Sources and targets of the links, [b] each, and negatives of either, [k] each.
            rows: Their rows of the latent table.
        """
        head, tail, other_head, other_tail = rows
        logits = self._model.latent_logits
        return _both_ways(
            ids,
            logits(head, tail, paired=True),
            logits(head, other_tail, paired=False),
            logits(other_head, tail, paired=False).T,
        )

    def _of_weights(self, links: Tensor, others: tuple[Tensor, ...]) -> Tensor:
        """Queries of sameAs to all experts together.

        Args:
            links: Sources and targets, [2, b].
            others: Negatives of either, [k] each.
        """
        (heads, tails), (other_heads, other_tails) = links, others
        logits = self._model.link_logits
        return _both_ways(
            (heads, tails, *others),
            logits(heads, tails, paired=True),
            logits(heads, other_tails, paired=False),
            logits(other_heads, tails, paired=False).T,
        )


def _both_ways(ids: Sequence[Tensor], own: Tensor, forth: Tensor, back: Tensor) -> Tensor:
    """Queries for the target and for the source of links.

    Args:
        ids: Sources and targets of the links, [b] each, and negatives of either, [k] each.
        own: Logits of the links, [b].
        forth: Of their sources with the negatives, [b, k].
        back: Of their targets with the negatives, [b, k].
    """
    heads, tails, other_heads, other_tails = ids
    loss = query_loss(own, forth, tails.unsqueeze(1) != other_tails)
    return loss + query_loss(own, back, heads.unsqueeze(1) != other_heads)

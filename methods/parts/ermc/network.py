"""ERMC's network: features, correspondences of entities and relations, and their consensus."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize
from torch.utils.checkpoint import checkpoint

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.parts.ermc.correspondence import (
    Candidates,
    DifferenceScore,
    accepted,
    log_odds,
    nearest_candidates,
)
from mmea_bench.methods.parts.ermc.graph import ENTITY, RELATION, TriadicGraph
from mmea_bench.methods.parts.ermc.layers import NodeVectors, TriadicNetwork

_UNLISTED, _SQUEEZED, _LOWEST = -100.0, -50.0, -90.0
"""Around which targets score that are no candidates, and the numbers between which the logarithms
of candidates are squeezed that fall below the first one."""

_DECIDED, _UNDECIDED = 1.0, -102.0
"""Score of what the second stage decides, above all, and of all targets where it decides none."""


@dataclass(frozen=True)
class NetworkSettings:
    """Parameters of the network.

    Attributes:
        width: Columns of the features and of their layers.
        n_layers: Layers of either graph network.
        dropout: Of the features' layers.
        n_candidates: Targets of each node.
        n_random: Random ones beside them in training.
        n_steps: Of the consensus; 0 leaves it out.
        colour_dim: Columns of the random colours.
        refined: Whether the second stage decides.
    """

    width: int
    n_layers: int
    dropout: float
    n_candidates: int
    n_random: int
    n_steps: int
    colour_dim: int
    refined: bool


class ERMCNetwork(nn.Module):
    """From names to logits of pairs.

    Args:
        graph: Both KGs.
        names: Vectors of the names of entities and relation nodes.
        seeds: Rows of source and target entities, [n_seeds, 2].
        settings: Parameters.
        ctx: Device and generators.
    """

    def __init__(
        self,
        graph: TriadicGraph,
        names: NodeVectors,
        seeds: Tensor,
        settings: NetworkSettings,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        self._graph, self._names, self._seeds = graph, names, seeds
        self._settings, self._ctx = settings, ctx
        self._drawn = ctx.generator("candidates and colours")
        initial = ctx.generator("initial values")
        n_in, width, dim = names[0].shape[1], settings.width, settings.colour_dim
        self.kinds = (ENTITY, RELATION) if graph.sizes[RELATION] else (ENTITY,)
        self.inputs = nn.ModuleList(Linear(n_in, width, initial) for _ in self.kinds)
        dropout = Dropout(settings.dropout, ctx.generator("dropout"))
        widths = (width, width, width)
        self.features = TriadicNetwork(graph, widths, settings.n_layers, initial, dropout)
        if settings.n_steps:
            self.colours = TriadicNetwork(graph, (dim, dim, dim), settings.n_layers, initial)
            self.phi = DifferenceScore(dim, initial)
        self._gold = torch.full((graph.n_source[ENTITY],), -1, dtype=torch.int64)
        self._gold = self._gold.to(ctx.device)
        self._gold[seeds[:, 0]] = seeds[:, 1]
        self._taken = torch.zeros(graph.sizes[ENTITY] - graph.n_source[ENTITY], dtype=torch.bool)
        self._taken = self._taken.to(ctx.device)
        self._taken[seeds[:, 1]] = True

    def forward(self) -> NodeVectors:
        """Features of all nodes, [n, width] each."""
        inputs = [layer(names) for layer, names in zip(self.inputs, self._names, strict=False)]
        if len(inputs) == 1:
            inputs.append(inputs[0].new_zeros(0, inputs[0].shape[1]))
        found: NodeVectors = self.features((inputs[0], inputs[1]))
        return found

    def loss(self, *, consensus: bool) -> Tensor:
        """Cross-entropy of the seeds' targets, before the consensus and, where asked for, after."""
        vectors = self()
        if not (consensus and self._settings.n_steps):
            rows = self._seeds[:, 0]
            candidates = self._candidates(vectors, ENTITY, rows)
            source, target = self._sides(vectors[ENTITY], ENTITY)
            logits = candidates.products(source[rows], target)
            return _gold_loss(logits, candidates, self._seeds[:, 1])
        candidates_of = [self._candidates(vectors, kind) for kind in self.kinds]
        first = self._first(vectors, candidates_of)
        last = self.consensus(first, candidates_of, self._drawn)
        rows = self._seeds[:, 0]
        own = candidates_of[ENTITY]
        chosen = Candidates(own.targets[rows], own.valid[rows], own.n_target)
        losses = [_gold_loss(each[rows], chosen, self._seeds[:, 1]) for each in (first[0], last[0])]
        return losses[0] + losses[1]

    def consensus(
        self, logits: list[Tensor], candidates: list[Candidates], drawn: torch.Generator
    ) -> list[Tensor]:
        """Logits after all steps, for entities and for relations where they are nodes.

        Args:
            logits: Before, [n_source, k] for each kind.
            candidates: Of each kind.
            drawn: CPU generator of the colours.
        """
        sizes, dim = self._graph.n_source, self._settings.colour_dim
        for _ in range(self._settings.n_steps):
            colours = [
                torch.randn(sizes[kind], dim, generator=drawn).to(logits[0].device)
                for kind in self.kinds
            ]
            # Made again in the backward pass: kept, the pairs of ten steps would fill gigabytes.
            logits = checkpoint(self._step, logits, candidates, colours, use_reentrant=False)
        return logits

    def _step(
        self, logits: list[Tensor], candidates: list[Candidates], colours: list[Tensor]
    ) -> list[Tensor]:
        both = [
            torch.cat([own, listed.carried(torch.softmax(scores, dim=1), own)])
            for own, listed, scores in zip(colours, candidates, logits, strict=True)
        ]
        if len(both) == 1:
            both.append(both[0].new_zeros(0, both[0].shape[1]))
        seen = self.colours((both[0], both[1]))
        return [
            listed.masked(scores + self.phi(*self._sides(seen[kind], kind), listed))
            for kind, listed, scores in zip(self.kinds, candidates, logits, strict=True)
        ]

    def _first(self, vectors: NodeVectors, candidates: list[Candidates]) -> list[Tensor]:
        return [
            listed.products(*self._sides(vectors[kind], kind))
            for kind, listed in zip(self.kinds, candidates, strict=True)
        ]

    def _candidates(
        self, vectors: NodeVectors, kind: int, rows: Tensor | None = None
    ) -> Candidates:
        """Targets of the nodes of a kind, or of some rows of these.

        In training all targets count, with random ones and the seeds' own; else see
        ``_open_candidates``.
        """
        source, target = self._sides(vectors[kind], kind)
        source = source if rows is None else source[rows]
        gold = self._gold if rows is None else self._gold[rows]
        if kind == ENTITY and not self.training:
            return self._open_candidates(source, target, gold < 0)
        further: list[Tensor] = []
        if self.training:
            shape = len(source), self._settings.n_random
            random = torch.randint(len(target), shape, generator=self._drawn)
            further.append(random.to(source.device))
            if kind == ENTITY:
                further.append(gold.unsqueeze(1))
        return nearest_candidates(source, target, self._settings.n_candidates, *further)

    def _open_candidates(self, source: Tensor, target: Tensor, asks: Tensor) -> Candidates:
        """The nearest targets; for entities that ask, the nearest of those without a seed.

        Candidates are the test targets; that no seed has them is all that a training knows of them.
        Where fewer are free than wanted, nobody gets more; where none is, all targets count.

        Args:
            source: Features, [n, width].
            target: Features of all targets, [n_target, width].
            asks: Whether a source entity has no seed and thus asks for a target, [n] bool.
        """
        wanted = self._settings.n_candidates
        free, asking = (torch.nonzero(each).squeeze(1) for each in (~self._taken, asks))
        if not len(free):
            return nearest_candidates(source, target, wanted)
        found = nearest_candidates(source, target, min(wanted, len(free)))
        own = nearest_candidates(source[asking], target[free], wanted)
        listed = found.targets.index_copy(0, asking, free[own.targets])
        return Candidates(listed, found.valid, found.n_target)

    def _sides(self, vectors: Tensor, kind: int) -> tuple[Tensor, Tensor]:
        n_source = self._graph.n_source[kind]
        return vectors[:n_source], vectors[n_source:]

    @torch.no_grad()
    def scores(self, *, consensus: bool) -> PairScores:
        """Scores of all pairs with the present parameters.

        The logarithm of a candidate's probability, squeezed above -90; about -100, by cosine, for
        the other targets. With the second stage, 1 for the pairs that it decides; an entity that
        gets no target has the same score with all of them, so that none counts as found.

        Args:
            consensus: Whether its steps are made.
        """
        self.eval()
        vectors = self()
        listed = [self._candidates(vectors, kind) for kind in self.kinds]
        logits = self._first(vectors, listed)
        if consensus and self._settings.n_steps:
            logits = self.consensus(logits, listed, self._ctx.generator("colours of evaluation"))
        self.train()
        own, logs = listed[ENTITY], squeezed(log_softmax(logits[ENTITY].double(), dim=1))
        undecided = torch.zeros_like(self._gold, dtype=torch.bool)
        if self._settings.refined:
            kept = self._kept(logits[ENTITY], own)
            logs = torch.where(own.targets == kept.unsqueeze(1), _DECIDED, logs)
            undecided = (kept < 0) & (self._gold < 0)
        source, target = self._sides(normalize(vectors[ENTITY], dim=1), ENTITY)

        def score_block(rows: Tensor) -> Tensor:
            scores = source[rows] @ target.T + _UNLISTED
            scores = scores.scatter(1, own.targets[rows], logs[rows].to(scores.dtype))
            return scores.masked_fill(undecided[rows].unsqueeze(1), _UNDECIDED)

        return PairScores(score_block, len(source), len(target), source.device, "consensus")

    def _kept(self, logits: Tensor, candidates: Candidates) -> Tensor:
        """Target that the second stage gives to each source entity, -1 for none, [n_source].

        Seed links stand by themselves. Odds stand for probabilities, whose order they have:
        rounding makes the probabilities of sure rows equal, and row numbers would decide.
        """
        closed = self._taken[candidates.targets] | (self._gold >= 0).unsqueeze(1)
        odds = log_odds(logits).masked_fill(closed, -torch.inf)
        return accepted(odds, candidates.targets, candidates.n_target)


def squeezed(logs: Tensor) -> Tensor:
    """Logarithms as they are down to -50, and smaller ones between -90 and -50 in their order."""
    share = _SQUEEZED / logs.clamp_max(_SQUEEZED)
    return torch.where(logs < _SQUEEZED, _LOWEST + (_SQUEEZED - _LOWEST) * share, logs)


def _gold_loss(logits: Tensor, candidates: Candidates, gold: Tensor) -> Tensor:
    """Mean negative log of the probability of each row's own target, which is a candidate."""
    places = ((candidates.targets == gold.unsqueeze(1)) & candidates.valid).int().argmax(dim=1)
    return cross_entropy(logits, places)

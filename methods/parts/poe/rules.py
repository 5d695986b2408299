"""Relational expert with a weight for each rule ``r1(e, x), sameAs(x, y), r2(e', y)``.

A rule's body says through which relations, and in which directions, a seed link (x, y) lies beside
a source and a target entity. Those that hold often enough on seed links weigh by themselves, all
others weigh alike; the weights are those under which the seed links are likeliest among all pairs.
A seed link's own cell has no body that passes through itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

Ids = NDArray[np.int64]

_BODIES_AT_ONCE = 4_000_000
"""Bodies of a step, before those are dropped that occur twice: 300 MB."""


@dataclass(frozen=True)
class RuleChoice:
    """Which rules get a weight of their own, and how weights are found.

    Attributes:
        support: Fewest seed links that have a rule's body.
        confidence: Fewest of its pairs of two seed entities that are seed links, as a share.
        largest_meeting: A seed link is left out as a path where the neighbours of its ends make
            more pairs: such a hub tells nothing and would fill the memory.
        n_steps: Of Adam over all seed links.
        learning_rate: Of these steps.
    """

    support: int = 20
    confidence: float = 0.1
    largest_meeting: int = 1_000_000
    n_steps: int = 100
    learning_rate: float = 0.1


@dataclass(frozen=True, eq=False)
class RuleBodies:
    """Which rule bodies hold for which pairs of a source and a target entity.

    Attributes:
        cells: ``source * n_target + target`` of each body, ascending, [n].
        rules: Number of its rule, ascending within a cell, [n].
        n_target: Target entities.
    """

    cells: Ids
    rules: Ids
    n_target: int

    @classmethod
    def of(cls, graph: JointGraph, pairs: Ids, largest_meeting: int) -> RuleBodies:
        """All bodies through seed links.

        Args:
            graph: Union graph.
            pairs: Seed links as joint ids, [n_seeds, 2].
            largest_meeting: As in ``RuleChoice``.
        """
        n_labels = 2 * graph.n_relations
        n_target = graph.n_entities - graph.n_source
        edges = _half_edges(graph)
        source, target = (_beside(*edges, ends) for ends in pairs.T)
        found = [np.empty(0, dtype=np.int64)]
        for first, second in _meetings(source, target, largest_meeting):
            cells = source.entities[first] * n_target + target.entities[second] - graph.n_source
            rules = source.labels[first] * n_labels + target.labels[second]
            found.append(np.unique(cells * n_labels**2 + rules))
        codes = np.unique(np.concatenate(found))
        return cls(codes // n_labels**2, codes % n_labels**2, n_target)


@dataclass(frozen=True, eq=False)
class _Beside:
    """Neighbours of the ends of seed links on one side, sorted by link.

    Attributes:
        entities: Joint ids of the neighbours, [n].
        labels: Relation and direction by which each lies there, [n].
        starts: First neighbour of each link, and their number, [n_seeds + 1].
    """

    entities: Ids
    labels: Ids
    starts: Ids


def _half_edges(graph: JointGraph) -> tuple[Ids, Ids, Ids]:
    """End, neighbour, and relation with its direction, of both halves of all triples, by end."""
    heads, relations, tails = graph.triples[graph.triples[:, 0] != graph.triples[:, 2]].T
    near = np.concatenate([heads, tails])
    labels = np.concatenate([2 * relations, 2 * relations + 1])
    end = np.concatenate([tails, heads])
    order = np.argsort(end, kind="stable")
    return end[order], near[order], labels[order]


def _beside(end: Ids, near: Ids, labels: Ids, ends: Ids) -> _Beside:
    # An end that two links share lies beside both.
    first, last = np.searchsorted(end, ends, "left"), np.searchsorted(end, ends, "right")
    _, places = listed_runs(first, last - first)
    starts = np.concatenate([[0], np.cumsum(last - first)])
    return _Beside(near[places], labels[places], starts)


def _meetings(source: _Beside, target: _Beside, largest: int) -> Iterator[tuple[Ids, Ids]]:
    """Places of all pairs of neighbours of a link's two ends, some links at a time."""
    n_links = len(source.starts) - 1
    sizes = np.stack([np.diff(source.starts), np.diff(target.starts)])
    n_pairs = sizes.prod(axis=0)
    n_pairs[n_pairs > largest] = 0
    ends = np.cumsum(n_pairs)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1] if n_links else 0, _BODIES_AT_ONCE))
    for chosen in np.split(np.arange(n_links), np.unique(cuts[1:])):
        run, within = listed_runs(np.zeros_like(chosen), n_pairs[chosen])
        link = chosen[run]
        width = sizes[1][link]
        yield source.starts[link] + within // width, target.starts[link] + within % width


def own_weights(bodies: RuleBodies, links: Ids, choice: RuleChoice) -> Ids:
    """Rules that get a weight of their own, ascending.

    Args:
        bodies: Of all pairs.
        links: Seed links as (source id, target id), [n_seeds, 2].
        choice: Support and confidence.
    """
    sources, targets = (np.unique(side) for side in links.T)
    known = np.isin(bodies.cells // bodies.n_target, sources)
    known &= np.isin(bodies.cells % bodies.n_target, targets)
    rules, cells = bodies.rules[known], bodies.cells[known]
    is_link = np.isin(cells, links[:, 0] * bodies.n_target + links[:, 1])
    names, counts = np.unique(rules, return_counts=True)
    supported = np.bincount(np.searchsorted(names, rules[is_link]), minlength=len(names))
    enough = (supported >= choice.support) & (supported >= choice.confidence * counts)
    return names[enough]


def rule_counts(bodies: RuleBodies, own: Ids) -> tuple[Ids, csr_matrix]:
    """Distinct cells, ascending, and how often each rule holds there.

    Returns:
        Cells, [n_cells], and counts, [n_cells, n_own + 1]: 0 or 1 for the rules of ``own``, and in
        the last column the number of other rules.
    """
    cells, starts = np.unique(bodies.cells, return_index=True)
    place = np.searchsorted(own, bodies.rules).clip(max=max(len(own) - 1, 0))
    is_own = own[place] == bodies.rules if len(own) else np.zeros(len(place), dtype=bool)
    columns = np.where(is_own, place, len(own))
    indptr = np.append(starts, len(columns))
    ones = np.ones(len(columns), dtype=np.float32)
    counts = csr_matrix((ones, columns, indptr), shape=(len(cells), len(own) + 1))
    counts.sum_duplicates()
    return cells, counts


class LinkLoss:
    """Mean of ``-log p(target | source) - log p(source | target)`` over links.

    Cells that are not listed score 0; they count in the sums over all entities.

    Args:
        cells: ``source * n_target + target``, ascending, [n_cells].
        links: Source and target ids, [n_links, 2].
        shape: (n_source, n_target).
    """

    def __init__(self, cells: Ids, links: Ids, shape: tuple[int, int]) -> None:
        wanted = links[:, 0] * shape[1] + links[:, 1]
        place = np.searchsorted(cells, wanted).clip(max=len(cells) - 1)
        self._own = torch.from_numpy(place[cells[place] == wanted])
        self._asked = [torch.from_numpy(side) for side in links.T]
        self._groups = [torch.from_numpy(ids) for ids in np.divmod(cells, shape[1])]
        self._n_silent = [
            n_others - torch.bincount(group, minlength=n_asked)
            for group, n_asked, n_others in zip(self._groups, shape, shape[::-1], strict=True)
        ]

    def __call__(self, scores: Tensor) -> Tensor:
        """The loss of scores of the listed cells, [n_cells]."""
        total = -2 * scores[self._own].sum()
        for asked, group, n_silent in zip(self._asked, self._groups, self._n_silent, strict=True):
            nothing = torch.zeros(len(n_silent))
            highest = nothing.scatter_reduce(0, group, scores.detach(), "amax")
            listed = nothing.index_add(0, group, torch.exp(scores - highest[group]))
            sums = highest + torch.log(listed + n_silent * torch.exp(-highest))
            total = total + sums[asked].sum()
        return total / len(self._asked[0])


def fitted_weights(
    cells: Ids, counts: csr_matrix, links: Ids, shape: tuple[int, int], choice: RuleChoice
) -> NDArray[np.float32]:
    """Weights of the rules that make the links likeliest, [n_rules]."""
    seen = np.isin(cells // shape[1], links[:, 0]) | np.isin(cells % shape[1], links[:, 1])
    cells, counts = cells[seen], counts[np.flatnonzero(seen)]
    weights = torch.zeros(counts.shape[1], 1, requires_grad=True)
    if not len(cells):
        return weights.detach().numpy()[:, 0]
    matrix = FixedMatrix(SparsePattern.of_csr(counts), torch.from_numpy(counts.data))
    loss = LinkLoss(cells, links, shape)
    adam = torch.optim.Adam([weights], lr=choice.learning_rate)
    for _ in range(choice.n_steps):
        adam.zero_grad()
        loss((matrix @ weights).squeeze(1)).backward()  # type: ignore[no-untyped-call]
        adam.step()
    return weights.detach().numpy()[:, 0]


@dataclass(frozen=True, eq=False)
class RuleLogits:
    """An expert's evidence as a matrix.

    Attributes:
        matrix: [n_source, n_target] sparse; stays on the CPU.
        device: Where what is asked for comes to lie.
    """

    matrix: csr_matrix
    device: torch.device

    def to(self, device: torch.device) -> RuleLogits:
        """The same for another device."""
        return RuleLogits(self.matrix, device)

    def logits(self, sources: Tensor, targets: Tensor, *, paired: bool) -> Tensor:
        """Evidence of pairs, as ``ExpertVectors.logits`` has it."""
        rows, columns = sources.cpu().numpy(), targets.cpu().numpy()
        if paired:
            # A copy: what belongs to a tensor cannot be marked as NumPy's own.
            found = np.asarray(self.matrix[rows.copy(), columns.copy()]).ravel()
        else:
            found = self.matrix[rows][:, columns].toarray()
        return torch.from_numpy(found).to(self.device)

    def rows(self, sources: Tensor) -> Tensor:
        """Evidence of source entities with every target entity, [n_sources, n_target]."""
        return torch.from_numpy(self.matrix[sources.cpu().numpy()].toarray()).to(self.device)


def rule_expert(graph: JointGraph, pairs: Tensor, choice: RuleChoice) -> RuleLogits | None:
    """The weighted sum of the rules that hold for a pair.

    Args:
        graph: Union graph.
        pairs: Seed links as joint ids, [n_seeds, 2].
        choice: Of rules and weights.

    Returns:
        The expert, or None without seed links or triples.
    """
    if not len(pairs) or not len(graph.triples):
        return None
    return RuleLogits(_rule_matrix(graph, pairs.numpy(), choice), pairs.device)


def _rule_matrix(graph: JointGraph, pairs: Ids, choice: RuleChoice) -> csr_matrix:
    shape = graph.n_source, graph.n_entities - graph.n_source
    bodies = RuleBodies.of(graph, pairs, choice.largest_meeting)
    links = pairs - np.array([0, graph.n_source])
    cells, counts = rule_counts(bodies, own_weights(bodies, links, choice))
    logits = counts @ fitted_weights(cells, counts, links, shape, choice)
    return csr_matrix((logits, (cells // shape[1], cells % shape[1])), shape=shape)

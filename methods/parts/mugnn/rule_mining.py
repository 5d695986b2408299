"""Horn rules with one or two premises, mined from the triples of one KG.

They stand in for the rules of AMIE+: support, head coverage and PCA confidence are counted by joins
on sorted edges. Premises are walked in either direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mmea_bench.datasets.core.model.row_keys import counted_rows, distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs
from mmea_bench.methods.parts.mugnn.edges import LabelledEdges

NO_PREMISE = -1


@dataclass(frozen=True, eq=False)
class Rules:
    """Rules ``first(x, z) and second(z, y) => conclusion(x, y)``, or ``first(x, y) => ...``.

    Attributes:
        bodies: Labels of the two premises, the second ``NO_PREMISE`` where there is one only,
            [n, 2].
        heads: Relation of the conclusion, [n].
        support: Distinct (x, y) for which premises and conclusion hold, [n].
        confidence: PCA confidence, [n].
    """

    bodies: IntArray
    heads: IntArray
    support: IntArray
    confidence: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of rules."""
        return len(self.heads)


@dataclass(frozen=True)
class RuleLimits:
    """Which rules are kept.

    Attributes:
        min_support: Fewest pairs for which a rule holds.
        min_head_coverage: Smallest share of the conclusion's triples that it explains.
        min_confidence: Smallest PCA confidence.
        max_paths: Premises that join more paths are passed over: no rule about that many pairs
            is certain, and none could be grounded.
    """

    min_support: int
    min_head_coverage: float
    min_confidence: float
    max_paths: int


def mine_rules(edges: LabelledEdges, limits: RuleLimits) -> Rules:
    """Rules of one KG.

    PCA confidence counts an (x, y) of the premises against a rule only if x has the conclusion's
    relation with somebody.

    Args:
        edges: Of the KG.
        limits: Which rules are kept.

    Reference: Galárraga et al. (AMIE+), VLDB Journal 2015, sections 3 and 4.
    """
    found = [
        _with_confidence(edges, *_supported(edges, instances, limits), limits)
        for instances in (_single_premises(edges), _premise_paths(edges))
    ]
    columns = zip(*found, strict=True)
    bodies, heads, support, confidence = (np.concatenate(column) for column in columns)
    return Rules(bodies, heads, support, confidence)


def _single_premises(edges: LabelledEdges) -> IntArray:
    """(triple, first label, no label) for every edge beside a triple, from its head to its tail."""
    size, triples = edges.n_entities, edges.triples
    order = np.argsort(edges.starts * size + edges.ends, kind="stable")
    keys = (edges.starts * size + edges.ends)[order]
    wanted = triples[:, 0] * size + triples[:, 2]
    lowest = np.searchsorted(keys, wanted)
    counts = np.searchsorted(keys, wanted, side="right") - lowest
    rows, places = listed_runs(lowest, counts)
    labels = edges.labels[order][places]
    others = labels != triples[rows, 1]
    rows, labels = rows[others], labels[others]
    return np.stack([rows, labels, np.full(len(rows), NO_PREMISE)], axis=1)


def _premise_paths(edges: LabelledEdges) -> IntArray:
    """(triple, first label, second label) for every path of two edges beside a triple."""
    by_start = np.argsort(edges.starts, kind="stable")
    degrees = np.bincount(edges.starts, minlength=edges.n_entities)
    heads, tails = edges.triples[:, 0], edges.triples[:, 2]
    # Walking from the end with fewer edges keeps a hub from being walked for each of its triples.
    from_tail = degrees[tails] < degrees[heads]
    parts = []
    for chosen, backwards in (
        (np.flatnonzero(~from_tail), False),
        (np.flatnonzero(from_tail), True),
    ):
        near, far = (tails, heads) if backwards else (heads, tails)
        lowest = (np.cumsum(degrees) - degrees)[near[chosen]]
        rows, places = listed_runs(lowest, degrees[near[chosen]])
        triple, first = chosen[rows], by_start[places]
        triple, first, second = _closed(edges, triple, first, edges.ends[first], far)
        labels = edges.labels[first], edges.labels[second]
        if backwards:  # y -> z -> x is x -> z -> y read from its end
            labels = edges.reversed(labels[1]), edges.reversed(labels[0])
        parts.append(np.stack([triple, *labels], axis=1))
    return distinct_rows(np.concatenate(parts))


def _closed(
    edges: LabelledEdges, triple: IntArray, first: IntArray, middle: IntArray, far: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """The half paths that an edge leads on to the far end of their triple, with each such edge."""
    size = edges.n_entities
    order = np.argsort(edges.starts * size + edges.ends, kind="stable")
    keys = (edges.starts * size + edges.ends)[order]
    wanted = middle * size + far[triple]
    lowest = np.searchsorted(keys, wanted)
    counts = np.searchsorted(keys, wanted, side="right") - lowest
    rows, places = listed_runs(lowest, counts)
    return triple[rows], first[rows], order[places]


def _supported(
    edges: LabelledEdges, instances: IntArray, limits: RuleLimits
) -> tuple[IntArray, IntArray, IntArray]:
    """Bodies, heads and supports of what holds often enough."""
    heads = edges.triples[instances[:, 0], 1]
    second = instances[:, 2] - NO_PREMISE  # rows of ids are not negative
    rules, support = counted_rows(np.column_stack([instances[:, 1], second, heads]))
    rules[:, 1] += NO_PREMISE
    sizes = np.bincount(edges.triples[:, 1], minlength=edges.n_relations)
    often = support >= limits.min_support
    often &= support >= limits.min_head_coverage * sizes[rules[:, 2]]
    return rules[often, :2], rules[often, 2], support[often]


def _with_confidence(
    edges: LabelledEdges, bodies: IntArray, heads: IntArray, support: IntArray, limits: RuleLimits
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.float64]]:
    """The rules that are certain enough; rules with equal bodies share the join."""
    confidence = np.zeros(len(heads))
    relations, subjects = distinct_rows(edges.triples[:, [1, 0]]).T
    has_relation = csr_matrix(
        (np.ones(len(subjects)), (relations, subjects)),
        shape=(edges.n_relations, edges.n_entities),
    )
    kinds, kind_of = np.unique(bodies, axis=0, return_inverse=True)
    members = np.argsort(kind_of.ravel(), kind="stable")
    limits_of_kind = np.searchsorted(kind_of.ravel()[members], np.arange(len(kinds) + 1))
    for position, body in enumerate(kinds):
        rows = members[limits_of_kind[position] : limits_of_kind[position + 1]]
        pairs = body_pairs(edges, body, limits.max_paths)
        if pairs is not None:
            counts = has_relation[heads[rows]] @ pairs
            confidence[rows] = support[rows] / np.maximum(counts, 1)
    certain = confidence >= limits.min_confidence
    return bodies[certain], heads[certain], support[certain], confidence[certain]


def body_pairs(edges: LabelledEdges, body: IntArray, max_paths: int) -> IntArray | None:
    """How many y the premises join each x to, x itself not counted, [n_entities].

    Args:
        edges: Of the KG.
        body: Labels of the premises, [2].
        max_paths: None is returned for premises with more paths.
    """
    size, first = edges.n_entities, edges.of_label(int(body[0]))
    if body[1] == NO_PREMISE:
        return np.bincount(edges.starts[first], minlength=size)
    second = edges.of_label(int(body[1]))
    out = np.bincount(edges.starts[second], minlength=size)
    if out[edges.ends[first]].sum() > max_paths:
        return None
    lowest = second.start + np.searchsorted(edges.starts[second], edges.ends[first])
    rows, places = listed_runs(lowest, out[edges.ends[first]])
    starts, ends = edges.starts[first][rows], edges.ends[places]
    keys = np.unique((starts * size + ends)[starts != ends])
    return np.bincount(keys // size, minlength=size)

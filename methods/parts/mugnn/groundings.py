"""What rules say about the entities of a KG: premises that hold and conclusions that are new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs
from mmea_bench.methods.parts.mugnn.edges import LabelledEdges
from mmea_bench.methods.parts.mugnn.rule_mining import NO_PREMISE


@dataclass(frozen=True, eq=False)
class Groundings:
    """Rules with entities in them whose premises are triples and whose conclusion is none.

    Attributes:
        premises: Place of the triple of each premise, the second ``NO_PREMISE`` where there is one
            only, [n, 2].
        conclusions: (head, relation, tail), [n, 3].
    """

    premises: IntArray
    conclusions: IntArray

    def __len__(self) -> int:
        """Number of groundings."""
        return len(self.conclusions)


def ground(edges: LabelledEdges, bodies: IntArray, heads: IntArray, max_paths: int) -> Groundings:
    """All groundings of some rules in one KG whose conclusions are no triples yet.

    Args:
        edges: Of the KG.
        bodies: Labels of the premises, [n_rules, 2].
        heads: Relation of each conclusion, [n_rules].
        max_paths: Rules whose premises join more paths are left out.
    """
    premises, conclusions = [np.empty((0, 2), dtype=np.int64)], [np.empty((0, 3), dtype=np.int64)]
    for (first_label, second_label), head in zip(bodies, heads, strict=True):
        found = _paths(edges, int(first_label), int(second_label), max_paths)
        if found is None:
            continue
        starts, ends, places = found
        premises.append(places[starts != ends])
        relations = np.full(len(starts), head)
        conclusions.append(np.stack([starts, relations, ends], axis=1)[starts != ends])
    both, triples = np.concatenate(premises), np.concatenate(conclusions)
    is_new = ~np.isin(edges.keys(triples), edges.keys(edges.triples))
    whole = np.unique(np.concatenate([both, triples], axis=1)[is_new], axis=0)
    return Groundings(whole[:, :2], whole[:, 2:])


def _paths(
    edges: LabelledEdges, first_label: int, second_label: int, max_paths: int
) -> tuple[IntArray, IntArray, IntArray] | None:
    """Starts and ends of the premises' paths and the triples on them; None if too many."""
    first = edges.of_label(first_label)
    starts, middles, of_first = edges.starts[first], edges.ends[first], edges.places[first]
    if second_label == NO_PREMISE:
        alone = np.full(len(of_first), NO_PREMISE)
        is_few = len(starts) <= max_paths
        return (starts, middles, np.stack([of_first, alone], axis=1)) if is_few else None
    second = edges.of_label(second_label)
    lowest = np.searchsorted(edges.starts[second], middles)
    counts = np.searchsorted(edges.starts[second], middles, side="right") - lowest
    if counts.sum() > max_paths:
        return None
    rows, places = listed_runs(second.start + lowest, counts)
    triples = np.stack([of_first[rows], edges.places[places]], axis=1)
    return starts[rows], edges.ends[places], triples


def transferred(
    bodies: IntArray, heads: IntArray, partner: IntArray, n_relations: tuple[int, int]
) -> tuple[IntArray, IntArray]:
    """Rules in the relations of the other KG, as far as all their relations have a partner there.

    Args:
        bodies: Labels of the premises, [n, 2].
        heads: Relations of the conclusions, [n].
        partner: Relation of the other KG for each relation, -1 without, [n_relations].
        n_relations: Of the rules' KG and of the other one.
    """
    own, other = n_relations
    relations = np.where(bodies >= own, bodies - own, bodies)
    mapped = np.where(bodies == NO_PREMISE, NO_PREMISE, partner[relations])
    new_heads = partner[heads]
    known = ((mapped >= 0) | (bodies == NO_PREMISE)).all(axis=1) & (new_heads >= 0)
    labels = np.where(bodies >= own, mapped + other, mapped)
    return labels[known], new_heads[known]

"""MuGNN's inputs: relations of each KG, partners among them by name, rules and their groundings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.parts.mugnn.edges import LabelledEdges
from mmea_bench.methods.parts.mugnn.groundings import ground, transferred
from mmea_bench.methods.parts.mugnn.rule_files import read_rules
from mmea_bench.methods.parts.mugnn.rule_mining import NO_PREMISE, RuleLimits, mine_rules


@dataclass(frozen=True, eq=False)
class SeparateRelations:
    """The triples of both KGs, with relation ids of their own in either.

    Attributes:
        triples: (head, relation, tail) of joint ids, relations of the target KG behind those of
            the source KG; distinct, source first, [n, 3] int64.
        n_source: Entities of the source KG.
        n_entities: Of both.
        n_source_relations: Relations of the source KG.
        n_relations: Of both.
        relation_pairs: Relations of equal local name, [n_pairs, 2]; a relation stands in one.
    """

    triples: Tensor
    n_source: int
    n_entities: int
    n_source_relations: int
    n_relations: int
    relation_pairs: Tensor

    @classmethod
    def of(cls, view: TrainView, *, by_name: bool) -> SeparateRelations:
        """Both KGs of a view; without ``by_name`` no relation has a partner."""
        source, target = view.source, view.target
        shift = np.array([source.n_entities, len(source.relations), source.n_entities])
        parts = [distinct_rows(_triples(source)), distinct_rows(_triples(target)) + shift]
        pairs = relation_pairs(source, target) if by_name else np.empty((0, 2), dtype=np.int64)
        n_source_relations = len(source.relations)
        return cls(
            torch.from_numpy(np.concatenate(parts)),
            source.n_entities,
            source.n_entities + target.n_entities,
            n_source_relations,
            n_source_relations + len(target.relations),
            torch.from_numpy(pairs + np.array([0, n_source_relations])),
        )


def relation_pairs(source: KnowledgeGraph, target: KnowledgeGraph) -> IntArray:
    """Relations of both KGs whose local names are equal, [n_pairs, 2].

    The local name is what follows the last slash or hash, in lower case; of several relations with
    one name the first counts.
    """
    names = [
        {_local(name): place for place, name in reversed(list(enumerate(graph.relations)))}
        for graph in (source, target)
    ]
    shared = [name for name in names[0] if name in names[1]]
    pairs = [(names[0][name], names[1][name]) for name in shared]
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _local(name: str) -> str:
    return str(name).rstrip("/").replace("#", "/").rpartition("/")[2].lower()


def _triples(graph: KnowledgeGraph) -> IntArray:
    return np.asarray(graph.relation_triples, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class JointGroundings:
    """Groundings in both KGs.

    Attributes:
        premises: Places of the premises among the triples of both KGs, the first one again where
            there is one only, [n, 2].
        has_second: Whether there are two, [n].
        conclusions: (head, relation, tail) as in those triples, [n, 3].
    """

    premises: Tensor
    has_second: Tensor
    conclusions: Tensor

    def __len__(self) -> int:
        """Number of groundings."""
        return len(self.conclusions)

    def rows(self, chosen: Tensor) -> JointGroundings:
        """Some of them."""
        parts = (self.premises, self.has_second, self.conclusions)
        return JointGroundings(*(part[chosen] for part in parts))


def groundings_of(
    view: TrainView,
    relations: SeparateRelations,
    files: tuple[str, str],
    limits: RuleLimits,
) -> JointGroundings:
    """What the rules of either KG say about both.

    Args:
        view: Both KGs.
        relations: Their triples and relation partners.
        files: Files of rules about the source KG and about the target KG; "" mines them.
        limits: Of mining and grounding.
    """
    graphs = (view.source, view.target)
    edges = [LabelledEdges.of(_triples(g), g.n_entities, len(g.relations)) for g in graphs]
    rules = []
    for graph, walked, file in zip(graphs, edges, files, strict=True):
        if file:
            rules.append(read_rules(Path(file), [str(name) for name in graph.relations]))
        else:
            mined = mine_rules(walked, limits)
            rules.append((mined.bodies, mined.heads))
    sizes = [len(graph.relations) for graph in graphs]
    pairs = relations.relation_pairs.numpy() - np.array([0, sizes[0]])
    parts = []
    for side in (0, 1):
        partner = np.full(sizes[1 - side], -1, dtype=np.int64)
        partner[pairs[:, 1 - side]] = pairs[:, side]
        borrowed = transferred(*rules[1 - side], partner, (sizes[1 - side], sizes[side]))
        both = [np.concatenate(each) for each in zip(rules[side], borrowed, strict=True)]
        found = ground(edges[side], both[0], both[1], limits.max_paths)
        shift = np.array([view.source.n_entities, sizes[0], view.source.n_entities]) * side
        alone = found.premises[:, 1] == NO_PREMISE
        ends = np.where(alone, found.premises[:, 0], found.premises[:, 1])
        of_premises = edges[side].triples[np.stack([found.premises[:, 0], ends], axis=1)]
        parts.append((_places(relations, of_premises + shift), ~alone, found.conclusions + shift))
    return JointGroundings(
        *(torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True))
    )


def _places(relations: SeparateRelations, triples: IntArray) -> IntArray:
    """Where triples, [..., 3], stand among those of both KGs."""

    def codes(rows: IntArray) -> IntArray:
        sized = rows[..., 0] * relations.n_relations + rows[..., 1]
        return np.asarray(sized * relations.n_entities + rows[..., 2], dtype=np.int64)

    return np.searchsorted(codes(relations.triples.numpy()), codes(triples))

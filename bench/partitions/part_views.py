"""One part of both KGs as a training sees it: a smaller view with numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmea_bench.bench.partitions.cutting import Parts
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.view import TrainView

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PartView:
    """A part.

    Attributes:
        view: Its entities, the triples between them, their features and their seed links.
        sources: Id in the whole source KG of each of its source entities, [n], ascending.
        targets: The same of its target entities.
    """

    view: TrainView
    sources: Rows
    targets: Rows


def part_view(view: TrainView, parts: Parts, number: int) -> PartView:
    """The part of this number.

    Relations and attributes that no triple of the part has are left out, as a dataset of this size
    would not name them.
    """
    sources, targets = (np.flatnonzero(part == number) for part in (parts.source, parts.target))
    source_row, target_row = _rows(sources, parts.source), _rows(targets, parts.target)
    links = np.stack([source_row[view.seed_links[:, 0]], target_row[view.seed_links[:, 1]]], axis=1)
    smaller = replace(
        view,
        source=_part_of_graph(view.source, sources, source_row),
        target=_part_of_graph(view.target, targets, target_row),
        features={
            name: (_chosen(of_source, sources), _chosen(of_target, targets))
            for name, (of_source, of_target) in view.features.items()
        },
        seed_links=links[(links >= 0).all(axis=1)].astype(view.seed_links.dtype),
    )
    return PartView(smaller, sources, targets)


def _rows(chosen: Rows, every: Rows) -> Rows:
    """Row of each entity within the part, -1 outside of it."""
    rows = np.full(len(every), -1, dtype=np.int64)
    rows[chosen] = np.arange(len(chosen))
    return rows


def _chosen(features: Features, rows: Rows) -> Features:
    return Features(features.values[rows], features.present[rows])


def _part_of_graph(graph: KnowledgeGraph, chosen: Rows, row: Rows) -> KnowledgeGraph:
    triples, attributes = graph.relation_triples, graph.attribute_triples
    triples = triples[(row[triples[:, 0]] >= 0) & (row[triples[:, 2]] >= 0)]
    is_inside = row[attributes[:, 0]] >= 0
    attributes = attributes[is_inside]
    relations, relation = np.unique(triples[:, 1], return_inverse=True)
    names, name = np.unique(attributes[:, 1], return_inverse=True)
    return replace(
        graph,
        entities=graph.entities[chosen],
        names=graph.names[chosen],
        relations=graph.relations[relations],
        attributes=graph.attributes[names],
        relation_triples=_ids(row[triples[:, 0]], relation, row[triples[:, 2]]),
        attribute_triples=_ids(row[attributes[:, 0]], name),
        attribute_values=graph.attribute_values[is_inside],
    )


def _ids(*columns: Rows) -> NDArray[np.int32]:
    return np.stack(columns, axis=1).astype(np.int32)

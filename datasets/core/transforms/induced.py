"""The part of a dataset that some of its entities make: their triples, features and links."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.transforms.vocabulary import in_use

Flags = NDArray[np.bool_]


def induced(pair: KGPair, kept_source: Flags, kept_target: Flags) -> KGPair:
    """The dataset without some entities, and without what names them.

    Published splits keep the links that are left, and who was known to have no partner still is.

    Args:
        pair: The whole.
        kept_source: Whether each source entity stays, [n_source].
        kept_target: Whether each target entity stays, [n_target].
    """
    links, kept = pair.anchor_links, (kept_source, kept_target)
    is_left = kept_source[links[:, 0]] & kept_target[links[:, 1]]
    dangling = [new_ids(flags, ids) for flags, ids in zip(kept, pair.dangling, strict=True)]
    return replace(
        pair,
        source=_part(pair.source, kept_source),
        target=_part(pair.target, kept_target),
        anchor_links=np.stack(
            [new_ids(flags, links[is_left, side]) for side, flags in enumerate(kept)], axis=1
        ),
        features={
            name: (_rows(sides[0], kept_source), _rows(sides[1], kept_target))
            for name, sides in pair.features.items()
        },
        folds=tuple(_fold(fold, is_left) for fold in pair.folds),
        dangling=(dangling[0], dangling[1]),
        version="",
    )


def new_ids(kept: Flags, ids: Ids) -> Ids:
    """Ids in the part of those that stay, in the same order; read-only.

    Args:
        kept: Whether each entity stays, [n].
        ids: Ids in the whole, [m].
    """
    found = _places(kept)[ids[kept[ids]]]
    found.setflags(write=False)
    return found


def _places(kept: Flags) -> Ids:
    """New id of each entity that is kept, [n_ent]."""
    return (np.cumsum(kept) - 1).astype(np.int32)


def _part(graph: KnowledgeGraph, kept: Flags) -> KnowledgeGraph:
    """The graph without some entities and their triples."""
    triples = graph.relation_triples
    triples = triples[kept[triples[:, 0]] & kept[triples[:, 2]]]
    relations, relation_ids = in_use(graph.relations, triples[:, 1])
    has_owner = kept[graph.attribute_triples[:, 0]]
    facts = graph.attribute_triples[has_owner]
    attributes, attribute_ids = in_use(graph.attributes, facts[:, 1])
    places = _places(kept)
    return replace(
        graph,
        entities=graph.entities[kept],
        relations=relations,
        attributes=attributes,
        relation_triples=np.stack(
            [places[triples[:, 0]], relation_ids, places[triples[:, 2]]], axis=1
        ),
        attribute_triples=np.stack([places[facts[:, 0]], attribute_ids], axis=1),
        attribute_values=graph.attribute_values[has_owner],
        names=graph.names[kept],
    )


def _rows(features: Features, kept: Flags) -> Features:
    return Features(np.asarray(features.values[kept]), np.asarray(features.present[kept]))


def _fold(fold: Fold, is_left: Flags) -> Fold:
    places = np.cumsum(is_left) - 1
    parts = [places[rows[is_left[rows]]] for rows in (fold.train, fold.valid, fold.test)]
    if not fold.problem and not (len(parts[0]) and len(parts[2])):
        return Fold.broken(fold.name, "too few of its links are left")
    return Fold(fold.name, *parts, problem=fold.problem)

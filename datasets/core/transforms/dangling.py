"""``dangling``: entities whose partners are hidden from the other KG."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.model.priorities import priorities
from mmea_bench.datasets.core.transforms.transform import Transform
from mmea_bench.datasets.core.transforms.vocabulary import in_use

Flags = NDArray[np.bool_]


def with_dangling(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with one end of ``round(share * n)`` of its n links hidden.

    Links stand in a random order; of the first ones, target and source end disappear in turn, with
    their triples, attributes, features and links. Whoever had a partner and has none left is
    dangling (``KGPair.dangling``). More of it hides what less of it hides, and more. Published
    splits keep the links that are left.
    """
    links = pair.anchor_links
    ends = zip(pair.source.entities[links[:, 0]], pair.target.entities[links[:, 1]], strict=True)
    numbers = priorities("dangling", ("\x00".join(both) for both in ends), seed)
    chosen = np.argsort(numbers, kind="stable")[: round(share * len(links))]
    kept_source = _all_but(links[chosen[1::2], 0], pair.source.n_entities)
    kept_target = _all_but(links[chosen[::2], 1], pair.target.n_entities)
    is_left = kept_source[links[:, 0]] & kept_target[links[:, 1]]
    left = np.stack(
        [_places(kept_source)[links[is_left, 0]], _places(kept_target)[links[is_left, 1]]], axis=1
    )
    return replace(
        pair,
        source=_part(pair.source, kept_source),
        target=_part(pair.target, kept_target),
        anchor_links=left,
        features={
            name: (_rows(sides[0], kept_source), _rows(sides[1], kept_target))
            for name, sides in pair.features.items()
        },
        folds=tuple(_fold(fold, is_left) for fold in pair.folds),
        dangling=(
            _without_partner(links[:, 0], is_left, kept_source),
            _without_partner(links[:, 1], is_left, kept_target),
        ),
        version="",
    )


def _all_but(hidden: Ids, size: int) -> Flags:
    kept = np.ones(size, dtype=bool)
    kept[hidden] = False
    return kept


def _places(kept: Flags) -> Ids:
    """New id of each entity that is kept, [n_ent]."""
    return (np.cumsum(kept) - 1).astype(np.int32)


def _without_partner(ends: Ids, is_left: Flags, kept: Flags) -> Ids:
    """New ids of the entities that are kept, had a link and have none, ascending."""
    lost = np.setdiff1d(ends[~is_left], ends[is_left])
    dangling = _places(kept)[lost[kept[lost]]]
    dangling.setflags(write=False)
    return dangling


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
        return Fold.broken(fold.name, "too few of its links are left beside the dangling entities")
    return Fold(fold.name, *parts, problem=fold.problem)


TRANSFORM = Transform(
    name="dangling",
    neutral=0.0,
    lowest=0.0,
    highest=0.9,
    meaning="Share of the anchor links of which one end, in turn, is hidden from its KG.",
    apply=with_dangling,
)

"""Declared modalities are enforced: what the view of every configuration must and must not hold."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.view import NAME_FEATURES, TrainView, train_view
from mmea_bench.methods.core.base import Method


def declared_view(method: Method, pair: KGPair, seed_links: Ids) -> TrainView:
    """The view that a cell gives to this configuration."""
    return train_view(pair, seed_links, method.used_modalities(pair.modalities))


def check_view_holds_only_declared(method: Method, pair: KGPair, seed_links: Ids) -> None:
    """The view has nothing that the configuration does not declare."""
    used = method.used_modalities(pair.modalities)
    view = declared_view(method, pair, seed_links)
    words = NAME_FEATURES if "name" in used else ()
    assert set(view.features) == set(pair.features) & {*used, *words}
    assert set(view.modalities) == {*used, *(set(words) & set(pair.modalities))}
    for side, (shown, graph) in enumerate(
        zip((view.source, view.target), (pair.source, pair.target), strict=True)
    ):
        assert shown.n_entities == graph.n_entities
        _check_graph(shown, graph, used)
        if "name" not in used:
            assert set(shown.names[~_has_own_label(pair, side, used)]) <= {""}


def _check_graph(shown: KnowledgeGraph, graph: KnowledgeGraph, used: tuple[str, ...]) -> None:
    if "name" not in used:
        assert shown.entities.tolist() == [str(row) for row in range(graph.n_entities)]
    if "structure" in used:
        assert np.array_equal(shown.relation_triples, graph.relation_triples)
    elif "relation" in used:
        for end in (0, 2):  # the bags are those of the dataset, the edges are not
            bags = [np.sort(_pairs(triples, end)) for triples in (shown, graph)]
            assert np.array_equal(*bags)
        assert not np.array_equal(shown.relation_triples, graph.relation_triples)
    else:
        assert (shown.n_relations, len(shown.relation_triples)) == (0, 0)
    if "attribute" not in used:
        assert (shown.n_attributes, len(shown.attribute_triples)) == (0, 0)
        assert len(shown.attribute_values) == 0


def _pairs(graph: KnowledgeGraph, end: int) -> Ids:
    """One number for each (entity, relation) of the triples' heads or tails."""
    triples = graph.relation_triples.astype(np.int64)
    return np.asarray(triples[:, end] * max(1, graph.n_relations) + triples[:, 1])


def _has_own_label(pair: KGPair, side: int, used: tuple[str, ...]) -> np.ndarray:
    """Nodes of an N-MMKG whose modality is declared: their label is where its vector comes from."""
    sides = [both[side].present for name, both in pair.features.items() if name in used]
    empty = np.zeros((pair.source, pair.target)[side].n_entities, dtype=bool)
    return np.logical_or.reduce([empty, *sides]) if pair.task == "n-mmkg" else empty

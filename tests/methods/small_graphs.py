"""Two graphs small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.view import TrainView


def knowledge_graph(
    name: str,
    n_entities: int,
    triples: list[tuple[int, int, int]],
    relations: list[str],
    attributes: tuple[list[str], list[tuple[int, int]]] = ([], []),
    names: list[str] | None = None,
) -> KnowledgeGraph:
    """A KG from plain lists."""
    return KnowledgeGraph(
        name,
        text_array([f"{name}{index}" for index in range(n_entities)]),
        text_array(relations),
        text_array(attributes[0]),
        np.array(triples, dtype=np.int32).reshape(-1, 3),
        np.array(attributes[1], dtype=np.int32).reshape(-1, 2),
        text_array(["1"] * len(attributes[1])),
        text_array(names or [""] * n_entities),
    )


def small_view() -> TrainView:
    """Source: 0-r->1, 1-r->0, 0-s->2, 2-s->2. Target: 0-r->1. Seeds 0-0 and 1-1."""
    source = knowledge_graph(
        "s",
        3,
        [(0, 0, 1), (1, 0, 0), (0, 1, 2), (2, 1, 2)],
        ["r", "s"],
        (["born", "height"], [(0, 0), (0, 0), (1, 0), (2, 1)]),
        ["Ann Lee", "Bo", ""],
    )
    target = knowledge_graph("t", 2, [(0, 0, 1)], ["r"], (["height"], [(0, 0)]), ["ann lee", "Xu"])
    image = (
        Features(
            np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]], dtype=np.float32),
            np.array([True, False, True]),
        ),
        Features(np.array([[1.0, 1.0], [0.0, 0.0]], dtype=np.float32), np.array([True, False])),
    )
    seeds = np.array([[0, 0], [1, 1]], dtype=np.int32)
    modalities = ("structure", "relation", "attribute", "image", "name")
    return TrainView(source, target, {"image": image}, modalities, seeds)


def translated_view(given: str) -> TrainView:
    """The small view, where a URI spells 北京 (x) and the dataset gives another name for it."""
    view = small_view()
    uris = ["http://zh.dbpedia.org/resource/%E5%8C%97%E4%BA%AC_(x)", "http://b/Q1", "http://b/Q2"]
    names = text_array([given, "one", ""])
    return replace(view, source=replace(view.source, entities=text_array(uris), names=names))

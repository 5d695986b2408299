"""Small, easy pairs that a method is tried on, and poorer copies of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair, Task
from mmea_bench.datasets.core.model.split import Split, split_links, split_pairs
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import Method

EASY: Mapping[Task, str] = MappingProxyType(
    {
        "entity-alignment": "synthetic[edge_overlap=0.9,n=200,picture_noise=0.6]",
        "n-mmkg": "synthetic-nmmkg[n=300,preset=easy]",
    }
)
TINY: Mapping[Task, str] = MappingProxyType(
    {**EASY, "entity-alignment": "synthetic[edge_overlap=0.9,n=100,picture_noise=0.6]"}
)
REMOVABLE: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "entity-alignment": ("attribute", "image", "name", "structure"),
        # A node without its one modality would be no node of an N-MMKG.
        "n-mmkg": ("attribute", "structure"),
    }
)
"""Modalities that ``without`` can take away; relations go with the structure."""


@functools.cache
def tiny_pair(task: Task = "entity-alignment") -> KGPair:
    """The smallest pair with every modality that the task knows, for brief trainings."""
    return open_dataset(TINY[task]).read()


@functools.cache
def easy_pair(task: Task = "entity-alignment") -> KGPair:
    """A small pair on which a method can learn, with every modality that the task knows."""
    return open_dataset(EASY[task]).read()


def main_task(method_type: type[Method]) -> Task:
    """The task that a method is judged on: entity alignment wherever it can do that."""
    return "entity-alignment" if "entity-alignment" in method_type.tasks else method_type.tasks[0]


def tiny_pair_for(method_type: type[Method]) -> KGPair:
    """The tiny pair of the method's main task."""
    return tiny_pair(main_task(method_type))


def easy_pair_for(method_type: type[Method]) -> KGPair:
    """The easy pair of the method's main task."""
    return easy_pair(main_task(method_type))


def tiny_split(pair: KGPair) -> Split:
    """Half of the links are seeds."""
    if pair.task == "n-mmkg":
        return split_pairs(pair.anchor_links, 0.5, rng_seed=7)
    return split_links(pair.anchor_links, 0.5, rng_seed=7)


def tiny_view(pair: KGPair, method: Method | None = None) -> TrainView:
    """What a training sees of the tiny split.

    Args:
        pair: The dataset.
        method: Shows what this configuration declares, as a cell does; None shows everything.
    """
    declared = None if method is None else method.used_modalities(pair.modalities)
    return train_view(pair, tiny_split(pair).seed_links, declared)


@functools.cache
def poorer_pair(task: Task, modality: str) -> KGPair:
    """The tiny pair as if its files lacked a modality of ``REMOVABLE``."""
    return without(tiny_pair(task), modality)


def without(pair: KGPair, modality: str) -> KGPair:
    """The pair as if its files lacked a modality."""
    features = {name: sides for name, sides in pair.features.items() if name != modality}
    graphs = [_graph_without(graph, modality) for graph in (pair.source, pair.target)]
    return dataclasses.replace(
        pair, source=graphs[0], target=graphs[1], features=features, version=""
    )


def with_few_images(pair: KGPair) -> KGPair:
    """The pair with images on every third entity only."""
    features = {}
    for name, sides in pair.features.items():
        kept = []
        for side in sides:
            present = side.present & (np.arange(len(side.present)) % 3 == 0)
            kept.append(Features(np.where(present[:, None], side.values, 0), present))
        features[name] = (kept[0], kept[1])
    return dataclasses.replace(pair, features=features, version="")


def _graph_without(graph: KnowledgeGraph, modality: str) -> KnowledgeGraph:
    changes: dict[str, object] = {}
    if modality == "attribute":
        changes = {
            "attributes": text_array([]),
            "attribute_triples": np.empty((0, 2), dtype=np.int32),
            "attribute_values": text_array([]),
        }
    if modality == "name":
        changes = {"names": text_array([""] * graph.n_entities)}
    if modality == "structure":
        changes = {
            "relations": text_array([]),
            "relation_triples": np.empty((0, 3), dtype=np.int32),
        }
    return dataclasses.replace(graph, **changes)  # type: ignore[arg-type]

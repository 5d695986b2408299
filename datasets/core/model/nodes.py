"""Nodes of an N-MMKG: which of them are texts, which are images, and the kinds of their pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError

if TYPE_CHECKING:
    from mmea_bench.datasets.core.model.features import Features
    from mmea_bench.datasets.core.model.graph import KnowledgeGraph

NODE_MODALITIES = ("text", "image")
"""What a node of an N-MMKG can be: exactly one of the two."""

PAIR_KINDS = ("tt", "vv", "tv")
"""Kinds of a pair of nodes: two texts, two images, one of each (CrossEA, appendix A)."""

TRIPLE_KINDS = ("TT", "TV", "VV")
"""Kinds of a relation triple by the nodes at its ends; text to image and back are both TV."""


def visual_nodes(
    features: Mapping[str, tuple[Features, Features]],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a node is an image, for the source [n_source] and the target graph [n_target].

    Raises:
        DataError: If there are no image features at all.
    """
    if "image" not in features:
        raise DataError("An N-MMKG needs image features; they say which nodes are visual.")
    source, target = features["image"]
    return source.present, target.present


def pair_kinds(
    links: NDArray[np.integer],
    visual_source: NDArray[np.bool_],
    visual_target: NDArray[np.bool_],
) -> NDArray[np.str_]:
    """Kind of each pair, one of ``PAIR_KINDS``: [n] text.

    Args:
        links: Pairs (source node, target node), [n, 2].
        visual_source: Whether a source node is an image, [n_source].
        visual_target: Whether a target node is an image, [n_target].
    """
    n_visual = visual_source[links[:, 0]].astype(np.int64) + visual_target[links[:, 1]]
    kinds: NDArray[np.str_] = np.array(["tt", "tv", "vv"])[n_visual]
    return kinds


def triple_kinds(triples: NDArray[np.integer], is_visual: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Kind of each relation triple, one of ``TRIPLE_KINDS``: [n] text.

    Args:
        triples: (head, relation, tail) ids, [n, 3].
        is_visual: Whether a node is an image, [n_nodes].
    """
    n_visual = is_visual[triples[:, 0]].astype(np.int64) + is_visual[triples[:, 2]]
    kinds: NDArray[np.str_] = np.array(TRIPLE_KINDS)[n_visual]
    return kinds


def check_nodes(
    dataset: str,
    graphs: tuple[KnowledgeGraph, KnowledgeGraph],
    features: Mapping[str, tuple[Features, Features]],
) -> None:
    """Checks that every node is a text or an image.

    Raises:
        DataError: If a modality is lacking, or a node has both or neither; the text names it.
    """
    for modality in NODE_MODALITIES:
        if modality not in features:
            raise DataError(f"{dataset}: an N-MMKG needs {modality} features.")
    for side, graph in enumerate(graphs):
        has_text, has_image = (features[name][side].present for name in NODE_MODALITIES)
        wrong = np.flatnonzero(has_text == has_image)
        if len(wrong):
            found = "both text and image" if has_text[wrong[0]] else "neither text nor image"
            raise DataError(
                f"{dataset}: node '{graph.entities[wrong[0]]}' of {graph.name} has {found} "
                "features; a node of an N-MMKG has exactly one of the two."
            )

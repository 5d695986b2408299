"""N-MMKGs small enough to check by loops."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.view import TrainView
from tests.methods.small_graphs import knowledge_graph

N_SOURCE, N_TARGET = 14, 12


def nmmkg_view() -> TrainView:
    """Random graphs of 14 and 12 nodes, every third an image; node 13 of the source is alone.

    Source node 0 is paired with the target nodes 0 and 1, so that pairs are many to many.
    """
    generator = np.random.default_rng(5)
    graphs, features = [], []
    for name, size, n_linked in (("s", N_SOURCE, N_SOURCE - 1), ("t", N_TARGET, N_TARGET)):
        ends = generator.integers(n_linked, size=(24, 2))
        triples = [(int(head), 0, int(tail)) for head, tail in ends]
        graphs.append(knowledge_graph(name, size, triples, ["r"]))
        features.append(_features(size, generator))
    seeds = np.array([[0, 0], [0, 1], [1, 3], [2, 2], [3, 2], [4, 4]], dtype=np.int32)
    by_modality = {
        modality: (features[0][modality], features[1][modality]) for modality in ("text", "image")
    }
    return TrainView(
        graphs[0], graphs[1], by_modality, ("structure", "text", "image"), seeds, "n-mmkg"
    )


def _features(size: int, generator: np.random.Generator) -> dict[str, Features]:
    is_visual = np.arange(size) % 3 == 2
    found = {}
    for modality, present, dim in (("text", ~is_visual, 7), ("image", is_visual, 5)):
        values = generator.normal(3.0, 2.0, size=(size, dim)).astype(np.float32)
        found[modality] = Features(values * present[:, None], present)
    return found

"""``part``: some of the objects, with all that is known of them and between them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mmea_bench.datasets.core.errors import MissingDataError
from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import first_share
from mmea_bench.datasets.core.transforms.induced import induced
from mmea_bench.datasets.core.transforms.transform import EVERY_TASK, Transform


def with_part(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with this share of its objects, and the graphs among them.

    An object is what anchor links connect, in an N-MMKG often several texts and images of one
    thing; it stays or goes as a whole. Of the entities without a link the same share stays. A
    smaller part lies in a larger one.

    Raises:
        MissingDataError: If no anchor link is left.
    """
    links, n_source = pair.anchor_links, pair.source.n_entities
    objects = _objects(pair)
    linked = np.unique(links[:, 0])
    numbers, first = np.unique(objects[linked], return_index=True)
    is_chosen = first_share("part", pair.source.entities[linked[first]], share, seed)
    kept = np.isin(objects, numbers[is_chosen])
    start = 0
    for side, graph in enumerate((pair.source, pair.target)):
        alone = np.setdiff1d(np.arange(graph.n_entities), links[:, side])
        texts = graph.entities[alone]
        kept[start + alone] = first_share(f"part of KG {side}", texts, share, seed)
        start += graph.n_entities
    if not kept[links[:, 0]].any():
        raise MissingDataError(
            f"part={share:g} leaves none of the {len(links):,} anchor links of {pair.dataset}. "
            "Ask for a larger part."
        )
    return induced(pair, kept[:n_source], kept[n_source:])


def _objects(pair: KGPair) -> Ids:
    """Number of the object that each source, then each target entity belongs to, [n]."""
    links, n_source = pair.anchor_links, pair.source.n_entities
    size = sum(pair.sizes)
    cells = (np.ones(len(links)), (links[:, 0], n_source + links[:, 1]))
    found = connected_components(coo_matrix(cells, shape=(size, size)), directed=False)[1]
    return np.asarray(found, dtype=np.int32)


TRANSFORM = Transform(
    name="part",
    neutral=1.0,
    lowest=0.001,
    highest=1.0,
    meaning="Share of the objects (what anchor links connect) that stays, with the graph among it.",
    apply=with_part,
    tasks=EVERY_TASK,
)

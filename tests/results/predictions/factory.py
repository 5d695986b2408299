"""Made-up predictions and facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmea_bench.results.core.predictions.schema import (
    DatasetFacts,
    EntityFacts,
    KeptScoring,
    Predictions,
    RankedLinks,
)

VERSION = "0123456789ab"
SCORINGS = (
    KeptScoring("cosine", 0, "none", "test", "realistic", is_published=True),
    KeptScoring("cosine", 3, "none", "test", "realistic"),
)


def made_predictions(
    key: str, ranks: Sequence[float], method: str = "alpha", **words: Any
) -> Predictions:
    """Links (i, i) with these ranks in both directions, under CSLS 0 and 3 alike.

    The best candidate is the partner where the rank is 1, else the next entity.
    """
    n = len(ranks)
    links = np.stack([np.arange(n)] * 2, axis=1).astype(np.int32)
    own = np.array(ranks, dtype=np.float64)
    best = np.where(own == 1, np.arange(n), (np.arange(n) + 1) % n).astype(np.int32)
    scores = np.full((n, 1), 0.5, dtype=np.float32)
    ways = ("src2tgt", "tgt2src")
    ranked = tuple(
        RankedLinks(
            scoring,
            dict.fromkeys(ways, own),
            dict.fromkeys(ways, best[:, None]),
            dict.fromkeys(ways, scores),
        )
        for scoring in SCORINGS
    )
    known = {
        "method": method,
        "variant": "full",
        "dataset": "synthetic",
        "dataset_version": VERSION,
        "seed_ratio": 0.2,
        "repeat": 1,
        "protocol": "strict",
        "split": None,
        **words,
    }
    return Predictions(key, known, links, ranked)


def made_facts(n: int) -> DatasetFacts:
    """n entities a side: degrees 1 to n, images for the even ones, names alike for the first half.

    Entity 0 of the source stands in two links.
    """
    places = np.arange(n)

    def side(letter: str) -> EntityFacts:
        links = np.ones(n, dtype=np.int32)
        links[0] += letter == "s"
        return EntityFacts(
            uris=np.array([f"http://{letter}/{i}" for i in places], dtype=object),
            names=np.array([f"name {i}" for i in places], dtype=object),
            degrees=(places + 1).astype(np.int32),
            n_attributes=np.zeros(n, dtype=np.int32),
            has_image=places % 2 == 0,
            is_identified=places % 3 == 0,
            n_links=links,
        )

    links = np.stack([places, places], axis=1).astype(np.int32)
    similarity = np.where(places < n // 2, 1.0, 0.1).astype(np.float32)
    return DatasetFacts(VERSION, side("s"), side("t"), links, similarity)

"""``image_ratio``: fewer entities with an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Text
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import first_share
from mmea_bench.datasets.core.transforms.transform import Transform


def with_image_ratio(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with ``round(share * n)`` of the n images of each KG.

    An entity whose image is taken away is as one that never had any: a row of zeros and no mark of
    presence; what stands in for it is the method's affair. At share 0 the modality is gone.
    """
    features = dict(pair.features)
    if share:
        source, target = features["image"]
        features["image"] = (
            _thinned(source, pair.source.entities, share, seed, "source"),
            _thinned(target, pair.target.entities, share, seed, "target"),
        )
    else:
        del features["image"]
    return replace(pair, features=features, version="")


def _thinned(features: Features, entities: Text, share: float, seed: int, side: str) -> Features:
    rows = np.flatnonzero(features.present)
    kept = rows[first_share(f"image_ratio {side}", entities[rows], share, seed)]
    present = np.zeros_like(features.present)
    present[kept] = True
    values = np.zeros_like(features.values)
    values[kept] = features.values[kept]
    return Features(values, present)


TRANSFORM = Transform(
    name="image_ratio",
    neutral=1.0,
    lowest=0.0,
    highest=1.0,
    meaning="Share of the entities with an image that keep it, in each KG.",
    apply=with_image_ratio,
    needs="image",
)

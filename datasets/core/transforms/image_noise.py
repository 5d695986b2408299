"""``image_noise``: Gaussian noise on the image features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Text
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import priorities
from mmea_bench.datasets.core.transforms.transform import EVERY_TASK, Transform


def with_image_noise(pair: KGPair, strength: float, seed: int) -> KGPair:
    """The dataset with ``strength * std * z`` added to every image vector.

    ``std`` is the standard deviation of each column over the images of that KG, ``z`` standard
    normal numbers that belong to the entity: another strength scales the same noise.
    """
    source, target = pair.features["image"]
    features = {
        **pair.features,
        "image": (
            _noisy(source, pair.source.entities, strength, seed, "source"),
            _noisy(target, pair.target.entities, strength, seed, "target"),
        ),
    }
    return replace(pair, features=features, version="")


def _noisy(features: Features, entities: Text, strength: float, seed: int, side: str) -> Features:
    rows = np.flatnonzero(features.present)
    values = np.array(features.values, dtype=np.float32)
    if len(rows):
        scale = np.float32(strength) * values[rows].std(axis=0)
        numbers = priorities(f"image_noise {side}", entities[rows], seed)
        for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
            own = np.random.default_rng(number)
            values[row] += scale * own.standard_normal(features.dim, dtype=np.float32)
    return Features(values, features.present)


TRANSFORM = Transform(
    name="image_noise",
    neutral=0.0,
    lowest=0.0,
    highest=100.0,
    meaning="Gaussian noise on image vectors, in standard deviations of each of their columns.",
    apply=with_image_noise,
    needs="image",
    tasks=EVERY_TASK,
)

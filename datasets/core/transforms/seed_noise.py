"""``seed_noise``: training seeds of which some are wrong."""

from __future__ import annotations

from dataclasses import replace

from mmea_bench.datasets.core.model.pair import KGPair, WrongSeeds
from mmea_bench.datasets.core.model.priorities import link_priorities
from mmea_bench.datasets.core.transforms.transform import EVERY_TASK, Transform


def with_seed_noise(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with a note of the noise, which acts when a split gives a method its seeds.

    The order in which seeds become wrong depends on the URIs of their ends alone. See
    ``wrong_seeds.trained_links``; anchor links and published splits stay as they are.
    """
    numbers = link_priorities("seed_noise", pair, seed)
    return replace(pair, wrong_seeds=WrongSeeds(share, seed, numbers), version="")


TRANSFORM = Transform(
    name="seed_noise",
    neutral=0.0,
    lowest=0.0,
    highest=1.0,
    meaning="Share of the training seed links whose target is a wrong one.",
    apply=with_seed_noise,
    tasks=EVERY_TASK,
)

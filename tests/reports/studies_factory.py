"""Made-up results of the papers' studies, with gaps where they are asked for."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

from mmea_bench.results.core.record import Record
from tests.reports.reports_factory import make_record

METHODS = ("clamea", "eva", "loginmea", "mclea", "meaformer")
RATIOS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
PAIR_SCORING: Mapping[str, Any] = {
    "similarity": "cosine",
    "csls": 0,
    "decoder": "none",
    "candidates": "all-pairs",
}
TIMEOUT: Mapping[str, Any] = {"status": "timeout", "reason": "the deadline of 60 s passed"}


def wobble(*words: object) -> float:
    """A number between -1 and 1 that hangs on the words alone."""
    return zlib.crc32(repr(words).encode()) / 2**31 - 1.0


def overridden(score: float, method: str = "mclea", repeat: int = 1, **overrides: Any) -> Record:
    """A cell with single parameters changed; ``status`` and the like go to the cell."""
    of_cell = ("status", "reason", "n_points")
    cell = {name: overrides.pop(name) for name in of_cell if name in overrides}
    words = ",".join(f"{name}={value}" for name, value in overrides.items())
    return make_record(
        method,
        score,
        variant=f"full[{words}]",
        overrides=json.dumps(overrides),
        repeat=repeat,
        key=f"{method}-{zlib.crc32(words.encode())}-{repeat}",
        **cell,
    )


def grid_records(*, has_gaps: bool = False) -> list[Record]:
    """MCLEA over both temperatures, best at 0.1 and 4."""
    return [
        overridden(
            0.6
            - 0.05 * math.log(tau1 / 0.1) ** 2
            - 0.03 * math.log(tau2 / 4) ** 2
            + 0.01 * wobble(tau1, tau2, repeat),
            repeat=repeat,
            tau1=tau1,
            tau2=tau2,
            **(TIMEOUT if has_gaps and tau1 == 0.4 and tau2 <= 2 else {}),
        )
        for tau1 in (0.05, 0.1, 0.2, 0.4)
        for tau2 in (1, 2, 4, 8, 16)
        for repeat in (1, 2, 3)
    ]


def line_records() -> list[Record]:
    """Two methods over their width."""
    return [
        overridden(
            0.4 + base + 0.0005 * dim + 0.01 * wobble(method, dim, repeat),
            method,
            repeat,
            dim=dim,
        )
        for method, base in (("mclea", 0.0), ("eva", 0.05))
        for dim in (50, 100, 200, 300)
        for repeat in (1, 2, 3)
    ]


def ratio_records(*, has_gaps: bool = False) -> list[Record]:
    """Five methods over the seed ratio, of 12,000 anchor links."""
    return [
        make_record(
            method,
            (1 - math.exp(-3 * ratio)) * (0.6 + 0.05 * place)
            + 0.03
            + 0.02 * wobble(method, ratio, repeat),
            seed_ratio=ratio,
            repeat=repeat,
            n_train=round(12000 * ratio * 0.9),
            n_valid=round(12000 * ratio * 0.1),
            **(TIMEOUT if has_gaps and method == "eva" and ratio == 0.2 else {}),
        )
        for place, method in enumerate(METHODS)
        for ratio in RATIOS
        for repeat in (1, 2, 3)
    ]


def ablation_records(n_datasets: int, *, has_gaps: bool = False) -> list[Record]:
    """MCLEA in full and without single parts."""
    variants = ("full", "w/o ICL", "w/o image modality", "w/o structure modality")
    return [
        make_record(
            "mclea",
            0.5 - 0.06 * place + (0.12 if place == 1 else 0.0) + 0.01 * wobble(dataset, place, r),
            variant=variant,
            dataset=dataset,
            repeat=r,
            **(TIMEOUT if has_gaps and place == 2 and dataset == "fb15k-db15k" else {}),
        )
        for dataset in ("fb15k-db15k", "fb15k-yago15k", "dbp15k-zh-en")[:n_datasets]
        for place, variant in enumerate(variants)
        for r in (1, 2, 3)
    ]


def many_places(
    methods: tuple[str, ...] = METHODS, n_places: int = 5, n_repeats: int = 5
) -> list[Record]:
    """Methods over datasets, the later the better, with ranks that change places."""
    return [
        make_record(
            method,
            0.3 + 0.05 * number + 0.01 * place + 0.015 * wobble(method, number, repeat),
            dataset=f"synthetic[n={1000 + number}]",
            repeat=repeat,
        )
        for number in range(n_places)
        for place, method in enumerate(methods)
        for repeat in range(1, n_repeats + 1)
    ]


def pair_record(method: str, f1: float, repeat: int) -> Record:
    """A cell of predicted pairs."""
    number = {
        **PAIR_SCORING,
        "inference": "two-thresholds",
        "metric": "f1",
        "direction": "pairs",
        "value": f1,
        "n": 90,
    }
    cell = make_record(method, 0.2, dataset="nmmea", seed_ratio=0.3, repeat=repeat).cell
    return Record.of({**cell, "key": f"pairs-{method}-{repeat}"}, [number])


def all_studies() -> dict[str, list[Record]]:
    """Records of each study report, with gaps."""
    return {
        "ablation": ablation_records(2, has_gaps=True),
        "low_resource": ratio_records(has_gaps=True),
        "significance": many_places(("eva", "loginmea", "mclea")),
        "sweep": [*grid_records(has_gaps=True), *line_records()],
    }

"""Seconds per training epoch and per dataset load, on the real FB15K-DB15K files.

Run on a quiet machine: ``python tests/benchmarks/training_speed.py DATA_ROOT``. The times of the
released code on the same files (two cores) stand beside ours.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import split_links
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import get_method

THREADS, EPOCHS, WARM_UP = 2, 15, 5
TRAININGS = (
    ("mclea", "w/o visual", {"iterative": False}, "released 205.8 s, goal 3 s"),
    ("mclea", "full", {"iterative": False}, "with images"),
    ("eva", "full", {}, "released 1.05 s, goal 0.8 s"),
)


def epoch_seconds(pair: KGPair, name: str, variant: str, overrides: dict[str, object]) -> float:
    """Median seconds of an epoch after a warm-up."""
    method = get_method(name).configure(name, variant, {**overrides, "epochs": EPOCHS})
    ends: list[float] = []
    ctx = RunContext(rng_seed=1, tick=lambda *_: ends.append(time.perf_counter()))
    split = split_links(pair.anchor_links, 0.2, rng_seed=1)
    method.fit(train_view(pair, split.seed_links), ctx)
    return statistics.median(later - earlier for earlier, later in pairwise(ends[WARM_UP:]))


def main() -> None:
    """Prints one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_root", type=Path)
    root = parser.parse_args().data_root
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as cache:
        dataset = open_dataset("fb15k-db15k", root)
        for label in ("first load", "second load, from the cache", "third load"):
            started = time.perf_counter()
            pair = load_pair(dataset, Path(cache))
            print(f"fb15k-db15k {label}: {time.perf_counter() - started:.2f} s")
        for name, variant, overrides, note in TRAININGS:
            seconds = epoch_seconds(pair, name, variant, overrides)
            print(f"{name} ({variant}) epoch: {seconds:.2f} s ({note}; threads: {THREADS})")


if __name__ == "__main__":
    main()

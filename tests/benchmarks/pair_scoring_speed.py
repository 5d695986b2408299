"""Seconds and memory to score all pairs of a published-size N-MMKG: 14,921 x 14,686 nodes."""

from __future__ import annotations

import resource
import time

import numpy as np
import torch

from mmea_bench.bench.scoring.pair_scoring import (
    INFERENCES,
    PairTask,
    choose_thresholds,
    pair_metrics,
    score_pairs,
)
from mmea_bench.methods.core.base import Embeddings

N_SOURCE, N_TARGET, N_PAIRS, DIM, THREADS, RUNS = 14_921, 14_686, 20_832, 256, 1, 3


def main() -> None:
    """Prints the seconds of every run and the largest memory above that of the embeddings."""
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, N_TARGET, (N_PAIRS, 2)), axis=0)
    rng.shuffle(pairs)
    source = torch.randn(N_SOURCE, DIM, generator=generator)
    target = torch.randn(N_TARGET, DIM, generator=generator)
    target[pairs[:, 1]] += source[pairs[:, 0]]
    visual = [np.arange(n) % 2 == 0 for n in (N_SOURCE, N_TARGET)]
    parts = np.split(pairs, [3 * N_PAIRS // 10, 4 * N_PAIRS // 10])
    task = PairTask(parts[0], parts[1], parts[2], visual[0], visual[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(RUNS):
        started = time.perf_counter()
        scores = score_pairs(Embeddings(source, target), task)
        passed = time.perf_counter() - started
        for inference in INFERENCES:
            f1 = pair_metrics(scores, task, choose_thresholds(scores, task, inference))["f1"][0]
            print(f"  {inference}: F1 {f1:.3f}")
        print(f"pass {passed:.2f} s, all {time.perf_counter() - started:.2f} s")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: {before / 2**10:.0f} MiB before, {after / 2**10:.0f} MiB at most")


if __name__ == "__main__":
    main()

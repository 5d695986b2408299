"""Seconds to rank test pairs in both directions with CSLS k=3, by cosine and by distances.

    python tests/benchmarks/evaluation_speed.py [PAIRS [COLUMNS]]

Beside the seconds stands the share of the machine's matrix products: the time that the two passes
of products alone would take at the rate of a large product, measured in the same run.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.methods.core.base import Embeddings, Similarity

N_PAIRS, DIM, THREADS, RUNS = 10_277, 600, 2, 5
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "manhattan", "euclidean")
CASES = (("CSLS 3", (3,)), ("plain and CSLS 3", (0, 3)))


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """Median of some runs after one that warms up."""
    seconds = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def main(n_pairs: int = N_PAIRS, dim: int = DIM) -> None:
    """Prints the median of some runs, fewer of large sides."""
    torch.set_num_threads(THREADS)
    runs = RUNS if n_pairs <= N_PAIRS else 1
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(n_pairs, dim, generator=generator)
    target = source + torch.randn(n_pairs, dim, generator=generator)
    links = np.stack([np.arange(n_pairs)] * 2, axis=1)
    task = ranking_task(links, links)
    square = torch.randn(3000, 3000)
    rate = 2 * 3000**3 / median_seconds(lambda: square @ square, RUNS)
    print(f"{n_pairs:,} pairs, {dim} columns, {THREADS} threads, product {rate / 1e9:.0f} GFLOP/s")
    for similarity in SIMILARITIES:
        embeddings = Embeddings(source, target, similarity)
        for label, sizes in CASES:
            seconds = median_seconds(lambda e=embeddings, s=sizes: rank_links(e, task, s), runs)
            share = 2 * 2 * n_pairs**2 * dim / rate / seconds
            remark = (
                f", products at the peak would be {share:.0%}" if similarity == "cosine" else ""
            )
            print(f"{similarity}, {label}: {seconds:.2f} s{remark}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))

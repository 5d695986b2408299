"""Seconds to rank test pairs in both directions with CSLS k=3, by cosine and by distances.

    python tests/benchmarks/evaluation_speed.py [PAIRS [COLUMNS [SIMILARITY ...]]]

Beside the seconds stands the share of the machine's matrix products: the time that the two passes
of products alone would take at the rate of a large product, measured in the same run. CPU seconds
are those of all threads together; on a machine with other work they are what to read.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from mmea_bench.bench.scoring.evaluate import RankingTask, rank_links, ranking_task
from mmea_bench.methods.core.base import Embeddings, Similarity

N_PAIRS, DIM, THREADS, RUNS = 10_277, 600, 2, 5
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "manhattan", "euclidean")
CASES = (("CSLS 3", (3,)), ("plain and CSLS 3", (0, 3)))


Clock = Callable[[], float]


def median_seconds(
    work: Callable[[], object], runs: int, clock: Clock = time.perf_counter
) -> float:
    """Median of some runs after one that warms up; that one where no other is asked for."""
    seconds = []
    for _ in range(runs + 1):
        started = clock()
        work()
        seconds.append(clock() - started)
    return statistics.median(seconds[1:] or seconds)


def product_rate(clock: Clock = time.perf_counter) -> float:
    """Floating-point operations a second of a product of two large square matrices."""
    square = torch.randn(3000, 3000)
    return 2 * 3000**3 / median_seconds(lambda: square @ square, RUNS, clock)


def peak_share(seconds: float, n_pairs: int, dim: int, rate: float) -> float:
    """Which share of the seconds the two passes of products alone would take at that rate."""
    return 2 * 2 * n_pairs**2 * dim / rate / seconds


def made_up_pairs(n_pairs: int, dim: int) -> tuple[torch.Tensor, torch.Tensor, RankingTask]:
    """Vectors of both sides, [n_pairs, dim] each, and the task of ranking them by each other."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(n_pairs, dim, generator=generator)
    target = source + torch.randn(n_pairs, dim, generator=generator)
    links = np.stack([np.arange(n_pairs)] * 2, axis=1)
    return source, target, ranking_task(links, links)


def main(n_pairs: int = N_PAIRS, dim: int = DIM, *chosen: str) -> None:
    """Prints the median of some runs; large sides are ranked once, by CSLS alone."""
    torch.set_num_threads(THREADS)
    is_large = n_pairs > N_PAIRS
    source, target, task = made_up_pairs(n_pairs, dim)
    rates = [product_rate(clock) for clock in (time.perf_counter, time.process_time)]
    print(
        f"{n_pairs:,} pairs, {dim} columns, {THREADS} threads, products {rates[0] / 1e9:.0f} "
        f"GFLOP/s, {rates[1] / 1e9:.0f} a CPU second"
    )
    for similarity in SIMILARITIES:
        if chosen and similarity not in chosen:
            continue
        embeddings = Embeddings(source, target, similarity)
        for label, sizes in CASES[:1] if is_large else CASES:
            cpu = time.process_time()
            runs = 0 if is_large else RUNS
            seconds = median_seconds(lambda e=embeddings, s=sizes: rank_links(e, task, s), runs)
            cpu = (time.process_time() - cpu) / (runs + 1)
            shares = [
                peak_share(each, n_pairs, dim, rate)
                for each, rate in zip((seconds, cpu), rates, strict=True)
            ]
            remark = f", products at the peak would be {shares[0]:.0%} ({shares[1]:.0%} of CPU)"
            print(
                f"{similarity}, {label}: {seconds:.2f} s, {cpu:.2f} CPU s"
                f"{remark if similarity == 'cosine' else ''}, "
                f"peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB"
            )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]), *sys.argv[3:])

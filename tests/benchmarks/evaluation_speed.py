"""Seconds to rank 10,277 test pairs of 600-dimensional vectors, both directions, with CSLS k=3."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.methods.core.base import Embeddings

N_PAIRS, DIM, THREADS, RUNS = 10_277, 600, 2, 5


def main() -> None:
    """Prints the median of five runs after a warm-up."""
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(N_PAIRS, DIM, generator=generator)
    target = source + torch.randn(N_PAIRS, DIM, generator=generator)
    links = np.stack([np.arange(N_PAIRS)] * 2, axis=1)
    embeddings, task = Embeddings(source, target), ranking_task(links, links)
    for label, sizes in (("csls 3", (3,)), ("plain and csls 3", (0, 3))):
        seconds = []
        for _ in range(RUNS + 1):
            started = time.perf_counter()
            rank_links(embeddings, task, sizes)
            seconds.append(time.perf_counter() - started)
        print(f"{label}: {statistics.median(seconds[1:]):.2f} s (threads: {THREADS})")


if __name__ == "__main__":
    main()

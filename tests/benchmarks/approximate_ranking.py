"""Approximate ranking of many links: seconds, memory, recall, and Hits@1 beside the exact one.

    python tests/benchmarks/approximate_ranking.py 100000 [k] [probes] [noise]

Target vectors are source vectors plus noise of so many standard deviations, 300 columns. The exact
Hits@1 is that of a sample of the links.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import torch

from mmea_bench.bench.scoring.approximate.scorer import ApproximateScorer
from mmea_bench.bench.scoring.evaluate import RankingTask, ranking_task
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.similarity import ScoreMatrix

DIM, SAMPLED = 300, 1000


def made(n: int, noise: float) -> Embeddings:
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(n, DIM, generator=generator)
    return Embeddings(source, source + noise * torch.randn(n, DIM, generator=generator))


def exact_hits(found: Embeddings, sampled: torch.Tensor) -> float:
    matrix = ScoreMatrix(found.source[sampled], found.target)
    best = torch.cat([block.scores.argmax(dim=1) for block in matrix])
    return float((best == sampled).double().mean())


def measure(n: int, ranking: str, noise: float) -> None:
    found = made(n, noise)
    links = np.stack([np.arange(n)] * 2, axis=1)
    task: RankingTask = ranking_task(links, links)
    sampled = torch.randperm(n, generator=torch.Generator().manual_seed(1))[:SAMPLED]
    cpu = time.process_time()
    exact = exact_hits(found, sampled)
    exact_cpu = (time.process_time() - cpu) * n / len(sampled)
    start, cpu = time.perf_counter(), time.process_time()
    scores = ApproximateScorer(Protocol(ranking=ranking), {"test": task}).final(found)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    hits = {
        number.words["csls"]: number.value
        for number in scores.numbers
        if (number.metric, number.direction) == ("hits@1", "src2tgt")
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n:,} links, {ranking}: {seconds:.0f} s, {cpu:.0f} s of CPU, {peak:.0f} MiB in all")
    print(f"  one exact pass in one direction: {exact_cpu:.0f} s of CPU (from {len(sampled)} rows)")
    print(
        f"  Hits@1 {hits[0]:.4f}, CSLS 3 {hits[3]:.4f}; exact of {len(sampled)} links {exact:.4f}"
    )
    print(f"  {scores.notes[0]}")


if __name__ == "__main__":
    given = sys.argv[1:]
    size, k, probes, noise = (*given, *("100000", "100", "32", "1")[len(given) :])
    measure(int(size), f"approximate[k={k},probes={probes}]", float(noise))

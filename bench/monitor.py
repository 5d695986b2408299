"""Watches a training: draws its curves and gives it the one number it may stop on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mmea_bench.bench.evaluate import LinkRanks, RankingTask, rank_links
from mmea_bench.bench.metrics import metrics_of_ranks
from mmea_bench.bench.protocol import Protocol
from mmea_bench.methods.core.base import Embeddings, StopRule

CURVE_METRICS = ("hits@1", "hits@10", "mrr")


def direction_metrics(ranks: LinkRanks) -> dict[str, dict[str, float]]:
    """Metrics of both directions and their mean: direction -> metric -> value."""
    forward, backward = metrics_of_ranks(ranks.src2tgt), metrics_of_ranks(ranks.tgt2src)
    mean = {metric: (forward[metric] + backward[metric]) / 2 for metric in forward}
    return {"src2tgt": forward, "tgt2src": backward, "mean": mean}


class CurveMonitor:
    """A ``Monitor`` that records curves and returns only what the protocol lets a method see.

    Scores are those of the last CSLS size of the protocol. The test curve is recorded for the
    reader; a training sees it only under the stop rule ``test``, which its row then names.

    Attributes:
        points: Rows of the learning curves, without the columns of the cell.
        seconds: Time spent scoring.
    """

    def __init__(
        self, protocol: Protocol, stop_on: StopRule, tasks: dict[str, RankingTask]
    ) -> None:
        self._protocol = protocol
        self._stop_on = stop_on
        self._tasks = tasks
        self.points: list[dict[str, Any]] = []
        self.seconds = 0.0

    def __call__(self, epoch: int, loss: float, embeddings: Embeddings) -> float | None:
        """Records one point per link set; returns the score to choose by, or None."""
        started = time.perf_counter()
        size = self._protocol.csls[-1]
        chosen: float | None = None
        for links, task in self._tasks.items():
            ranks = rank_links(embeddings, task, (size,), self._protocol.tie_rule)[size]
            metrics = direction_metrics(ranks)
            self._record(epoch, loss, links, metrics)
            if links == self._stop_on:
                chosen = metrics["mean"][self._protocol.stop_metric]
        self.seconds += time.perf_counter() - started
        return chosen

    def _record(
        self,
        epoch: int,
        loss: float,
        links: str,
        metrics: dict[str, dict[str, float]],
    ) -> None:
        for direction, values in metrics.items():
            for metric in CURVE_METRICS:
                self.points.append(
                    {
                        "epoch": epoch,
                        "loss": loss if np.isfinite(loss) else None,
                        "links": links,
                        "metric": metric,
                        "direction": direction,
                        "value": values[metric],
                    }
                )

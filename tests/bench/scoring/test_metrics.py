"""Metrics of ranks, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.bench.scoring.metrics import metrics_of_ranks


def test_metrics_of_four_ranks_by_hand() -> None:
    metrics = metrics_of_ranks(np.array([1.0, 2.0, 5.0, 20.0]))
    assert metrics == {
        "hits@1": 0.25,
        "hits@5": 0.75,
        "hits@10": 0.75,
        "mrr": pytest.approx((1 + 0.5 + 0.2 + 0.05) / 4),
        "mean_rank": 7.0,
    }


def test_a_tied_first_place_is_no_hit_at_1() -> None:
    assert metrics_of_ranks(np.array([1.5]))["hits@1"] == 0.0


@pytest.mark.parametrize("ranks", [[], [0.5], [float("nan")]])
def test_impossible_ranks_are_refused(ranks: list[float]) -> None:
    with pytest.raises(ValueError, match="ranks"):
        metrics_of_ranks(np.array(ranks))

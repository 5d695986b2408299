"""Runs of neighbouring places."""

from __future__ import annotations

import numpy as np

from mmea_bench.methods.core.inputs.graphs.runs import listed_runs


def test_places_of_runs_stand_one_behind_the_other() -> None:
    runs, places = listed_runs(np.array([5, 0, 7]), np.array([2, 0, 3]))
    assert runs.tolist() == [0, 0, 2, 2, 2]
    assert places.tolist() == [5, 6, 7, 8, 9]


def test_no_runs_have_no_places() -> None:
    runs, places = listed_runs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    assert (len(runs), len(places)) == (0, 0)

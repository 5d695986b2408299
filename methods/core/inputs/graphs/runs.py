"""Runs of neighbouring places, such as the neighbours of each entity in a sorted list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def listed_runs(starts: Ids, counts: Ids) -> tuple[Ids, Ids]:
    """All places of all runs, one run behind the other.

    Args:
        starts: First place of each run, [n].
        counts: Its places, [n].

    Returns:
        Number of the run and the place, [sum of the counts] each.
    """
    runs = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(runs)) - np.repeat(np.cumsum(counts) - counts, counts)
    return runs, np.asarray(starts)[runs] + within

"""Which number of a column is the best, and whether chance may have made it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmea_bench.reports.core.document import Cell
from mmea_bench.reports.core.statistics.selected_best import of_best, pair_p_values
from mmea_bench.reports.core.statistics.statistics import (
    CORRECTION_NAMES,
    LEVEL,
    Values,
)

SIGNIFICANT = "•"
"""Mark behind a best number."""


def significance_note(correction: str) -> str:
    """What the mark means."""
    return (
        f"{SIGNIFICANT} better than the second best method of its column at the "
        f"{100 * LEVEL:.0f} % level: Welch's t-test over repeats against every other method that "
        f"it is ranked with, {CORRECTION_NAMES[correction]}; ablations do not compete."
    )


def ranked(cells: Sequence[Cell], *, is_less_better: bool = False) -> list[Cell]:
    """The cells of one column with the best and the second best of three or more marked.

    Numbers that print alike share a place; one number alone is no winner.
    """
    numbers = [float(cell.mean_text) for cell in cells if cell.mean is not None]
    order = sorted(set(numbers), reverse=not is_less_better)
    if len(order) < 2:
        return list(cells)
    return [
        replace(
            cell,
            is_best=float(cell.mean_text) == order[0],
            is_second=float(cell.mean_text) == order[1] and len(numbers) >= 3,
        )
        if cell.mean is not None
        else cell
        for cell in cells
    ]


def clear_winner(
    columns: Sequence[Values], correction: str, *, is_less_better: bool = False
) -> int | None:
    """The sample whose mean is significantly better than the second best; None for no such one.

    Args:
        columns: Values over repeats of every number of a column; empty for none.
        correction: Of the p-values of all pairs, because the numbers choose the best.
        is_less_better: Whether the smallest mean is the best.
    """
    sign = -1.0 if is_less_better else 1.0
    places = [place for place, values in enumerate(columns) if len(values)]
    places.sort(key=lambda place: -sign * float(np.mean(columns[place])))
    if len(places) < 2:
        return None
    best, second = places[0], places[1]
    pairs = pair_p_values(columns)
    # A correction never makes a p-value smaller, and is slow.
    if pairs.get((min(best, second), max(best, second)), 1.0) >= LEVEL:
        return None
    return best if of_best(pairs, best, correction)[second] < LEVEL else None


def with_winner(cells: Sequence[Cell], winner: int | None) -> list[Cell]:
    """The cells with the mark of a clear winner behind one of them."""
    return [
        replace(cell, marks=(SIGNIFICANT, *cell.marks)) if place == winner else cell
        for place, cell in enumerate(cells)
    ]

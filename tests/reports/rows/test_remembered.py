"""What reports share of one folder is computed once, and forgotten with the folder's tables."""

from __future__ import annotations

import gc
import weakref

from mmea_bench.reports.core.remembered import remembered
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record


def test_each_choice_is_computed_once_for_the_same_tables() -> None:
    asked: list[int] = []

    @remembered
    def counted(tables: Tables, csls: int) -> int:
        asked.append(csls)
        return len(tables.cells) + csls

    tables = tables_of([make_record("eva", 0.5)])
    assert [counted(tables, 3), counted(tables, 3), counted(tables, csls=0)] == [4, 4, 1]
    assert asked == [3, 0]
    assert counted(tables_of([make_record("eva", 0.5)]), 3) == 4
    assert asked == [3, 0, 3]


def test_nothing_keeps_the_tables_alive() -> None:
    @remembered
    def n_cells(tables: Tables) -> int:
        return len(tables.cells)

    tables = tables_of([make_record("eva", 0.5)])
    n_cells(tables)
    alive = weakref.ref(tables)
    del tables
    gc.collect()
    assert alive() is None

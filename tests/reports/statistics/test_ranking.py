from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.reports import main_table
from mmea_bench.reports.core.document import Cell, Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.statistics.ranking import clear_winner, ranked
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record

HIGH = np.array([0.50, 0.51, 0.52])
LOW = np.array([0.20, 0.21, 0.22])
NONE = np.array([])


def flags(cells: list[Cell]) -> list[str]:
    return ["best" if cell.is_best else "second" if cell.is_second else "" for cell in cells]


def test_best_and_second_of_a_column_beside_a_missing_number() -> None:
    cells = [Cell(0.1), Cell(0.3), Cell(), Cell(0.2)]
    assert flags(ranked(cells)) == ["", "best", "", "second"]
    assert flags(ranked(cells, is_less_better=True)) == ["best", "", "", "second"]


def test_numbers_of_unequal_digits_are_ranked_by_their_value() -> None:
    cells = [Cell(0.8176, digits=4), Cell(0.786), Cell(0.6763, digits=4)]
    assert flags(ranked(cells)) == ["best", "second", ""]


def test_of_two_the_second_is_the_last_and_one_alone_no_winner() -> None:
    assert flags(ranked([Cell(0.1), Cell(0.2)])) == ["", "best"]
    assert flags(ranked([Cell(0.1), Cell()])) == ["", ""]


def test_a_clear_winner_is_found_and_may_be_the_smallest() -> None:
    assert clear_winner([LOW, HIGH, NONE], "holm") == 1
    assert clear_winner([LOW, HIGH], "holm", is_less_better=True) == 0


def test_near_or_single_numbers_have_no_clear_winner() -> None:
    assert clear_winner([HIGH, HIGH + 0.001], "holm") is None
    assert clear_winner([HIGH, LOW[:1]], "holm") is None
    assert clear_winner([HIGH], "holm") is None
    assert clear_winner([NONE, NONE], "holm") is None


def test_more_comparisons_ask_for_more_evidence() -> None:
    best, second = np.array([0.50, 0.52, 0.54]), np.array([0.45, 0.46, 0.47])  # Welch: p = .037
    others = [LOW + 0.001 * number for number in range(3)]
    assert clear_winner([best, second], "holm") == 0
    # The ten pairs of five methods are one family, because the numbers choose the best.
    assert clear_winner([best, second, *others], "none") == 0
    assert clear_winner([best, second, *others], "holm") is None


@pytest.mark.parametrize("is_asked", [True, False])
def test_the_main_table_marks_a_clear_winner_on_request(*, is_asked: bool) -> None:
    records = [
        make_record(name, score + 0.01 * repeat, repeat=repeat)
        for name, score in (("a", 0.2), ("b", 0.5))
        for repeat in (1, 2, 3)
    ]
    document = main_table.build(tables_of(records), ReportOptions(significance=is_asked))
    assert isinstance(document, Document)
    table = document.tables[0]
    marks = {row.labels[0]: row.cells[0].marks for row in table.rows}
    assert marks == {"a": (), "b": ("•",) if is_asked else ()}
    assert any(note.startswith("• better than") for note in table.notes) == is_asked

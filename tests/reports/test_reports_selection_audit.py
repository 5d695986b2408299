"""The same trainings scored by last epoch, by validation and by best on test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import selection_audit
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import (
    FAILED,
    fill_analyses_folder,
    notes_of,
    texts,
    with_curves,
)
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record

GOLDEN = Path(__file__).parent / "golden_analyses" / "selection_audit.md"


def _document(records: list[Record], **options: object) -> Document:
    made = selection_audit.build(tables_of(records), ReportOptions(**options))  # type: ignore[arg-type]
    assert isinstance(made, Document)
    return made


def _audit(test: list[float], valid: list[float]) -> tuple[float, float, float]:
    found = selection_audit.audit(
        pd.Series(dict(enumerate(test)), dtype=float),
        pd.Series(dict(enumerate(valid)), dtype=float),
    )
    return found.last, found.valid, found.test


def test_each_rule_takes_its_own_epoch() -> None:
    # Validation is best at the second epoch, the test links at the third.
    assert _audit([0.2, 0.4, 0.5, 0.3], [0.1, 0.9, 0.8, 0.7]) == (0.3, 0.4, 0.5)


def test_a_tie_on_validation_goes_to_the_earliest_epoch() -> None:
    assert _audit([0.2, 0.4, 0.5], [0.7, 0.9, 0.9])[1] == 0.4


def test_epochs_do_not_need_to_come_in_order() -> None:
    curve = pd.Series([0.9, 0.1], index=[10, 20])
    assert selection_audit.audit(curve[::-1], curve[::-1]).last == 0.1


def test_an_epoch_without_test_links_cannot_be_chosen() -> None:
    test, valid = pd.Series({10: 0.3, 20: 0.2}), pd.Series({10: 0.4, 15: 0.9})
    assert selection_audit.audit(test, valid).valid == 0.3


def test_gains_are_paired_by_repeat_with_their_interval() -> None:
    records = [
        with_curves("a", [0.2, best, 0.3], [0.5, 0.4, 0.3], repeat=repeat)
        for repeat, best in ((1, 0.5), (2, 0.6))
    ]
    (table,) = _document(records).tables
    by_name = dict(zip(table.columns, table.rows[0].cells, strict=True))
    gain = by_name["flatters over last epoch", "by"]
    assert (gain.mean, gain.n) == (pytest.approx(0.25), 2)
    assert gain.sd == pytest.approx(0.1 / 2**0.5)
    # Student's t with one degree of freedom is 12.7062; the standard error is 0.05.
    low = by_name["flatters over last epoch", "from"]
    assert low.mean == pytest.approx(0.25 - 12.7062 * 0.05, abs=1e-5)
    assert by_name["flatters over validation-chosen", "by"].mean == pytest.approx(0.35)


def test_a_method_without_validation_links_shows_last_and_best_on_test_only() -> None:
    record = with_curves("a", [0.2, 0.5, 0.3], protocol="paper", stopped_on="last")
    (table,) = _document([record]).tables
    assert texts(table)["a", "last", "1", "3"][:4] == [".300", "–", ".500", "–"]


def test_few_evaluations_are_marked_and_explained() -> None:
    few = _document([with_curves("a", [0.2, 0.5])])
    assert few.tables[0].rows[0].marks == ("§",)
    assert "fewer than 5 evaluations" in notes_of(few)
    many = _document([with_curves("a", [0.2, 0.5, 0.3, 0.3, 0.3])])
    assert many.tables[0].rows[0].marks == ()
    assert "fewer than 5 evaluations" not in notes_of(many)


def test_places_are_summed_up_by_method() -> None:
    records = [
        with_curves("a", [0.2, best, 0.3], [0.9, 0.1, 0.1], seed_ratio=ratio)
        for ratio, best in ((0.2, 0.5), (0.5, 0.7))
    ]
    summary = _document(records).tables[0]
    assert summary.title.startswith("All datasets and seed ratios")
    assert texts(summary)["a", "2"] == [".400", ".500", ".300", ".400"]


def test_a_title_longer_than_its_figure_is_cut_in_it_and_stands_in_full_above() -> None:
    dataset = "my graphs " * 90
    (figure,) = _document([with_curves("eva", [0.2, 0.5], dataset=dataset)]).figures
    assert draw_figure(figure, "png").startswith(b"\x89PNG")
    assert layout_problems(figure) == []
    assert dataset in figure.title


def test_values_near_each_other_have_ticks_that_can_be_read() -> None:
    (figure,) = _document([with_curves("mclea", [0.0181, 0.0197], [0.1, 0.2])]).figures
    assert layout_problems(figure) == []


def test_figure_marks_every_rule_of_every_method() -> None:
    records = [with_curves(name, [0.2, 0.5, 0.3], [0.9, 0.1, 0.2]) for name in ("eva", "mclea")]
    (figure,) = _document(records).figures
    assert draw_figure(figure, "png").startswith(b"\x89PNG")
    assert layout_problems(figure) == []
    canvas = Canvas()
    figure.draw(canvas)
    lines = canvas.axes[0].lines
    assert [float(line.get_xdata()[0]) for line in lines[1:4]] == [0.3, 0.2, 0.5]  # type: ignore[index]
    assert lines[0].get_color() == lines[1].get_color() != lines[5].get_color()


def test_failed_cells_and_methods_without_curves_are_named() -> None:
    records = [
        with_curves("a", [0.2, 0.5]),
        make_record("a", 0.0, repeat=2, **FAILED),
        make_record("image_only", 0.3),
    ]
    notes = notes_of(_document(records))
    assert "Without an evaluation while training: image_only." in notes
    assert "(failed)" in notes


def test_without_curves_there_is_a_sentence() -> None:
    made = selection_audit.build(tables_of([make_record("a", 0.2)]), ReportOptions())
    assert isinstance(made, Missing)
    other = ReportOptions(curve_metric="hits@10")
    made = selection_audit.build(tables_of([with_curves("a", [0.2])]), other)
    assert made == Missing("No curve of test links has the metric hits@10.")


def test_output_equals_the_golden_file(tmp_path: Path) -> None:
    fill_analyses_folder(tmp_path)
    made = selection_audit.build(ResultStore(tmp_path).tables(), ReportOptions())
    assert isinstance(made, Document)
    assert render_markdown(made) == GOLDEN.read_text(encoding="utf-8")

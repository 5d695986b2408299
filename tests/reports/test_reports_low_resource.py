"""The report over seed ratios."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import low_resource
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.figures.style import line_styles
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.low_resource import price_of
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import ratio_records


def _document(records: list[Record], reach: float = 0.5, **choices: tuple[str, ...]) -> Document:
    options = ReportOptions(csls=0, reach=reach, **choices)  # type: ignore[arg-type]
    made = low_resource.build(tables_of(records), options)
    assert isinstance(made, Document)
    return made


def _points(*values: float) -> pd.DataFrame:
    ratios = [0.1, 0.2, 0.4][: len(values)]
    return pd.DataFrame(
        {"seed_ratio": ratios, "value": values, "n_seeds": [1000 * ratio for ratio in ratios]}
    )


def test_there_is_a_column_per_seed_ratio() -> None:
    records = [make_record(m, r, seed_ratio=r) for m in ("a", "b") for r in (0.05, 0.2, 0.5)]
    document = _document(records)
    assert [column[1] for column in document.tables[0].columns] == ["5 %", "20 %", "50 %"]
    assert len(document.figures) == 1
    made = low_resource.build(tables_of(records[:1]), ReportOptions())
    assert isinstance(made, Missing)
    assert "seed ratios" in made.reason


def test_price_by_hand() -> None:
    # Half way between .2 (value .4) and .4 (value .6).
    price = price_of(_points(0.3, 0.4, 0.6), 0.5)
    assert price is not None
    assert price.measured == 0.4
    assert price.ratio == pytest.approx(0.3)
    assert price.n_seeds == pytest.approx(300.0)
    assert not price.is_bound


def test_price_is_the_first_crossing_and_never_an_extrapolation() -> None:
    assert price_of(_points(0.1, 0.2, 0.3), 0.5) is None
    falling = price_of(_points(0.1, 0.6, 0.4), 0.5)
    assert falling is not None
    assert falling.measured == 0.2
    at_once = price_of(_points(0.7, 0.8, 0.9), 0.5)
    assert at_once is not None
    assert (at_once.ratio, at_once.is_bound) == (0.1, True)


def test_price_table_names_who_never_and_who_always_reaches_it() -> None:
    records = [
        make_record("a", r, seed_ratio=r, n_train=int(900 * r), n_valid=int(100 * r))
        for r in (0.2, 0.4, 0.8)
    ]
    records += [make_record("b", 0.1, seed_ratio=r) for r in (0.2, 0.8)]
    records += [make_record("c", 0.7, seed_ratio=r) for r in (0.2, 0.8)]
    table = _document(records, reach=0.6).tables[1]
    assert table.title == "Seeds to reach Hits@1 0.6: fb15k-db15k, strict protocol"
    assert [[cell.plain for cell in row.cells] for row in table.rows] == [
        ["80.0 %", "60.0 %", "600"],
        ["–", "–", "–"],
        ["20.0 %", "20.0 %", "–"],
    ]
    assert table.notes[:2] == (
        "b: not reached up to 80 %.",
        "c: reached at 20 % already, the smallest ratio run.",
    )


def test_a_price_across_a_ratio_without_a_number_says_so() -> None:
    records = [make_record("a", r, seed_ratio=r) for r in (0.1, 0.2, 0.4, 0.8)]
    records += [make_record("b", r, seed_ratio=r) for r in (0.1, 0.8)]
    records += [make_record("c", r, seed_ratio=r) for r in (0.1, 0.4, 0.8)]
    notes = _document(records, reach=0.6).tables[1].notes
    assert "b: interpolated across 20 %, 40 %, where it has no number." in notes
    assert not any(note.startswith(("a:", "c:")) for note in notes)


def test_ranks_have_no_price() -> None:
    document = _document(ratio_records(), metrics=("mean_rank",))
    assert len(document.tables) == 1


def test_mean_ranks_have_one_digit_as_in_every_report() -> None:
    records = [make_record("a", ratio, seed_ratio=ratio) for ratio in (0.2, 0.4)]
    (table,) = _document(records, metrics=("mean_rank",)).tables
    assert [cell.plain for cell in table.rows[0].cells] == ["82.0", "64.0"]


def test_a_ratio_without_a_number_is_crossed_by_a_dotted_line() -> None:
    document = _document(ratio_records(has_gaps=True))
    canvas = Canvas()
    document.figures[0].draw(canvas)
    dotted = [line for line in canvas.axes[0].lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[10.0, 30.0]]
    assert "eva 20 % repeats 1–3 (timeout)" in document.notes[-1]


def test_simulated_features_are_marked() -> None:
    records = [make_record("a", r, seed_ratio=r, simulated_features="image") for r in (0.2, 0.5)]
    document = _document(records)
    assert document.tables[0].rows[0].labels == ("a†",)
    assert "† with simulated features, not measured ones." in document.notes


def test_the_dashed_line_says_what_it_is_and_one_method_has_one_look() -> None:
    records = [
        make_record("mclea", ratio, seed_ratio=ratio, variant="full[epochs=150]")
        for ratio in (0.2, 0.5, 0.8)
    ]
    made = low_resource.build(tables_of(records), ReportOptions(csls=0, reach=0.4))
    assert isinstance(made, Document)
    canvas = Canvas()
    made.figures[0].draw(canvas)
    assert "value to reach: 0.4" in [text.get_text() for text in canvas.axes[0].texts]
    # As in every other figure, in which it is the only setting of its method.
    look = line_styles([("mclea", "full")])["mclea", "full"]
    markers = {line.get_marker() for line in canvas.axes[0].lines} - {"None", ""}
    assert markers == {look.marker}


def test_texts_say_the_metric_of_a_table_whose_title_does_not() -> None:
    document = _document([make_record("a", ratio, seed_ratio=ratio) for ratio in (0.2, 0.5)])
    assert "| method | Hits@1 20 % | Hits@1 50 % |" in render_markdown(document)
    assert r"\multicolumn{2}{c}{Hits@1}" in (render_latex(document) or "")


def test_a_price_shows_a_ratio_as_it_was_run() -> None:
    # .5 lies at two thirds of the way from .3 to .6.
    records = [make_record("a", s, seed_ratio=r) for r, s in ((0.0025, 0.3), (0.0125, 0.6))]
    (row,) = _document(records).tables[1].rows
    assert [cell.plain for cell in row.cells[:2]] == ["1.25 %", "0.92 %"]


def test_labels_of_many_methods_stay_in_the_figure() -> None:
    records = [
        make_record(f"method{number}", ratio + 0.01 * number, seed_ratio=ratio)
        for number in range(24)
        for ratio in (0.2, 0.5)
    ]
    assert layout_problems(_document(records).figures[0]) == []

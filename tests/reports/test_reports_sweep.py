"""The sweep report."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from io import StringIO

import pytest

from mmea_bench.reports import sweep
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.figures.chosen_by_validation import SHARED_NOTE
from mmea_bench.reports.core.figures.heat_map import is_geometric
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.tidy_csv import render_csv
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import texts
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import (
    PAIR_SCORING,
    TIMEOUT,
    grid_records,
    line_records,
    overridden,
)


def _document(records: list[Record]) -> Document:
    made = sweep.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    return made


def _with_reduced_precision() -> list[Record]:
    """Two points, and the first once more in another precision, which is no override."""
    points = [overridden(0.6, tau1=0.1, n_points=1), overridden(0.5, tau1=0.2, n_points=1)]
    reduced = make_record(
        "mclea",
        0.7,
        variant="full[precision=bf16,tau1=0.1]",
        overrides=json.dumps({"tau1": 0.1}),
        n_points=1,
    )
    return [*points, reduced]


def _two_inferences(record: Record, scores: Mapping[str, float]) -> Record:
    """The cell with an F1 of predicted pairs for each inference."""
    number = {**PAIR_SCORING, "metric": "f1", "direction": "pairs", "n": 90}
    numbers = [{**number, "inference": way, "value": f1} for way, f1 in scores.items()]
    return Record.of(record.cell, numbers)


def test_one_parameter_at_a_time_has_a_line_each() -> None:
    records = [overridden(0.3 + x / 100, tau1=x) for x in (0.1, 1.0)]
    records += [overridden(0.4, tau2=x) for x in (1.0, 4.0, 8.0)]
    document = _document(records)
    assert [len(table.columns) for table in document.tables] == [2, 3]
    assert len(document.figures) == 2


def test_two_methods_share_the_lines_of_a_parameter() -> None:
    (table,) = _document(line_records()).tables
    assert [row.labels[0] for row in table.rows] == ["eva", "mclea"]
    assert [words[1] for words in table.columns] == ["dim=50", "dim=100", "dim=200", "dim=300"]


def test_two_parameters_are_a_map() -> None:
    records = [overridden(x * y, tau1=x, tau2=y) for x in (0.1, 1.0) for y in (0.2, 0.4)]
    (table,) = _document(records).tables
    assert [row.labels[0] for row in table.rows] == ["tau1=0.1", "tau1=1.0"]
    assert table.rows[1].cells[1].mean == pytest.approx(0.4)


def test_a_map_as_csv_has_both_of_its_parameters() -> None:
    lines = list(csv.DictReader(StringIO(render_csv(_document(grid_records())))))
    assert len({(line["setting"], line["value"]) for line in lines}) == len(lines)


def test_a_third_parameter_gives_a_map_for_each_of_its_values() -> None:
    records = [
        overridden(0.1 * a + 0.01 * b + 0.001 * c, alpha=a, beta=b, gamma=c)
        for a in (1, 2)
        for b in (1, 2)
        for c in (1, 2)
    ]
    titles = [table.title for table in _document(records).tables]
    assert [title.rpartition(", ")[2] for title in titles] == ["gamma=1", "gamma=2"]


def test_a_variant_has_a_map_of_its_own() -> None:
    points = [(tau1, tau2) for tau1 in (0.1, 0.2) for tau2 in (1, 2)]
    records = [overridden(0.3, tau1=tau1, tau2=tau2) for tau1, tau2 in points]
    records += [
        make_record(
            "mclea",
            0.2,
            variant=f"w/o ICL[tau1={tau1},tau2={tau2}]",
            overrides=json.dumps({"tau1": tau1, "tau2": tau2}),
        )
        for tau1, tau2 in points
    ]
    assert [table.title.partition(",")[0] for table in _document(records).tables] == [
        "mclea",
        "mclea w/o ICL",
    ]


def test_a_parameter_that_some_points_lack_has_its_default_there() -> None:
    records = [overridden(0.6, tau1=0.1), overridden(0.5, tau1=0.2)]
    records += [overridden(0.2, tau1=0.1, epochs=5)]
    (table,) = _document(records).tables
    assert texts(table) == {("mclea",): [".600", ".500"], ("mclea[epochs=5]",): [".200", "–"]}


def test_precision_and_partitions_tell_points_apart_as_parameters_do() -> None:
    table = _document(_with_reduced_precision()).tables[0]
    assert texts(table) == {
        ("mclea",): [".600", ".500"],
        ("mclea[precision=bf16]",): [".700", "–"],
    }


def test_partitions_are_swept_as_parameters_are() -> None:
    records = [
        make_record("mclea", score, variant=f"full[partitions={n}]")
        for n, score in ((2, 0.5), (10, 0.4))
    ]
    (table,) = _document(records).tables
    assert [words[1] for words in table.columns] == ["partitions=2", "partitions=10"]
    assert texts(table) == {("mclea",): [".500", ".400"]}


def test_a_point_that_fits_no_sweep_is_named() -> None:
    records = [overridden(x * y, tau1=x, tau2=y) for x in (0.1, 1.0) for y in (0.2, 0.4)]
    document = _document([*records, overridden(0.3, tau1=0.1, epochs=5)])
    assert (
        "In no sweep, for nothing with a number gives other values to the same settings: "
        "mclea[tau1=0.1,epochs=5]."
    ) in document.notes


def test_each_inference_has_a_map_of_its_own() -> None:
    records = [
        _two_inferences(overridden(0.2, tau1=a, tau2=b), {"one-threshold": 0.2, "two": 0.8})
        for a in (1, 2)
        for b in (1, 2)
    ]
    maps = {table.title.partition(", F1")[0]: table for table in _document(records).tables}
    assert list(maps) == ["mclea, one-threshold", "mclea, two"]
    assert list(texts(maps["mclea, two"]).values()) == [[".800", ".800"], [".800", ".800"]]


def test_words_and_switches_have_a_table_and_no_line() -> None:
    records = [overridden(0.3, fusion="sum"), overridden(0.4, fusion="gate")]
    records += [overridden(0.3, shared=True), overridden(0.4, shared=False)]
    document = _document(records)
    assert [words[1] for table in document.tables for words in table.columns] == [
        *("fusion=gate", "fusion=sum", "shared=false", "shared=true"),
    ]
    assert document.figures == []


def test_a_value_that_never_ended_well_keeps_its_column() -> None:
    records = [*line_records(), overridden(0.0, dim=400, **TIMEOUT)]
    (table,) = _document(records).tables
    assert table.columns[-1][1] == "dim=400"
    assert {row.cells[-1].plain for row in table.rows} == {"–"}


def test_gaps_of_a_map_are_shown_and_named() -> None:
    document = _document(grid_records(has_gaps=True))
    (table,) = document.tables
    assert [cell.plain for cell in table.rows[-1].cells[:2]] == ["–", "–"]
    assert document.notes[-1] == (
        "6 of 60 cells have no number: mclea[tau1=0.4,tau2=1] 20 % repeats 1–3 (timeout); "
        "mclea[tau1=0.4,tau2=2] 20 % repeats 1–3 (timeout)."
    )


def test_one_value_is_no_sweep() -> None:
    made = sweep.build(tables_of([make_record("a", 0.5)]), ReportOptions())
    assert isinstance(made, Missing)
    assert "two or more values" in made.reason


def test_equal_ratios_are_log_steps() -> None:
    assert is_geometric([0.05, 0.1, 0.2, 0.4])
    assert not is_geometric([0.1, 0.2, 0.3])
    assert not is_geometric([0.0, 0.1, 1.0])
    assert not is_geometric([0.1, 0.2])


def test_the_setting_is_chosen_by_validation_and_its_test_number_stands_beside() -> None:
    """The best test number belongs to another setting: validation pays no heed to it."""
    records = [overridden(0.40, tau1=0.1, repeat=repeat, n_points=2) for repeat in (1, 2)] + [
        overridden(0.30, tau1=0.2, repeat=repeat, n_points=2) for repeat in (1, 2)
    ]
    tables = tables_of(records)
    is_low = tables.curves["variant"] == "full[tau1=0.2]"
    tables.curves.loc[is_low & (tables.curves["links"] == "valid"), "value"] = 0.9
    made = sweep.build(tables, ReportOptions(csls=0))
    assert isinstance(made, Document)
    (row,) = made.tables[-1].rows
    assert row.labels == ("mclea", "tau1=0.2", "tau1=0.1")
    assert [cell.mean for cell in row.cells] == pytest.approx([0.9, 0.3, 0.4])


def test_the_setting_chosen_by_validation_is_all_that_was_set() -> None:
    table = _document(_with_reduced_precision()).tables[-1]
    (row,) = table.rows
    assert row.labels == ("mclea", "precision=bf16, tau1=0.1", "precision=bf16, tau1=0.1")
    assert row.cells[2].mean == pytest.approx(0.7)


def test_settings_are_chosen_over_the_repeats_that_all_of_them_have() -> None:
    # The second repeat is an easy split, which one setting alone was run on.
    records = [
        overridden(0.4, tau1=0.1, n_points=1),
        overridden(0.5, tau1=0.2, n_points=1),
        overridden(0.8, tau1=0.1, n_points=1, repeat=2),
    ]
    table = _document(records).tables[-1]
    (row,) = table.rows
    assert row.labels[1:] == ("tau1=0.2", "tau1=0.2")
    assert SHARED_NOTE in table.notes


def test_of_mean_ranks_the_smallest_is_the_luckiest() -> None:
    records = [overridden(score, tau1=score, n_points=2) for score in (0.3, 0.4)]
    tables = tables_of(records)
    ranks = tables.results[tables.results["metric"] == "mean_rank"]["value"]
    made = sweep.build(tables, ReportOptions(csls=0, metrics=("mean_rank",)))
    assert isinstance(made, Document)
    (row,) = made.tables[-1].rows
    assert row.cells[2].mean == pytest.approx(ranks.min())


def test_a_sweep_without_validation_chooses_nothing() -> None:
    records = [overridden(0.3 + x / 100, tau1=x) for x in (0.1, 1.0)]
    assert not any("Chosen by validation" in table.title for table in _document(records).tables)


def test_numbers_of_chosen_settings_say_their_repeats() -> None:
    records = [
        overridden(0.3 + x / 10, repeat=repeat, tau1=x, n_points=2)
        for x in (1, 2)
        for repeat in (1, 2, 3)
    ]
    (row,) = _document(records).tables[-1].rows
    assert [cell.n for cell in row.cells] == [3, 3, 3]

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mmea_bench.reports import main_table
from mmea_bench.reports.core.certain import CERTAIN, CERTAIN_NOTE
from mmea_bench.reports.core.document import Cell, Document, Missing, Row, Table, Text
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, own_numbers
from tests.reports.studies_factory import PAIR_SCORING


def _document(records: list[Record], **options: object) -> Document:
    made = main_table.build(tables_of(records), ReportOptions(**options))  # type: ignore[arg-type]
    assert isinstance(made, Document)
    return made


def _table(records: list[Record], **options: object) -> Table:
    return _document(records, **options).tables[0]


def _row(table: Table, method: str, variant: str = "full") -> Row:
    return next(row for row in table.rows if row.labels[:2] == (method, variant))


def test_mean_and_sample_deviation_over_repeats() -> None:
    records = [make_record("a", score, repeat=n) for n, score in enumerate((0.2, 0.3, 0.4), 1)]
    cell = _table(records, csls=0).rows[0].cells[0]
    assert cell.mean == pytest.approx(0.3)
    assert cell.sd == pytest.approx(0.1)  # divided by n - 1
    assert (cell.n, cell.plain) == (3, ".300 ± .100")


def test_single_repeat_has_no_deviation_and_says_so() -> None:
    document = _document([make_record("a", 0.2)])
    assert document.tables[0].rows[0].cells[0].plain == ".220"
    assert document.notes == ("One repeat each, so no spread can be given.",)


def test_best_and_second_per_column_and_equal_prints_share_a_place() -> None:
    scores = {"a": 0.1, "b": 0.3, "c": 0.30000001, "d": 0.2}
    table = _table([make_record(name, score) for name, score in scores.items()])
    flags = {row.labels[0]: (row.cells[0].is_best, row.cells[0].is_second) for row in table.rows}
    assert flags == {
        "a": (False, False),
        "b": (True, False),
        "c": (True, False),
        "d": (False, True),
    }


def test_mean_rank_is_better_when_smaller() -> None:
    table = _table([make_record("a", 0.1), make_record("b", 0.3)], metrics=("mean_rank",))
    assert _row(table, "b").cells[0].is_best
    assert _row(table, "b").cells[0].plain == "73.0"


def test_lone_row_is_no_winner() -> None:
    assert not _table([make_record("a", 0.1)]).rows[0].cells[0].is_best


def test_rows_stopped_on_test_are_marked_and_never_ranked() -> None:
    records = [
        make_record("a", 0.8, stopped_on="test"),
        make_record("b", 0.2),
        make_record("c", 0.3),
    ]
    table = _table(records)
    last = table.rows[-1]
    assert (last.labels[0], last.marks, last.has_rule_above) == ("a", ("‡",), True)
    assert not last.cells[0].is_best
    assert _row(table, "c").cells[0].is_best
    assert any("chosen on the test links" in note for note in table.notes)


def test_simulated_features_are_marked() -> None:
    table = _table([make_record("a", 0.2, simulated_features="image"), make_record("b", 0.1)])
    assert [row.marks for row in table.rows] == [("†",), ()]
    assert "† with simulated image features, not measured ones." in table.notes


def test_dataset_versions_are_never_mixed() -> None:
    records = [make_record("a", 0.2), make_record("b", 0.1, dataset_version="bbbbbbbbbbbb")]
    table = _table(records)
    assert [words for words, _ in table.header(0)] == [
        "fb15k-db15k @aaaaaa",
        "fb15k-db15k @bbbbbb",
    ]
    assert [cell.mean is None for cell in _row(table, "a").cells] == [False] * 3 + [True] * 3
    assert any("several versions" in note for note in table.notes)


def test_protocols_and_rules_have_their_own_tables() -> None:
    document = _document([make_record("a", 0.2), make_record("a", 0.2, protocol="paper")])
    assert [table.title.split(": ")[1].split(",")[0] for table in document.tables] == [
        "paper protocol",
        "strict protocol",
    ]


def test_methods_with_other_similarities_share_a_table() -> None:
    table = _table([make_record("a", 0.2), make_record("b", 0.3, similarity="inner")])
    assert [row.labels[:2] for row in table.rows] == [("a", "full"), ("b", "full")]


def test_csls_is_three_where_there_is_one_and_can_be_chosen() -> None:
    records = [make_record("a", 0.2)]
    assert _table(records).rows[0].cells[0].plain == ".220"
    assert _table(records, csls=0).rows[0].cells[0].plain == ".200"
    assert _table([make_record("a", 0.2, all_csls=(0,))]).rows[0].cells[0].plain == ".200"
    missing = main_table.build(tables_of(records), ReportOptions(csls=10))
    assert missing == Missing("No result was scored with csls=10. There is csls=0, 3.")


def test_cell_run_again_counts_once() -> None:
    old = make_record("a", 0.8, key="old", finished_at="2026-01-01T00:00:00Z")
    new = make_record("a", 0.2, key="new", finished_at="2026-02-01T00:00:00Z")
    worse = make_record(
        "a", 0, key="x", status="failed", reason="no data", dataset_version=None, finished_at="2027"
    )
    document = _document([old, new, worse])
    assert document.tables[0].rows[0].cells[0].plain == ".220"
    assert len(document.tables) == 1
    assert document.notes[-1].startswith("2 cell(s) were run again")


def test_cells_without_a_number_are_listed_with_the_reason() -> None:
    records = [
        make_record("a", 0.2),
        make_record("a", 0.2, repeat=2, status="timeout", reason="more than\n60 s"),
        make_record("b", 0.2, status="skipped", reason="no images", dataset_version=None),
        make_record("c", 0.2, all_csls=(0,)),
    ]
    outcomes = _document(records).tables[-1]
    found = {(row.labels[0], *row.labels[5:]) for row in outcomes.rows}
    no_record = "no record: not run yet, or not part of the suite"
    assert found == {
        ("a", "2", "timeout", "more than 60 s"),
        ("b", "1", "skipped", "no images"),
        ("b", "2", "missing", no_record),
        ("c", "1", "ok", "has no number for what is shown (csls=3)"),
        ("c", "2", "missing", no_record),
    }


def test_what_was_asked_for_without_a_suite_lacks_nothing() -> None:
    records = [
        make_record("a", 0.2, suite="custom"),
        make_record("b", 0.2, suite="custom", dataset="fb15k-yago15k"),
    ]
    assert all(table.title != "Cells without a number" for table in _document(records).tables)


def test_all_failed_and_empty_are_sentences() -> None:
    failed = _document([make_record("a", 0, status="out_of_memory", reason="needs 9 GiB")])
    assert failed.blocks[0] == Text("None of the 1 cells ended ok, so there are no numbers.")
    assert failed.tables[0].rows[0].labels[-2:] == ("out of memory", "needs 9 GiB")
    empty = main_table.build(tables_of([]), ReportOptions())
    assert empty == Missing("No cell has been run yet. Run a suite first.")


def test_options_are_checked() -> None:
    with pytest.raises(ReportError, match=r"Unknown direction 'up'. Valid: src2tgt"):
        ReportOptions(direction="up")
    with pytest.raises(ReportError, match="Unknown metric 'hits@3'"):
        ReportOptions(metrics=("hits@3",))
    with pytest.raises(ReportError, match="Unknown metric 'weight'"):
        ReportOptions(metrics=("weight",))  # it has a report of its own
    with pytest.raises(ReportError, match="at least one metric"):
        ReportOptions(metrics=())


def test_split_keeps_groups_together() -> None:
    columns = tuple(("d", ratio, metric) for ratio in "12" for metric in "xyz")
    rows = (Row(("m",), tuple(Cell(0.1 * n) for n in range(6))),)
    table = Table("t", ("method",), ("dataset", "ratio", "metric"), columns, rows)
    assert table.header(0) == [("d", 6)]
    assert table.header(1) == [("1", 3), ("2", 3)]
    parts = list(table.split())
    assert [part.columns for part in parts] == [columns[:3], columns[3:]]
    assert parts[1].rows[0].cells == rows[0].cells[3:]
    assert table.without_title_level().level_names == ("ratio", "metric")
    assert dataclasses.replace(table, columns=(), rows=()).header(0) == []


def test_module_name_is_the_file_name() -> None:
    assert Path(main_table.__file__).stem == main_table.NAME


def test_names_and_pseudo_labels_are_ranked_among_themselves() -> None:
    def record(method: str, score: float, **words: str) -> Record:
        return make_record(method, score, all_csls=(3,), **words)

    table = _table(
        [
            record("plain", 0.1),
            record("better", 0.2),
            record("names", 0.8, names="yes"),
            record("labels", 0.5, iterative="yes"),
        ]
    )
    assert [(row.labels[0], row.labels[2], row.has_rule_above) for row in table.rows] == [
        ("better", "no names", False),
        ("plain", "no names", False),
        ("labels", "no names, iterative", True),
        ("names", "names", True),
    ]
    assert [row.labels[0] for row in table.rows if row.cells[0].is_best] == ["better"]


def test_a_partial_copy_is_said_below_the_table() -> None:
    lacks = {"lacking": "relation", "partial_copy": "FB15K relations: 1 of 2 (50.0 %)"}
    table = _table([make_record("a", 0.1, **lacks)])
    assert "Partial copy: FB15K relations: 1 of 2 (50.0 %)." in table.notes
    table = _table([make_record("a", 0.1, **lacks), make_record("b", 0.2)])
    assert "Partial copy for a: FB15K relations: 1 of 2 (50.0 %)." in table.notes


def _pair_record(method: str, f1: float, dataset: str = "nmmea") -> Record:
    """A cell of predicted pairs, under both inferences."""
    numbers = [
        {
            **PAIR_SCORING,
            "inference": inference,
            "metric": metric,
            "direction": direction,
            "value": value + 0.1 * (inference == "two-thresholds"),
            "n": 90,
        }
        for inference in ("one-threshold", "two-thresholds")
        for metric, direction, value in (
            ("precision", "pairs", f1 + 0.05),
            ("recall", "pairs", f1 - 0.05),
            ("f1", "pairs", f1),
            ("f1_tv", "pairs", f1),
            ("hits@1", "src2tgt", 0.5),
        )
    ]
    cell = make_record(method, 0.2, dataset=dataset).cell
    return Record.of({**cell, "key": f"pairs-{method}"}, numbers)


def test_predicted_pairs_have_a_table_with_a_row_per_inference() -> None:
    records = [make_record("a", 0.2), _pair_record("a", 0.3), _pair_record("b", 0.4)]
    ranked, pairs = _document(records).tables[1], _document(records).tables[0]
    assert pairs.title == "nmmea: strict protocol, predicted pairs"
    assert [name for _, _, name in pairs.columns] == ["Precision", "Recall", "F1", "Hits@1"]
    assert [row.labels[:2] for row in pairs.rows] == [
        ("a", "full, one-threshold"),
        ("a", "full, two-thresholds"),
        ("b", "full, one-threshold"),
        ("b", "full, two-thresholds"),
    ]
    assert [cell.plain for cell in pairs.rows[3].cells] == [".550", ".450", ".500", ".600"]
    assert pairs.rows[3].cells[2].is_best
    assert [name for _, _, name in ranked.columns] == ["Hits@1", "Hits@10", "MRR"]


def test_predicted_pairs_are_shown_whatever_csls_and_direction_are_asked_for() -> None:
    document = _document([_pair_record("a", 0.3)], csls=10, direction="tgt2src")
    assert [name for _, _, name in document.tables[0].columns] == ["Precision", "Recall", "F1"]


def test_metrics_of_one_pair_kind_can_be_asked_for() -> None:
    table = _table([_pair_record("a", 0.3)], metrics=("f1_tv",))
    assert [name for _, _, name in table.columns] == ["F1 tv"]


def test_hits_among_no_more_than_k_candidates_are_marked_and_nobody_is_best() -> None:
    def few(name: str, score: float) -> Record:
        record = make_record(name, score)
        numbers = own_numbers(record, n=6)
        return Record.of(record.cell, numbers)

    table = _table([few("a", 0.1), few("b", 0.3)])
    by_metric = dict(
        zip([column[-1] for column in table.columns], table.rows[0].cells, strict=True)
    )
    assert by_metric["Hits@10"].marks == (CERTAIN,)
    assert by_metric["Hits@1"].marks == ()
    assert not any(row.cells[1].is_best for row in table.rows)
    assert CERTAIN_NOTE in table.notes
    assert CERTAIN_NOTE not in _table([make_record("a", 0.1)]).notes

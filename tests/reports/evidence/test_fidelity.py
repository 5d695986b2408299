"""The fidelity table: goals, outcomes, sentences, and what was not measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmea_bench.reports.core.document import Table
from mmea_bench.reports.core.evidence.fidelity import (
    TO_EXPLAIN,
    Fidelity,
    FidelityRow,
    fidelity,
    goal_of,
)
from mmea_bench.reports.core.evidence.fidelity_document import (
    COLUMNS,
    fidelity_document,
    summary,
    texts,
)
from mmea_bench.reports.core.published.verdicts import check_rows
from mmea_bench.results.core.measured.remarks import INTERPRETED, RELEASED, Remark
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)

ORIGINS = {"gcnalign": RELEASED, "transe": INTERPRETED}


def made(*records: Record, rows: list[dict[str, Any]], **given: Any) -> Fidelity:
    published = published_frame(rows)
    despite = given.pop("despite", ())
    check = check_rows(tables_of(records), published, None, despite)
    methods = given.pop("methods", ("gcn_align", "transe"))
    return fidelity(check, published, ORIGINS, given.pop("remarks", ()), methods)


def only(found: Fidelity) -> FidelityRow:
    (row,) = found.rows
    return row


@pytest.mark.parametrize(
    ("origin", "sd", "goal"),
    [(RELEASED, None, 0.015), (RELEASED, 0.01, 0.02), (RELEASED, 0.001, 0.015)],
)
def test_released_code_has_the_narrow_goal_or_two_deviations(
    origin: str, sd: float | None, goal: float
) -> None:
    assert goal_of(origin, sd) == pytest.approx(goal)


def test_an_interpretation_has_the_wide_goal_whatever_its_spread() -> None:
    assert goal_of(INTERPRETED, 0.5) == pytest.approx(0.03)


def test_a_row_within_the_goal_meets_it_and_needs_no_sentence() -> None:
    row = only(made(measured_cell(0.30), rows=[published_row(0.315)]))
    assert (row.outcome, row.sentence, row.check.verdict) == ("met", "", "close")


def test_a_miss_takes_its_sentence_from_the_remarks_or_asks_for_one() -> None:
    cell, rows = measured_cell(0.30), [published_row(0.40)]
    bare = only(made(cell, rows=rows))
    assert (bare.outcome, bare.sentence, bare.is_unexplained) == ("missed", TO_EXPLAIN, True)
    said = only(made(cell, rows=rows, remarks=[Remark("gcn_align", "", "", "", "Other splits.")]))
    assert (said.sentence, said.is_unexplained) == ("Other splits.", False)


def test_a_cell_that_is_no_target_says_why() -> None:
    rows = [published_row(0.3, trust="avoid", contradictions="C36")]
    row = only(made(measured_cell(0.3), rows=rows))
    assert (row.outcome, row.sentence) == ("not comparable", "Contradicted number (C36).")


def test_a_reason_that_was_set_aside_stays_in_the_row() -> None:
    cell = measured_cell(0.3, simulated_features="word_vectors", notes="word_vectors: 100 for 300")
    row = only(made(cell, rows=[published_row(0.3)], despite=("features",)))
    assert row.outcome == "met"
    assert row.sentence == "Despite other features: word vectors: 100 for 300."


def test_other_metrics_stand_beside_hits_at_1() -> None:
    hits, mrr = measured_cell(0.3), measured_cell(0.4, metric="mrr", key="mrr", repeat=2)
    rows = [published_row(0.31), published_row(0.45, metric="mrr")]
    row = only(made(hits, mrr, rows=rows))
    assert row.further == {"mrr": pytest.approx(-0.05)}


def test_strict_runs_are_no_evidence_of_fidelity() -> None:
    assert made(measured_cell(0.3, protocol="strict"), rows=[published_row(0.3)]).rows == ()


def test_methods_that_exist_and_have_no_run_are_listed() -> None:
    rows = [
        published_row(0.3),
        published_row(0.2, method="TransE"),
        published_row(0.2, method="KECG"),
        published_row(0.2, dataset="dbp15k-zh-en"),
    ]
    failed = measured_cell(0, method="transe", status="failed", reason="no luck")
    found = made(measured_cell(0.3), failed, rows=rows)
    assert found.not_measured == {"GCN-Align": ("dbp15k-zh-en",), "TransE": ("fb15k-db15k",)}


def test_a_failed_repeat_keeps_a_cell_from_reproduced() -> None:
    good = three_repeats(measured_cell(0.3))
    bad = measured_cell(0, status="failed", reason="no luck", repeat=4)
    assert only(made(*good, rows=[published_row(0.3)])).check.verdict == "reproduced"
    assert only(made(*good, bad, rows=[published_row(0.3)])).check.verdict == "close"


def test_the_page_has_a_table_for_each_dataset_in_the_papers_order() -> None:
    places = ("fb15k-db15k", "dbp15k-fr-en", "dbp15k-zh-en")
    cells = [measured_cell(0.3, dataset=dataset) for dataset in places]
    found = made(*cells, rows=[published_row(0.3, dataset=dataset) for dataset in places])
    document = fidelity_document(found, "mmea-bench fidelity")
    tables = [block for block in document.blocks if isinstance(block, Table)]
    assert [table.title.partition(",")[0] for table in tables] == [
        *("dbp15k-zh-en", "dbp15k-fr-en", "fb15k-db15k"),
    ]
    assert all(len(row.labels) == len(COLUMNS) for table in tables for row in table.rows)
    assert summary(found).startswith("3 rows of 1 methods: 3 meet the goal")
    assert "mmea-bench fidelity" in document.notes[0]


def test_a_published_split_and_other_settings_have_tables_of_their_own() -> None:
    often = json.dumps({"eval_every": 1})
    found = made(
        measured_cell(0.3),
        measured_cell(0.3, key="p", split="published"),
        measured_cell(0.3, key="e", protocol_settings=often, stopped_on="test"),
        rows=[published_row(0.3)],
    )
    assert [table.title for table in fidelity_document(found).tables] == [
        "fb15k-db15k, 20 % seeds",
        "fb15k-db15k, published split, 20 % seeds",
        "fb15k-db15k, 20 % seeds, paper[eval_every=1] protocol",
    ]


def test_a_row_in_words() -> None:
    row = only(made(*three_repeats(measured_cell(0.30)), rows=[published_row(0.305)]))
    words = dict(zip(COLUMNS, texts(row), strict=True))
    assert words["Hits@1 (repeats)"] == ".300 ± .000 (3)"
    assert (words["printed"], words["difference"]) == (".305", "-.005")
    assert (words["verdict"], words["goal"]) == ("reproduced", "met (± .015)")


def test_nothing_measured_is_said() -> None:
    found = Fidelity((), {}, ())
    assert summary(found) == "No measured number here has a published counterpart."
    assert fidelity_document(found).tables == []

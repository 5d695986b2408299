"""The document of measured against published: tables, notes, and what is said of nothing."""

from __future__ import annotations

from typing import Any

from mmea_bench.reports import published_check
from mmea_bench.reports.core.document import Document, Missing, Text
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.published.document import check_document, sections, signed
from mmea_bench.reports.core.published.verdicts import Check, check_rows
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)


def check(records: list[Record], *printed: dict[str, Any], **options: Any) -> Check:
    return check_rows(tables_of(records), published_frame(printed), **options)


def test_tables_letter_the_reasons_and_name_the_other_sources() -> None:
    records = [
        measured_cell(0.34, simulated_features="image"),
        *three_repeats(measured_cell(0.3, variant="SE", protocol="paper")),
    ]
    printed = [
        published_row(0.3),
        published_row(0.31, variant="SE"),
        published_row(0.35, source="other2020"),
    ]
    table = check_document(check(records, *printed)).tables[0]
    assert [row.labels for row in table.rows] == [
        (
            *("gcn_align", "no names", "Hits@1", "cosine, CSLS 3"),
            *(".340 (1)", ".300", "loginmea2024 Table 1"),
            *("+.040", "not comparable (a)"),
        ),
        (
            *("gcn_align SE", "no names", "Hits@1", "cosine, CSLS 3"),
            *(".300 ± .000 (3)", ".310", "loginmea2024 Table 1"),
            *("-.010", "reproduced"),
        ),
    ]
    assert table.notes == (
        "(a) simulated data: image.",
        "gcn_align; gcn_align SE: the source does not state its scoring, taken as CSLS 3.",
        "gcn_align, no names: also other2020 Table 1 (no-names) Hits@1 .350.",
    )


def test_differences_have_a_sign_where_they_print_as_one() -> None:
    assert [signed(value) for value in (0.0351, -0.2, 0.0001, -0.0004)] == [
        *("+.035", "-.200", ".000", ".000"),
    ]


def test_stopping_on_test_links_is_remarked() -> None:
    found = check([measured_cell(0.3, stopped_on="test")], published_row(0.3))
    (section,) = sections(found.rows)
    assert any("chosen on the test links" in note for note in section.notes)


def test_the_report_is_made_from_the_published_tables() -> None:
    tables = tables_of(
        [*three_repeats(measured_cell(0.05)), measured_cell(0.3, method="random_scores")]
    )
    document = published_check.build(tables, ReportOptions())
    assert isinstance(document, Document)
    assert document.name == published_check.NAME
    first = document.blocks[0]
    assert isinstance(first, Text)
    assert first.text.startswith("1 numbers with a published counterpart: 1 reproduced, 0 close")
    assert document.notes[-1] == "Without a published number, so not listed: random_scores."


def test_nothing_to_compare_is_a_sentence() -> None:
    nothing = Missing("No measured number here has a published counterpart.")
    options = ReportOptions()
    assert published_check.build(tables_of([]), options) == nothing
    unknown = tables_of([measured_cell(0.3, method="random_scores")])
    assert published_check.build(unknown, options) == nothing
    made = published_check.build(tables_of([measured_cell(0.3)]), ReportOptions(csls=7))
    assert made == Missing("No result was scored with csls=7. There is csls=0, 3.")

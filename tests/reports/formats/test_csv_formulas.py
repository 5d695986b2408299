"""No name in a report's CSV is a formula to the spreadsheet that opens it; numbers stay numbers."""

from __future__ import annotations

import csv
import io

from mmea_bench.reports.core.document import Cell, Document, Row, Table
from mmea_bench.reports.formats.tidy_csv import render_csv


def test_names_that_begin_like_formulas_are_shown_and_numbers_stay() -> None:
    rows = (
        Row(("=cmd|'/c calc'!A1",), (Cell(-0.25),), ("@",)),
        Row(("+1",), (Cell(1e-05),)),
        Row(("method",), (Cell(0.5),)),
    )
    table = Table("-title", ("=label",), ("@level",), (("\tword",),), rows)
    text = render_csv(Document("name", "Name", (table,)))
    assert text is not None
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["'=label"] for line in lines] == ["'=cmd|'/c calc'!A1", "+1", "method"]
    assert {line["'@level"] for line in lines} == {"'\tword"}
    assert {line["table"] for line in lines} == {"'-title"}
    assert lines[0]["marks"] == "'@"
    assert [line["mean"] for line in lines] == ["-0.25", "1e-05", "0.5"]

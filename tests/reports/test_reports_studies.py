"""Reports behind the figures and tables of the papers' studies."""

from __future__ import annotations

from typing import Any

import pytest

from mmea_bench.reports import similarity_distribution
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, setting


def _document(report: Any, records: list[Record]) -> Document:
    made = report.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    for figure in made.figures:
        draw_figure(figure, "png")
    return made


def _missing(report: Any, records: list[Record]) -> str:
    made = report.build(tables_of(records), ReportOptions())
    assert isinstance(made, Missing)
    return made.reason


def test_similarity_distribution_has_a_row_per_modality_and_variant() -> None:
    records = []
    for variant in ("full", "w/o ICL"):
        plain = make_record("mclea", 0.5, variant=variant)
        numbers = [
            {
                "setting": _with_modality(modality),
                "metric": f"cosine@{rank}",
                "direction": "src2tgt",
                "value": 1.0 - 0.1 * rank,
                "n": 90,
            }
            for modality in ("structure", "joint")
            for rank in (1, 2)
        ]
        kept = {name: plain.cell[name] for name in plain.cell}
        records.append(Record.of(kept, numbers))
    (table,) = _document(similarity_distribution, records).tables
    assert [row.labels[0] for row in table.rows] == [
        "structure",
        "structure, w/o ICL",
        "joint",
        "joint, w/o ICL",
    ]
    assert [cell.mean for cell in table.rows[0].cells] == pytest.approx([0.9, 0.8])
    assert "modality" in _missing(similarity_distribution, [make_record("a", 0.5)])


def _with_modality(modality: str) -> str:
    return " ".join(sorted([*setting(0).split(" "), f"modality={modality}"]))

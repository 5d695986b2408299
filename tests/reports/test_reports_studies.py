"""Reports of the papers' studies as text; a changed text must be a wanted one.

``python -m tests.reports.test_reports_studies`` writes the golden files again.
"""

from __future__ import annotations

import csv
import importlib
import io
from pathlib import Path

import pytest

from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.tidy_csv import render_csv
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.studies_factory import all_studies

GOLDEN = Path(__file__).parent / "golden_studies"


def _document(name: str, records: list[Record]) -> Document:
    report = importlib.import_module(f"mmea_bench.reports.{name}")
    made = report.build(tables_of(records), ReportOptions(csls=0, reach=0.4))
    assert isinstance(made, Document)
    return made


@pytest.mark.parametrize("name", all_studies())
def test_text_equals_the_golden_file(name: str) -> None:
    document = _document(name, all_studies()[name])
    assert render_markdown(document) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["low_resource", "significance"])
def test_equal_tables_give_equal_texts(name: str) -> None:
    records = all_studies()[name]
    first, second = _document(name, records), _document(name, records[::-1])
    for render in (render_csv, render_latex, render_markdown):
        assert render(first) == render(second)


def test_csv_holds_p_values_as_they_were_computed() -> None:
    text = render_csv(_document("significance", all_studies()["significance"])) or ""
    rows = list(csv.DictReader(io.StringIO(text)))
    p_values = [float(row["mean"]) for row in rows if row["group"] == "Welch's p"]
    assert len(p_values) == 2 * 5  # two comparisons on each of five datasets
    assert all(p != round(p, 6) for p in p_values)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for own_name, own_records in all_studies().items():
        text_of = render_markdown(_document(own_name, own_records))
        (GOLDEN / f"{own_name}.md").write_text(text_of, encoding="utf-8")

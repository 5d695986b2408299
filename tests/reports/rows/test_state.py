"""Every report says what was planned and what of it is there, and marks rows that lack cells."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmea_bench.reports.core.document import Document
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.reports.making.build import build_reports
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record

WORDS = ("method", "variant", "dataset", "seed_ratio", "repeat", "protocol")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine planned cells: a complete, b failed once, c never run, d not on its second dataset."""
    made = tmp_path_factory.mktemp("interrupted")
    store = ResultStore(made)
    planned = {}
    failed = {"status": "failed", "reason": "crash"}
    for method, repeats in (("a", (1, 2)), ("b", (1, 2)), ("c", (1, 2)), ("d", (1, 2))):
        for repeat in repeats:
            changes = failed if (method, repeat) == ("b", 2) else {}
            record = make_record(method, 0.4 + 0.01 * repeat, repeat=repeat, n_points=3, **changes)
            planned[record.key] = {name: record.cell[name] for name in WORDS}
            if method != "c":
                store.write(record)
    other = make_record("d", 0.3, dataset="fb15k-yago15k")
    planned[other.key] = {name: other.cell[name] for name in WORDS}
    (made / "plan.json").write_text(json.dumps({"keys": list(planned), "cells": planned}))
    return made


@pytest.fixture(scope="module")
def documents(folder: Path) -> dict[str, Document]:
    made = build_reports(folder, formats=("md", "html", "tex")).documents
    return {document.name: document for document in made}


def test_index_page_and_every_report_state_what_is_there(
    folder: Path, documents: dict[str, Document]
) -> None:
    sentence = "5 of 9 cells done, 1 failed, 3 missing"
    for name in ("report.md", "index.html", *(f"{document}.md" for document in documents)):
        assert sentence in (folder / "report" / name).read_text(), name
    for document in documents.values():
        for block in (*document.tables, *document.figures):
            if getattr(block, "columns", True):
                assert f"Incomplete: {sentence}." in block.notes


def test_rows_that_lack_cells_are_marked(documents: dict[str, Document]) -> None:
    table = documents["main_table"].tables[0]
    marks = {row.labels[0]: row.marks for row in table.rows}
    # d lacks a cell of the other dataset only.
    assert marks == {"a": (), "b": ("°",), "d": ()}
    assert any(note.startswith("° incomplete") for note in table.notes)


def test_a_method_that_never_ran_is_named(documents: dict[str, Document]) -> None:
    outcomes = documents["main_table"].tables[-1]
    assert [row.labels[0] for row in outcomes.rows if row.labels[-2] == "missing"] == ["c", "d"]


def test_no_gap_is_invented_where_the_plan_is_known(tmp_path: Path) -> None:
    store, planned = ResultStore(tmp_path), {}
    for record in (make_record("a", 0.2), make_record("b", 0.3, seed_ratio=0.5)):
        store.write(record)
        planned[record.key] = {name: record.cell[name] for name in WORDS}
    (tmp_path / "plan.json").write_text(json.dumps({"cells": planned}))
    summary = build_reports(tmp_path, formats=("md",))
    assert "2 of 2 cells done." in summary.index.read_text()
    text = (tmp_path / "report/main_table.md").read_text()
    assert "missing" not in text
    assert "Incomplete" not in text


def test_the_state_is_drawn_into_the_figure_itself(documents: dict[str, Document]) -> None:
    figures = [figure for document in documents.values() for figure in document.figures]
    assert figures
    for figure in figures:
        assert figure.stamp == "Incomplete: 5 of 9 cells done, 1 failed, 3 missing."
        stamped, plain = (
            Image.open(io.BytesIO(draw_figure(made, "png"))).convert("L")
            for made in (figure, replace(figure, stamp=""))
        )
        assert stamped.width == plain.width
        added = np.asarray(stamped)[plain.height :]
        assert added.min() < 128
        # Nothing is cut off at the edges, and what was drawn before stands above, unchanged.
        for edge in (added[-1], added[:, 0], added[:, -1]):
            assert edge.min() == 255
        shift = np.abs(np.asarray(stamped)[: plain.height] - np.asarray(plain, dtype=float))
        assert shift.mean() < 3.0  # parts of a pixel

"""Every report says what was planned and what of it is there, and marks rows that lack cells."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmea_bench.reports import ablation, main_table, robustness, sweep
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.stated.completeness import with_state
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.reports.making.build import build_reports
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record

FAILED = {"status": "failed", "reason": "crash"}
NOISY = "fb15k-db15k[image_noise=0.5]"
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


def repeats(method: str, *, fails: bool = False, **words: Any) -> list[Record]:
    """Two repeats, of which the second may fail."""
    second = {**words, "repeat": 2, **(FAILED if fails else {})}
    return [make_record(method, 0.4, **words), make_record(method, 0.4, **second)]


def marked(
    report: Callable[[Tables, ReportOptions], Document | Missing],
    records: list[Record],
    names: Names | None = None,
) -> dict[tuple[str, ...], bool]:
    """Title up to its first comma and labels of a row, to whether it is marked as incomplete."""
    tables, names = tables_of(records), names or Names()
    document = report(tables, ReportOptions(csls=0, names=names))
    assert isinstance(document, Document)
    return {
        (table.title.partition(",")[0], *row.labels[:2]): "°" in row.marks
        for table in with_state(document, tables, names).tables
        if table.columns
        for row in table.rows
    }


def test_a_comma_in_the_name_of_a_variant_is_part_of_it() -> None:
    records = [
        *repeats("eva", variant="iterative, w/o names", fails=True),
        *repeats("eva", variant="iterative"),
    ]
    place = "fb15k-db15k: strict protocol"
    assert marked(main_table.build, records) == {
        (place, "eva", "iterative"): False,
        (place, "eva", "iterative, w/o names"): True,
    }


def test_a_row_by_its_similarity_stands_for_its_variant() -> None:
    records = [*repeats("eva", fails=True), make_record("eva", 0.4, repeat=3, similarity="inner")]
    rows = [
        labels[2] for labels, is_marked in marked(main_table.build, records).items() if is_marked
    ]
    assert rows == ["full, cosine", "full, inner"]


def test_a_dataset_with_options_is_not_the_plain_one() -> None:
    records = [*repeats("eva", fails=True), *repeats("eva", dataset=NOISY)]
    assert marked(main_table.build, records) == {
        ("fb15k-db15k: strict protocol", "eva", "full"): True,
        (f"{NOISY}: strict protocol", "eva", "full"): False,
    }


def test_a_curve_over_an_option_lacks_what_any_of_its_datasets_lacks() -> None:
    records = [
        *(*repeats("eva"), *repeats("eva", dataset=NOISY, fails=True)),
        *(*repeats("seu"), *repeats("seu", dataset=NOISY)),
    ]
    rows = marked(robustness.build, records)
    assert {labels[1]: is_marked for labels, is_marked in rows.items()} == {
        "eva": True,
        "seu": False,
    }


def test_what_another_protocol_lacks_marks_no_row() -> None:
    records = [*repeats("eva", protocol="paper", fails=True), *repeats("eva")]
    assert marked(main_table.build, records) == {
        ("fb15k-db15k: paper protocol", "eva", "full"): True,
        ("fb15k-db15k: strict protocol", "eva", "full"): False,
    }


def test_a_method_whose_id_differs_in_a_sign_is_another() -> None:
    rows = marked(sweep.build, swept("m_clea", fails=True) + swept("mclea"))
    assert {labels[1]: is_marked for labels, is_marked in rows.items()} == {
        "m_clea": True,
        "mclea": False,
    }


def test_the_plain_method_is_in_no_sweep() -> None:
    rows = marked(sweep.build, [*repeats("eva", fails=True), *swept("eva")])
    assert list(rows.values()) == [False]


def test_an_ablation_is_that_of_its_method_and_settings() -> None:
    names = Names({"eva": "Ours", "seu": "Ours: again"})
    records = [
        *(*repeats("eva"), *repeats("eva", variant="w/o image", fails=True)),
        *(*repeats("seu"), *repeats("seu", variant="w/o image")),
    ]
    rows = marked(ablation.build, records, names)
    assert [labels[:2] for labels, is_marked in rows.items() if is_marked] == [
        ("Ours: fb15k-db15k", "w/o image")
    ]


def test_a_cell_that_was_run_again_and_ended_ok_lacks_nothing() -> None:
    old = make_record("eva", 0.4, repeat=2, key="old", finished_at="2025-01-01T00:00:00Z", **FAILED)
    assert not any(marked(main_table.build, [*repeats("eva"), old]).values())


def swept(method: str, *, fails: bool = False) -> list[Record]:
    """Two values of a parameter in two repeats."""
    return [
        record
        for tau in (0.1, 0.2)
        for record in repeats(
            method, variant=f"full[tau={tau}]", overrides=json.dumps({"tau": tau}), fails=fails
        )
    ]


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

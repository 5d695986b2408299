"""Cosine of the test entities to their predicted counterparts, by the vectors of each modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import similarity_distribution
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import FAILED, notes_of, texts
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record, scoring

COSINES = {"structure": (0.9, 0.8), "joint": (0.7, 0.1)}


def _record(
    cosines: Mapping[str, Sequence[float]] = COSINES, method: str = "mclea", **changes: Any
) -> Record:
    plain = make_record(method, 0.5, **changes)
    numbers = [
        {
            **scoring(0),
            "modality": modality,
            "metric": f"cosine@{rank}",
            "direction": "src2tgt",
            "value": value,
            "n": 90,
        }
        for modality, values in cosines.items()
        for rank, value in enumerate(values, 1)
    ]
    return Record.of(plain.cell, numbers)


def _document(records: list[Record]) -> Document:
    made = similarity_distribution.build(tables_of(records), ReportOptions())
    assert isinstance(made, Document)
    return made


def test_a_row_per_modality_and_variant_with_the_joint_vectors_last() -> None:
    (table,) = _document([_record(), _record(variant="w/o ICL")]).tables
    assert [row.labels[0] for row in table.rows] == [
        "structure",
        "structure, w/o ICL",
        "joint",
        "joint, w/o ICL",
    ]
    assert [cell.mean for cell in table.rows[0].cells] == [0.9, 0.8]


def test_modalities_stand_in_printing_order() -> None:
    (table,) = _document([_record({"name": (0.5,), "clip": (0.5,), "relation": (0.5,)})]).tables
    assert [row.labels[0] for row in table.rows] == ["relation", "name", "clip"]


def test_cosines_are_means_over_repeats_with_their_deviation() -> None:
    records = [_record({"joint": (value,)}, repeat=n) for n, value in ((1, 0.2), (2, 0.4))]
    cell = _document(records).tables[0].rows[0].cells[0]
    assert (cell.mean, cell.n) == (pytest.approx(0.3), 2)
    assert cell.sd == pytest.approx(0.2 / 2**0.5)


def test_versions_of_a_dataset_stay_apart() -> None:
    document = _document([_record(), _record(dataset_version="b" * 12, repeat=2)])
    assert [table.title.split(",")[0] for table in document.tables] == [
        "mclea: fb15k-db15k @aaaaaa",
        "mclea: fb15k-db15k @bbbbbb",
    ]


def test_all_figures_share_one_scale_and_print_their_numbers() -> None:
    document = _document([_record(), _record({"joint": (0.95, -0.2)}, "eva")])
    limits = set()
    for figure in document.figures:
        assert draw_figure(figure, "png").startswith(b"\x89PNG")
        assert layout_problems(figure) == []
        canvas = Canvas(figsize=(figure.width_in, figure.height_in))
        figure.draw(canvas)
        limits.add(canvas.axes[0].collections[0].get_clim())
    assert limits == {(-0.2, 0.95)}
    assert [text.get_text() for text in canvas.axes[0].texts] == [".90", ".80", ".70", ".10"]


def test_long_names_of_variants_widen_the_figure() -> None:
    ten = {"structure": [0.9 - 0.05 * rank for rank in range(10)]}
    (figure,) = _document([_record(ten, variant="w/o " + "very long name " * 3)]).figures
    assert figure.width_in > 3.4
    assert layout_problems(figure) == []


def test_cells_without_vectors_and_failures_are_named() -> None:
    records = [
        _record(simulated_features="image"),
        make_record("transe", 0.1),
        make_record("mclea", 0.0, repeat=2, **FAILED),
    ]
    document = _document(records)
    notes = notes_of(document)
    assert "Without vectors by modality: transe." in notes
    assert "(failed)" in notes
    assert document.tables[0].rows[0].marks == ("†",)
    assert texts(document.tables[0])["joint",] == [".700", ".100"]


def test_without_vectors_there_is_a_sentence() -> None:
    made = similarity_distribution.build(tables_of([make_record("a", 0.5)]), ReportOptions())
    assert isinstance(made, Missing)

"""Reports behind the figures and tables of the papers' studies."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import (
    ablation,
    cost,
    low_resource,
    significance,
    similarity_distribution,
    sweep,
)
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


def _overridden(score: float, **overrides: Any) -> Record:
    words = ",".join(f"{name}={value}" for name, value in overrides.items())
    return make_record(
        "mclea",
        score,
        variant=f"full[{words}]",
        overrides=json.dumps(overrides),
        key=f"cell-{zlib.crc32(words.encode())}",
    )


def test_ablation_subtracts_the_variant_repeat_by_repeat() -> None:
    records = [
        make_record("a", score, variant=variant, repeat=repeat)
        for variant, scores in {"full": (0.5, 0.6), "w/o image": (0.4, 0.45)}.items()
        for repeat, score in enumerate(scores, 1)
    ]
    (table,) = _document(ablation, records).tables
    assert table.columns[:2] == (("Hits@1", "value"), ("Hits@1", "drop"))
    assert [row.labels[0] for row in table.rows] == ["full", "w/o image"]
    drop = table.rows[1].cells[1]
    assert drop.mean == pytest.approx(0.125)
    assert drop.sd == pytest.approx(0.05 / 2**0.5)


def test_ablation_compares_variants_under_the_same_overrides_only() -> None:
    records = [
        make_record("a", 0.5),
        make_record("a", 0.3, variant="full[epochs=5]", overrides='{"epochs": 5}'),
        make_record("a", 0.2, variant="w/o image[epochs=5]", overrides='{"epochs": 5}'),
    ]
    (table,) = _document(ablation, records).tables
    assert table.title.startswith("a [epochs=5]")
    assert table.rows[1].cells[1].mean == pytest.approx(0.1)


def test_ablation_needs_a_variant() -> None:
    assert "variant" in _missing(ablation, [make_record("a", 0.5)])


def test_low_resource_has_a_column_per_seed_ratio() -> None:
    records = [make_record(m, r, seed_ratio=r) for m in ("a", "b") for r in (0.05, 0.2, 0.5)]
    document = _document(low_resource, records)
    (table,) = document.tables
    assert [column[1] for column in table.columns] == ["5 %", "20 %", "50 %"]
    assert len(document.figures) == 1
    assert "seed ratios" in _missing(low_resource, records[:1])


def test_sweep_of_one_parameter_at_a_time_has_a_line_each() -> None:
    records = [_overridden(0.3 + x / 100, tau1=x) for x in (0.1, 1.0)]
    records += [_overridden(0.4, tau2=x) for x in (1.0, 4.0, 8.0)]
    tables = _document(sweep, records).tables
    assert [len(table.columns) for table in tables] == [2, 3]


def test_sweep_of_two_parameters_is_a_map() -> None:
    records = [_overridden(x * y, tau1=x, tau2=y) for x in (0.1, 1.0) for y in (0.2, 0.4)]
    document = _document(sweep, records)
    (table,) = document.tables
    assert [row.labels[0] for row in table.rows] == ["tau1=0.1", "tau1=1.0"]
    assert table.rows[1].cells[1].mean == pytest.approx(0.4)
    assert "two or more values" in _missing(sweep, [make_record("a", 0.5)])


def test_significance_names_the_best_and_says_what_cannot_be_tested() -> None:
    records = [make_record("a", 0.5 + 0.01 * r, repeat=r) for r in (1, 2, 3)]
    records += [make_record("b", 0.3 + 0.012 * r, repeat=r) for r in (1, 2, 3)]
    records += [make_record("c", 0.6, repeat=1)]
    document = _document(significance, records)
    (table,) = document.tables
    assert table.rows[0].labels[0] == "a"
    texts = {row.labels[0]: row.cells[1].plain for row in table.rows}
    assert texts["c"] == "fewer than two repeats"
    assert "a is better than b" in document.blocks[1].text  # type: ignore[union-attr]


def test_cost_divides_training_time_by_epochs() -> None:
    record = make_record("a", 0.5, epochs=10, fit_s=25.0, peak_memory_mib=1000.0)
    (table,) = _document(cost, [record]).tables
    assert table.rows[0].cells[0].plain == "2.5"


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


def test_figures_can_be_drawn_on_a_plain_canvas() -> None:
    records = [make_record("a", r, seed_ratio=r) for r in (0.05, 0.2)]
    canvas = Canvas()
    _document(low_resource, records).figures[0].draw(canvas)
    assert canvas.axes

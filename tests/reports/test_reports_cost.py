"""Time, memory and size beside what is reached."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports import cost
from mmea_bench.reports.core.document import Document, Figure, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import FAILED, notes_of, texts
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import PAIR_SCORING

TRAINED = {
    "epochs": 10,
    "best_epoch": 4,
    "fit_s": 25.0,
    "eval_s": 0.5,
    "peak_memory_mib": 1000.0,
    "n_parameters": 1234567,
    "device": "cpu",
}


def _document(records: list[Record]) -> Document:
    made = cost.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    return made


def _drawn(figure: Figure) -> Canvas:
    assert draw_figure(figure, "png").startswith(b"\x89PNG")
    assert layout_problems(figure) == []
    canvas = Canvas(figsize=(figure.width_in, figure.height_in))
    figure.draw(canvas)
    return canvas


def _at(start: str, end: str, key: str) -> dict[str, Any]:
    day = "2026-01-01T00:"
    return {"key": key, "started_at": f"{day}{start}+00:00", "finished_at": f"{day}{end}+00:00"}


def test_times_are_per_epoch_and_up_to_the_best_epoch() -> None:
    (table,) = _document([make_record("a", 0.5, **TRAINED)]).tables
    found = dict(zip(table.columns, texts(table)["a", "cpu", "1"], strict=True))
    assert found["time", "s per epoch"] == "2.50"
    assert found["time", "training, s"] == "25.0"
    assert found["time", "to best, s"] == "10.0"
    assert found["epochs", "to best"] == "4"
    assert found["size", "parameters"] == "1,234,567"
    assert found["peak memory", "GPU, MiB"] == "–"
    assert found["result", "Hits@1"] == ".500"


def test_an_epochs_time_is_without_set_up_where_the_record_tells_it() -> None:
    (table,) = _document([make_record("a", 0.5, **TRAINED, epoch_s=1.5)]).tables
    found = dict(zip(table.columns, texts(table)["a", "cpu", "1"], strict=True))
    assert (found["time", "s per epoch"], found["time", "training, s"]) == ("1.50", "25.0")


def test_set_up_counts_in_full_in_the_time_to_the_best_epoch() -> None:
    # 600 s of set-up, then ten epochs of 1 s, the first of which is the best.
    timed = {**TRAINED, "fit_s": 610.0, "epoch_s": 1.0, "best_epoch": 1}
    (table,) = _document([make_record("a", 0.5, **timed)]).tables
    found = dict(zip(table.columns, texts(table)["a", "cpu", "1"], strict=True))
    assert found["time", "to best, s"] == "601"


def test_repeats_share_one_rule_for_the_seconds_of_an_epoch() -> None:
    timed = {**TRAINED, "fit_s": 610.0}
    records = [
        make_record("a", 0.5, **timed, epoch_s=1.0),
        make_record("a", 0.5, repeat=2, **timed),
    ]
    (table,) = _document(records).tables
    found = dict(zip(table.columns, texts(table)["a", "cpu", "2"], strict=True))
    assert found["time", "s per epoch"] == "61.0"


def test_energy_is_a_column_where_a_cell_has_it() -> None:
    used = {"energy_kwh": 0.0123, "co2_kg": 0.00045}
    plain = make_record("b", 0.5, **TRAINED)
    document = _document([make_record("a", 0.5, **TRAINED, **used), plain])
    (table,) = document.tables
    found = [dict(zip(table.columns, row, strict=True)) for row in texts(table).values()]
    assert [row["energy", "Wh"] for row in found] == ["12.3", "–"]
    assert [row["energy", "mg CO2e"] for row in found] == ["450", "–"]
    assert any("codecarbon" in note for note in document.notes)
    without = _document([plain])
    assert not any(group == "energy" for group, _name in without.tables[0].columns)


def test_what_trains_nothing_has_no_time_per_epoch_and_is_left_out_of_the_time_panel() -> None:
    idle = {**TRAINED, "epochs": 0, "best_epoch": 0, "fit_s": 0.01}
    records = [make_record(name, 0.5, **TRAINED) for name in ("a", "b")]
    document = _document([*records, make_record("image_only", 0.1, **idle)])
    row = texts(document.tables[0])["image_only", "cpu", "1"]
    assert row[:3] == ["–", "0.0100", "–"]
    time, memory = _drawn(document.figures[0]).axes
    names = [[text.get_text() for text in axes.texts if text.get_text()] for axes in (time, memory)]
    assert sorted(names[0]) == ["a", "b"]
    assert sorted(names[1]) == ["a", "b", "image_only"]


def test_devices_have_rows_and_figures_of_their_own() -> None:
    on_gpu = {**TRAINED, "device": "cuda", "fit_s": 1.0, "peak_gpu_memory_mib": 300.0}
    records = [
        make_record(name, 0.5, repeat=repeat, **words)
        for name in ("a", "b")
        for repeat, words in ((1, TRAINED), (2, on_gpu))
    ]
    document = _document(records)
    rows = texts(document.tables[0])
    assert rows["a", "cpu", "1"][1] == "25.0"
    assert rows["a", "cuda", "1"][1] == "1.00"
    assert [figure.name for figure in document.figures] == [
        "fb15k-db15k-20-seeds-strict-protocol-cpu",
        "fb15k-db15k-20-seeds-strict-protocol-cuda",
    ]
    axes = _drawn(document.figures[1]).axes
    assert [panel.get_xlabel() for panel in axes] == [
        "Training time in s",
        "Peak GPU memory in MiB",
    ]


def test_pairs_under_two_inferences_are_two_rows_and_one_point() -> None:
    def with_pairs(name: str) -> Record:
        plain = make_record(name, 0.5, dataset="nmmea", **TRAINED)
        numbers = [
            {
                **PAIR_SCORING,
                "inference": inference,
                "metric": "f1",
                "direction": "pairs",
                "value": value,
                "n": 90,
            }
            for inference, value in (("one-threshold", 0.4), ("two-thresholds", 0.6))
        ]
        return Record.of(plain.cell, numbers)

    document = _document([with_pairs("crossea"), with_pairs("poe")])
    rows = texts(document.tables[0])
    assert rows["crossea, one-threshold", "cpu", "1"][-1] == ".400"
    assert rows["crossea, two-thresholds", "cpu", "1"][-1] == ".600"
    axes = _drawn(document.figures[0]).axes[0]
    assert axes.get_ylabel() == "F1, two-thresholds"
    assert sorted(text.get_text() for text in axes.texts if text.get_text()) == ["crossea", "poe"]


def test_one_method_alone_has_no_figure() -> None:
    assert _document([make_record("a", 0.5, **TRAINED)]).figures == []


def test_many_methods_with_long_names_do_not_run_into_each_other() -> None:
    records = [
        make_record(
            f"method{number}",
            0.5 + 0.001 * number,
            variant="w/o image & text",
            **{**TRAINED, "fit_s": 1.3**number, "peak_memory_mib": 1000.0 + number},
        )
        for number in range(16)
    ]
    assert len(_drawn(_document(records).figures[0]).axes) == 2


@pytest.mark.parametrize("times", [(0.002, 90000.0), (100.0, 101.0), (5.0, 5.0)])
def test_ticks_of_time_are_plain_numbers_in_every_range(times: tuple[float, float]) -> None:
    records = [
        make_record(name, 0.5, **{**TRAINED, "fit_s": fit_s})
        for name, fit_s in zip("ab", times, strict=True)
    ]
    axes = _drawn(_document(records).figures[0]).axes[0]
    low, high = axes.get_xlim()
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert shown
    assert all("$" not in label.get_text() for label in axes.get_xticklabels())


def test_cells_beside_each_other_are_found_by_their_times() -> None:
    cells = pd.DataFrame(
        [
            _at("00:00", "10:00", "alone"),
            _at("10:00", "20:00", "touches"),
            _at("20:30", "50:00", "long"),
            _at("21:00", "22:00", "within"),
            _at("30:00", "31:00", "later within"),
            {"key": "untimed", "started_at": None, "finished_at": None},
        ]
    )
    found = cost.beside(cells)
    assert list(found[found].index) == ["long", "within", "later within"]
    assert list(found.index) == list(cells["key"])


def test_methods_beside_others_are_marked_and_explained() -> None:
    records = [
        make_record("a", 0.5, **{**TRAINED, **_at("00:00", "10:00", "a1")}),
        make_record("b", 0.5, **{**TRAINED, **_at("05:00", "15:00", "b1")}),
        make_record("c", 0.5, **{**TRAINED, **_at("15:00", "25:00", "c1")}),
    ]
    document = _document(records)
    marks = {row.labels[0]: row.marks for row in document.tables[0].rows}
    assert marks == {"a": ("§",), "b": ("§",), "c": ()}
    assert "§ ran while other cells" in notes_of(document)
    labels = [text.get_text() for text in _drawn(document.figures[0]).axes[0].texts]
    assert {"a§", "b§", "c"} <= set(labels)


def test_failed_cells_are_named_and_unknown_costs_are_gaps() -> None:
    records = [make_record("a", 0.5), make_record("a", 0.0, repeat=2, **FAILED)]
    document = _document(records)
    assert set(texts(document.tables[0])["a", "", "1"][:-1]) == {"–"}
    assert "a 20 % repeat 2 (failed)" in notes_of(document)
    made = cost.build(tables_of(records[1:]), ReportOptions())
    assert isinstance(made, Missing)


def test_mean_ranks_have_one_digit_as_in_every_report() -> None:
    tables = tables_of([make_record("a", 0.5, **TRAINED)])
    made = cost.build(tables, ReportOptions(csls=0, metrics=("mean_rank",)))
    assert isinstance(made, Document)
    assert made.tables[0].rows[0].cells[-1].plain == "55.0"

"""Hours of a plan, judged by short trainings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.running.pilot import pilot_times
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record


def pilot(
    method: str, fit_s: float, asked: int | None, *, eval_s: float = 1.0, **changes: Any
) -> Record:
    cell = {"epochs": asked, "fit_s": fit_s, "eval_s": eval_s, "peak_memory_mib": 512.0, **changes}
    record = make_record(method, 0.5, **cell)
    parameters = {} if asked is None else {"epochs": asked}
    return replace(record, configuration={"parameters": parameters})


def cell(method: str = "eva", dataset: str = "fb15k-db15k", ratio: float = 0.2) -> Cell:
    return Cell(method, "full", (), dataset, ratio, 1, Protocol())


def test_a_training_takes_as_much_longer_as_it_has_more_epochs_and_one_evaluation() -> None:
    (time,) = pilot_times([(cell(), {"epochs": 500})], [pilot("eva", 4.0, 2, eval_s=3.0)])
    assert time.seconds == 500 * 4.0 / 2 + 3.0
    assert time.memory_mib == 512.0


def test_what_precedes_the_first_epoch_is_counted_once() -> None:
    record = pilot("eva", 14.0, 2, eval_s=3.0, epoch_s=1.5)
    longer, shorter = (
        pilot_times([(cell(), {"epochs": n})], [record])[0].seconds for n in (500, 1)
    )
    assert longer == 14.0 + 498 * 1.5 + 3.0
    assert shorter == 14.0 - 1.5 + 3.0


def test_a_pilot_that_stopped_early_tells_which_share_of_a_training_runs() -> None:
    record = pilot("eva", 1.5, 100, eval_s=3.0, epoch_s=0.01, epochs=50)
    (time,) = pilot_times([(cell(), {"epochs": 400})], [record])
    assert time.seconds == pytest.approx(1.0 + 0.01 * 200 + 3.0)


def test_points_of_the_learning_curve_cost_a_scoring_each() -> None:
    """A pilot of three epochs was scored twice: one point of its curve, and its end."""
    record = pilot("eva", 3.0, 3, eval_s=4.0)
    record = replace(record, curves=[{"epoch": 3, "links": links} for links in ("valid", "test")])
    longer, by_protocol = (
        pilot_times([(one, {"epochs": 500, "eval_every": 50})], [record])[0].seconds
        for one in (cell(), replace(cell(), protocol=Protocol(eval_every=100)))
    )
    assert longer == 500 * 1.0 + 4.0 / 2 * (10 + 1)
    assert by_protocol == 500 * 1.0 + 4.0 / 2 * (5 + 1)


def test_a_method_without_epochs_takes_what_it_took() -> None:
    (time,) = pilot_times([(cell("seu"), {})], [pilot("seu", 4.0, None)])
    assert time.seconds == 5.0


def test_the_most_similar_cells_of_the_pilot_decide() -> None:
    records = [
        pilot("eva", 10.0, 1, seed_ratio=0.5),
        pilot("eva", 20.0, 1),
        pilot("eva", 40.0, 1, dataset="dbp15k-zh-en"),
    ]
    planned = [cell(), cell(ratio=0.8), cell(dataset="dbp15k-zh-en"), cell(dataset="dbp15k-ja-en")]
    seconds = [pilot_times([(one, {"epochs": 1})], records)[0].seconds for one in planned]
    assert seconds == pytest.approx([21.0, 16.0, 41.0, 1 + 70 / 3])


def test_a_method_that_the_pilot_lacks_has_no_time_and_no_memory() -> None:
    failed = make_record("mclea", 0.0, status="failed", reason="x")
    times = pilot_times([(cell(), {}), (cell("mclea"), {})], [pilot("eva", 1.0, 1), failed])
    assert [(one.method, one.seconds is None) for one in times] == [("eva", False), ("mclea", True)]
    assert times[1].memory_mib is None


def test_datasets_that_the_pilot_lacks_are_named() -> None:
    planned = [(cell(dataset=name), {}) for name in ("fb15k-db15k", "dbp15k-ja-en")]
    (time,) = pilot_times(planned, [pilot("eva", 1.0, 1)])
    assert time.elsewhere == ("dbp15k-ja-en",)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


def test_the_plan_prints_hours_by_method_and_names_what_it_does_not_know(
    make_method: Any, tmp_path: Path
) -> None:
    file = make_method("timed")
    cache = ["--cache-dir", str(tmp_path / "cache"), "--method-file", str(file)]
    here = ["--datasets", "synthetic[n=100]", "--repeats", "1", "--seed-ratios", "0.3", *cache]
    short = tmp_path / "pilot"
    assert (
        invoke("run", "--no-report", *here, "--methods", "timed", "--out", str(short)).exit_code
        == 0
    )
    asked = ["plan", *here, "--methods", "timed,name_match", "--out", str(tmp_path / "out")]
    shown = invoke(*asked, "--pilot", str(short))
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    assert "without name_match, of which it has no cell" in words
    found = json.loads(invoke(*asked, "--pilot", str(short), "--json").stdout)["pilot"]
    assert {one["method"]: one["seconds"] is None for one in found} == {
        "timed": False,
        "name_match": True,
    }


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """Options of a run whose folder holds a short training of MCLEA."""
    words = ["--repeats", "1", "--seed-ratios", "0.3", "--out", str(tmp_path / "out")]
    words += ["--cache-dir", str(tmp_path / "cache")]
    trained = [*words, "--methods", "mclea", "--datasets", "synthetic[n=100]"]
    assert invoke("run", "--no-report", *trained, "--set", "epochs=3").exit_code == 0
    return words


def test_without_a_pilot_the_cells_of_the_folder_tell_how_long_more_epochs_take(
    asked: list[str], tmp_path: Path
) -> None:
    trained = [*asked, "--methods", "mclea", "--datasets", "synthetic[n=100]"]
    planned = invoke("plan", *trained, "--set", "epochs=300000", "--json")
    other = invoke("plan", *asked, "--datasets", "synthetic[n=120]", "--methods", "mclea,eva")

    (fit,) = (record.cell["fit_s"] for record in ResultStore(tmp_path / "out").records())
    assert json.loads(planned.stdout)["estimated_s"] > 100 * fit
    words = " ".join(other.output.split())
    assert "without eva, of which it has no cell" in words
    assert "for lack of cells on synthetic[n=120], those on other datasets count" in words


def test_cells_that_will_not_end_in_their_time_are_named(asked: list[str], tmp_path: Path) -> None:
    suite = tmp_path / "hurried.toml"
    suite.write_text('methods = ["mclea"]\ndatasets = ["synthetic[n=100]"]\ntimeout_s = 60\n')
    planned = invoke("plan", "--suite", str(suite), *asked, "--set", "epochs=3000000")
    words = " ".join(planned.output.split())
    assert "a cell of mclea takes about" in words
    assert "is stopped after 1 min 00 s; `run --timeout` allows it more" in words


def test_a_pilot_without_cells_is_refused(tmp_path: Path) -> None:
    made = invoke(
        *("plan", "--methods", "name_match", "--datasets", "synthetic[n=100]"),
        *("--pilot", str(tmp_path), "--out", str(tmp_path / "out")),
    )
    assert made.exit_code == 2
    assert "holds no cells" in made.output + made.stderr

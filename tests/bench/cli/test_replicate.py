"""``replicate``: which training stands behind a number, the curve it draws, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from mmea_bench.bench.cells.messages import CurvePoint, Tick
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.evidence.curve_display import WIDTH, CurveProgress, OwnCurve, bars
from mmea_bench.bench.cli.evidence.target import find_target
from mmea_bench.bench.cli.evidence.three_numbers import NOTHING_PRINTED, three_numbers
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.reports.core.evidence.reference import BandPoint, ReferenceCurve, Run
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import measured_cell, three_repeats

DATASET = "synthetic[n=100,seed=1]"
BAND = ReferenceCurve((BandPoint(10, 0.2, 0.1, 0.3), BandPoint(20, 0.4, 0.3, 0.5)), 3)


def replicate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replicate", *(str(argument) for argument in arguments)])


def target(method: str, dataset: str, *records: Record, **given: Any) -> Any:
    reference = tables_of(records) if records else None
    return find_target(read_published(), reference, (method, dataset), **given)


def points(*values: tuple[int, float]) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(epoch, "test", "hits@1", "src2tgt", value) for epoch, value in values)


def job() -> Any:
    cell = Cell("gcn_align", "full", (), "fb15k-db15k", 0.2, 1, Protocol("paper"))
    return SimpleNamespace(key="k", cell=cell)


def test_the_seed_ratio_is_the_smallest_that_is_printed() -> None:
    found = target("gcn_align", "fb15k-db15k")
    assert found.run == Run("gcn_align", "full", "fb15k-db15k", 0.2)
    assert found.remarks == ("also printed at seed ratio 0.5, 0.8",)
    assert found.printed[0].value == pytest.approx(0.053)


@pytest.mark.parametrize("spelling", ["FB15K-DB15K", "fb15k_db15k", "fb15k-db15k[]"])
def test_every_spelling_of_a_dataset_finds_its_printed_number(spelling: str) -> None:
    found = target("gcn-align", spelling)
    assert found.run == Run("gcn_align", "full", "fb15k-db15k", 0.2)
    assert found.printed[0].value == pytest.approx(0.053)


def test_without_a_printed_ratio_the_reference_decides_then_the_dataset() -> None:
    assert target("seu", "dbp15k-zh-en").run.seed_ratio == pytest.approx(0.3)
    kept = measured_cell(0.3, method="seu", dataset="dbp15k-zh-en", seed_ratio=0.4)
    assert target("seu", "dbp15k-zh-en", kept).run.seed_ratio == pytest.approx(0.4)
    assert target("seu", "dbp15k-zh-en", seed_ratio=0.1).run.seed_ratio == pytest.approx(0.1)
    with pytest.raises(UserError, match="--seed-ratio"):
        target("seu", DATASET)


def test_the_variant_is_that_of_the_printed_setting() -> None:
    wanted = {("names", "iterative"): "full", ("no-names", "iterative"): "w/o name"}
    for setting, variant in wanted.items():
        found = target("mclea", "dbp15k-zh-en", setting=setting)
        assert found.run.variant == variant
        words = set(found.printed[0].setting.split(";"))
        assert words == set(setting)


def test_a_setting_that_no_variant_has_or_that_does_not_exist_is_a_sentence() -> None:
    with pytest.raises(UserError, match="No variant of gcn_align has the setting names"):
        target("gcn_align", "dbp15k-zh-en", setting=("names",))
    with pytest.raises(UserError, match="Unknown setting 'iterativ'"):
        target("mclea", "dbp15k-zh-en", setting=("iterativ",))
    with pytest.raises(UserError, match="Unknown variant"):
        target("mclea", "dbp15k-zh-en", variant="w/o luck")


def test_a_misspelt_method_gets_the_nearest_name() -> None:
    done = replicate("transee", "dbp15k-zh-en")
    assert (done.exit_code, "Did you mean 'transe'?" in done.stderr) == (2, True)


def test_own_points_are_hits_at_1_on_the_test_links_in_the_printed_direction() -> None:
    curve = OwnCurve()
    curve.add([CurvePoint(10, "test", "hits@1", "mean", 0.9), *points((20, 0.4), (10, 0.2))])
    curve.add([CurvePoint(10, "valid", "hits@1", "src2tgt", 0.8)])
    curve.add([CurvePoint(10, "test", "mrr", "src2tgt", 0.7)])
    assert curve.points == [(10, 0.2), (20, 0.4)]
    assert curve.at(15) == pytest.approx(0.3)
    assert curve.at(25) is None


def test_a_curve_is_drawn_from_low_to_high_bars_and_blanks() -> None:
    drawn = bars(lambda epoch: epoch / 100 if epoch > 50 else None, 100, 1.0)
    assert len(drawn) == WIDTH
    assert drawn[: WIDTH // 2].strip() == ""
    assert drawn[WIDTH // 2] == "▅"
    assert drawn[-1] == "█"
    assert bars(lambda _epoch: 0.0, 10, 0.0) == "▁" * WIDTH


def test_a_log_gets_a_line_for_each_point_beside_the_band() -> None:
    console = Console(file=io.StringIO(), width=200)
    with CurveProgress(console, BAND) as progress:
        progress.cell_started(job())
        progress.ticked(job(), Tick(10, 20, 1.0, points((10, 0.25))))
        progress.ticked(job(), Tick(11, 20, 1.0))
        progress.ticked(job(), Tick(20, 20, 1.0, points((20, 0.2))))
        progress.cell_ended(job(), measured_cell(0.2), 3.0)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    reference = "the reference .200 (.100 to .300, 3 repeats)"
    assert lines[0] == f"epoch 10/20: Hits@1 .250, inside {reference}"
    assert "epoch 20/20: Hits@1 .200, below the reference .400 (.300 to .500" in lines[1]
    assert "ok (3.0 s)" in lines[2]
    assert [line.split()[0] for line in lines[3:]] == ["yours", "reference", "in"]
    assert "=" in lines[5].partition("= inside")[0]
    assert "v" in lines[5].partition("= inside")[0]


def test_without_reference_and_points_nothing_is_drawn() -> None:
    console = Console(file=io.StringIO(), width=200)
    with CurveProgress(console, ReferenceCurve((), 0)) as progress:
        progress.cell_started(job())
        progress.ticked(job(), Tick(1, 1, 1.0))
        progress.cell_ended(job(), measured_cell(0.2), 3.0)
    assert console.file.getvalue().count("\n") == 1  # type: ignore[attr-defined]


def test_a_terminal_shows_the_curve_while_it_runs() -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    with CurveProgress(console, BAND) as progress:
        progress.cell_started(job())
        progress.ticked(job(), Tick(10, 20, 1.0, points((10, 0.25))))
    assert "epoch 10/20" in console.file.getvalue()  # type: ignore[attr-defined]


def test_printed_reference_and_own_number_stand_side_by_side() -> None:
    ours, kept = three_repeats(measured_cell(0.05)), three_repeats(measured_cell(0.06))
    run = Run("gcn_align", "full", "fb15k-db15k", 0.2)
    (row,) = three_numbers(tables_of(ours), tables_of(kept), run, read_published())
    assert (row.printed, row.reference, row.yours) == pytest.approx((0.053, 0.06, 0.05))
    assert (row.n_reference, row.n, row.verdict) == (3, 3, "reproduced")
    (alone,) = three_numbers(tables_of(ours), None, run, read_published())
    assert alone.reference is None


def test_where_nothing_is_printed_the_reference_alone_is_there() -> None:
    own, kept = measured_cell(0.5, method="lightea"), measured_cell(0.6, method="lightea")
    run = Run("lightea", "full", "fb15k-db15k", 0.2)
    (row,) = three_numbers(tables_of([own]), tables_of([kept]), run, read_published())
    assert (row.printed, row.reference, row.yours) == (None, 0.6, 0.5)
    assert row.verdict == NOTHING_PRINTED


def test_a_replay_runs_and_ends_with_its_numbers(tmp_path: Path) -> None:
    words = ("random_scores", DATASET, "--seed-ratio", "0.3", "--cache-dir", tmp_path / "cache")
    done = replicate(*words, "--out", tmp_path / "first")
    assert done.exit_code == 0, done.output
    assert "Verdict on Hits@1: nothing printed." in done.stdout
    done = replicate(
        *words, "--out", tmp_path / "again", "--reference", tmp_path / "first", "--json"
    )
    found = json.loads(done.stdout)
    row = next(row for row in found["rows"] if row["metric"] == "hits@1")
    assert row["reference"] == row["yours"]
    assert found["setting"] == "no names, not iterative"


def test_a_replay_without_data_is_a_sentence(tmp_path: Path) -> None:
    done = replicate("seu", "dbp15k-zh-en", "--data-root", tmp_path, "--out", tmp_path / "out")
    assert (done.exit_code, "is not below" in done.stderr) == (2, True)

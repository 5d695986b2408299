"""Budgets, the best of all trials, and the files that a tuning leaves."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.tuning.files import results_folder, suite_text, summary, write_files
from mmea_bench.bench.tuning.sampler import Finished
from mmea_bench.bench.tuning.space import space_of
from mmea_bench.bench.tuning.trials import Ran
from mmea_bench.bench.tuning.tuner import Budget, Rules, Tuned, tune_method
from mmea_bench.methods.core.catalogue import get_method

pytest.importorskip("optuna")
SEU = Cell("seu", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
GCN = Cell("gcn_align", "full", (("epochs", 40),), "synthetic[n=100]", 0.3, 1, Protocol())


class FakeRunner:
    """Trials that take a minute each and are worth their share of structure."""

    def __init__(self, *ends: Ran) -> None:
        self.ends, self.deadlines, self.is_stopped = list(ends), [], False

    def run(self, cell: Cell, trial: Any, deadline_s: float | None) -> Ran:
        self.deadlines.append(deadline_s)
        if self.ends:
            return self.ends.pop(0)
        return Ran("ok", 0.5 + 0.1 * dict(cell.overrides).get("depth", 2) / 4, 60.0, "", "key")

    def record(self, key: str) -> None:
        return None


def tune(folder: Path, runner: FakeRunner, budget: Budget, **more: Any) -> Tuned:
    space = space_of(get_method("seu")(), "seu", {})
    rules = Rules(folder, runner, budget, 0, more.get("timeout_s"), lambda *_: None)  # type: ignore[arg-type]
    return tune_method(rules, "abc", SEU, space)


def test_a_budget_of_trials_is_used_and_added_to(tmp_path: Path) -> None:
    first = tune(tmp_path, FakeRunner(), Budget(n_trials=3))
    more = tune(tmp_path, FakeRunner(), Budget(n_trials=5))
    assert first.is_complete
    assert (len(first.trials), len(more.trials)) == (3, 5)
    assert more.trials[:3] == first.trials
    assert tune(tmp_path, FakeRunner(), Budget(n_trials=5)).trials == more.trials


def test_a_smaller_budget_counts_no_trial_of_a_larger_one(tmp_path: Path) -> None:
    """Else a method that an earlier, longer tuning had would be compared with more trials."""
    every = tune(tmp_path, FakeRunner(), Budget(n_trials=5))
    assert tune(tmp_path, FakeRunner(), Budget(n_trials=2)).trials == every.trials[:2]
    assert tune(tmp_path, FakeRunner(), Budget(seconds=150.0)).trials == every.trials[:3]


def test_a_budget_of_time_bounds_the_last_trial(tmp_path: Path) -> None:
    runner = FakeRunner()
    found = tune(tmp_path, runner, Budget(seconds=150.0))
    assert len(found.trials) == 3
    assert runner.deadlines == [150.0, 90.0, 30.0]
    (tmp_path / "other").mkdir()
    runner = FakeRunner()
    tune(tmp_path / "other", runner, Budget(seconds=150.0), timeout_s=40.0)
    assert runner.deadlines == [40.0, 40.0, 30.0]


def test_what_fails_counts_and_has_no_value(tmp_path: Path) -> None:
    runner = FakeRunner(Ran("ok", 0.4, 1.0, "", "a"), Ran("diverged", None, 1.0, "nan", "b"))
    found = tune(tmp_path, runner, Budget(n_trials=2))
    assert [trial.status for trial in found.trials] == ["ok", "diverged"]
    assert found.best == found.default == found.trials[0]


def test_a_stopped_trial_does_not_count(tmp_path: Path) -> None:
    runner = FakeRunner(Ran("ok", 0.4, 1.0, "", "a"), Ran("stopped", None, 1.0, "", "b"))
    found = tune(tmp_path, runner, Budget(n_trials=9))
    assert (len(found.trials), found.is_complete) == (1, False)


def finished(number: int, value: float | None, **values: object) -> Finished:
    status = "ok" if value is not None else "failed"
    every = {**space_of(get_method("gcn_align")(), "gcn_align", {}).default, **values}
    return Finished(number, every, status, value, 1.0, "", "key")


def tuned(*trials: Finished) -> Tuned:
    space = space_of(get_method("gcn_align")(), "gcn_align", {"epochs": 40})
    return Tuned(GCN, space, trials, is_complete=True)


def test_the_first_of_equals_is_the_best() -> None:
    found = tuned(finished(1, 0.4), finished(2, 0.5, margin=2.0), finished(3, 0.5, margin=4.0))
    assert found.overrides == {"margin": 2.0}
    assert found.default is not None
    assert found.default.value == 0.4


def test_without_a_score_there_is_no_best() -> None:
    found = tuned(finished(1, None))
    assert (found.best, found.default, found.overrides) == (None, None, {})


def test_the_suites_load_and_hold_the_values(tmp_path: Path) -> None:
    found = tuned(finished(1, 0.4), finished(2, 0.5, margin=2.25, learning_rate=1e-05))
    for kind, margin in (("tuned", 2.25), ("default", None)):
        text = suite_text([found], kind, Budget(n_trials=2))
        assert tomllib.loads(text)["repeats"] == 1
        path = tmp_path / f"{kind}.toml"
        path.write_text(text)
        suite = load_suite(str(path))
        assert suite.protocol == Protocol()
        assert suite.overrides["gcn_align"]["epochs"] == 40
        assert suite.overrides["gcn_align"].get("margin") == margin


def test_the_summary_has_every_trial() -> None:
    content = summary([tuned(finished(1, 0.4), finished(2, None))], Budget(n_trials=2))
    (method,) = content["methods"]
    assert (method["default"], method["tuned"]) == (0.4, 0.4)
    assert [trial["status"] for trial in method["trials"]] == ["ok", "failed"]


def test_a_suite_names_folders_in_every_script() -> None:
    """JSON escapes letters beyond the first plane in pairs, which are no TOML."""
    found = tuned(finished(1, 0.4))
    found = replace(found, cell=replace(found.cell, dataset="./\N{GRINNING FACE}"))
    text = suite_text([found], "tuned", Budget(n_trials=1))
    assert tomllib.loads(text)["datasets"] == ["./\N{GRINNING FACE}"]


def test_folders_of_one_name_have_suites_of_their_own(tmp_path: Path) -> None:
    found = tuned(finished(1, 0.4))
    both = [replace(found, cell=replace(found.cell, dataset=f"./{at}/pair")) for at in "ab"]
    suites = write_files(tmp_path, both, Budget(n_trials=1))
    assert [tomllib.loads(path.read_text())["datasets"] for path in suites] == [
        *(["./a/pair"], ["./a/pair"], ["./b/pair"], ["./b/pair"])
    ]


def test_other_tuned_values_are_run_in_another_folder(tmp_path: Path) -> None:
    """A larger budget that found better ones must not stand beside the old ones in one folder."""
    first, second = finished(2, 0.5, margin=2.0), finished(3, 0.6, margin=4.0)
    folders = []
    for n_trials, trials in ((2, (first,)), (3, (first, second)), (4, (first, second))):
        found = tuned(finished(1, 0.4), *trials)
        suite, _default = write_files(tmp_path, [found], Budget(n_trials=n_trials))
        folders.append(results_folder(suite))
    assert folders[0] != folders[1] == folders[2]

"""Whole tunings of methods of a few lines: failures, early ends, interruptions."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.bench.tuning.api import TuningOutcome, TuningRequest, tune
from mmea_bench.bench.tuning.files import results_folder
from mmea_bench.bench.tuning.tuner import Budget, Listener
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.writers import write_openea_layout
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import Fold
from tests.bench.conftest import MethodMaker

pytest.importorskip("optuna")
DATASET = "synthetic[n=100]"


def nothing(*_arguments: object) -> None:
    """Told of trials; does nothing."""


def run(
    tmp_path: Path,
    method: Path,
    n_trials: int,
    listener: Listener = nothing,
    dataset: str = DATASET,
    **more: float,
) -> TuningOutcome:
    place = Place(None, tmp_path / "cache", "cpu", (method,), states_every_s=600.0)
    changes: dict[str, object] = {
        "methods": [method.stem],
        "datasets": [dataset],
        "protocol": {"name": "strict", "csls": [3, 0]},
        "repeats": 1,
    }
    budget = Budget(n_trials)
    return tune(TuningRequest(changes, budget, place, out=tmp_path / "out", **more), listener)  # type: ignore[arg-type]


def test_a_trial_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, make_method: MethodMaker
) -> None:
    """The sweep of the method's ``grid`` is 0.1, 0.2 and 0.4; all but its default fail."""
    method = make_method("fails", "if self.params.tau > 0.1: raise ValueError('no luck')")
    found = run(tmp_path, method, 4)
    (tuned,) = found.tuned
    assert [trial.number for trial in tuned.trials] == [1, 2, 3, 4]
    failed = [trial for trial in tuned.trials if trial.status == "failed"]
    assert failed
    assert all("no luck" in trial.reason for trial in failed)
    assert tuned.overrides == {}
    assert found.exit_code == 0


def test_without_any_score_the_exit_code_is_1(tmp_path: Path, make_method: MethodMaker) -> None:
    found = run(tmp_path, make_method("fails", "raise ValueError('no luck')"), 2)
    assert (found.exit_code, found.suites) == (1, ())


def test_a_trial_that_takes_too_long_is_ended(tmp_path: Path, make_method: MethodMaker) -> None:
    method = make_method("hangs", "while True: ctx.check_deadline(); time.sleep(0.01)")
    found = run(tmp_path, method, 1, timeout_s=0.5)
    assert [trial.status for trial in found.tuned[0].trials] == ["timeout"]


def test_a_stopped_tuning_goes_on(tmp_path: Path, make_method: MethodMaker) -> None:
    method = make_method("walks")

    told: list[object] = []

    def interrupt(*arguments: object) -> None:
        told.append(arguments)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = run(tmp_path, method, 4, interrupt)
    before = stopped.tuned[0].trials
    assert stopped.exit_code == 130
    assert 1 <= len(before) < 4
    after = run(tmp_path, method, 4)
    assert after.exit_code == 0
    assert [trial.number for trial in after.tuned[0].trials] == [1, 2, 3, 4]
    assert after.tuned[0].trials[: len(before)] == before


def test_other_code_begins_a_study_of_its_own(tmp_path: Path, make_method: MethodMaker) -> None:
    run(tmp_path, make_method("walks"), 1)
    changed = make_method("walks", "torch.randn(3, generator=generator)")
    seen: list[object] = []
    run(tmp_path, changed, 1, lambda *told: seen.append(told))
    assert len(seen) == 1


def test_two_tunings_of_one_folder_do_not_meet(tmp_path: Path, make_method: MethodMaker) -> None:
    (tmp_path / "out").mkdir()
    with Claims(tmp_path / "out") as other:
        assert other.take("tuning")
        with pytest.raises(UserError, match="is in use by another tuning"):
            run(tmp_path, make_method("walks"), 1)


def test_published_splits_of_two_seed_ratios_are_two_places(
    tmp_path: Path, make_method: MethodMaker
) -> None:
    """Both stood in one suite once, whose values stood twice: a traceback after all trials."""
    pair = open_dataset("synthetic[n=100]").read()
    rows = np.arange(len(pair.anchor_links))
    folds = tuple(
        Fold(f"{name}/1", rows[:first], rows[first : first + 10], rows[first + 10 :])
        for name, first in (("721_5fold", 20), ("631_5fold", 60))
    )
    folder = tmp_path / "pair"
    write_openea_layout(dataclasses.replace(pair, folds=folds), folder)
    method = make_method("drawn", "")
    found = run(tmp_path, method, 1, dataset=str(folder))
    ratios = [load_suite(str(path), method_files=(method,)).seed_ratios for path in found.suites]
    first, second = (round(n_seeds / len(rows), 2) for n_seeds in (20, 60))
    assert ratios == [(first,), (first,), (second,), (second,)]
    assert found.suites[2].name == f"tuned_pair_{second:g}.toml"
    assert len({results_folder(path) for path in found.suites}) == 4

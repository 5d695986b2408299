"""Which values come next, which trainings are given up, and what an interruption changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.bench.tuning import sampler
from mmea_bench.bench.tuning.sampler import JOURNAL, RANDOM_TRIALS, Study, import_optuna
from mmea_bench.bench.tuning.space import Space
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.search_space import Choice, Float, Int

pytest.importorskip("optuna")
SPACE = Space(
    {
        "rate": Float(1e-3, 1.0, log=True),
        "depth": Int(1, 5),
        "inputs": Choice((("name",), ("name", "image"))),
    },
    {"rate": 0.1, "depth": 2, "inputs": ("name",)},
    "search_space",
)


def study(folder: Path, seed: int = 0) -> Study:
    return Study(folder, "eva on fb15k-db15k", SPACE, seed)


def score(values: object) -> float:
    assert isinstance(values, dict)
    return 1.0 / (1.0 + abs(values["rate"] - 0.03) + abs(values["depth"] - 4))


def run(own: Study, n: int) -> list[dict[str, object]]:
    for _ in range(n):
        trial = own.ask()
        own.tell(trial, "ok", score(trial.values), 1.0, "", "key")
    return [dict(trial.values) for trial in own.finished]


def test_the_first_trial_has_the_defaults(tmp_path: Path) -> None:
    assert study(tmp_path).ask().values == SPACE.default


def test_a_default_of_many_digits_stays_what_it_is(tmp_path: Path) -> None:
    space = Space({"rate": Float(0.0, 1.0)}, {"rate": 0.123456}, "search_space")
    assert Study(tmp_path, "many digits", space, 0).ask().values == {"rate": 0.123456}


def test_values_lie_in_the_space(tmp_path: Path) -> None:
    for values in run(study(tmp_path), 12):
        assert all(dim.holds(values[key]) for key, dim in SPACE.dimensions.items())


def test_no_values_are_tried_twice_while_others_are_left(tmp_path: Path) -> None:
    space = Space({"depth": Int(1, 4)}, {"depth": 2}, "search_space")
    own = Study(tmp_path, "small", space, 0)
    found = [values["depth"] for values in run_depths(own, 6)]
    assert sorted(found[:4]) == [1, 2, 3, 4]
    assert len(found) == 6


def run_depths(own: Study, n: int) -> list[dict[str, object]]:
    for _ in range(n):
        own.tell(own.ask(), "ok", 0.5, 1.0, "", "key")
    return [dict(trial.values) for trial in own.finished]


def test_equal_seeds_draw_equal_values_and_others_do_not(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    seeded = zip(folders, (0, 0, 1), strict=True)
    first, again, other = (run(study(folder, seed), 4) for folder, seed in seeded)
    assert first == again
    assert first != other


def test_a_tuning_that_goes_on_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    """A trial that was running when the process was killed runs again with its values."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(study(tmp_path / "whole"), 9)
    killed = study(tmp_path / "parts")
    run(killed, 6)
    killed.ask()
    assert run(study(tmp_path / "parts"), 3) == whole


def test_an_ended_trial_is_read_back(tmp_path: Path) -> None:
    own = study(tmp_path)
    own.tell(own.ask(), "diverged", None, 2.5, "the loss is not finite", "trial-1")
    (found,) = study(tmp_path).finished
    assert (found.number, found.status, found.value, found.seconds, found.reason, found.key) == (
        *(1, "diverged", None, 2.5, "the loss is not finite", "trial-1"),
    )


def finish(own: Study, value: float) -> None:
    trial = own.ask()
    for epoch in (10, 20):
        trial.watch(epoch, value)
    own.tell(trial, "ok", value, 1.0, "", "key")


def test_a_training_below_the_median_is_given_up(tmp_path: Path) -> None:
    own = study(tmp_path)
    for value in (0.3, 0.4, 0.5, 0.6, 0.7):
        finish(own, value)
    bad, good = own.ask(), None
    bad.watch(10, 0.1)
    assert bad.pruned_at == (10, 0.1)
    own.tell(bad, "pruned", None, 1.0, "below the median", "key")
    good = own.ask()
    good.watch(10, 0.6)
    assert good.pruned_at is None


def test_nothing_is_given_up_among_the_first(tmp_path: Path) -> None:
    own = study(tmp_path)
    for _ in range(RANDOM_TRIALS - 1):
        finish(own, 0.9)
    trial = own.ask()
    trial.watch(10, 0.0)
    assert trial.pruned_at is None


def test_points_that_come_again_count_once(tmp_path: Path) -> None:
    own = study(tmp_path)
    for value in (0.3, 0.4, 0.5, 0.6, 0.7):
        finish(own, value)
    trial = own.ask()
    trial.watch(10, 0.6)
    trial.watch(10, 0.0)
    assert trial.pruned_at is None


def test_a_broken_journal_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("no journal\nat all\n")
    with pytest.raises(UserError, match="is no journal of a tuning"):
        study(tmp_path)


def test_without_optuna_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sampler.__dict__["__builtins__"], "__import__", _without_optuna)
    with pytest.raises(UserError, match=r"pip install 'mmea-bench\[tune\]'"):
        import_optuna()


_IMPORT = __import__


def _without_optuna(name: str, *rest: object, **more: object) -> object:
    if name == "optuna":
        raise ImportError(name)
    return _IMPORT(name, *rest, **more)  # type: ignore[arg-type]

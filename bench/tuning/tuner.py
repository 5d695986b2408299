"""The loop of a tuning: ask, train, tell, until the budget of the method is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.tuning.sampler import Finished, Study
from mmea_bench.bench.tuning.space import Space, spell_space
from mmea_bench.bench.tuning.trials import TrialRunner, trial_cell

SHORTEST_TRIAL_S = 1.0
"""With less of a budget in time left, no trial begins."""


@dataclass(frozen=True)
class Budget:
    """What each method gets; one of both is given.

    Attributes:
        n_trials: Trials, whatever they take.
        seconds: Time of all its trials together.
    """

    n_trials: int | None = None
    seconds: float | None = None

    def is_left(self, finished: list[Finished]) -> bool:
        """Whether another trial may begin."""
        if self.n_trials is not None:
            return len(finished) < self.n_trials
        return self.seconds_left(finished) >= SHORTEST_TRIAL_S

    def within(self, finished: list[Finished]) -> list[Finished]:
        """The trials of this budget; an earlier, larger one may have left more of them."""
        counted: list[Finished] = []
        for trial in finished:
            if not self.is_left(counted):
                break
            counted.append(trial)
        return counted

    def seconds_left(self, finished: list[Finished]) -> float:
        """Of a budget in time."""
        return (self.seconds or 0.0) - sum(trial.seconds for trial in finished)

    def deadline_s(self, finished: list[Finished], timeout_s: float | None) -> float | None:
        """Seconds that the next trial may take."""
        if self.seconds is None:
            return timeout_s
        left = self.seconds_left(finished)
        return left if timeout_s is None else min(left, timeout_s)

    @property
    def words(self) -> str:
        """For the reader."""
        if self.n_trials is not None:
            return f"{self.n_trials} trials"
        return f"{(self.seconds or 0.0) / 60:g} minutes"


@dataclass(frozen=True)
class Tuned:
    """One method on one dataset after its budget.

    Attributes:
        cell: With the defaults.
        space: What was varied.
        trials: All of them, in the order of ending; the first has the defaults.
        is_complete: Whether its budget was used.
        simulated: Made-up inputs of its trials.
    """

    cell: Cell
    space: Space
    trials: tuple[Finished, ...]
    is_complete: bool
    simulated: str = ""

    @property
    def default(self) -> Finished | None:
        """The trial with the defaults, if it ended ok."""
        same = (t for t in self.trials if t.status == "ok" and not self.space.changes(t.values))
        return next(same, None)

    @property
    def best(self) -> Finished | None:
        """The trial with the highest score, the first of equals; None if none ended ok."""
        ended = [trial for trial in self.trials if trial.value is not None]
        return max(ended, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)

    @property
    def overrides(self) -> dict[str, object]:
        """What the best trial changes of the defaults."""
        return {} if self.best is None else self.space.changes(self.best.values)

    def n(self, *statuses: str) -> int:
        """Trials that ended so."""
        return sum(trial.status in statuses for trial in self.trials)


Listener = Callable[[Cell, Finished, Finished | None], None]
"""Called with the cell, a trial that has ended, and the best so far."""


@dataclass(frozen=True)
class Rules:
    """What is equal for all methods of a tuning.

    Attributes:
        folder: Of the tuning.
        runner: Runs trials.
        budget: What each method gets.
        seed: Of the drawing.
        timeout_s: Seconds allowed per trial, None for no limit.
        listener: Told of every trial that ends.
    """

    folder: Path
    runner: TrialRunner
    budget: Budget
    seed: int
    timeout_s: float | None
    listener: Listener


def tune_method(rules: Rules, key: str, cell: Cell, space: Space) -> Tuned:
    """Tunes one method on one dataset, or goes on with it.

    Args:
        rules: Of the tuning.
        key: Of the cell.
        cell: With the defaults.
        space: What may be varied.

    Raises:
        UserError: If Optuna is missing, or the journal cannot be read.
    """
    runner, budget = rules.runner, rules.budget
    study = Study(rules.folder, study_name(key, cell, space, rules.seed), space, rules.seed)
    finished = study.finished
    while budget.is_left(finished) and not runner.is_stopped:
        trial = study.ask()
        own = trial_cell(cell, space.changes(trial.values))
        ran = runner.run(own, trial, budget.deadline_s(finished, rules.timeout_s))
        if ran.status == "stopped":
            break
        done = study.tell(trial, ran.status, ran.value, ran.seconds, ran.reason, ran.key)
        finished = study.finished
        rules.listener(cell, done, Tuned(cell, space, tuple(finished), is_complete=False).best)
    finished = budget.within(finished)
    simulated = simulated_of(runner, finished)
    return Tuned(cell, space, tuple(finished), not budget.is_left(finished), simulated)


def study_name(key: str, cell: Cell, space: Space, seed: int) -> str:
    """Of a study: the cell's key covers data, code, protocol and fixed parameters."""
    digest = hashlib.sha256(spell_space(space).encode()).hexdigest()[:8]
    return f"{cell.method} ({cell.variant}) on {cell.dataset} {key} {digest} seed {seed}"


def simulated_of(runner: TrialRunner, finished: list[Finished]) -> str:
    """Made-up inputs that the trials name."""
    for trial in finished:
        record = runner.record(trial.key) if trial.key else None
        if record is not None and record.cell["simulated_features"]:
            return str(record.cell["simulated_features"])
    return ""

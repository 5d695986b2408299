"""Optuna behind a small front: which values come next, and whether a training is given up."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmea_bench.bench.tuning.space import Space, rounded
from mmea_bench.datasets.core.errors import UserError, lacking_extra
from mmea_bench.methods.core.search_space import Choice, Float

if TYPE_CHECKING:
    from types import ModuleType

JOURNAL = "tuning.journal"
RANDOM_TRIALS = 5
"""Trials, the default among them, before values are drawn by what is known, or one is given up."""
_PEERS = 3
_MOST_DRAWS = 10
_SEED_LIMIT = 2**32


def import_optuna() -> ModuleType:
    """Optuna, quiet.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise lacking_extra("Tuning needs Optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@dataclass(frozen=True)
class Finished:
    """A trial that has ended.

    Attributes:
        number: Counted from 1 in the order of ending.
        values: Parameter to what was tried.
        status: ``ok``, ``pruned``, or how the cell ended.
        value: Validation score of one that ended ok.
        seconds: Time that it took.
        reason: Why it was given up or has no value.
        key: Key of its record.
    """

    number: int
    values: Mapping[str, object]
    status: str
    value: float | None
    seconds: float
    reason: str
    key: str


class Trial:
    """One trial that runs.

    Args:
        trial: Optuna's.
        values: What is tried.
    """

    def __init__(self, trial: Any, values: Mapping[str, object]) -> None:
        self._trial = trial
        self.values = values
        self._last_epoch = -1
        self._lock = threading.Lock()
        self.pruned_at: tuple[int, float] | None = None

    @property
    def own(self) -> Any:
        """Optuna's trial."""
        return self._trial

    def watch(self, epoch: int, value: float) -> None:
        """Takes a point of the validation curve; after it ``pruned_at`` may be set.

        What is decided depends on the points alone, not on how fast they come.
        """
        with self._lock:
            if self.pruned_at is not None or epoch <= self._last_epoch:
                return
            self._last_epoch = epoch
            self._trial.report(value, epoch)
            if self._trial.should_prune():
                self.pruned_at = (epoch, value)


class Study:
    """The trials of one method on one dataset, kept in a journal file.

    Args:
        folder: Holds the journal.
        name: Of the study; everything that its values depend on.
        space: What may be varied.
        seed: Of the drawing.

    Raises:
        UserError: If Optuna is not installed or the journal cannot be read.
    """

    def __init__(self, folder: Path, name: str, space: Space, seed: int) -> None:
        self._optuna = import_optuna()
        self._space, self._seed, self._name = space, seed, name
        self._study = self._open(folder / JOURNAL)
        self._resume()

    def _open(self, path: Path) -> Any:
        journal = self._optuna.storages.journal
        pruner = self._optuna.pruners.MedianPruner(
            n_startup_trials=RANDOM_TRIALS, n_min_trials=_PEERS
        )
        try:
            backend = journal.JournalFileBackend(str(path))
            return self._optuna.create_study(
                storage=journal.JournalStorage(backend),
                study_name=self._name,
                direction="maximize",
                pruner=pruner,
                load_if_exists=True,
            )
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise UserError(
                f"{path} is no journal of a tuning ({type(error).__name__}). Move it away, or give "
                "another folder with --out."
            ) from error

    def _resume(self) -> None:
        """Trials that an earlier process did not end are run again; the default comes first."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params)
        if not self._study.get_trials(deepcopy=False):
            encoded = {key: self._encoded(key, value) for key, value in self._space.default.items()}
            self._study.enqueue_trial(encoded)

    @property
    def finished(self) -> list[Finished]:
        """Trials that count, in the order of ending."""
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            told = trial.user_attrs.get("finished")
            if told is not None:
                found.append((told["number"], trial, told))
        return [
            Finished(
                number=number,
                values=self._decoded(trial.params),
                status=told["status"],
                value=told["value"],
                seconds=told["seconds"],
                reason=told["reason"],
                key=told["key"],
            )
            for number, trial, told in sorted(found, key=lambda item: item[0])
        ]

    def ask(self) -> Trial:
        """The next trial.

        Each draws from a generator of its own, by the number of trials that have ended, so that a
        tuning that goes on draws what an uninterrupted one would have drawn. Values that were tried
        before are drawn anew, some times: in a small space they may be all that is left.
        """
        finished = self.finished
        tried = [trial.values for trial in finished]
        for attempt in range(_MOST_DRAWS):
            trial = self._drawn(len(finished), attempt)
            if trial.values not in tried:
                break
            if attempt < _MOST_DRAWS - 1:
                self._study.tell(trial.own, state=self._optuna.trial.TrialState.FAIL)
        return trial

    def _drawn(self, number: int, attempt: int) -> Trial:
        digest = hashlib.sha256(f"{self._seed}:{number}:{attempt}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big") % _SEED_LIMIT
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=RANDOM_TRIALS
        )
        trial = self._study.ask(self._distributions())
        return Trial(trial, self._decoded(trial.params))

    def tell(
        self, trial: Trial, status: str, value: float | None, seconds: float, reason: str, key: str
    ) -> Finished:
        """Ends a trial; what failed has no value and is not drawn near again by its result."""
        number = len(self.finished) + 1
        told = {
            "number": number,
            "status": status,
            "value": value,
            "seconds": seconds,
            "reason": reason,
            "key": key,
        }
        states = self._optuna.trial.TrialState
        trial.own.set_user_attr("finished", told)
        if status == "ok":
            self._study.tell(trial.own, value)
        else:
            state = states.PRUNED if status == "pruned" else states.FAIL
            self._study.tell(trial.own, state=state)
        return Finished(number, trial.values, status, value, seconds, reason, key)

    def _distributions(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        kinds = self._optuna.distributions
        for key, dim in self._space.dimensions.items():
            if isinstance(dim, Choice):
                made[key] = kinds.CategoricalDistribution([_text(each) for each in dim.values])
            elif isinstance(dim, Float):
                made[key] = kinds.FloatDistribution(dim.low, dim.high, log=dim.log)
            else:
                made[key] = kinds.IntDistribution(dim.low, dim.high, step=dim.step, log=dim.log)
        return made

    def _encoded(self, key: str, value: object) -> object:
        return _text(value) if isinstance(self._space.dimensions[key], Choice) else value

    def _decoded(self, drawn: Mapping[str, object]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, dim in self._space.dimensions.items():
            if isinstance(dim, Choice):
                found[key] = next(each for each in dim.values if _text(each) == drawn[key])
            elif drawn[key] == self._space.default[key]:
                found[key] = self._space.default[key]  # however many digits it has
            else:
                found[key] = rounded(dim, drawn[key])
        return found


def _text(value: object) -> str:
    """A value of a choice as Optuna keeps it; it knows no lists."""
    return json.dumps(value, default=str)

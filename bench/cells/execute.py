"""One cell -> one record: load, split, train, score."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import torch

from mmea_bench.bench.cells.configuration import configuration_of
from mmea_bench.bench.cells.facts import CellFacts, cell_facts
from mmea_bench.bench.cells.kept_states import CellStates, cell_states
from mmea_bench.bench.cells.reasons import message_of, named_message_of, traceback_tail
from mmea_bench.bench.cells.user_frames import user_frames
from mmea_bench.bench.planning.cell import configured, published_note, split_note
from mmea_bench.bench.planning.job import Job, cell_row, failure_record
from mmea_bench.bench.planning.tasks import lack_of_seeds, task_mismatch
from mmea_bench.bench.precision.repeatable import fit_repeatably
from mmea_bench.bench.scoring.approximate.scorer import scorer_kind
from mmea_bench.bench.scoring.fusion_weights import fusion_weights
from mmea_bench.bench.scoring.monitor import CurveMonitor, EpochClock
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.bench.scoring.scorers import (
    Number,
    Scorer,
    make_scorer,
)
from mmea_bench.bench.scoring.sealed import sealed
from mmea_bench.bench.scoring.trial_scorer import make_trial_scorer
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.errors import MissingDataError, UserError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.datasets.core.model.statistics import Counts, count_pair, coverage
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.datasets.core.model.wrong_seeds import trained_links, wrong_seed_note
from mmea_bench.methods.core.base import (
    Alignment,
    DeadlineError,
    DivergedError,
    Method,
    RunContext,
    StateError,
    StoppedError,
    Ticker,
)
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import COVERAGE, NO_DECODER, SCORING_COLUMNS

__all__ = ["Job", "execute_cell"]

StatesListener = Callable[[CellStates], None]
"""Gets what keeps a training's state, as soon as there is one."""


@dataclass
class _Outcome:
    """Everything a finished training is scored and described by."""

    method: Method
    pair: KGPair
    split: Split
    scorer: Scorer
    embeddings: Alignment
    log: TrainingLog
    facts: CellFacts
    monitor: CurveMonitor
    fit_s: float
    epoch_s: float | None
    remarks: tuple[str, ...] = ()


def execute_cell(
    job: Job, tick: Ticker | None = None, listener: StatesListener | None = None
) -> Record:
    """Runs a cell in this process; every failure becomes a status with its reason.

    Args:
        job: The cell and where to run it.
        tick: Called after every epoch.
        listener: Gets what keeps the training's state.

    Returns:
        The cell's record; it is not written anywhere yet.

    Raises:
        StoppedError: If the training was asked to stop; its state was kept if it could be.
    """
    started_at = _now()
    configuration: dict[str, Any] = {}
    try:
        record = _run(job, tick, started_at, listener, configuration)
    except StoppedError:
        raise
    except MissingDataError as error:
        record = _failure(job, started_at, "skipped", message_of(error))
    except DivergedError as error:
        record = _failure(
            job, started_at, "diverged", message_of(error) or "the loss is not finite"
        )
    except DeadlineError:
        reason = f"the training took longer than the {job.deadline_s:g} s allowed"
        record = _failure(job, started_at, "timeout", reason)
    except UserError as error:
        record = _failure(job, started_at, "failed", message_of(error))
    except Exception as error:
        status = "out_of_memory" if _is_out_of_memory(error) else "failed"
        reason, tail = named_message_of(error), traceback_tail(error)
        where = user_frames(error, job.method_files)
        if where:
            reason = f"{where}: {reason}"
            _tell_log(reason)
        record = _failure(job, started_at, status, reason, notes=tail)
    return replace(record, configuration=configuration)


def _tell_log(text: str) -> None:
    """A line below what a user's method has printed, which is the cell's log."""
    # The code before may have closed or replaced the stream; that must not cost the record.
    with suppress(Exception):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _run(
    job: Job,
    tick: Ticker | None,
    started_at: str,
    listener: StatesListener | None,
    configuration: dict[str, Any],
) -> Record:
    if job.threads:
        torch.set_num_threads(job.threads)
    cell = job.cell
    method_type = get_method(cell.method, job.method_files)
    method = configured(method_type, cell)
    # Before the training: who edits the file while it runs changes the next cell, not this one.
    configuration |= configuration_of(job, method)
    dataset = open_dataset(cell.dataset, job.data_root)
    pair = load_pair(dataset, job.cache_dir)
    if job.dataset_version and pair.version != job.dataset_version:
        raise UserError(
            f"The files of {cell.dataset} have changed since the run was planned (content "
            f"{job.dataset_version}, now {pair.version}). Run the same command again."
        )
    reason = task_mismatch(cell.method, method_type, cell.dataset, pair.task)
    reason = reason or lack_of_seeds(cell.method, method, cell.seed_ratio)
    reason = reason or method.skip_reason(pair.modalities)
    if reason:
        skipped = _failure(job, started_at, "skipped", reason, dataset_version=pair.version)
        return Record.of(skipped.cell, dataset=_dataset_rows(pair))
    outcome = _train(job, method, pair, dataset.expected, tick, listener)
    is_trial = job.scored_on == "valid"
    if is_trial:  # the last point of its curve is what is returned, whoever else watched
        outcome.monitor(outcome.log.best_epoch or 0, math.nan, outcome.embeddings)
    scoring = time.perf_counter()
    final = outcome.scorer.final(outcome.embeddings)
    eval_s = time.perf_counter() - scoring + outcome.monitor.seconds
    row = {**cell_row(job), **_measured(outcome, cell.protocol)}
    weights, why_no_weights = ((), "") if is_trial else fusion_weights(outcome.embeddings)
    remarks = [*outcome.facts.notes, *final.notes, why_no_weights]
    remarks += [*outcome.remarks, published_note(method_type, cell), split_note(cell, pair)]
    remarks.append(_stop_note(outcome, cell.protocol))
    row |= {
        "notes": "; ".join(filter(None, remarks)) or None,
        "eval_s": round(eval_s, 3),
        "device": _device(job).type,
        "started_at": started_at,
        "finished_at": _now(),
        **_peak_memory(),
    }
    curve_scoring = _scoring(outcome, outcome.scorer.curve_words)
    curves = [{**point, **curve_scoring} for point in outcome.monitor.points]
    results = _result_rows(outcome, (*final.numbers, *weights))
    return Record.of(row, results, curves, _dataset_rows(pair))


def _train(
    job: Job,
    method: Method,
    pair: KGPair,
    expected: Counts,
    tick: Ticker | None,
    listener: StatesListener | None,
) -> _Outcome:
    cell, row = job.cell, cell_row(job)
    protocol = cell.protocol
    split = make_split(protocol, pair, cell.seed_ratio, row["split_seed"], cell.fold)
    if job.scored_on == "valid":
        split = split.without_test()
        scorer = make_trial_scorer(protocol, pair, split)
    else:
        published = (method.published_scoring, method.paper_stop_score)
        scorer = make_scorer(protocol, pair, split, *published, scorer_kind(protocol))
    stop_rule = protocol.stop_rule(method.paper_stop, len(split.valid_links))
    monitor = CurveMonitor(stop_rule, scorer, pair.sizes)
    seed_links = trained_links(pair, split.seed_links)
    view = train_view(pair, seed_links, method.used_modalities(pair.modalities))
    states = cell_states(job, monitor, view, _device(job))
    if states is not None and listener is not None:
        listener(states)
    clock = EpochClock(monitor, tick)
    ctx = RunContext(
        rng_seed=row["rng_seed"],
        device=_device(job),
        monitor=sealed(monitor),
        eval_every=protocol.eval_every,
        patience=protocol.patience if protocol.name == "strict" else 0,
        released_patience=protocol.stop_score(method.paper_stop_score).patience,
        deadline=_deadline(job, states),
        tick=sealed(clock),
        cache_dir=job.cache_dir,
        states=states,
    )
    started = time.perf_counter()
    returned = _fitted(method, view, ctx)
    fit_s = _seconds_before(states) + time.perf_counter() - started - monitor.seconds
    embeddings = checked(returned, pair.sizes)
    remarks = tuple(states.notes) if states is not None else ()
    remarks += (wrong_seed_note(seed_links, split.seed_links),)
    facts = cell_facts(method, pair, expected, ctx.log, embeddings.similarity)
    times = (fit_s, clock.epoch_s)
    return _Outcome(
        method, pair, split, scorer, embeddings, ctx.log, facts, monitor, *times, remarks
    )


def _fitted(method: Method, view: TrainView, ctx: RunContext) -> Alignment:
    """What a method returns; a kept state that does not fit costs the epochs it stood for."""
    try:
        return fit_repeatably(method, view, ctx)
    except StateError as error:
        if ctx.states is None:
            raise
        ctx.states.begin_anew(str(error))
    ctx.log = TrainingLog()
    return fit_repeatably(method, view, ctx)


def _seconds_before(states: CellStates | None) -> float:
    return states.seconds_before if states is not None else 0.0


def _deadline(job: Job, states: CellStates | None) -> float | None:
    """When the cell's time is over; what earlier attempts took counts."""
    if job.deadline_s is None:
        return None
    return time.monotonic() + max(0.0, job.deadline_s - _seconds_before(states))


def _result_rows(outcome: _Outcome, numbers: Sequence[Number]) -> list[dict[str, Any]]:
    return [
        {
            **_scoring(outcome, number.words),
            "metric": number.metric,
            "direction": number.direction,
            "value": number.value,
            "n": number.n,
        }
        for number in numbers
    ]


def _dataset_rows(pair: KGPair) -> list[dict[str, Any]]:
    """Counts and coverage of the loaded dataset."""
    shares = {(kg, f"{COVERAGE}{name}"): share for (kg, name), share in coverage(pair).items()}
    return [
        {"kg": kg or None, "statistic": statistic, "value": float(value)}
        for (kg, statistic), value in {**count_pair(pair), **shares}.items()
    ]


def _scoring(outcome: _Outcome, words: Mapping[str, object]) -> dict[str, Any]:
    """The columns that say how a number was scored; a word that is not given has its default."""
    defaults = {"similarity": outcome.embeddings.similarity, "csls": 0, "decoder": NO_DECODER}
    return {column.name: defaults.get(column.name) for column in SCORING_COLUMNS} | dict(words)


def _measured(outcome: _Outcome, protocol: Protocol) -> dict[str, Any]:
    log, split = outcome.log, outcome.split
    stop_rule = protocol.stop_rule(outcome.method.paper_stop, len(split.valid_links))
    return {
        "status": "ok",
        "dataset_version": outcome.pair.version,
        "epochs": log.epochs,
        "best_epoch": log.best_epoch,
        # What trains nothing has no checkpoint to choose.
        "stopped_on": stop_rule if log.epochs else "last",
        "n_train": len(split.seed_links),
        "n_valid": len(split.valid_links),
        "n_test": len(split.test_links),
        "n_parameters": log.n_parameters,
        "fit_s": round(outcome.fit_s, 3),
        "epoch_s": None if outcome.epoch_s is None else round(outcome.epoch_s, 4),
        **outcome.facts.columns,
    }


def _stop_note(outcome: _Outcome, protocol: Protocol) -> str:
    """A sentence where the checkpoint was chosen by another number than the protocol's."""
    links = protocol.stop_rule(outcome.method.paper_stop, len(outcome.split.valid_links))
    stop = protocol.stop_score(outcome.method.paper_stop_score)
    ranks = outcome.pair.task == "entity-alignment"
    if not (ranks and outcome.log.epochs) or links == "last" or stop == protocol.stop_score(None):
        return ""
    metric = stop.metric.replace("hits", "Hits").replace("mrr", "MRR")
    how: str = stop.direction
    if stop.csls is not None:
        how += f", CSLS k={stop.csls}" if stop.csls else ", no CSLS"
    return f"the checkpoint was chosen by {metric} ({how}) of the {links} links, as released"


def _failure(job: Job, started_at: str, status: str, reason: str, **known: Any) -> Record:
    return failure_record(
        job, status, reason, started_at=started_at, finished_at=_now(), **_peak_memory(), **known
    )


def _peak_memory() -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux KiB.
    memory = {"peak_memory_mib": round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)}
    if torch.cuda.is_available():
        memory["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return memory


def _is_out_of_memory(error: Exception) -> bool:
    texts = ("not enough memory", "out of memory", "can't allocate memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(text in message_of(error).lower() for text in texts)
    )


def _device(job: Job) -> torch.device:
    return device_of(job.device, has_own_gpu=job.gpu is not None)


def device_of(name: str, *, has_own_gpu: bool = False) -> torch.device:
    """The device that a request names.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or one GPU such as ``cuda:1``.
        has_own_gpu: Whether this process was given a GPU and sees nothing else.

    Raises:
        UserError: If there is no such GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _colon, number = name.partition(":")
    index = 0 if has_own_gpu else int(number or 0)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and index >= n_gpus:
        found = f"of {n_gpus} " if n_gpus else ""
        raise UserError(
            f"No CUDA device {number + ' ' if number else ''}{found}was found. Use --device cpu or "
            "--device auto."
        )
    return torch.device(kind, index) if number else torch.device(kind)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

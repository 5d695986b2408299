"""Trainings of seconds, each done once in a process and then shared by all checks."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.bench.battery.idle_parameters import ParameterWatch
from mmea_bench.bench.battery.small_pairs import tiny_split, tiny_view
from mmea_bench.bench.precision.repeatable import fit_repeatably
from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import FULL, Alignment, Embeddings, Method, RunContext

RNG_SEED = 3
BRIEF_EPOCHS = 4
"""Epochs of a brief training: enough for every stage to begin."""

_SCORED_EVERY = 4
"""Of the source entities whose scores with all targets are compared."""

_KEPT = 128
"""Trainings whose results are kept: those of one method, and some of the one before."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a training left behind.

    Attributes:
        alignment: What the method returned.
        idle: Trainable parameters that never learned anything, by name.
    """

    alignment: Alignment
    idle: tuple[str, ...]


@dataclass(frozen=True)
class _Request:
    """Equal for trainings that give the same result."""

    method_type: type[Method]
    params: str
    pair_version: str
    rng_seed: int
    method: Method = field(compare=False)
    pair: KGPair = field(compare=False)


def configured(method_type: type[Method], variant: str = FULL, **overrides: object) -> Method:
    """The method with its test parameters, which keep a run at seconds."""
    return method_type.configure("method", variant, {**method_type.test_params, **overrides})


def brief(method_type: type[Method], variant: str = FULL, n_epochs: int = BRIEF_EPOCHS) -> Method:
    """The method or a variant in a training of a few epochs in which every stage begins.

    Test parameters hold, below those of the variant. Then whatever counts epochs (``epochs`` and
    numbers named ``*_epochs``, ``*_start``, ``*_from`` or ``*_every``) shrinks by one factor, so
    that a stage which begins half-way through the test training still does; a variant that trains
    for fewer epochs than the default still does.

    Args:
        method_type: The method.
        variant: Name of a variant.
        n_epochs: Epochs of the full variant.
    """
    chosen = method_type.variants.get(variant, {})
    kept = {
        name: value
        for name, value in method_type.test_params.items()
        if name not in chosen or name == "epochs"
    }
    params = method_type.configure("method", variant, kept).params
    counts = _epoch_counts(params)
    if "epochs" not in counts:
        return method_type(params)
    factor = n_epochs / counts["epochs"]
    shrunk = {name: max(1, round(count * factor)) for name, count in counts.items() if count > 0}
    if "epochs" in chosen:
        share = int(str(chosen["epochs"])) / method_type.Params().epochs
        shrunk["epochs"] = max(1, min(n_epochs, round(n_epochs * share)))
    return method_type(dataclasses.replace(params, **shrunk))


def _epoch_counts(params: object) -> Mapping[str, int]:
    """Parameters that count epochs."""
    if not dataclasses.is_dataclass(params):
        return {}
    found = {entry.name: getattr(params, entry.name) for entry in dataclasses.fields(params)}
    endings = ("_epochs", "_start", "_from", "_every")
    return {
        name: value
        for name, value in found.items()
        if type(value) is int and (name == "epochs" or name.endswith(endings))
    }


def applicable(method: Method, pair: KGPair) -> Method:
    """The method, if it can run on the pair.

    Raises:
        NotApplicableError: If it says that it cannot, with its own reason.
    """
    reason = method.skip_reason(pair.modalities)
    if reason:
        raise NotApplicableError(reason)
    return method


def fit(method: Method, pair: KGPair) -> Alignment:
    """Result of one training on the tiny split, from the kept ones if it was done before."""
    return fitted(method, pair).alignment


def fitted(method: Method, pair: KGPair) -> Fitted:
    """One training on the tiny split, from the kept ones if it was done before."""
    params = method.params
    is_plain = dataclasses.is_dataclass(params) and not isinstance(params, type)
    text = str(dataclasses.asdict(params)) if is_plain else repr(params)
    return _kept_fit(_Request(type(method), text, pair.version, RNG_SEED, method, pair))


def fit_anew(method: Method, pair: KGPair) -> Fitted:
    """One training on the tiny split, whatever was done before.

    The view holds what the configuration declares, as that of a cell.
    """
    return fit_on(method, tiny_view(pair, method))


def fit_on(method: Method, view: TrainView) -> Fitted:
    """One training on a view."""
    with ParameterWatch() as watch:
        ctx = RunContext(RNG_SEED, tick=watch.after_epoch, cache_dir=_kept_texts())
        alignment = fit_repeatably(method, view, ctx)
    return Fitted(alignment, watch.idle)


@functools.cache
def _kept_texts() -> Path:
    """Folder of encoded texts, which many trainings of one process share; gone with the process."""
    folder = Path(tempfile.mkdtemp(prefix="mmea-battery-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.lru_cache(maxsize=_KEPT)
def _kept_fit(request: _Request) -> Fitted:
    return fit_anew(request.method, request.pair)


def is_same(first: Alignment, second: Alignment) -> bool:
    """Whether two trainings gave bit-identical vectors or scores, compared in the same way."""
    parts, others = numbers_of(first), numbers_of(second)
    return (
        first.similarity == second.similarity
        and len(parts) == len(others)
        and all(_is_equal(part, other) for part, other in zip(parts, others, strict=True))
    )


def _is_equal(first: Tensor, second: Tensor) -> bool:
    """As ``torch.equal``; what is no number is so in both, and another check names it."""
    if first.shape != second.shape:
        return False
    return bool(((first == second) | (first.isnan() & second.isnan())).all())


def numbers_of(alignment: Alignment) -> tuple[Tensor, ...]:
    """Vectors of both sides, or the scores of some source entities with all targets."""
    if isinstance(alignment, Embeddings):
        return alignment.source, alignment.target
    # A score of a pair may be a whole computation of its own, and none stays if a weight changes.
    return (alignment.rows(torch.arange(0, alignment.n_source, _SCORED_EVERY)),)


def hits_at_10(alignment: Alignment, pair: KGPair) -> float:
    """Test Hits@10 from source to target; other partners of a node count neither way."""
    task = ranking_task(tiny_split(pair).test_links, pair.anchor_links)
    return float(np.mean(rank_links(alignment, task)[0].src2tgt <= 10))

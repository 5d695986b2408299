"""What ``scale.py`` measures: each step in a process of its own, which sends what it found."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch._dynamo  # optimisers load it: once, not in every process
from evaluation_speed import made_up_pairs, peak_share, product_rate

from mmea_bench.bench.scoring.evaluate import rank_links
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import split_links
from mmea_bench.datasets.core.model.statistics import describe
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph

SEED_RATIO, RANKED_COLUMNS, CSLS_SIZE = 0.3, 300, 3
FEATURES = ("relation", "attribute", "image", "word", "bigram")

Found = dict[str, dict[str, float]]
"""Line of the table to ``seconds`` (CPU), ``wall`` and ``peak_share`` where there is one."""


@dataclass(frozen=True)
class Training:
    """A method as it is measured: an epoch where it has some, else the whole."""

    method: str
    overrides: Mapping[str, object] = field(default_factory=dict)

    @property
    def has_epochs(self) -> bool:
        return "epochs" in self.overrides


_TWO = {"epochs": 2}
TRAININGS: Mapping[str, Training] = {
    **{name: Training(name, _TWO) for name in ("gcn_align", "eva", "mclea", "rrea", "transe")},
    "seu": Training("seu"),
    "lightea": Training("lightea"),
    # The widths that NeuSymEA gives LightEA on sets of 100,000 entities and more.
    "lightea-narrow": Training("lightea", {"dim": 64, "relation_dim": 21, "rounds": 1}),
}
FILL = "fill the cache"
STEPS = ("generate", "load", "statistics", "view", "features", *TRAININGS, "ranking")


def n_ranked(n: int) -> int:
    """Test links of ``synthetic[n=...]``, the seeds taken off."""
    return round((1 - SEED_RATIO) * 0.95 * 12842 / 14951 * n)


class _Timer:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def found(self) -> dict[str, float]:
        """What has passed."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return {"seconds": cpu, "wall": wall}


def _timed(work: Callable[[], object]) -> dict[str, float]:
    timer = _Timer()
    work()
    return timer.found()


def _pair(n: int, cache: Path) -> KGPair:
    return load_pair(open_dataset(f"synthetic[n={n}]"), cache)


def _view(pair: KGPair, method: str | None = None) -> TrainView:
    seeds = split_links(pair.anchor_links, SEED_RATIO, rng_seed=1).seed_links
    if method is None:
        return train_view(pair, seeds)
    used = get_method(method).configure(method).used_modalities(pair.modalities)
    return train_view(pair, seeds, used)


def _trained(n: int, cache: Path, step: str) -> Found:
    """Set-up and the last epoch, or the whole of what has no epochs."""
    training = TRAININGS[step]
    pair = _pair(n, cache)
    view = _view(pair, training.method)
    method = get_method(training.method).configure(
        training.method, overrides={**training.overrides}
    )
    timer = _Timer()
    ticks: list[dict[str, float]] = []
    ctx = RunContext(rng_seed=1, tick=lambda *_: ticks.append(timer.found()))
    method.fit(view, ctx)
    if not training.has_epochs:
        return {f"{step}, whole": timer.found()}
    first, second = ticks[:2]
    epoch = {key: second[key] - first[key] for key in second}
    # What came before the first epoch took about as long as the second one.
    return {
        f"{step}, set-up": {key: max(0.0, first[key] - epoch[key]) for key in first},
        f"{step}, epoch": epoch,
    }


def _ranking(n: int) -> Found:
    n_pairs = n_ranked(n)
    source, target, task = made_up_pairs(n_pairs, RANKED_COLUMNS)
    rate = product_rate(time.process_time)
    found = _timed(lambda: rank_links(Embeddings(source, target), task, (CSLS_SIZE,)))
    found["peak_share"] = peak_share(found["seconds"], n_pairs, RANKED_COLUMNS, rate)
    return {"ranking": found}


def measure(step: str, n: int, cache: Path) -> Found:
    """One step on one size."""
    if step == "generate":
        dataset = open_dataset(f"synthetic[n={n}]")
        return {step: _timed(dataset.read)}
    if step == "ranking":
        return _ranking(n)
    if step in TRAININGS:
        return _trained(n, cache, step)
    if step == "load":
        return {step: _timed(lambda: _pair(n, cache))}
    pair = _pair(n, cache)
    if step == "statistics":
        return {step: _timed(lambda: describe(pair))}
    if step == "view":
        return {step: _timed(lambda: JointGraph.of(_view(pair, "lightea")))}
    view = _view(pair)
    graph = JointGraph.of(view)
    return {step: _timed(lambda: input_features(view, graph, FEATURES, RunContext(rng_seed=1)))}


def report(answers: Connection, step: str, n: int, cache: Path, threads: int) -> None:
    """Sends what was found with the peak memory of this process, or why nothing was."""
    torch.set_num_threads(threads)
    try:
        if step == FILL:
            _pair(n, cache)
            answers.send({})
            return
        found = measure(step, n, cache)
    except Exception as error:  # one step must not end the others
        answers.send(f"{type(error).__name__}: {error}".splitlines()[0])
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answers.send({line: {**numbers, "memory": peak} for line, numbers in found.items()})

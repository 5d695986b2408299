"""Any method is trained on one part after the other, and is told no more than of a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.partitions.cutting import cut
from mmea_bench.bench.partitions.fused import PartScores
from mmea_bench.bench.partitions.partitioned import part_seed, partitioned
from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.keys import CodeHashes, cell_key, keyed
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.requests.folder_names import folder_name
from mmea_bench.bench.planning.requests.from_record import method_files_of, suite_of
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.seeds import split_seed
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import (
    Embeddings,
    Method,
    NoParams,
    RunContext,
    StoppedError,
    TrainingStates,
)
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.results.core.store import ResultStore, read_tables

pytest.importorskip("pymetis")

DATASET = "synthetic[n=200]"


@pytest.fixture(scope="module")
def view() -> TrainView:
    pair = load_pair(open_dataset(DATASET, None), None)
    return train_view(pair, pair.anchor_links[:60])


class Walk(Method):
    """Random steps: as good a training as any to be counted, watched and interrupted."""

    modalities = ("image",)
    epochs = 4
    seen: tuple[TrainView, ...] = ()

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        type(self).seen += (view,)
        generator = ctx.generator("steps")
        sides = (view.source.n_entities, view.target.n_entities)
        vectors = [torch.nn.Parameter(torch.zeros(n, 4)) for n in sides]

        def step(epoch: int) -> float:
            with torch.no_grad():
                for part in vectors:
                    part += torch.randn(part.shape, generator=generator) + torch.rand(1)
            return float(epoch)

        def embed() -> Embeddings:
            return Embeddings(*(part.detach().clone() for part in vectors))

        return train(vectors, step, embed, Schedule(self.epochs, None, eval_every=2), ctx)


@pytest.fixture
def walk() -> type[Walk]:
    class Own(Walk):
        pass

    return Own


def scores_of(method: Method, view: TrainView, ctx: RunContext) -> torch.Tensor:
    found = partitioned(method, 2).fit(view, ctx)
    assert isinstance(found, PartScores)
    return found.rows(torch.arange(found.n_source))


def test_each_part_is_trained_with_a_seed_of_its_own(view: TrainView, walk: type[Walk]) -> None:
    first = scores_of(walk(NoParams()), view, RunContext(5))
    again = scores_of(walk(NoParams()), view, RunContext(5))
    other = scores_of(walk(NoParams()), view, RunContext(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({part_seed(seed, number) for seed in (5, 6) for number in range(3)}) == 6


def test_a_part_is_shown_what_the_method_reads_and_no_more(
    view: TrainView, walk: type[Walk]
) -> None:
    """Triples are read for the cut alone; this method never sees one, nor a name."""
    method = partitioned(walk(NoParams()), 2)
    assert method.used_modalities(view.modalities) == ("image", "structure")
    method.fit(view, RunContext(1))
    for seen in walk.seen:
        assert set(seen.features) == {"image"}
        assert not len(seen.source.relation_triples)
        assert not seen.source.has_names


def test_no_part_is_given_another_link_than_a_seed(view: TrainView, walk: type[Walk]) -> None:
    partitioned(walk(NoParams()), 2).fit(view, RunContext(1))
    assert sum(len(seen.seed_links) for seen in walk.seen) == len(view.seed_links)
    assert all(len(seen.seed_links) for seen in walk.seen)


def test_epochs_are_counted_through_all_parts(view: TrainView, walk: type[Walk]) -> None:
    ticks: list[tuple[int, int, float]] = []
    watched: list[int] = []

    def monitor(epoch: int, loss: float, alignment: Any) -> float:
        assert alignment.n_source == view.source.n_entities
        watched.append(epoch)
        return -float(epoch)  # the first look at a part is its best

    ctx = RunContext(1, monitor=monitor, tick=lambda *tick: ticks.append(tick))
    partitioned(walk(NoParams()), 2).fit(view, ctx)
    assert watched == [2, 4, 6, 8]
    assert [tick[:2] for tick in ticks] == [(epoch, 8) for epoch in range(1, 9)]
    assert (ctx.log.epochs, ctx.log.best_epoch) == (8, 6)
    n_entities = view.source.n_entities + view.target.n_entities
    assert ctx.log.n_parameters == 4 * n_entities


def test_the_monitor_chooses_the_checkpoint_of_each_part(view: TrainView, walk: type[Walk]) -> None:
    offered = []

    def monitor(epoch: int, loss: float, alignment: Any) -> float:
        offered.append(alignment.rows(torch.arange(alignment.n_source)))
        return -float(epoch)

    chosen = scores_of(walk(NoParams()), view, RunContext(1, monitor=monitor))
    # At the first look at the second part, the first one is back at its own best epoch.
    assert torch.equal(chosen, offered[2])


def test_pseudo_labels_after_the_last_epoch_of_each_part_train_nothing(view: TrainView) -> None:
    """The epochs of further parts made such a row ``iterative=yes``."""

    class PromotesLast(Method):
        def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
            ctx.log.epochs = 4
            ctx.log.pseudo_labels_from(5)
            sides = (view.source.n_entities, view.target.n_entities)
            return Embeddings(*(torch.ones(n, 2) for n in sides))

    ctx = RunContext(1)
    partitioned(PromotesLast(NoParams()), 2).fit(view, ctx)
    assert ctx.log.epochs == 8
    assert not ctx.log.is_iterative


class _Store(TrainingStates):
    """Keeps states in memory; asks to stop in one epoch."""

    def __init__(self, kept: dict[int, tuple[int, bytes]], stop_at: Callable[[], bool]) -> None:
        self.static, self._kept, self._stop_at, self._number = {}, kept, stop_at, 0

    @property
    def is_due(self) -> bool:
        return True

    @property
    def is_stop_asked(self) -> bool:
        return self._stop_at()

    def next_training(self) -> tuple[int, bytes] | None:
        self._number += 1
        return self._kept.get(self._number)

    def keep(self, epoch: int, snapshot: bytes) -> None:
        self._kept[self._number] = epoch, snapshot

    def give_up(self, why: str) -> None:
        raise AssertionError(why)

    def begin_anew(self, why: str) -> None:
        raise AssertionError(why)


def test_an_interrupted_training_goes_on_in_the_part_where_it_was(
    view: TrainView, walk: type[Walk]
) -> None:
    whole = scores_of(walk(NoParams()), view, RunContext(3))
    kept: dict[int, tuple[int, bytes]] = {}
    epochs: list[int] = []

    def context(stop_at: int) -> RunContext:
        store = _Store(kept, lambda: epochs[-1:] == [stop_at])
        return RunContext(3, states=store, tick=lambda epoch, *_rest: epochs.append(epoch))

    with pytest.raises(StoppedError):
        partitioned(walk(NoParams()), 2).fit(view, context(6))
    assert epochs == [1, 2, 3, 4, 5, 6]
    resumed = scores_of(walk(NoParams()), view, context(0))
    assert epochs[6:] == [7, 8]
    assert torch.equal(resumed, whole)


def test_parts_are_trained_in_the_precision_that_is_asked_for(
    view: TrainView, walk: type[Walk]
) -> None:
    cell = Cell(
        "walk", "full", (), "synthetic[n=100]", 0.3, 1, Protocol(), partitions=2, precision="bf16"
    )
    is_autocast = []

    class Watched(walk):  # type: ignore[misc, valid-type]
        def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
            is_autocast.append(torch.is_autocast_enabled("cpu"))
            found: Embeddings = super().fit(view, ctx)
            return found

    found = configured(Watched, cell).fit(view, RunContext(rng_seed=3))

    assert isinstance(found, PartScores)
    assert is_autocast == [True, True]


def test_nmmkg_pairs_are_refused(view: TrainView, walk: type[Walk]) -> None:
    with pytest.raises(UserError, match="not for N-MMKG"):
        partitioned(walk(NoParams()), 2).fit(replace(view, task="n-mmkg"), RunContext(1))


# --- requests, keys and rows


def test_a_key_moves_only_where_there_are_parts() -> None:
    whole = Cell("alpha", "full", (), DATASET, 0.3, 1, Protocol())
    code = CodeHashes("method", "scoring")
    assert "partitions" not in whole.identity
    keys = {cell_key(replace(whole, partitions=n), {}, "v1", code) for n in (1, 2, 3)}
    assert len(keys) == 3
    assert replace(whole, partitions=10).label == "full[partitions=10]"
    changed = replace(whole, variant="w/o image", overrides=(("tau", 0.2),), partitions=2)
    assert changed.label == "w/o image[partitions=2,tau=0.2]"


@dataclass(frozen=True)
class _Asked:
    file: Path

    def cells(self, **changes: object) -> list[tuple[str, Cell]]:
        table = {"datasets": [DATASET], "repeats": 1, **changes}
        suite = load_suite(None, table, None, (self.file,))
        return keyed(expand(suite), {DATASET: "v1"}, (self.file,))


def test_a_suite_may_ask_for_parts(make_method: Any) -> None:
    asked = _Asked(make_method("alpha"))
    [(whole, _)], [(ten, cell)] = asked.cells(), asked.cells(partitions=10)
    assert cell.partitions == 10
    assert whole != ten
    assert asked.cells(partitions=1)[0][0] == whole


def test_a_folder_of_whole_trainings_keeps_its_name(make_method: Any) -> None:
    files = (make_method("alpha"),)
    table = {"datasets": [DATASET]}
    suites = [load_suite(None, {**table, "partitions": n}, None, files) for n in (1, 2, 5)]
    assert len({folder_name(suite) for suite in suites}) == 3
    assert folder_name(load_suite(None, table, None, files)) == folder_name(suites[0])


@pytest.mark.parametrize("given", [0, -2, 1.5, "ten", True, 10**9])
def test_a_number_of_parts_that_is_none_is_one_sentence(make_method: Any, given: object) -> None:
    with pytest.raises(UserError, match="`partitions` must") as raised:
        _Asked(make_method("alpha")).cells(partitions=given)
    assert "\n" not in str(raised.value)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


def test_a_row_says_that_it_was_trained_in_parts(make_method: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    here = ["--datasets", DATASET, "--repeats", "1", "--seed-ratios", "0.3"]
    places = ["--out", str(out), "--cache-dir", str(tmp_path / "cache"), "--device", "cpu"]
    asked = ["--method-file", str(make_method("alpha")), *here, *places]
    done = invoke("run", "--no-report", *asked, "--partitions", "2")
    assert done.exit_code == 0, done.output
    cells, results = read_tables(out).cells, read_tables(out).results
    [row] = cells.to_dict("records")
    assert row["variant"] == "full[partitions=2]"
    pair = load_pair(open_dataset(DATASET, None), None)
    split = make_split(Protocol(), pair, 0.3, split_seed(DATASET, 1))
    parts = cut(train_view(pair, split.seed_links), 2)
    links = split.test_links
    share = (parts.source[links[:, 0]] == parts.target[links[:, 1]]).mean()
    assert f"{share:.1%} of the test links lie in one of the 2 parts" in row["notes"]
    assert "which no Hits@1 of ranks can exceed" in row["notes"]
    assert results.query("metric == 'hits@1'")["value"].max() <= share
    # The record alone asks for the very same cell.
    record = ResultStore(out).record(row["key"])
    assert record is not None
    files = method_files_of(record, tmp_path)
    again = load_suite(None, suite_of(record), None, files)
    assert [key for key, _ in keyed(expand(again), {DATASET: pair.version}, files)] == [row["key"]]


def test_a_wrong_number_of_parts_ends_with_code_2(make_method: Any) -> None:
    asked = ["--method-file", str(make_method("alpha")), "--datasets", DATASET]
    done = invoke("run", *asked, "--partitions", "0")
    assert done.exit_code == 2
    assert "`partitions` must lie in 1..10000, not 0" in done.stderr.replace("\n", " ")

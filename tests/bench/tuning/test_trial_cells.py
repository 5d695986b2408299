"""A trial is a cell that has validation links and no test links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.cells import execute
from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring import scorers
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.trial_scorer import make_trial_scorer
from mmea_bench.bench.tuning.trials import curve_of
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.split import Split, split_links
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.results.core.record import Record

DATASET = "synthetic[n=100]"


def trial(tmp_path: Path, method: str = "gcn_align", **overrides: object) -> tuple[Cell, Record]:
    cell = Cell(method, "full", tuple(sorted(overrides.items())), DATASET, 0.3, 1, Protocol())
    job = Job(cell, "trial-1", "tuning", None, tmp_path, "cpu", (), 1, scored_on="valid")
    return cell, execute_cell(job)


def test_a_trial_has_no_number_of_a_test_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that ranks test links is made, and no link of the test part reaches a scorer."""

    def refuse(*_arguments: object) -> None:
        raise AssertionError("a trial must not score test links")

    monkeypatch.setattr(scorers, "candidate_task", refuse)
    monkeypatch.setattr(execute, "make_scorer", refuse)
    monkeypatch.setattr(scorers.RankingScorer, "final", refuse)
    _cell, record = trial(tmp_path, epochs=4, eval_every=2)
    assert record.cell["status"] == "ok", record.cell["reason"]
    assert record.results == []
    assert {row["links"] for row in record.curves} == {"valid"}
    assert record.cell["n_test"] == 0


def test_a_trial_trains_and_is_watched_as_any_strict_cell(tmp_path: Path) -> None:
    cell, record = trial(tmp_path, epochs=4, eval_every=2)
    job = Job(cell, "key", "suite", None, tmp_path, "cpu", (), 1)
    ordinary = [row for row in execute_cell(job).curves if row["links"] == "valid"]
    points = [(row["epoch"], row["metric"], row["direction"], row["value"]) for row in ordinary]
    watched = [
        (row["epoch"], row["metric"], row["direction"], row["value"]) for row in record.curves
    ]
    assert watched[: len(points)] == points


def test_the_last_point_is_the_checkpoint_that_is_returned(tmp_path: Path) -> None:
    cell, record = trial(tmp_path, epochs=6, eval_every=2)
    *curve, last = curve_of(record, cell)
    assert last == max(curve, key=lambda point: point[1])
    assert last[0] == record.cell["best_epoch"]


def test_what_trains_nothing_has_one_point(tmp_path: Path) -> None:
    cell, record = trial(tmp_path, "seu")
    ((epoch, value),) = curve_of(record, cell)
    assert epoch == 0
    assert 0 < value <= 1


def pair_and_split(tmp_path: Path) -> tuple[object, Split]:
    pair = load_pair(open_dataset(DATASET, None), tmp_path)
    return pair, split_links(pair.anchor_links, 0.3, 1, 0.2)


@pytest.mark.parametrize("csls", [(0, 3), (3, 0)])
def test_a_trial_ranks_as_the_full_task_does(tmp_path: Path, csls: tuple[int, ...]) -> None:
    """By the plain similarity only rows and columns of links are made; the ranks are the same."""
    pair, split = pair_and_split(tmp_path)
    protocol = Protocol(csls=csls)
    torch.manual_seed(0)
    sizes = (pair.source.n_entities, pair.target.n_entities)  # type: ignore[attr-defined]
    vectors = Embeddings(*(torch.randn(n, 8).round(decimals=1) for n in sizes))
    own = make_trial_scorer(protocol, pair, split).curve(vectors)  # type: ignore[arg-type]
    full = scorers.make_scorer(protocol, pair, split).curve(vectors)  # type: ignore[arg-type]
    assert own == {"valid": full["valid"]}


def test_without_validation_links_there_is_a_sentence(tmp_path: Path) -> None:
    pair, split = pair_and_split(tmp_path)
    bare = Split(split.seed_links, np.empty((0, 2), dtype=np.int32), split.test_links)
    with pytest.raises(UserError, match="no validation links to tune on"):
        make_trial_scorer(Protocol(), pair, bare)  # type: ignore[arg-type]

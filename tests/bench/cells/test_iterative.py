"""A row is "iterative" if what it scores learned from pseudo-labels, whoever wrote the method."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.results.core.record import Record

GROWING = '''
from dataclasses import dataclass

import torch

from mmea_bench.methods.api import (
    IterativeSchedule, JointGraph, Method, PseudoSeeds, Schedule, train
)


@dataclass(frozen=True)
class Params:
    epochs: int = 40
    start: int = 10  # pseudo-seeds: looks at 15, 20, ... and promotions at 20, 30, 40


class Growing(Method):
    """Vectors that know the seeds and turn to noise after 20 epochs."""

    modalities = ("structure",)
    Params = Params

    def fit(self, view, ctx):
        graph = JointGraph.of(view)
        schedule = IterativeSchedule(self.params.start, 5, 10)
        pseudo = PseudoSeeds(
            graph.seed_pairs(view), graph.n_source, graph.n_entities, schedule, ctx.log
        )
        noise = torch.randn(graph.n_entities, 8, generator=ctx.generator("noise"))
        flat = torch.ones(graph.n_entities, 8)
        now = [1]

        def step(epoch):
            now[0] = epoch
            return 1.0

        def embed():
            return graph.split(noise if now[0] <= 20 else flat)

        return train(
            [], step, embed, Schedule(self.params.epochs, None, eval_every=10), ctx,
            lambda epoch: pseudo.after_epoch(epoch, lambda: noise),
        )
'''


def run(tmp_path: Path, protocol: Protocol, **overrides: object) -> Record:
    file = tmp_path / "growing.py"
    file.write_text(GROWING, encoding="utf-8")
    cell = Cell("growing", "full", tuple(overrides.items()), "synthetic[n=150]", 0.3, 1, protocol)
    return execute_cell(Job(cell, "key", "suite", None, tmp_path, "cpu", (file,), 1))


def said(record: Record) -> set[str]:
    assert record.cell["status"] == "ok", record.cell["reason"]
    return {row["iterative"] for row in (record.cell, *record.results)}


def test_a_users_method_with_pseudo_seeds_is_iterative_without_declaring_it(
    tmp_path: Path,
) -> None:
    record = run(tmp_path, Protocol("paper"))
    assert record.cell["best_epoch"] == 40
    assert said(record) == {"yes"}
    assert "pseudo-label" not in (record.cell["notes"] or "")


def test_the_kept_epoch_does_not_decide_the_label_and_a_note_says_where_it_lies(
    tmp_path: Path,
) -> None:
    record = run(tmp_path, Protocol("strict", patience=0))
    assert record.cell["best_epoch"] <= 20
    assert said(record) == {"yes"}
    assert (
        f"the kept checkpoint (epoch {record.cell['best_epoch']}) precedes pseudo-label learning "
        "(from epoch 21)"
    ) in record.cell["notes"]


def test_pairs_that_are_promoted_when_all_is_over_are_not_learned(tmp_path: Path) -> None:
    record = run(tmp_path, Protocol("paper"), epochs=20)
    assert said(record) == {"no"}
    assert "pseudo-label" not in (record.cell["notes"] or "")


@pytest.mark.parametrize(
    ("log", "is_iterative", "has_note"),
    [
        (TrainingLog(epochs=60, best_epoch=60), False, False),
        (TrainingLog(epochs=60, best_epoch=60, first_pseudo_epoch=51), True, False),
        (TrainingLog(epochs=60, best_epoch=51, first_pseudo_epoch=51), True, False),
        (TrainingLog(epochs=60, best_epoch=50, first_pseudo_epoch=51), True, True),
        (TrainingLog(epochs=50, best_epoch=50, first_pseudo_epoch=51), False, False),
        # A loop of one's own that keeps no account of epochs.
        (TrainingLog(first_pseudo_epoch=51), True, False),
    ],
)
def test_what_a_log_says_of_pseudo_labels(
    log: TrainingLog, is_iterative: bool, has_note: bool
) -> None:
    assert (log.is_iterative, bool(log.pseudo_label_note)) == (is_iterative, has_note)


def test_the_first_note_of_pseudo_labels_counts() -> None:
    log = TrainingLog()
    log.pseudo_labels_from(21)
    log.pseudo_labels_from(31)
    assert log.first_pseudo_epoch == 21

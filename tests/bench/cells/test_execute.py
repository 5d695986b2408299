"""One cell from its job to its record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.evaluate import ranking_task
from mmea_bench.bench.scoring.monitor import CurveMonitor
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import RankingScorer
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.split import split_links
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import SCORING_COLUMNS

SMALL = {"epochs": 20, "eval_every": 10}


def run(
    tmp_path: Path,
    method: str = "gcn_align",
    dataset: str = "synthetic[n=150]",
    protocol: Protocol | None = None,
    **overrides: object,
) -> Record:
    """The record of one small cell."""
    chosen = {**SMALL, **overrides} if method in ("gcn_align", "mclea", "eva") else overrides
    cell = Cell(
        method, "full", tuple(sorted(chosen.items())), dataset, 0.3, 1, protocol or Protocol()
    )
    return execute_cell(Job(cell, "key", "suite", None, tmp_path, "cpu", (), 1))


def numbers(record: Record) -> list[tuple[str, str, str, float]]:
    names = (*(column.name for column in SCORING_COLUMNS), "metric", "direction", "value")
    return [tuple(row[name] for name in names) for row in record.results]


def test_a_cell_gives_bit_identical_numbers_every_time(tmp_path: Path) -> None:
    first, second = run(tmp_path, "mclea"), run(tmp_path, "mclea")
    assert numbers(first) == numbers(second)
    assert first.curves == second.curves


def test_strict_holds_seeds_out_and_stops_on_them(tmp_path: Path) -> None:
    cell = run(tmp_path).cell
    assert cell["stopped_on"] == "valid"
    n_seed = cell["n_train"] + cell["n_valid"]
    assert cell["n_valid"] == round(0.1 * n_seed)
    assert n_seed == int(0.3 * (n_seed + cell["n_test"]))


def test_paper_trains_on_all_seeds_and_tests_on_the_same_links(tmp_path: Path) -> None:
    strict, paper = run(tmp_path).cell, run(tmp_path, protocol=Protocol(name="paper")).cell
    assert paper["stopped_on"] == "last"
    assert (paper["n_valid"], paper["n_test"]) == (0, strict["n_test"])
    assert paper["n_train"] == strict["n_train"] + strict["n_valid"]


@pytest.mark.parametrize(("method", "metric"), [("loginmea", "hits@1"), ("meaformer", "mrr")])
def test_paper_chooses_the_checkpoint_by_the_number_of_the_released_code(
    method: str, metric: str, tmp_path: Path
) -> None:
    protocol = Protocol(name="paper", eval_every=2)
    record = run(tmp_path, method, protocol=protocol, epochs=12, iterative=False)
    points = [
        (row["value"], -row["epoch"])
        for row in record.curves
        if (row["links"], row["metric"], row["direction"]) == ("test", metric, "src2tgt")
    ]
    assert record.cell["best_epoch"] == -max(points)[1]
    words = {"hits@1": "Hits@1", "mrr": "MRR"}[metric]
    assert f"chosen by {words} (src2tgt) of the test links" in record.cell["notes"]


def test_paper_ends_a_training_where_released_code_does(tmp_path: Path) -> None:
    still = {"learning_rate": 1e-12, "epochs": 30, "dims": (8, 8, 8), "augmentation": False}
    lengths = {
        name: run(tmp_path, "alinet", protocol=Protocol(name), **still).cell["epochs"]
        for name in ("paper", "strict")
    }
    # The release looks at epoch 10 for the first time, and at 15 finds no gain.
    assert lengths == {"paper": 15, "strict": 30}


def test_a_row_says_by_which_number_its_checkpoint_was_chosen(tmp_path: Path) -> None:
    protocol = Protocol(name="paper", eval_every=2)
    notes = run(tmp_path, "mugnn", protocol=protocol, epochs=4, dim=8).cell["notes"]
    assert "chosen by Hits@1 (mean, no CSLS) of the test links, as released" in notes


def test_a_row_tells_an_epochs_time_apart_from_set_up(tmp_path: Path) -> None:
    cell = run(tmp_path).cell
    assert 0 < cell["epoch_s"] * (cell["epochs"] - 1) < cell["fit_s"]
    assert run(tmp_path, "name_match").cell["epoch_s"] is None


def test_what_trains_nothing_has_no_checkpoint_to_choose(tmp_path: Path) -> None:
    """Held-out links lie there all the same, but nothing was stopped on them."""
    for method in ("random_scores", "image_only"):
        cell = run(tmp_path, method).cell
        assert (cell["stopped_on"], cell["epochs"], cell["best_epoch"]) == ("last", 0, 0)


def test_every_asked_scoring_gives_all_metrics_in_all_directions(tmp_path: Path) -> None:
    record = run(tmp_path, "random_scores", protocol=Protocol(csls=(0, 3, 10)))
    assert len(record.results) == 3 * 5 * 3
    by_key = {tuple(number[:-1]): number[-1] for number in numbers(record)}
    for *scoring, metric, direction in by_key:
        if direction == "mean":
            both = [by_key[*scoring, metric, side] for side in ("src2tgt", "tgt2src")]
            assert by_key[*scoring, metric, "mean"] == pytest.approx(sum(both) / 2)


def test_unseeded_candidates_are_harder_than_test_candidates(tmp_path: Path) -> None:
    ranks = [
        next(
            r["value"]
            for r in run(tmp_path, "random_scores", protocol=Protocol(candidates=kind)).results
            if r["metric"] == "mean_rank" and r["direction"] == "src2tgt"
        )
        for kind in ("test", "unseeded")
    ]
    assert ranks[0] < ranks[1]


def test_a_dataset_without_what_a_method_needs_is_skipped_with_the_reason(tmp_path: Path) -> None:
    cell = run(tmp_path, "name_match", "synthetic[n=150,text=false]").cell
    assert (cell["status"], cell["reason"]) == ("skipped", "the dataset lacks: name")


def test_a_loss_that_explodes_is_diverged(tmp_path: Path) -> None:
    cell = run(tmp_path, "mclea", learning_rate=1e30).cell
    assert cell["status"] == "diverged", cell["reason"]


def test_missing_files_skip_the_cell_and_say_where_they_were_looked_for(tmp_path: Path) -> None:
    cell = run(tmp_path, "random_scores", "fb15k-db15k").cell
    assert cell["status"] == "skipped"
    assert "fb15k-db15k" in cell["reason"]


def test_stand_ins_for_word_vectors_are_named_in_the_row(tmp_path: Path) -> None:
    cell = run(tmp_path, "mclea").cell
    assert cell["simulated_features"] == "word_vectors"
    assert "GloVe" in cell["notes"]


@pytest.mark.parametrize(("start", "word"), [(10, "yes"), (500, "no")])
def test_only_a_training_that_reaches_its_pseudo_labels_is_iterative(
    start: int, word: str, tmp_path: Path
) -> None:
    protocol = Protocol("paper")  # the last epoch counts
    record = run(tmp_path, "mclea", protocol=protocol, iterative_start=start, promote_every=5)
    assert {row["iterative"] for row in (record.cell, *record.results, *record.curves)} == {word}


def test_test_links_cannot_change_a_strict_training() -> None:
    pair = open_dataset("synthetic[n=150]").read()
    split = split_links(pair.anchor_links, 0.4, rng_seed=1, valid_share=0.2)
    scrambled = np.array(split.test_links)
    scrambled[:, 1] = np.roll(scrambled[:, 1], 5)
    vectors = []
    for test_links in (split.test_links, scrambled):
        tasks = {
            "test": ranking_task(test_links, test_links),
            "valid": ranking_task(split.valid_links, split.valid_links),
        }
        ctx = RunContext(
            1, monitor=CurveMonitor("valid", RankingScorer(Protocol(), tasks)), patience=2
        )
        method = get_method("gcn_align").configure("gcn_align", overrides=SMALL)
        vectors.append(method.fit(train_view(pair, split.seed_links), ctx).source)
    assert torch.equal(vectors[0], vectors[1])


CHEATING = """
from mmea_bench.methods.api import Embeddings, Method
from mmea_bench.methods.name_match import NameMatch as Honest

class NameMatch(Method):
    Params = Honest.Params
    modalities = {modalities}

    def fit(self, view, ctx):
        return Honest(self.params).fit(view, ctx)
"""


@pytest.mark.parametrize(("declared", "says"), [("name", "yes"), ("structure", "no")])
def test_a_method_that_declares_structure_cannot_read_names(
    declared: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "copied.py"
    file.write_text(CHEATING.format(modalities=(declared,)), encoding="utf-8")
    cell = Cell("copied", "full", (), "synthetic[n=150]", 0.3, 1, Protocol())
    record = execute_cell(Job(cell, "key", "suite", None, tmp_path, "cpu", (file,), 1))
    hits = [
        row["value"]
        for row in record.results
        if row["metric"] == "hits@10" and row["names"] == says
    ]
    assert hits
    assert max(hits) == 0.0 if declared == "structure" else min(hits) > 0.4

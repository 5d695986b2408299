"""On what a protocol lets a training choose its checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mmea_bench.bench.planning.cell import Cell, split_note
from mmea_bench.bench.scoring.evaluate import Layout, candidate_task
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.model.pair import Fold
from mmea_bench.methods.core.base import StopRule


@pytest.mark.parametrize(
    ("protocol", "paper_stop", "n_valid", "rule"),
    [
        ("strict", "test", 10, "valid"),
        ("paper", "test", 0, "test"),
        ("paper", "last", 0, "last"),
        ("paper", "valid", 10, "valid"),
        # Without validation links the last epoch is taken, and the row says so.
        ("paper", "valid", 0, "last"),
        ("strict", "last", 0, "last"),
    ],
)
def test_a_row_says_valid_only_where_there_were_validation_links(
    protocol: str, paper_stop: StopRule, n_valid: int, rule: StopRule
) -> None:
    assert Protocol(name=protocol).stop_rule(paper_stop, n_valid) == rule  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["strict", "paper"])
def test_validation_links_from_others_leave_all_seeds_to_train(
    name: Literal["strict", "paper"], tmp_path: Path
) -> None:
    pair = load_pair(open_dataset("synthetic[n=200]"), tmp_path)
    n_links = len(pair.anchor_links)
    plain = make_split(Protocol(name="paper"), pair, 0.2, 7)
    split = make_split(Protocol(name=name, valid_from="others"), pair, 0.2, 7)
    assert split.seed_links.tolist() == plain.seed_links.tolist()
    assert len(split.valid_links) == round(0.1 * n_links)
    parts = (*split.seed_links, *split.valid_links, *split.test_links)
    assert sorted(map(tuple, parts)) == sorted(map(tuple, pair.anchor_links))
    unseeded = Layout(candidate_task("unseeded", pair, split))
    n_source, n_target = pair.sizes
    n_seeds = len(split.seed_links)
    assert (len(unseeded.sources), len(unseeded.targets)) == (
        n_source - n_seeds,
        n_target - n_seeds,
    )


def test_where_validation_links_come_from_counts_only_where_it_was_asked_for() -> None:
    cell = Cell("eva", "full", (), "fb15k-db15k", 0.2, 1, Protocol())
    others = replace(cell, protocol=Protocol(valid_from="others"))
    assert "valid_from" not in cell.identity["protocol"]
    assert "valid_from" not in Protocol().settings
    assert others.identity["protocol"]["valid_from"] == "others"
    assert Protocol(name="paper", valid_from="others").settings["valid_share"] == 0.1


def test_strict_holds_out_training_links_of_a_fold_without_validation_links(
    tmp_path: Path,
) -> None:
    pair = load_pair(open_dataset("synthetic[n=200]"), tmp_path)
    rows = np.arange(len(pair.anchor_links))
    pair = replace(pair, folds=(Fold("1", rows[:40], rows[:0], rows[40:]),))
    for rule in (Protocol(), Protocol(valid_from="others")):
        split = make_split(rule, pair, 0.2, 7, fold="1")
        assert (len(split.seed_links), len(split.valid_links)) == (36, 4)


def test_nmmkg_pairs_validate_as_strict_asks_and_as_usual_under_paper(tmp_path: Path) -> None:
    pair = load_pair(open_dataset("synthetic-nmmkg[n=300]"), tmp_path)
    n_pairs = len(pair.anchor_links)
    fifth = Protocol(valid_share=0.2)
    assert len(make_split(fifth, pair, 0.3, 7).valid_links) == round(0.2 * n_pairs)
    of_paper = replace(fifth, name="paper")
    assert "valid_share" not in of_paper.settings
    assert len(make_split(of_paper, pair, 0.3, 7).valid_links) == round(0.1 * n_pairs)
    rows = np.arange(n_pairs)
    folded = replace(pair, folds=(Fold("1", rows[:40], rows[:0], rows[40:]),))
    assert len(make_split(of_paper, folded, 0.3, 7, fold="1").valid_links) == 4
    cell = Cell("mclea", "full", (), "x", 0.3, 1, of_paper, split="published", fold="1")
    assert "held out of its training links" in split_note(cell, folded)

"""Weights of modalities and counts of datasets on their way into a record."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.fusion_weights import fusion_weights
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.results.core.record import Record


def _embeddings(**weights: float) -> Embeddings:
    return Embeddings(torch.zeros(2, 1), torch.zeros(3, 1), modality_weights=weights)


def _run(tmp_path: Path, method: str, dataset: str = "synthetic[n=120]") -> Record:
    overrides = (("epochs", 2),) if method == "mclea" else ()
    cell = Cell(method, "full", overrides, dataset, 0.3, 1, Protocol())
    return execute_cell(Job(cell, "key", "suite", None, tmp_path, "cpu", (), 1))


def test_weights_become_shares_of_their_sum() -> None:
    numbers, note = fusion_weights(_embeddings(image=3.0, structure=1.0))
    assert note == ""
    assert [(n.words, n.metric, n.direction, n.value, n.n) for n in numbers] == [
        ({"modality": "image"}, "weight", "mean", 0.75, 5),
        ({"modality": "structure"}, "weight", "mean", 0.25, 5),
    ]


@pytest.mark.parametrize("weight", [-0.5, math.nan, math.inf])
def test_weights_that_are_no_shares_are_left_out_with_a_note(weight: float) -> None:
    numbers, note = fusion_weights(_embeddings(image=weight, structure=1.0))
    assert numbers == []
    assert "no shares" in note
    assert fusion_weights(_embeddings()) == ([], "")


def test_a_cell_records_the_weights_of_its_method(tmp_path: Path) -> None:
    record = _run(tmp_path, "mclea")
    weights = {row["modality"]: row["value"] for row in record.results if row["metric"] == "weight"}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert "image" in weights


def test_a_cell_records_counts_and_coverage_of_its_dataset(tmp_path: Path) -> None:
    record = _run(tmp_path, "random_scores")
    found = {(row["kg"], row["statistic"]): row["value"] for row in record.dataset}
    n_links = record.cell["n_train"] + record.cell["n_valid"] + record.cell["n_test"]
    assert found[None, "pairs"] == n_links
    graphs = [kg for kg, statistic in found if statistic == "entities"]
    assert len(graphs) == 2
    assert 0.0 < found[graphs[0], "coverage_image"] <= 1.0
    assert Record.from_json(record.to_json()) == record


def test_a_skipped_cell_still_tells_its_dataset(tmp_path: Path) -> None:
    record = _run(tmp_path, "crossea")
    assert record.cell["status"] == "skipped"
    assert record.dataset


def test_weights_under_names_that_no_table_takes_are_left_out_with_a_note() -> None:
    numbers, note = fusion_weights(_embeddings(**{"image": 1.0, "attribute text": 1.0}))
    assert numbers == []
    assert "must be a word of printable letters" in note

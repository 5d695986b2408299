"""Cells on an N-MMKG, from the job to the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, make_plan
from mmea_bench.bench.scoring.pair_scoring import PairTask
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.scorers import PairScorer, make_scorer
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

DATASET = "synthetic-nmmkg[n=300]"
METHOD = '''
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, Method


@dataclass(frozen=True)
class Params:
    epochs: int = 3


class Raw(Method):
    """Standardised features side by side, with noise that shrinks over the epochs."""

    tasks: ClassVar = ("n-mmkg",)
    modalities: ClassVar = ("text", "image")
    Params = Params
    paper_stop: ClassVar = "valid"

    def fit(self, view, ctx):
        assert view.task == "n-mmkg"
        generator = ctx.generator("noise")
        sides = []
        for side in (0, 1):
            parts = []
            for name in self.modalities:
                features = view.features[name][side]
                values = torch.from_numpy(features.values.astype("float32"))
                both = [view.features[name][s] for s in (0, 1)]
                known = torch.cat([torch.from_numpy(f.values[f.present]) for f in both])
                values = (values - known.mean(0)) / known.std(0).clamp(min=1e-6)
                present = torch.tensor(features.present).float().unsqueeze(1)
                parts.append(normalize(values, dim=1) * present)
            sides.append(torch.cat(parts, dim=1))
        best, chosen = -1.0, None
        for epoch in range(1, self.params.epochs + 1):
            size = 0.1 / epoch
            vectors = [v + size * torch.randn(v.shape, generator=generator) for v in sides]
            embeddings = Embeddings(*vectors)
            score = ctx.monitor(epoch, 1.0 / epoch, embeddings)
            ctx.log.epochs = epoch
            if score is None or score > best:
                best, chosen = score or 0.0, embeddings
                ctx.log.best_epoch = epoch
        return chosen
'''


@pytest.fixture
def method_file(tmp_path: Path) -> Path:
    path = tmp_path / "raw_features.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


def run(
    tmp_path: Path, files: tuple[Path, ...], method: str, dataset: str = DATASET, **protocol: str
) -> Record:
    """The record of one small cell."""
    chosen = Protocol(**protocol)  # type: ignore[arg-type]
    cell = Cell(method, "full", (), dataset, 0.3, 1, chosen)
    return execute_cell(Job(cell, "key", "suite", None, tmp_path, "cpu", files, 1))


def values(record: Record) -> dict[tuple[str, str], float]:
    """(inference, metric) to value."""
    return {(row["inference"], row["metric"]): row["value"] for row in record.results}


@pytest.mark.parametrize("name", ["strict", "paper"])
def test_a_cell_is_scored_under_both_inferences(
    name: str, method_file: Path, tmp_path: Path
) -> None:
    record = run(tmp_path, (method_file,), "raw_features", name=name)
    assert record.cell["status"] == "ok", record.cell["reason"]
    found = values(record)
    assert len(found) == len(record.results) == 2 * (12 + 1)
    assert found["two-thresholds", "f1_tt"] > 0.5
    assert {row["direction"] for row in record.results} == {"pairs", "src2tgt"}
    overall = [row for row in record.results if row["metric"] == "f1"]
    assert {row["n"] for row in overall} == {record.cell["n_test"]}
    by_kind = [row["n"] for row in record.results if row["metric"].startswith("f1_")]
    assert sum(by_kind) == 2 * record.cell["n_test"]
    assert "two-thresholds: intra 0." in record.cell["notes"]
    assert "mean cosine of true test pairs: intra 0." in record.cell["notes"]


@pytest.mark.parametrize("name", ["strict", "paper"])
def test_validation_pairs_are_a_tenth_of_all_under_every_protocol(
    name: str, method_file: Path, tmp_path: Path
) -> None:
    cell = run(tmp_path, (method_file,), "raw_features", name=name).cell
    n_pairs = cell["n_train"] + cell["n_valid"] + cell["n_test"]
    assert cell["n_valid"] == round(0.1 * n_pairs)
    assert cell["n_train"] == int(0.3 * n_pairs)
    assert cell["stopped_on"] == "valid"


def test_curves_hold_the_expected_and_the_measured_f1(method_file: Path, tmp_path: Path) -> None:
    record = run(tmp_path, (method_file,), "raw_features")
    points = {
        (row["epoch"], row["links"], row["metric"]): row["value"]
        for row in record.curves
        if row["direction"] == "pairs"
    }
    assert len(points) == len(record.curves) == 3 * 2 * 3
    best = record.cell["best_epoch"]
    assert best == max(range(1, 4), key=lambda epoch: points[epoch, "valid", "f1"])
    assert points[best, "test", "f1"] == values(record)["two-thresholds", "f1"]


def test_equal_cells_give_equal_numbers(method_file: Path, tmp_path: Path) -> None:
    first, second = (run(tmp_path, (method_file,), "raw_features") for _ in range(2))
    assert values(first) == values(second)
    assert first.curves == second.curves


@pytest.mark.parametrize(
    ("method", "dataset", "reason"),
    [
        (
            "raw_features",
            "synthetic[n=150]",
            "raw_features aligns N-MMKG pairs; synthetic[n=150] asks for entity alignment",
        ),
        (
            "only_entities",
            DATASET,
            f"only_entities aligns entities; {DATASET} asks for N-MMKG pairs",
        ),
    ],
)
def test_a_method_made_for_another_task_is_skipped_with_the_reason(
    method: str, dataset: str, reason: str, method_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "only_entities.py"
    other.write_text(METHOD.replace('("n-mmkg",)', '("entity-alignment",)'), encoding="utf-8")
    cell = run(tmp_path, (method_file, other), method, dataset).cell
    assert (cell["status"], cell["reason"]) == ("skipped", reason)


def test_a_plan_says_which_methods_a_dataset_will_skip(method_file: Path, tmp_path: Path) -> None:
    changes = {
        "methods": ["raw_features", "random_scores"],
        "datasets": ["synthetic[n=150]", DATASET],
    }
    suite = load_suite(None, changes, method_files=[method_file])
    place = Place(None, tmp_path, method_files=(method_file,))
    plan = make_plan(suite, ResultStore(tmp_path / "out"), place)
    sentence = "synthetic[n=150] asks for entity alignment; skipped, not made for it: raw_features."
    assert sentence in plan.remarks["synthetic[n=150]"]
    assert all("raw_features" not in sentence for sentence in plan.remarks[DATASET])


def test_a_checkpoint_is_chosen_without_test_labels() -> None:
    pair = open_dataset(DATASET).read()
    split = make_split(Protocol(), pair, 0.3, 1)
    scorer = make_scorer(Protocol(), pair, split)
    assert isinstance(scorer, PairScorer)
    moved = np.stack([split.test_links[:, 0], np.roll(split.test_links[:, 1], 3)], axis=1)
    visual = [side.present for side in pair.features["image"]]
    other = PairScorer(PairTask(split.seed_links, split.valid_links, moved, *visual))
    rng = np.random.default_rng(0)
    embeddings = Embeddings(
        *(
            torch.from_numpy(rng.standard_normal((graph.n_entities, 8)).astype(np.float32))
            for graph in (pair.source, pair.target)
        )
    )
    assert scorer.curve(embeddings)["valid"] == other.curve(embeddings)["valid"]

"""A made-up results folder with everything that reports must handle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import SCORING_COLUMNS
from mmea_bench.results.core.store import ResultStore

RULES = {"decoder": "none", "candidates": "test", "ties": "realistic"}
OWN_COLUMNS = (
    *(column.name for column in SCORING_COLUMNS),
    *("metric", "direction", "value", "n"),
)
"""What a row of results.csv does not share with its cell."""


def scoring(csls: int, similarity: str = "cosine") -> dict[str, Any]:
    return {"similarity": similarity, "csls": csls, **RULES}


def own_numbers(record: Record, **changes: Any) -> list[dict[str, Any]]:
    """The numbers of a record as ``Record.of`` takes them."""
    return [{**{name: row[name] for name in OWN_COLUMNS}, **changes} for row in record.results]


def with_unseeded(record: Record) -> Record:
    """The same cell, scored among all unseeded entities too."""
    others = own_numbers(record, candidates="unseeded")
    return Record.of(record.cell, [*own_numbers(record), *others])


def make_record(method: str, score: float, **changes: Any) -> Record:
    """A cell that ended ok with a hits@1 of ``score``, or any other cell by its status."""
    curves = changes.pop("n_points", 0)
    similarity = changes.pop("similarity", "cosine")
    all_csls = changes.pop("all_csls", (0, 3))
    cell: dict[str, Any] = {
        "method": method,
        "variant": "full",
        "dataset": "fb15k-db15k",
        "seed_ratio": 0.2,
        "repeat": 1,
        "protocol": "strict",
        "status": "ok",
        "stopped_on": "valid",
        "suite": "demo",
        "dataset_version": "aaaaaaaaaaaa",
        "versions": "{}",
        "overrides": "{}",
        "names": "no",
        "iterative": "no",
        "finished_at": "2026-01-01T00:00:00Z",
        **changes,
    }
    place = (method, cell["variant"], cell["dataset"], round(100 * cell["seed_ratio"]))
    words = "".join(letter if letter.isalnum() else "-" for letter in "-".join(map(str, place)))
    cell.setdefault("key", f"{words}-{cell['repeat']}-{cell['protocol']}")
    if cell["status"] != "ok":
        return Record.of(cell)
    numbers = [
        {
            **scoring(csls, similarity),
            "metric": metric,
            "direction": direction,
            "value": value + (0.02 if csls and metric != "mean_rank" else 0.0),
            "n": 90,
        }
        for csls in all_csls
        for direction in ("src2tgt", "tgt2src", "mean")
        for metric, value in (
            ("hits@1", score),
            ("hits@10", min(0.97, score + 0.3)),
            ("mrr", score + 0.1),
            ("mean_rank", 100.0 - 90.0 * score),
        )
    ]
    return Record.of(cell, numbers, _points(score, cell["repeat"], curves))


def _points(score: float, repeat: int, n_points: int) -> list[dict[str, Any]]:
    points = []
    for step in range(1, n_points + 1):
        reached = score * (1.0 - math.exp(-step / 6.0)) + 0.01 * math.sin(step * repeat)
        for links, value in (("valid", reached + 0.03), ("test", reached)):
            points.append(
                {
                    "epoch": 10 * step,
                    "loss": 3.0 * math.exp(-step * (0.5 + score) / 8.0) + 0.1 * repeat / step,
                    "links": links,
                    **scoring(0),
                    "metric": "mrr",
                    "direction": "mean",
                    "value": max(0.0, value),
                }
            )
    return points


def fill_rich_folder(folder: Path) -> None:
    """Three datasets, repeats, variants, failures, two versions and two protocols."""
    store = ResultStore(folder)
    for repeat in (1, 2, 3):
        step = 0.004 * repeat
        for ratio in (0.2, 0.5):
            shared = {"repeat": repeat, "seed_ratio": ratio}
            store.write(make_record("mclea", ratio + 0.2 + step, **shared))
            store.write(make_record("eva", ratio + 0.15 + step, similarity="inner", **shared))
        store.write(make_record("mclea", 0.3 + step, variant="w/o_image & 50%", repeat=repeat))
        store.write(make_record("mclea", 0.31, variant="full[dim=50]", repeat=repeat))
        store.write(
            make_record("meaformer", 0.6 + step, repeat=repeat, stopped_on="test", protocol="paper")
        )
        store.write(make_record("mclea", 0.5 + step, repeat=repeat, protocol="paper"))
    store.write(
        make_record("random_scores", 0.01, simulated_features="image", dataset="fb15k-yago15k")
    )
    store.write(
        make_record("eva", 0.25, dataset="fb15k-yago15k", dataset_version="bbbbbbbbbbbb", repeat=1)
    )
    store.write(make_record("eva", 0.3, dataset="dbp15k[lang=fr_en]", all_csls=(0,)))
    failure = {"status": "failed", "reason": "ValueError: x | y\n  with a | bar", "repeat": 2}
    store.write(make_record("random_scores", 0.0, dataset="fb15k-yago15k", **failure))
    skipped = {"status": "skipped", "reason": "the dataset lacks: name", "dataset_version": None}
    store.write(make_record("name_match", 0.0, seed_ratio=0.5, **skipped))


def fill_curves_folder(folder: Path) -> None:
    """Learning curves of several methods on two seed ratios."""
    store = ResultStore(folder)
    for ratio in (0.2, 0.5):
        for repeat in (1, 2, 3):
            for number, method in enumerate(("eva", "mclea", "meaformer", "random_scores")):
                score = 0.02 if number == 3 else 0.35 + 0.05 * number + ratio / 10
                record = make_record(
                    method, score, seed_ratio=ratio, repeat=repeat, n_points=30 - 2 * repeat
                )
                store.write(record)
        store.write(make_record("mclea", 0.37, variant="w/o image", seed_ratio=ratio, n_points=30))

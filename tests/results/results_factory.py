"""Made-up records for the tests of this folder."""

from __future__ import annotations

from typing import Any

from mmea_bench.results.core.record import Record

SCORING: dict[str, Any] = {
    "similarity": "cosine",
    "csls": 3,
    "decoder": "none",
    "candidates": "test",
    "ties": "realistic",
}


def make_cell(key: str = "k1", **changes: Any) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "key": key,
        "method": "alpha",
        "variant": "full",
        "dataset": "synthetic",
        "seed_ratio": 0.2,
        "repeat": 1,
        "rng_seed": 2**62 + 1,
        "protocol": "strict",
        "status": "ok",
        "versions": '{"python":"3.11"}',
        "suite": "smoke",
        "dataset_version": "0123456789ab",
        "overrides": "{}",
        "fit_s": 1.25,
        "epochs": 10,
        "stopped_on": "valid",
        "names": "no",
        "iterative": "no",
    }
    return {**cell, **changes}


def make_number(**changes: Any) -> dict[str, Any]:
    number: dict[str, Any] = {
        **SCORING,
        "metric": "hits@1",
        "direction": "src2tgt",
        "value": 0.1 + 0.2,
        "n": 90,
    }
    return {**number, **changes}


def make_point(**changes: Any) -> dict[str, Any]:
    point: dict[str, Any] = {
        "epoch": 5,
        "loss": 0.75,
        "links": "valid",
        **SCORING,
        "metric": "mrr",
        "direction": "mean",
        "value": 1.0 / 3.0,
    }
    return {**point, **changes}


def make_count(**changes: Any) -> dict[str, Any]:
    return {"kg": "S", "statistic": "entities", "value": 150.0, **changes}


def make_record(key: str = "k1", **changes: Any) -> Record:
    cell = make_cell(key, **changes)
    if cell["status"] != "ok":
        return Record.of(cell)
    numbers = [make_number(), make_number(metric="mean_rank", value=12.5)]
    return Record.of(cell, numbers, [make_point(), make_point(epoch=10, loss=None)])

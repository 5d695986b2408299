"""Which records a run moves out of the tables: those that its own will replace, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job, failure_record
from mmea_bench.bench.running.stale import stale_keys
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.results.core.store import ResultStore

CELL = Cell("random_scores", "full", (), "fb15k-db15k", 0.3, 1, Protocol())
OLD, NEW = "0a" * 10, "1b" * 10


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """A folder with one record of the cell, under its old key."""
    found = ResultStore(tmp_path)
    found.write(failure_record(Job(CELL, OLD, "suite", None, None), "failed", "no luck"))
    return found


def test_a_record_of_the_same_cell_under_another_key_is_stale(store: ResultStore) -> None:
    assert stale_keys(store, [(NEW, CELL)]) == [OLD]
    assert stale_keys(store, [(OLD, CELL)]) == []


def test_a_dataset_that_is_not_there_makes_no_record_stale(store: ResultStore) -> None:
    """A disk that was not mounted took every result of its datasets out of the tables."""
    assert stale_keys(store, [(NEW, CELL)], without_data={"fb15k-db15k": "not found"}) == []
    assert stale_keys(store, [(NEW, CELL)], without_data={"dbp15k-zh-en": "not found"}) == [OLD]

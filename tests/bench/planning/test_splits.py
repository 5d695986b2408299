"""A dataset that comes with splits is run on them, unless somebody asks for others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mmea_bench.bench.api import plan_request, run_request
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.bench.planning.request import Request
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.writers import (
    write_dbp15k_layout,
    write_nmmea_layout,
    write_openea_layout,
)
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import comparisons, shown_numbers
from mmea_bench.results.core.store import read_tables

SPY = """
import json
from pathlib import Path
import torch
from mmea_bench.methods.core.base import Embeddings, Method


class Spy(Method):
    tasks = ("entity-alignment", "n-mmkg")

    def fit(self, view, ctx):
        out = Path(__file__).with_name("seeds.json")
        known = json.loads(out.read_text()) if out.exists() else []
        out.write_text(json.dumps([*known, sorted(view.seed_links.tolist())]))
        sizes = (view.source.n_entities, view.target.n_entities)
        return Embeddings(*(torch.rand(n, 3) for n in sizes))
"""


def folds_of(pair: KGPair, shares: list[tuple[str, float, float]]) -> tuple[Fold, ...]:
    """Random folds: name, share of training and of validation links."""
    found = []
    for number, (name, train, valid) in enumerate(shares):
        n_links = len(pair.anchor_links)
        order = np.random.default_rng(number).permutation(n_links)
        ends = [round(n_links * train), round(n_links * (train + valid))]
        found.append(Fold(name, *np.split(order, ends)))
    return tuple(found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an OpenEA pair of three folds, ``./pair``, and one without folds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spy.py").write_text(SPY)
    made = open_dataset("synthetic[n=100]").read()
    write_openea_layout(made, tmp_path / "plain")
    folds = folds_of(made, [(f"721_5fold/{k}", 0.2, 0.1) for k in (1, 2, 3)])
    write_openea_layout(replace(made, folds=folds), tmp_path / "pair")
    return tmp_path


def request(folder: Path, **changes: Any) -> Request:
    asked: dict[str, Any] = {
        "datasets": ("./pair",),
        "method_files": (folder / "spy.py",),
        "repeats": 2,
        "out": folder / "out",
        "cache_dir": folder / "cache",
        "device": "cpu",
        **changes,
    }
    return Request(**asked)


def plan(folder: Path, **changes: Any) -> Plan:
    return plan_request(request(folder, **changes)).plan


def cells(folder: Path, **changes: Any) -> list[Cell]:
    return [cell for _key, cell in plan(folder, **changes).cells]


def places(found: list[Cell]) -> list[tuple[str, str, float, int]]:
    return [(cell.split, cell.fold, cell.seed_ratio, cell.repeat) for cell in found]


def test_repeat_k_runs_on_fold_k_whatever_ratios_are_asked_for(folder: Path) -> None:
    expected = [("published", "721_5fold/1", 0.2, 1), ("published", "721_5fold/2", 0.2, 2)]
    assert places(cells(folder, seed_ratios=(0.3, 0.5))) == expected
    assert places(cells(folder, split="published")) == expected


def test_more_repeats_than_folds_are_said(folder: Path) -> None:
    found = plan(folder, repeats=5)
    assert len(found.cells) == 3
    (sentence,) = [text for text in found.remarks["./pair"] if "published split" in text]
    for words in ("repeat k is split k of 3", "3 of the 5 repeats", "--split random"):
        assert words in sentence
    assert "seed ratio of 20 % replaces the one asked for" in sentence


def test_random_splits_are_drawn_on_request_and_without_folds(folder: Path) -> None:
    expected = [("random", "", 0.3, 1), ("random", "", 0.3, 2)]
    assert places(cells(folder, split="random")) == expected
    assert places(cells(folder, datasets=("./plain",))) == expected


def test_a_published_split_that_is_not_there_is_refused_where_nothing_else_is_asked(
    folder: Path,
) -> None:
    asked = request(folder, datasets=("./plain",), split="published")
    with pytest.raises(UserError, match=r"\./plain has no published split\. Use --split random"):
        run_request(asked, Console(quiet=True))


def test_a_published_split_that_is_not_there_skips_its_dataset_alone(folder: Path) -> None:
    asked = request(folder, datasets=("./pair", "./plain"), split="published", repeats=1)
    outcome = run_request(asked, Console(quiet=True))
    assert dict(outcome.summary.n_by_status) == {"ok": 1, "skipped": 1}
    (row,) = read_tables(outcome.folder).cells.query("status == 'skipped'").to_dict("records")
    assert row["reason"].startswith("./plain has no published split")


def test_a_broken_fold_fails_its_own_repeat(folder: Path) -> None:
    (folder / "pair" / "721_5fold" / "2" / "test_links").unlink()
    outcome = run_request(request(folder, repeats=3), Console(quiet=True))
    assert dict(outcome.summary.n_by_status) == {"ok": 2, "failed": 1}
    (row,) = read_tables(outcome.folder).cells.query("status == 'failed'").to_dict("records")
    assert (row["repeat"], "721_5fold/2 cannot be used" in row["reason"]) == (2, True)


def test_another_release_of_the_fold_is_another_cell(folder: Path) -> None:
    """The content hash of a dataset does not cover its folds, so the key does."""
    (before, _), *_ = plan(folder, repeats=1).cells
    first, second = (folder / "pair" / "721_5fold" / k / "train_links" for k in "13")
    for part in ("train_links", "valid_links", "test_links"):
        first.with_name(part).write_bytes(second.with_name(part).read_bytes())
    (after, _), *_ = plan(folder, repeats=1).cells
    assert before != after
    random = [plan(folder, repeats=1, split="random").cells[0][0] for _ in range(2)]
    assert random[0] == random[1] != after


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_training_and_test_links_are_those_of_the_fold(folder: Path, protocol: str) -> None:
    outcome = run_request(request(folder, repeats=1, protocol=protocol), Console(quiet=True))
    pair = open_dataset("./pair").read()
    seeds = json.loads((folder / "seeds.json").read_text())
    assert seeds == [sorted(pair.anchor_links[pair.folds[0].train].tolist())]
    (row,) = read_tables(outcome.folder).cells.to_dict("records")
    parts = [len(rows) for rows in (pair.folds[0].train, pair.folds[0].valid, pair.folds[0].test)]
    assert [row["n_train"], row["n_valid"], row["n_test"]] == parts
    assert (row["split"], row["seed_ratio"]) == ("published", 0.2)
    assert "published split 721_5fold/1: 19.5 % training, 11 % validation" in row["notes"]
    assert set(read_tables(outcome.folder).results["split"]) == {"published"}


def test_reports_keep_published_and_random_splits_apart(folder: Path) -> None:
    for split in ("published", "random"):
        run_request(
            request(folder, repeats=1, split=split, seed_ratios=(0.2,)), Console(quiet=True)
        )
    tables = read_tables(folder / "out")
    assert len(tables.cells) == 2
    options = ReportOptions()
    found = sorted(each.place for each in comparisons(shown_numbers(tables, options), options))
    assert found == ["./pair 20 %", "./pair, published split 20 %"]


def test_training_and_test_files_of_dbp15k_are_the_published_split(folder: Path) -> None:
    made = open_dataset("synthetic[n=100]").read()
    write_dbp15k_layout(made, folder / "dbp")
    links = (folder / "dbp" / "ill_ent_ids").read_text().splitlines(keepends=True)
    (folder / "dbp" / "ill_ent_ids").unlink()
    n_train = round(0.3 * len(links))
    (folder / "dbp" / "sup_ent_ids").write_text("".join(links[:n_train]))
    (folder / "dbp" / "ref_ent_ids").write_text("".join(links[n_train:]))
    (cell,) = cells(folder, datasets=("./dbp",), repeats=3)
    assert places([cell]) == [("published", "sup_ent_ids+ref_ent_ids", 0.3, 1)]
    outcome = run_request(request(folder, datasets=("./dbp",)), Console(quiet=True))
    (row,) = read_tables(outcome.folder).cells.to_dict("records")
    assert (row["n_test"], row["n_train"] + row["n_valid"]) == (len(links) - n_train, n_train)
    assert "validation links are held out of its training links" in row["notes"]


def test_ratios_choose_among_the_published_splits_of_an_nmmkg(folder: Path) -> None:
    made = open_dataset("synthetic-nmmkg[n=300]").read()
    shares = [(f"{share}/{k}", share, 0.1) for share in (0.1, 0.3) for k in (1, 2)]
    write_nmmea_layout(replace(made, folds=folds_of(made, shares)), folder / "nodes")
    asked = {"datasets": ("./nodes",), "repeats": 1}
    assert places(cells(folder, **asked, seed_ratios=(0.3,))) == [("published", "0.3/1", 0.3, 1)]
    both = [("published", "0.1/1", 0.1, 1), ("published", "0.3/1", 0.3, 1)]
    assert places(cells(folder, **asked, seed_ratios=(0.1, 0.3))) == both
    assert places(cells(folder, **asked, seed_ratios=(0.5,))) == both


def test_a_suite_states_the_split_for_all_or_for_each_dataset(folder: Path) -> None:
    def splits(text: str, changes: dict[str, object] | None = None) -> dict[str, str]:
        path = folder / "mine.toml"
        path.write_text(f'methods = ["spy"]\ndatasets = ["./pair", "./plain"]\n{text}')
        files = (folder / "spy.py",)
        return dict(load_suite(str(path), changes or {}, folder, files).splits)

    assert splits("") == {}
    assert splits('split = "random"') == {"./pair": "random", "./plain": "random"}
    assert splits('[split]\n"./pair" = "published"') == {"./pair": "published"}
    everywhere = splits('[split]\n"./pair" = "published"', {"split": "random"})
    assert everywhere == {"./pair": "random", "./plain": "random"}
    with pytest.raises(UserError, match=r"Unknown `split` 'publishd'\. Did you mean 'published'"):
        splits('split = "publishd"')

"""No array, attribute or closure of what a training is given leads to a held-out link.

The walk itself, and the shapes in which it knows a link, are tested with the battery.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mmea_bench.bench.battery.held_out_links import held_out_in
from mmea_bench.bench.battery.reachable import reachable
from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.seeds import split_seed
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.access.writers import write_openea_layout
from mmea_bench.datasets.core.model.pair import Fold
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.results.core.store import read_tables

ALIGNMENT, NMMKG = "synthetic[n=150]", "synthetic-nmmkg[n=300,preset=easy]"
CHANGED = "synthetic[dangling=0.2,n=150,seed_noise=0.3]"

SPY = """
import json
from pathlib import Path

import numpy as np
import torch

from mmea_bench.bench.battery.held_out_links import held_out_in
from mmea_bench.methods.core.base import Embeddings, Method

HERE = Path(__file__).parent


class Spy(Method):
    tasks = ("entity-alignment", "n-mmkg")
    modalities = ("structure", "name", "image", "attribute", "text")

    def fit(self, view, ctx):
        sizes = (view.source.n_entities, view.target.n_entities)
        returned = Embeddings(*(torch.rand(n, 3) for n in sizes))
        ctx.monitor(1, 0.5, returned)
        ctx.tick(1, 2, 0.5)
        facts = {
            "found": held_out_in(view, ctx, np.load(HERE / "links.npy")),
            "seeds": view.seed_links.tolist(),
            "is_mapped": isinstance(view.source.relation_triples, np.memmap),
            "keeps_states": ctx.states is not None,
        }
        with (HERE / "facts.jsonl").open("a") as file:
            file.write(json.dumps(facts) + "\\n")
        return returned
"""

HANDS_OVER = """
import torch

from mmea_bench.methods.core.base import Embeddings, Method


class Spy(Method):
    tasks = ("entity-alignment", "n-mmkg")
    modalities = ("structure", "name", "image", "attribute", "text")

    def fit(self, view, ctx):
        ctx.tick((view, ctx), 1, 0.5)
        sizes = (view.source.n_entities, view.target.n_entities)
        return Embeddings(*(torch.rand(n, 3) for n in sizes))
"""

CHEAT = """
import json
from pathlib import Path

import numpy as np
import torch

from mmea_bench.methods.core.base import Embeddings, Method

TRIED = (
    lambda view, ctx: view.seed_links.base,
    lambda view, ctx: view.seed_links.base.base,
    lambda view, ctx: view.anchor_links,
    lambda view, ctx: view.features["image"][0].values.base.anchor_links,
    lambda view, ctx: ctx.monitor.points,
    lambda view, ctx: ctx.monitor.__self__,
    lambda view, ctx: ctx.monitor.__wrapped__,
    lambda view, ctx: ctx.monitor._scorer,
    lambda view, ctx: [cell.cell_contents.points for cell in ctx.monitor.__closure__],
    lambda view, ctx: [cell.cell_contents._scorer for cell in ctx.monitor.__closure__],
    lambda view, ctx: [cell.cell_contents._points for cell in ctx.tick.__closure__],
    lambda view, ctx: ctx.monitor.__defaults__,
    lambda view, ctx: ctx.tick.__self__,
    lambda view, ctx: ctx.states._curve.__self__,
    lambda view, ctx: ctx.states._monitor,
    lambda view, ctx: ctx.states.static["pair"],
    lambda view, ctx: ctx.states.static["view"].seed_links.base,
)


class Cheat(Method):
    def fit(self, view, ctx):
        found = []
        for number, look in enumerate(TRIED):
            try:
                seen = look(view, ctx)
            except (AttributeError, KeyError, TypeError):
                continue
            if seen is not None:
                found.append([number, type(seen).__name__, str(seen)])
        Path(__file__).with_name("found.json").write_text(json.dumps(found))
        generator = ctx.generator("vectors")
        sizes = (view.source.n_entities, view.target.n_entities)
        return Embeddings(*(torch.rand(n, 8, generator=generator) for n in sizes))
"""

WRITER = """
import torch

from mmea_bench.methods.core.base import Embeddings, Method


class Writer(Method):
    def fit(self, view, ctx):
        view.seed_links[:, 1] = 0
"""


@pytest.fixture
def given(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Any, Any, np.ndarray]:
    """View and context of a real cell in this process, and all links of its dataset."""
    dataset, kept = request.param, []
    (tmp_path / "spy.py").write_text(HANDS_OVER)
    cell = Cell("spy", "full", (), dataset, 0.3, 1, Protocol())
    job = Job(cell, "key", "suite", None, tmp_path, "cpu", (tmp_path / "spy.py",), 1)
    record = execute_cell(replace(job, states_every_s=60.0), lambda handed, *_: kept.append(handed))
    assert record.cell["status"] == "ok", record.cell["reason"]
    pair = open_dataset(dataset).read()
    view, context = kept[0]
    context.tick = None  # the list of this test
    split = make_split(Protocol(), pair, 0.3, split_seed(dataset, 1))
    assert np.array_equal(split.seed_links, view.seed_links)
    return view, context, pair.anchor_links


@pytest.mark.parametrize("given", [ALIGNMENT, NMMKG], indirect=True)
def test_nothing_holds_a_held_out_link(given: tuple[Any, Any, np.ndarray]) -> None:
    assert held_out_in(*given) == []


@pytest.mark.parametrize("given", [ALIGNMENT, NMMKG], indirect=True)
def test_nothing_holds_the_test_curve(given: tuple[Any, Any, np.ndarray]) -> None:
    view, ctx, _ = given
    for item in reachable(view, ctx):
        assert not (isinstance(item, dict) and item.get("links") == "test")
        assert type(item).__name__ not in ("CurveMonitor", "RankingScorer", "Split", "KGPair")


@pytest.mark.parametrize("given", [ALIGNMENT, NMMKG], indirect=True)
def test_seed_links_are_read_only_and_of_their_own(given: tuple[Any, Any, np.ndarray]) -> None:
    seeds = given[0].seed_links
    assert seeds.base is None
    assert not seeds.flags.writeable


@pytest.mark.parametrize("dataset", [ALIGNMENT, NMMKG])
def test_what_a_warm_cache_maps_from_its_file_holds_no_links(tmp_path: Path, dataset: str) -> None:
    """An array's mapping begins up to a page before it: the links stand behind what is shown."""
    load_pair(open_dataset(dataset), tmp_path)
    pair = load_pair(open_dataset(dataset), tmp_path)
    assert isinstance(pair.source.relation_triples, np.memmap)
    view = train_view(pair, pair.anchor_links[:1].copy())
    assert held_out_in(view, RunContext(1), pair.anchor_links) == []


def ran(folder: Path, method: str, text: str, dataset: str, *words: str) -> dict[str, Any]:
    """The row of one cell, by the command and in a process of its own."""
    (folder / f"{method}.py").write_text(text)
    places = ["--out", str(folder / "out"), "--cache-dir", str(folder / "cache")]
    asked = ["--methods", method, "--method-file", str(folder / f"{method}.py"), *places]
    asked += ["--datasets", dataset, "--repeats", "1", *words]
    CliRunner().invoke(app, ["run", "--no-report", *asked], env={"MMEA_DATA": "", "MMEA_CACHE": ""})
    cells = read_tables(folder / "out").cells
    (row,) = cells.to_dict("records")
    return row


@pytest.mark.parametrize("dataset", [NMMKG, CHANGED, "./pair"])
def test_nothing_is_found_in_a_real_run(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process ticks, keeps states and predictions; the second run reads a warm cache."""
    monkeypatch.chdir(tmp_path)
    words = ["--keep", "predictions"]
    if dataset == "./pair":
        made = open_dataset(ALIGNMENT).read()
        order = np.random.default_rng(0).permutation(len(made.anchor_links))
        parts = np.split(order, [30, 45])
        write_openea_layout(replace(made, folds=(Fold("721_5fold/1", *parts),)), Path("pair"))
        words += ["--split", "published"]
    else:
        words += ["--seed-ratios", "0.3"]
    links = open_dataset(dataset).read().anchor_links
    np.save(tmp_path / "links.npy", links)
    for attempt in (1, 2):
        row = ran(tmp_path, "spy", SPY, dataset, *words)
        assert row["status"] == "ok", row["reason"]
        (tmp_path / "out").rename(tmp_path / f"out-{attempt}")
    lines = (tmp_path / "facts.jsonl").read_text().splitlines()
    for facts in map(json.loads, lines):
        assert facts["found"] == []
        assert 0 < len(facts["seeds"]) < 0.5 * len(links)
        assert facts["keeps_states"]
    assert json.loads(lines[-1])["is_mapped"] or dataset == CHANGED
    assert len(lines) == 2


def test_a_method_that_looks_for_test_links_finds_none(tmp_path: Path) -> None:
    row = ran(tmp_path, "cheat", CHEAT, ALIGNMENT, "--seed-ratios", "0.3")
    assert row["status"] == "ok", row["reason"]
    assert json.loads((tmp_path / "found.json").read_text()) == []
    results = read_tables(tmp_path / "out").results
    assert results.loc[results["metric"] == "hits@1", "value"].max() < 0.2


def test_a_method_that_writes_into_the_seed_links_fails(tmp_path: Path) -> None:
    row = ran(tmp_path, "writer", WRITER, ALIGNMENT, "--seed-ratios", "0.3")
    assert row["status"] == "failed"
    assert (
        "view.seed_links[:, 1] = 0: ValueError: assignment destination is read-only"
        in (row["reason"])
    )

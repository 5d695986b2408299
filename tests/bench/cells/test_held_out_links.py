"""No array, attribute or closure of what a training is given leads to a held-out link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.bench.cells.execute import Job, execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.seeds import split_seed
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.methods.core.base import RunContext
from tests.cases.reachable import reachable

DATASETS = {"entity-alignment": "synthetic[n=150]", "n-mmkg": "synthetic-nmmkg[n=300,preset=easy]"}

SPY = """
import numpy as np
from mmea_bench.methods.core.base import Embeddings, Method
from tests.bench.cells.test_held_out_links import GIVEN
import torch


class Spy(Method):
    tasks = ("entity-alignment", "n-mmkg")
    modalities = ("structure", "name", "image", "attribute", "text")

    def fit(self, view, ctx):
        GIVEN.append((view, ctx))
        sizes = (view.source.n_entities, view.target.n_entities)
        found = Embeddings(*(torch.rand(n, 3) for n in sizes))
        ctx.monitor(1, 0.5, found)
        return found
"""

GIVEN: list[tuple[object, RunContext]] = []


@pytest.fixture
def given(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[object, object, np.ndarray]:
    """View and context of a real cell, and its validation and test links."""
    dataset = DATASETS[request.param]
    (tmp_path / "spy.py").write_text(SPY)
    cell = Cell("spy", "full", (), dataset, 0.3, 1, Protocol())
    job = Job(cell, "key", "suite", None, tmp_path, "cpu", (tmp_path / "spy.py",), 1)
    GIVEN.clear()
    record = execute_cell(replace(job, states_every_s=60.0))
    assert record.cell["status"] == "ok", record.cell["reason"]
    pair = open_dataset(dataset).read()
    split = make_split(Protocol(), pair, 0.3, split_seed(dataset, 1))
    assert np.array_equal(split.seed_links, GIVEN[0][0].seed_links)  # type: ignore[attr-defined]
    return *GIVEN[0], np.concatenate([split.valid_links, split.test_links])


@pytest.mark.parametrize("given", DATASETS, indirect=True)
def test_no_array_holds_a_held_out_link(given: tuple[object, object, np.ndarray]) -> None:
    view, ctx, held_out = given
    hidden = {tuple(link) for link in held_out.tolist()}
    for item in reachable(view, ctx):
        if isinstance(item, np.ndarray) and item.ndim == 2 and 2 in item.shape:
            pairs = item if item.shape[1] == 2 else item.T
            if np.issubdtype(pairs.dtype, np.integer) and not _is_of_the_graphs(item, view):
                assert not hidden & set(map(tuple, pairs.tolist())), item


@pytest.mark.parametrize("given", DATASETS, indirect=True)
def test_nothing_holds_the_test_curve(given: tuple[object, object, np.ndarray]) -> None:
    view, ctx, _ = given
    for item in reachable(view, ctx):
        assert not (isinstance(item, dict) and item.get("links") == "test")
        assert type(item).__name__ not in ("CurveMonitor", "RankingScorer", "Split", "KGPair")


@pytest.mark.parametrize("given", DATASETS, indirect=True)
def test_seed_links_are_read_only_and_of_their_own(
    given: tuple[object, object, np.ndarray],
) -> None:
    view = given[0]
    seeds = view.seed_links  # type: ignore[attr-defined]
    assert seeds.base is None
    assert not seeds.flags.writeable


def _is_of_the_graphs(item: np.ndarray, view: object) -> bool:
    """Attribute triples have two columns as well, and are no links."""
    graphs = (view.source, view.target)  # type: ignore[attr-defined]
    return any(item is graph.attribute_triples for graph in graphs)

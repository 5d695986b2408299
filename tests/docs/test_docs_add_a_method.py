"""The page on adding a method: its example file runs, and its command line is one that works."""

from __future__ import annotations

import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from mmea_bench.bench.battery.run import run_checks
from mmea_bench.bench.battery.small_pairs import tiny_pair, tiny_view
from mmea_bench.bench.cli.app import app
from mmea_bench.methods.api import JointGraph
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.store import read_tables

PAGE = Path(__file__).parents[2] / "docs" / "add_a_method.md"


def block(language: str, number: int = 0) -> str:
    """A code block of a language on the page, the first unless a number from 0 says which."""
    text = PAGE.read_text(encoding="utf-8")
    return str(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[number])


@pytest.fixture
def method_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_methods" / "neighbour_means.py"
    path.parent.mkdir()
    path.write_text(block("python"), encoding="utf-8")
    return path


def test_the_example_passes_the_battery(method_file: Path) -> None:
    outcomes = list(run_checks(get_method("neighbour_means", [method_file])))
    assert [outcome for outcome in outcomes if outcome.status == "failed"] == []
    assert {"learns", "deterministic", "second-device"} <= {
        outcome.check for outcome in outcomes if outcome.status == "ok"
    }


def test_the_example_trains(method_file: Path) -> None:
    """The first thing that a newcomer copies has a loop, a monitor and parameters that learn."""
    method = get_method("neighbour_means", [method_file]).configure("neighbour_means", "full", {})
    seen: list[int] = []
    ctx = RunContext(rng_seed=1, monitor=lambda epoch, _loss, _found: seen.append(epoch))
    method.fit(tiny_view(tiny_pair()), ctx)
    assert ctx.log.epochs == method.params.epochs
    assert ctx.log.n_parameters > 0
    assert len(seen) == method.params.epochs // method.params.eval_every


def test_the_example_with_a_layer_of_pyg_gives_the_same_vectors(method_file: Path) -> None:
    plain: dict[str, Any] = {"__name__": "plain"}
    sys.modules["plain"] = types.ModuleType("plain")  # dataclasses look their module up
    exec(method_file.read_text(), plain)  # noqa: S102
    with_pyg: dict[str, Any] = {}
    exec(block("python", 1), with_pyg)  # noqa: S102
    graph = JointGraph.of(tiny_view(tiny_pair()))
    vectors = torch.randn(graph.n_entities, 8)
    adjacency = plain["normalised_adjacency"](graph, torch.device("cpu"))
    expected = plain["propagated"](adjacency, vectors, 2)
    torch.testing.assert_close(with_pyg["propagated"](graph, vectors, 2), expected)


def commands(number: int) -> list[list[str]]:
    """The commands of a console block of the page, without ``python -m bench``."""
    lines = block("console", number).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[3:] for line in lines]


def test_the_command_of_the_page_runs(
    method_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = commands(0)[0]
    words[words.index("neighbour_means,eva")] = "neighbour_means,random_scores"
    with pytest.raises(SystemExit) as ended:
        app([*words, "--out", str(tmp_path / "out")])
    assert ended.value.code in (0, None)
    results = read_tables(tmp_path / "out").results
    assert set(results["method"]) == {"neighbour_means", "random_scores"}


def test_the_further_commands_of_the_page_are_understood(
    method_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep, listing = commands(0)[1:]
    for words in (["plan", *sweep[1:]], listing):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert commands(1)[0] == ["test-method", "my_methods/neighbour_means.py"]

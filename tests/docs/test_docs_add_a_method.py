"""The page on adding a method: its example file runs, and its command line is one that works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from mmea_bench.bench.battery.run import run_checks
from mmea_bench.bench.battery.small_pairs import tiny_pair, tiny_view
from mmea_bench.bench.cli.app import app
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


def test_the_example_with_a_layer_of_pyg_gives_the_same_vectors(method_file: Path) -> None:
    names: dict[str, Any] = {}
    exec(block("python", 1), names)  # noqa: S102
    view = tiny_view(tiny_pair())
    found = names["neighbour_means"](view, 2, torch.device("cpu"))
    method = get_method("neighbour_means", [method_file]).configure("neighbour_means", "full", {})
    expected = method.fit(view, RunContext(rng_seed=1))
    torch.testing.assert_close(found.source, expected.source)
    torch.testing.assert_close(found.target, expected.target)


def test_the_command_of_the_page_runs(
    method_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(block("console").replace("\\\n", " "))[3:]
    words[words.index("neighbour_means,eva")] = "neighbour_means,random_scores"
    with pytest.raises(SystemExit) as ended:
        app([*words, "--out", str(tmp_path / "out")])
    assert ended.value.code in (0, None)
    results = read_tables(tmp_path / "out").results
    assert set(results["method"]) == {"neighbour_means", "random_scores"}

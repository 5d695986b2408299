"""The page and the notebook of the Python API: every block and every cell runs."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench import api

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "python_api.md"
NOTEBOOK = DOCS / "example.ipynb"


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a session that works in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMEA_CACHE", str(tmp_path / "cache"))
    module = types.ModuleType("session")
    monkeypatch.setitem(sys.modules, "session", module)
    return vars(module)


def test_every_block_of_the_page_runs(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)  # noqa: S102 - the page is ours
    assert names["result"].is_complete
    assert len(names["hits"]) == 4
    assert names["made"].index.is_file()
    assert "Did you mean 'low-resource'" in capsys.readouterr().out


def test_the_page_names_every_call() -> None:
    page = PAGE.read_text()
    assert [name for name in api.__all__ if name.islower() and name not in page] == []


def test_every_cell_of_the_notebook_runs(names: dict[str, Any]) -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102 - the notebook is ours
    assert names["result"].is_complete
    assert 0 < names["found"]["hits@1"] < 1


def test_the_notebook_is_kept_without_output() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")

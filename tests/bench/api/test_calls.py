"""Calls from Python: the command line's code path, its tables and its sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from mmea_bench.bench import api
from mmea_bench.bench.api import Result, UserError
from mmea_bench.bench.cli.app import app
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.bench.conftest import MethodMaker
from tests.reports.reports_factory import make_record, own_numbers

DATASET = "synthetic[n=100]"
NUMBERS = ["metric", "direction", "csls", "repeat", "value"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMEA_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def result(here: Path) -> Result:
    """Random scores, twice."""
    return api.run("random_scores", DATASET, repeats=2, out=here / "out", device="cpu")


def test_a_run_gives_tables_and_a_number(result: Result) -> None:
    assert result.is_complete
    assert result.problems == []
    assert result.cells["status"].tolist() == ["ok", "ok"]
    rows = result.results
    chosen = rows[(rows["metric"] == "mrr") & (rows["direction"] == "mean") & (rows["csls"] == 3)]
    assert result.metric("mrr", csls=3, direction="mean") == chosen["value"].mean()
    with pytest.raises(UserError, match=r"no number hits@2 .* Metrics there: hits@1, hits@10"):
        result.metric("hits@2")


def test_a_metric_is_of_one_way_of_scoring(tmp_path: Path) -> None:
    """Protocol `paper` adds a similarity, and a protocol may have several sets of candidates."""
    record = make_record("gcn_align", 0.4, own_similarity="cosine")
    own = [row for row in own_numbers(record) if row["metric"] == "hits@1"]
    others = ({"similarity": "manhattan", "value": 0.9}, {"candidates": "unseeded", "value": 0.1})
    numbers = [*own, *({**row, **changes} for row in own for changes in others)]
    ResultStore(tmp_path).write(Record.of(record.cell, numbers))
    result = Result(SimpleNamespace(folder=tmp_path))  # type: ignore[arg-type]
    assert result.metric("hits@1") == 0.4


def test_a_path_is_a_folder_also_where_a_dataset_has_its_name(here: Path) -> None:
    """Paths drop the ``./`` that tells ``./fb15k-db15k`` from the published dataset."""
    (here / "fb15k-db15k").mkdir()
    with pytest.raises(UserError, match="has none of the known layouts; it holds nothing"):
        api.load_dataset(Path("./fb15k-db15k"))


def test_the_command_line_finds_the_cells_of_the_call_done(result: Result) -> None:
    words = ["run", "--methods", "random_scores", "--datasets", DATASET, "--seed-ratios", "0.3"]
    further = ["--repeats", "2", "--out", str(result.folder), "--device", "cpu", "--json"]
    done = CliRunner().invoke(app, [*words, *further])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n_done_before"] == 2


def test_results_are_read_back(result: Result) -> None:
    read = api.read_results(result.folder)
    pd.testing.assert_frame_equal(read[NUMBERS], result.results[NUMBERS])
    assert len(api.read_results(result.folder, "cells")) == 2
    with pytest.raises(UserError, match=r"Unknown table 'cell'\. Did you mean 'cells'"):
        api.read_results(result.folder, "cell")
    with pytest.raises(UserError, match="is not a folder"):
        api.read_results(result.folder / "nothing")


def test_a_report_is_made(result: Result) -> None:
    made = api.report(result.folder, only=["main_table"], formats=["md"])
    assert made.index.is_file()
    assert [document.name for document in made.documents] == ["main_table"]
    with pytest.raises(UserError, match="Unknown format 'docx'"):
        api.report(result.folder, formats=["docx"])


def test_parameters_and_a_method_file(here: Path, make_method: MethodMaker) -> None:
    path = make_method("mine")
    found = api.run(path, DATASET, parameters={"size": 7}, repeats=1, out=here / "out")
    assert found.cells["variant"].tolist() == ["full[size=7]"]


def test_a_cell_that_fails_is_a_row_with_its_reason(here: Path, make_method: MethodMaker) -> None:
    path = make_method("mine", "raise ValueError('no luck')")
    found = api.run(path, DATASET, repeats=1, out=here / "out")
    assert not found.is_complete
    (sentence,) = found.problems
    assert sentence.startswith("failed: mine on synthetic[n=100], repeat 1: ")
    assert "no luck" in sentence


def test_a_suite_runs_by_its_file(here: Path) -> None:
    suite = here / "tiny.toml"
    suite.write_text(
        'methods = ["random_scores"]\ndatasets = ["synthetic[n=100]"]\n'
        "seed_ratios = [0.3]\nrepeats = 1\n"
    )
    assert api.run_suite(suite, out=here / "out").is_complete
    with pytest.raises(UserError, match=r"Unknown suite"):
        api.run_suite("quik")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: api.run("mclae", DATASET), "Did you mean 'mclea'"),
        (lambda: api.run("mclea", "fb15k-db15"), "Did you mean 'fb15k-db15k'"),
        (lambda: api.run("mclea", DATASET, repeat=2), "Unknown option 'repeat'. Did you mean"),
        (lambda: api.run("mclea", DATASET, device="gpu"), "--device takes auto"),
        (lambda: api.run("mclea", DATASET, paramters={}), "Did you mean 'parameters'?"),
        (lambda: api.run("mclea", DATASET, parameters=["a=1"]), "parameters are a mapping"),
        (lambda: api.run("mclea", DATASET, jobs=0), "jobs must be a whole number of 1 or more"),
        (lambda: api.run("mclea", DATASET, jobs=1.5), "jobs must be a whole number"),
        (lambda: api.run("mclea", DATASET, top_k="3"), "top_k must be a whole number"),
        (lambda: api.run("mclea", DATASET, memory_limit=float("nan")), "a number of 0.1 or more"),
        (lambda: api.run("mclea", DATASET, checkpoint_every=-1), "a number of 0 or more, not -1"),
        (lambda: api.run("mclea", DATASET, grid="published"), "grid must map parameters"),
        (lambda: api.run("mclea", DATASET, trackers=[1]), "A tracker must be a Tracker, not 1"),  # type: ignore[list-item]
        (lambda: api.load_dataset("synthetic[m=3]"), "Unknown option of synthetic 'm'"),
    ],
)
def test_what_cannot_be_run_is_a_sentence(here: Path, call: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        call()


def test_one_value_stands_for_several(here: Path) -> None:
    swept = {"random_scores.dim": 8}
    asked = {"out": here / "out", "repeats": 1, "device": "cpu", "cells_per_gpu": 1}
    result = api.run("random_scores", DATASET, grid=swept, **asked)  # type: ignore[arg-type]
    assert result.cells["variant"].tolist() == ["full[dim=8]"]
    made = api.report(here / "out", only="cost", formats="md")
    assert [path.name for path in made.files] == ["report.md", "cost.md"]


def test_the_lists_are_the_catalogues(here: Path) -> None:
    assert "mclea" in {entry.name for entry in api.list_methods()}
    assert "fb15k-db15k" in {entry.name for entry in api.list_datasets()}
    assert "quick" in api.list_suites()
    assert len(api.load_dataset(DATASET).anchor_links) > 0


def test_the_environment_counts_as_for_the_command_line(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMEA_DATA", str(here / "data"))
    with pytest.raises(UserError, match=str(here / "data")):
        api.load_dataset("fb15k-db15k")
    with pytest.raises(UserError, match=str(here / "data")):
        api.run("random_scores", "fb15k-db15k", out=here / "out")


def test_a_script_without_a_guard_runs_once(here: Path) -> None:
    """Processes of cells do not run the user's script again."""
    script = here / "script.py"
    script.write_text(
        "print('started')\nfrom mmea_bench.bench import api\n"
        f"found = api.run('random_scores', '{DATASET}', repeats=1, out='out', device='cpu')\n"
        "print(found.problems, found.is_complete)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=here, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["started", "[] True"], done.stderr

"""The command line: sentences for users, exit codes, and output that programs can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli import app as cli
from mmea_bench.bench.cli import texts as cli_texts
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.texts import assignments, numbers, split_list
from mmea_bench.bench.running.run_state import note_plan
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.writers import write_openea_layout
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record

CHECKOUT = Path(cli.__file__).resolve().parents[2]
QUICK = ["--methods", "random_scores", "--datasets", "synthetic[n=100]", "--repeats", "2"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


@pytest.fixture
def where(tmp_path: Path) -> list[str]:
    out, cache = str(tmp_path / "out"), str(tmp_path / "cache")
    return ["--out", out, "--cache-dir", cache, "--data-root", str(tmp_path)]


def test_commas_in_brackets_do_not_split() -> None:
    given = ["synthetic[n=300,seed=1],fb15k-db15k", "dbp15k-zh-en"]
    assert split_list(given) == ["synthetic[n=300,seed=1]", "fb15k-db15k", "dbp15k-zh-en"]
    assert split_list(["a, b", "c,"]) == ["a", "b", "c"]
    assert split_list(None) is None


def test_numbers_are_numbers() -> None:
    assert numbers("--seed-ratios", ["0.2,0.5", "0.8"]) == [0.2, 0.5, 0.8]
    with pytest.raises(UserError, match="--seed-ratios takes numbers"):
        numbers("--seed-ratios", ["0.2,half"])


def test_assignments_keep_the_type_of_their_value() -> None:
    texts = ["mclea.epochs=10", "eva.iterative=true", "mclea.mode=image", "*.lr=1e-3", "dim=4"]
    assert assignments(texts) == {
        "*.dim": 4,
        "mclea.epochs": 10,
        "eva.iterative": True,
        "mclea.mode": "image",
        "*.lr": 1e-3,
    }


@pytest.mark.parametrize(
    "text", ["mclea.epochs", "epochs", "=3", "mclea.=3", ".epochs=3", "mclea.epochs="]
)
def test_broken_assignments_are_sentences(text: str) -> None:
    with pytest.raises(UserError, match=r"--set takes method\.parameter=value"):
        assignments([text])


def test_a_run_prints_its_table_and_files(where: list[str], tmp_path: Path) -> None:
    done = invoke("run", *QUICK, *where)
    assert done.exit_code == 0, done.output
    assert "Cells of this run: 2 ok." in done.stdout
    assert "random_scores" in done.stdout
    assert "Hits@1" in done.stdout
    assert str(tmp_path / "out" / "results.csv") in done.stdout
    assert (tmp_path / "out" / "report" / "report.md").is_file()
    again = invoke("run", *QUICK, *where)
    assert again.exit_code == 0
    assert "nothing was left to run, 2 done before" in again.stdout


def test_a_run_may_leave_the_report_for_later(where: list[str], tmp_path: Path) -> None:
    done = invoke("run", "--no-report", *QUICK, *where)
    assert done.exit_code == 0, done.output
    assert "Cells of this run: 2 ok." in done.stdout
    assert (tmp_path / "out" / "results.csv").is_file()
    assert not (tmp_path / "out" / "report").exists()


def test_a_run_can_be_read_by_programs(where: list[str], tmp_path: Path) -> None:
    result = json.loads(invoke("run", *QUICK, *where, "--json").stdout)
    assert result["n_by_status"] == {"ok": 2}
    assert result["exit_code"] == 0
    plan = json.loads(invoke("plan", *QUICK, *where, "--repeats", "3", "--json").stdout)
    assert (plan["n_cells"], plan["n_done"], plan["n_missing"]) == (3, 2, 1)
    assert plan["estimated_s"] >= 0
    status = json.loads(invoke("status", str(tmp_path / "out"), "--json").stdout)
    assert status["n_by_status"] == {"ok": 2}


def test_failures_are_shown_and_give_exit_code_1(
    where: list[str], tmp_path: Path, make_method: Any
) -> None:
    bad = make_method("raises", "raise ValueError('no luck')")
    done = invoke(
        "run", "--no-report", *QUICK, "--methods", "raises", "--method-file", str(bad), *where
    )
    assert done.exit_code == 1
    assert "2 failed" in done.stdout
    assert "2 ok" in done.stdout
    assert "no luck" in done.stderr
    status = invoke("status", str(tmp_path / "out"))
    assert status.exit_code == 0
    assert "ValueError: no luck" in status.stdout


def test_a_run_in_which_all_fails_still_ends_in_order(where: list[str], make_method: Any) -> None:
    bad = make_method("raises", "raise ValueError('no luck')")
    done = invoke("run", "--no-report", *QUICK[2:], "--method-file", str(bad), *where)
    assert done.exit_code == 1
    assert "2 failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "--suite", "quik"], "Did you mean 'quick'?"),
        (["run", "--suite", "nowhere.toml"], "does not exist"),
        (["run"], "Name a suite with --suite"),
        (["run", "--methods", "random_scores"], "give both --methods and --datasets"),
        (["run", *QUICK, "--set", "random_scores.dmi=3"], "Did you mean 'dim'?"),
        (["run", *QUICK, "--set", f"random_scores.dim={'[' * 5000}"], "must be int"),
        (["run", *QUICK, "--device", "gpu"], "--device takes auto, cpu, cuda"),
        (["run", *QUICK, "--protocol", "stric"], "strict"),
        (["run", *QUICK, "--seed-ratios", "a"], "--seed-ratios takes numbers"),
        (["run", *QUICK, "--variants", "w/o luck"], "w/o luck"),
        (["run", *QUICK, "--method-file", "nowhere.py"], "nowhere.py does not exist"),
        (["run", *QUICK[:2], "--datasets", "fb15k-db15k"], "data fetch fb15k-db15k"),
        (["plan", *QUICK, "--timeout", "3"], "No such option"),
        (["plan", *QUICK, "--seed-ratios", "2"], "0.01..0.95"),
        (["status", "nowhere"], "holds no records"),
        (["report", "nowhere"], "is not a folder"),
        (["report", "nowhere", "--only", "nothing"], "Unknown report 'nothing'"),
        (["report", "nowhere", "--direction", "up"], "Unknown direction 'up'"),
        (["report", "nowhere", "--metrics", "auc"], "Unknown metric 'auc'"),
        (["report", "nowhere", "--curve-metric", "auc"], "Unknown metric 'auc'"),
        (["list", "variants", "--methods", "nothing"], "Unknown method 'nothing'"),
    ],
)
def test_errors_are_sentences_with_exit_code_2(
    arguments: list[str], part: str, tmp_path: Path
) -> None:
    is_run = arguments[0] in ("run", "plan")
    where = ["--data-root", str(tmp_path), "--out", str(tmp_path / "out")] if is_run else []
    done = invoke(*arguments, *where)
    assert done.exit_code == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_bad_dataset_stops_no_other(tmp_path: Path, where: list[str]) -> None:
    folder = tmp_path / "broken"
    write_openea_layout(open_dataset("synthetic[n=100]").read(), folder)
    (folder / "rel_triples_1").write_text("no triple\n")
    datasets = f"synthetic[n=100],{folder}"
    done = invoke(
        "run", "--no-report", "--methods", "random_scores", "--datasets", datasets, *where
    )
    assert done.exit_code == 1
    assert f"Skipping {folder}" in done.stderr
    cells = ResultStore(tmp_path / "out").records()
    statuses = {(r.cell["dataset"], r.cell["status"]) for r in cells}
    assert statuses == {("synthetic[n=100]", "ok"), (str(folder), "failed")}


def test_defects_are_not_swallowed(where: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("mmea_bench.bench.api.run_request", broken)
    done = invoke("run", *QUICK, *where)
    assert isinstance(done.exception, RuntimeError)


@pytest.mark.parametrize("what", ["methods", "datasets", "suites", "variants", "reports"])
def test_everything_can_be_listed(what: str) -> None:
    assert invoke("list", what).exit_code == 0
    rows = json.loads(invoke("list", what, "--json").stdout)
    assert rows
    assert all(isinstance(row, dict) for row in rows)


COMMANDS = [
    [],
    ["run"],
    ["plan"],
    ["status"],
    ["report"],
    ["list"],
    ["data"],
    *(["list", what] for what in ("methods", "datasets", "suites", "variants", "reports")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_text_ends_with_an_example(command: list[str]) -> None:
    done = invoke(*command, "--help")
    assert done.exit_code == 0
    assert "Example: mmea-bench " in done.stdout.strip().splitlines()[-1]


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; import mmea_bench.bench.cli.app; print('torch' in sys.modules)"
    assert python("-c", code).stdout.strip() == "False"


def test_the_module_runs_from_a_checkout() -> None:
    assert python("-m", "bench", "--help").returncode == 0


def test_a_checkout_without_installation_says_what_to_do() -> None:
    done = python("-S", "-m", "bench", "--help")
    assert done.returncode == 2
    assert "pip install -e ." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )


def test_the_output_of_a_pipe_is_not_cut() -> None:
    assert cli_texts.stdout().width >= 200


def test_an_own_folder_runs_and_its_layout_and_gaps_are_said(
    where: list[str], tmp_path: Path
) -> None:
    pair = open_dataset("synthetic[n=120]").read()
    write_openea_layout(pair, tmp_path / "mine")
    (tmp_path / "mine" / "images.npz").unlink()
    request = ["--methods", "random_scores", "--datasets", str(tmp_path / "mine")]
    result = invoke(
        "run", "--no-report", *request, "--repeats", "1", "--seed-ratios", "0.3", *where
    )
    assert result.exit_code == 0, result.output
    assert "has the OpenEA layout" in result.stderr
    assert "images.npz" in result.stderr


def test_merge_joins_folders_and_exits_1_on_conflicts(tmp_path: Path) -> None:
    for name, score in (("a", 0.4), ("b", 0.4), ("c", 0.5)):
        ResultStore(tmp_path / name).write(make_record("mclea", score))
    folders = {name: str(tmp_path / name) for name in "abc"}
    same = invoke("merge", folders["a"], folders["b"], "--out", str(tmp_path / "same"))
    assert same.exit_code == 0
    assert "1 were in several folders" in same.stdout
    differing = invoke("merge", *folders.values(), "--out", str(tmp_path / "all"), "--json")
    assert differing.exit_code == 1
    assert json.loads(differing.stdout)["conflicts"][0]["set_aside"] == folders["c"]
    wrong = invoke("merge", str(tmp_path / "none"), "--out", str(tmp_path / "out"))
    assert wrong.exit_code == 2


def test_status_says_what_runs_where_and_how_long_the_rest_takes(tmp_path: Path) -> None:
    done = make_record("mclea", 0.4, fit_s=50.0, eval_s=10.0)
    ResultStore(tmp_path).write(done)
    words = {"method": "mclea", "variant": "full", "dataset": "fb15k-db15k", "seed_ratio": 0.2}
    cells = {key: {**words, "repeat": n} for n, key in enumerate((done.key, "b", "c"), 1)}
    note_plan(tmp_path, cells, [], cells)
    with Claims(tmp_path) as claims:
        claims.take("b")
        shown = invoke("status", str(tmp_path)).stdout
        found = json.loads(invoke("status", str(tmp_path), "--json").stdout)
    assert "running: mclea (full) on fb15k-db15k, ratio 0.2, repeat 2: process" in shown
    assert "2 cells missing, 1 of them running. Time left: about 2 min 00 s" in shown
    assert (found["n_missing"], found["seconds_left"]) == (2, 120.0)
    assert found["running"][0]["repeat"] == 2
    after = json.loads(invoke("status", str(tmp_path), "--json").stdout)
    assert after["running"] == []


def test_status_says_how_far_a_cell_is_and_judges_it_by_its_own_epochs(tmp_path: Path) -> None:
    words = {"method": "mclea", "variant": "full", "dataset": "fb15k-db15k", "seed_ratio": 0.2}
    cells = {"a": {**words, "repeat": 1}, "b": {**words, "repeat": 2}}
    note_plan(tmp_path, cells, [], cells)
    with Claims(tmp_path, heartbeat_s=0.05) as claims:
        claims.take("a")
        unknown = invoke("status", str(tmp_path)).stdout
        claims.tell("a", 10, 50)
        time.sleep(0.1)
        claims.tell("a", 20, 50)
        limit = time.monotonic() + 20.0
        while time.monotonic() < limit and "epoch 20" not in invoke("status", str(tmp_path)).stdout:
            time.sleep(0.02)
        shown = invoke("status", str(tmp_path)).stdout
        found = json.loads(invoke("status", str(tmp_path), "--json").stdout)
    assert "Time left: unknown until a cell has ended." in unknown
    assert re.search(r"repeat 1: epoch 20 of 50, about [\d.]+ s left, process", shown)
    assert found["running"][0]["advance"]["epoch"] == 20
    left = found["running"][0]["advance"]["seconds_left"]
    assert left > 0.2
    # The other one is taken for such a cell: 50 epochs where 30 are left.
    assert found["seconds_left"] == pytest.approx(left + left * 50 / 30)


def test_a_run_of_a_part_does_not_make_the_whole_complete(tmp_path: Path) -> None:
    done = make_record("mclea", 0.4)
    ResultStore(tmp_path).write(done)
    names = ("method", "variant", "dataset", "seed_ratio", "repeat", "protocol")
    words = {name: done.cell[name] for name in names}
    note_plan(tmp_path, ["a", done.key], [], {done.key: words, "a": {**words, "method": "eva"}})
    note_plan(tmp_path, [done.key], [done.key], {done.key: words})
    found = json.loads(invoke("status", str(tmp_path), "--json").stdout)
    assert found["n_missing"] == 1
    # The same cell under a new key, after a change of the code, is one cell.
    note_plan(tmp_path, ["b"], [], {"b": {**words, "method": "eva"}})
    found = json.loads(invoke("status", str(tmp_path), "--json").stdout)
    assert found["n_missing"] == 1


def test_what_no_host_has_done_is_missing_in_the_joint_folder(tmp_path: Path) -> None:
    done = make_record("mclea", 0.4)
    ResultStore(tmp_path / "a").write(done)
    words = {name: done.cell[name] for name in ("method", "variant", "dataset", "seed_ratio")}
    cells = {done.key: {**words, "repeat": 1}, "b": {**words, "repeat": 2}}
    note_plan(tmp_path / "a", cells, [], cells)
    assert invoke("merge", str(tmp_path / "a"), "--out", str(tmp_path / "all")).exit_code == 0
    shown = invoke("status", str(tmp_path / "all")).stdout
    assert "1 of 2 cells done, 1 missing." in shown

"""The configuration behind a number can be read, and the number made again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

HERE = ["--datasets", "synthetic[n=100]", "--seed-ratios", "0.3"]
SETTINGS = ["--set", "mine.tau=0.4", "--variants", "w/o image", "--protocol", "paper"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


@pytest.fixture
def method_file(make_method: Any) -> Path:
    return Path(make_method("mine", variants={"w/o image": {"use_image": False}}))


@pytest.fixture
def record(method_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """The second repeat of a user's method, run in a folder below ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    words = ["--no-report", "--method-file", str(method_file), *HERE, *SETTINGS, "--repeats", "2"]
    done = invoke("run", *words, "--out", "results/runs/mine", "--cache-dir", "cache")
    assert done.exit_code == 0, done.output
    found = ResultStore(tmp_path / "results/runs/mine").records()
    return next(each for each in found if each.cell["repeat"] == 2)


def test_a_record_holds_its_configuration(record: Record, method_file: Path) -> None:
    kept = record.configuration
    assert kept["parameters"]["tau"] == 0.4
    assert kept["parameters"]["size"] == 4
    assert kept["variant"] == {"use_image": False}
    assert kept["overrides"] == {"tau": 0.4}
    assert kept["protocol"]["name"] == "paper"
    assert kept["method_files"][0]["text"] == method_file.read_text()


def test_show_says_what_set_each_parameter(record: Record) -> None:
    shown = invoke("show", record.key[:8])
    assert shown.exit_code == 0, shown.output
    rows = [line.split("│")[1:4] for line in shown.stdout.splitlines() if line.count("│") == 4]
    cells = {tuple(text.strip() for text in row) for row in rows}
    assert {("tau", "0.4", "override"), ("use_image", "false", "variant")} <= cells
    assert ("size", "4", "default") in cells
    assert "method file: mine.py, SHA-256" in shown.stdout
    assert "class Fake(Method)" in invoke("show", record.key, "--source").stdout
    assert json.loads(invoke("show", record.key, "--json").stdout)["cell"]["repeat"] == 2


def test_a_record_can_be_repeated_after_the_file_has_changed(
    record: Record, method_file: Path, tmp_path: Path
) -> None:
    method_file.write_text("broken (")
    done = invoke("run", "--no-report", "--from-record", record.key, "--cache-dir", "cache")
    assert done.exit_code == 0, done.output
    (again,) = ResultStore(tmp_path / f"results/runs/repeat_{record.key}").records()
    assert (again.cell["repeat"], again.cell["variant"]) == (2, record.cell["variant"])
    assert [row["value"] for row in again.results] == [row["value"] for row in record.results]
    assert "numbers are those of the record" in done.stderr


def test_the_commit_of_the_users_own_repository_is_kept(
    method_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "mine.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    words = ["run", "--no-report", "--method-file", str(method_file), *HERE, "--repeats", "1"]
    assert invoke(*words, "--out", "out", "--cache-dir", "cache").exit_code == 0
    (found,) = ResultStore(tmp_path / "out").records()
    assert found.configuration["repository"] == head


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["show", "0000"], "There is no record '0000' in any folder below results/runs"),
        (["show", "../../x"], "There is no record"),
        (["run", "--from-record", "0000"], "There is no record '0000'"),
        (["run", "--from-record", "0000", "--methods", "eva"], "--from-record says what to run"),
    ],
)
def test_wrong_requests_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*words)
    assert done.exit_code == 2
    assert part in done.stderr


def test_a_record_of_an_older_version_says_that_it_cannot_be_repeated(
    record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "results/runs/mine/cells" / f"{record.key}.json"
    content = json.loads(path.read_text())
    del content["configuration"]
    path.write_text(json.dumps(content))
    done = invoke("run", "--no-report", "--from-record", str(path))
    assert done.exit_code == 2
    assert "does not say how its cell was configured" in done.stderr


def test_a_copy_that_was_changed_is_not_run(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "results/runs/mine/cells" / f"{record.key}.json"
    content = json.loads(path.read_text())
    content["configuration"]["method_files"][0]["text"] += "import os"
    path.write_text(json.dumps(content))
    done = invoke("run", "--no-report", "--from-record", record.key)
    assert done.exit_code == 2
    assert "was changed; not run" in done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        {"overrides": 3},
        {"method_files": [{"name": "../../x.py", "sha256": "", "text": ""}]},
        {"method_files": [3]},
        {"protocol": None},
    ],
)
def test_a_damaged_configuration_is_a_sentence(
    record: Record, tmp_path: Path, damage: dict[str, object]
) -> None:
    path = tmp_path / "results/runs/mine/cells" / f"{record.key}.json"
    content = json.loads(path.read_text())
    content["configuration"] |= damage
    path.write_text(json.dumps(content))
    for words in (["show", record.key], ["run", "--from-record", record.key]):
        done = invoke(*words)
        assert (done.exit_code, "is damaged" in done.stderr) == (2, True)


def test_the_version_is_told() -> None:
    done = invoke("--version")
    assert (done.exit_code, done.stdout.startswith("mmea-bench ")) == (0, True)

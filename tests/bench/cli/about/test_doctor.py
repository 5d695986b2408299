"""What is installed and found, and what of it is wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from mmea_bench.bench.cli.about import checks
from mmea_bench.bench.cli.about.checks import declared, package_check, pins
from mmea_bench.bench.cli.app import app

ROOT = Path(__file__).parents[4]


def doctor(*words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the checks by topic and name."""
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    found = json.loads(done.stdout)
    assert found["ok"] == (done.exit_code == 0)
    return done.exit_code, {f"{row['topic']} {row['name']}": row for row in found["checks"]}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a data root, without the user's variables."""
    for name in ("MMEA_DATA", "MMEA_CACHE", "MMEA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def test_a_machine_that_is_ready(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = here / "models" / "LaBSE"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    monkeypatch.setenv("MMEA_MODELS", str(here / "models"))
    code, found = doctor("--data-root", "data", "--cache-dir", "cache")
    assert code == 0, [row for row in found.values() if row["state"] == "wrong"]
    assert found["packages torch"]["state"] in {"ok", "note"}
    assert "that this process may use" in found["hardware cores"]["text"]
    assert found["folders cache"]["text"].startswith("cache, made when needed; ")
    assert found["datasets synthetic"]["text"] == "generated"
    assert found["datasets fb15k-db15k"]["state"] == "note"
    assert found["models folder"]["text"].endswith("models: LaBSE")
    assert not (here / "cache").exists()
    assert not (here / "results").exists()


def test_what_is_wrong_says_what_to_do(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "file").write_text("")
    (here / "empty").mkdir()
    monkeypatch.setenv("MMEA_MODELS", str(here / "empty"))
    (here / "films.py").write_text("")
    code, found = doctor("--data-root", "nowhere", "--cache-dir", "file/cache")
    assert code == 1
    wrong = {name: row["text"] for name, row in found.items() if row["state"] == "wrong"}
    assert wrong.keys() == {"folders data", "folders cache", "models folder"}
    assert "--data-root or MMEA_DATA" in wrong["folders data"]
    assert "cannot be written; name another one with --cache-dir" in wrong["folders cache"]
    assert "holds no folder with a config.json" in wrong["models folder"]


def test_the_table_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [checks.Check("program", "Python", "ok", "3"), checks.Check("a", "b", "note", "[c]")]
    monkeypatch.setattr(checks, "all_checks", lambda *_args, **_words: some)
    fine = CliRunner().invoke(app, ["doctor"])
    assert (fine.exit_code, fine.stdout.splitlines()[-1]) == (0, "Nothing is wrong. 1 note.")
    assert "[c]" in fine.stdout
    some.append(checks.Check("a", "d", "wrong", "e"))
    bad = CliRunner().invoke(app, ["doctor"])
    assert (bad.exit_code, bad.stdout.splitlines()[-1]) == (1, "1 thing is wrong. 1 note.")


@pytest.mark.parametrize(
    ("found", "state", "text"),
    [
        ("2.1", "ok", "2.1"),
        ("2.1+cpu", "ok", "2.1+cpu"),
        ("2.3", "note", "2.3; tested with 2.1"),
        ("1.9", "wrong", "1.9, but >=2 is needed; run: pip install -c constraints.txt 'some>=2'"),
        (None, "wrong", "not installed; run: pip install -c constraints.txt 'some>=2'"),
    ],
)
def test_a_package_against_its_range_and_its_pin(found: str | None, state: str, text: str) -> None:
    check = package_check(Requirement("some>=2"), found, "2.1")
    assert (check.state, check.text) == (state, text)


def test_pins_and_needs_are_those_of_the_checkout() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    always, extras = declared(ROOT / "pyproject.toml")
    assert [str(each) for each in always] == project["dependencies"]
    assert extras.keys() == project["optional-dependencies"].keys()
    assert "transformers" in {each.name for each in extras["dev"]}
    pinned = pins(ROOT / "constraints.txt")
    lacking = [each.name for each in always if each.name.lower() not in pinned]
    assert lacking == []
    assert pins(ROOT / "nothing.txt") == {}


def test_outside_a_checkout_the_installed_metadata_count(tmp_path: Path) -> None:
    always, extras = declared(tmp_path / "pyproject.toml")
    assert "torch" in {each.name for each in always}
    assert "transformers" not in {each.name for each in always}
    assert "transformers" in {each.name for each in extras["text"]}

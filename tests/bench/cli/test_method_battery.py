"""``bench test-method``: a line for every check of a user's file, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.methods import transe
from tests.cases.small_methods import random_method

RUNNER = CliRunner()


def call(*words: object) -> Result:
    return RUNNER.invoke(app, ["test-method", *map(str, words)])


@pytest.fixture
def method_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(random_method(), encoding="utf-8")
    return path


def test_a_sound_method_of_the_catalogue_passes() -> None:
    found = call("random_scores")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert "ok      deterministic" in lines
    assert "ok      second-device [n-mmkg]" in lines
    assert "skipped variant-parameters: the method has no variants" in lines
    assert lines[-1].startswith("random_scores: ")
    assert lines[-1].endswith("0 failed")


def test_a_users_file_fails_with_what_to_change(method_file: Path) -> None:
    found = call(method_file, "--only", "declares,deterministic,second-device")
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    assert lines[0] == "failed  declares: Fake has no docstring: say what it is."
    assert lines[1] == "ok      deterministic"
    assert lines[2].startswith("failed  second-device [entity-alignment]: What fit returned is")
    assert lines[3] == f"{method_file}: 1 ok, 0 skipped, 2 failed"


def test_json_holds_the_same(method_file: Path) -> None:
    found = call(method_file, "--only", "deterministic", "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout) == {
        "method": str(method_file),
        "counts": {"ok": 1},
        "checks": [{"check": "deterministic", "case": "", "status": "ok", "text": ""}],
    }


def test_what_cannot_be_checked_is_an_error_of_the_user(tmp_path: Path) -> None:
    for words, text in (
        (["eva", "--only", "lerns"], "Did you mean 'learns'?"),
        (["evva"], "Did you mean 'eva'?"),
        ([tmp_path / "gone.py"], "does not exist"),
    ):
        found = call(*words)
        assert found.exit_code == 2
        assert text in found.stderr


def test_a_users_file_with_classes_of_its_own_goes_on_where_it_was(tmp_path: Path) -> None:
    """The state of a training names the user's classes, whose module is no part of the project."""
    path = tmp_path / "own_transe.py"
    path.write_text(Path(transe.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    done = call(path, "--only", "continues")
    assert done.exit_code == 0, done.output

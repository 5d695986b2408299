"""Completion in the shell, the version, and the files that hosts and tools look for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app

ROOT = Path(__file__).parents[4]


def completed(line: str) -> list[str]:
    """What bash would offer at the end of a line."""
    words = line.split(" ")
    environment = {
        "_MMEA_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = CliRunner().invoke(app, [], prog_name="mmea-bench", env=environment)
    return list(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mmea-bench run --methods mcl", ["mclea"]),
        ("mmea-bench run --methods eva,mcl", ["eva,mclea"]),
        ("mmea-bench plan --datasets fb15k-", ["fb15k-db15k", "fb15k-yago15k"]),
        ("mmea-bench run --suite low", ["low-resource"]),
        ("mmea-bench cite dbp15k-z", ["dbp15k-zh-en"]),
        ("mmea-bench doc", ["doctor"]),
    ],
)
def test_the_shell_is_offered_names(line: str, offered: list[str]) -> None:
    assert [word for word in completed(line) if word != "mmea-bench"] == offered


def test_completion_can_be_installed() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "--install-completion" in shown
    assert "--show-completion" in shown


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def test_the_version_is_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert re.fullmatch(r"mmea-bench \S+ \(commit \S+\)\n", done.stdout)


def test_the_citation_file_is_valid_and_of_this_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    needed = {"cff-version", "message", "title", "authors"}
    assert needed <= found.keys()
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert str(found["version"]) == project()["version"]
    assert found["license"] == project()["license"]
    assert all(author["name"] for author in found["authors"])


def test_hooks_run_what_make_runs_and_download_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (local,) = config["repos"]
    assert local["repo"] == "local"
    assert all(hook["language"] == "system" for hook in local["hooks"])
    entries = " ".join(hook["entry"] for hook in local["hooks"])
    assert all(tool in entries for tool in ("ruff check", "ruff format --check", "mypy"))


def test_templates_name_no_host() -> None:
    folder = ROOT / ".github"
    templates = sorted(folder.rglob("*.md"))
    assert len(templates) == 4
    for path in templates:
        text = path.read_text()
        assert "http" not in text
        if path.parent.name == "ISSUE_TEMPLATE":
            _before, header, _body = text.split("---\n", 2)
            assert yaml.safe_load(header).keys() == {"name", "about"}


def test_every_extra_is_pinned_and_used() -> None:
    extras = project()["optional-dependencies"]
    assert "ray" not in extras
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    for extra, needed in extras.items():
        for text in needed:
            name = re.split(r"[\[<>=]", text)[0]
            assert name == "mmea-bench" or name in names, f"{name} of {extra} is not pinned"

"""The commit that travels with every number is that of the checkout the code lies in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmea_bench.bench.planning import machine

ROOT = Path(__file__).resolve().parents[3]


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one commit, in which the program lies."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("A = 1\n", encoding="utf-8")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(machine, "_CHECKOUT", tmp_path)
    return tmp_path


def looked_up() -> str:
    """The version without what an earlier look-up has kept."""
    return machine.code_version.__wrapped__()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_the_commit_is_known_inside_this_checkout() -> None:
    # A file that moves between folders must not make it "unknown" unnoticed.
    assert looked_up().removesuffix("-dirty") == git(ROOT, "rev-parse", "--short=12", "HEAD")


def test_a_changed_file_makes_the_commit_dirty(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "--short=12", "HEAD")
    (checkout / "untracked.py").write_text("B = 1\n", encoding="utf-8")
    assert looked_up() == commit
    (checkout / "code.py").write_text("A = 2\n", encoding="utf-8")
    assert looked_up() == f"{commit}-dirty"


def test_a_package_inside_a_foreign_checkout_has_no_commit(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "site-packages").mkdir()
    monkeypatch.setattr(machine, "_CHECKOUT", checkout / "site-packages")
    assert looked_up() == machine.UNKNOWN


def test_outside_a_checkout_the_commit_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_CHECKOUT", tmp_path)
    assert looked_up() == machine.UNKNOWN

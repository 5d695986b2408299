"""Suites of others: every mistake is a sentence, and none costs time or memory."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mmea_bench.bench.planning import suite_files
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.suite_files import LARGEST_SUITE_BYTES, read_suite_table
from mmea_bench.datasets.core.errors import UserError
from tests.fuzz.limits import bounded

IMPORTS_SECONDS = 5.0
"""The first suite imports the methods."""

PLAN = 'methods = ["random_scores"]\ndatasets = ["synthetic[n=100]"]\n'

SUITES = {
    "deep lists": ("seed_ratios = " + "[" * 50_000, "nests its lists or tables too deeply"),
    "closed deep lists": (f"seed_ratios = {'[' * 9}{']' * 9}", "nests its lists or tables"),
    "deep tables": (f"[{'.'.join('a' * 5000)}]", "nests its lists or tables too deeply"),
    "a number of five thousand digits": (f"repeats = {'9' * 5000}", "is not valid TOML"),
    "a number beyond floats": (f"repeats = {'9' * 400}", "must be a number below 1e308"),
    "an infinite number of repeats": ("repeats = inf", "must be a whole number, not inf"),
    "no number": ("timeout_s = nan", "must be above 0 and finite, not nan"),
    "an infinite time": ("timeout_s = inf", "must be above 0 and finite"),
    "too many repeats": ("repeats = 10000000", "has 10,000,000 cells, more than 100,000"),
    "nearly a million": ("repeats = 999999", "has 999,999 cells, more than 100,000. Split it, or"),
    "a grid without end": (
        "[grid.eva]\n" + "\n".join(f"{name} = {list(range(1, 300))}" for name in ("epochs", "dim")),
        "",
    ),
    "half a text": ('title = "a', "is not valid TOML"),
    "a title that is a table": ("[title]\na = 1", "`title` must be text in quotes"),
    "control characters": ("title = 'a\x1b[2J'", "is not valid TOML"),
    "an escaped control character": ('grid_mode = "\\u001b[2J"', r"'\x1b[2J'"),
    "a key of control characters": ('"\\u001b[2J" = 1', r"Unknown key '\x1b[2J'"),
    "a method outside": ('methods = ["../../etc/passwd"]', "Unknown method '../../etc/passwd'"),
    "a method file": ('methods = ["/tmp/evil.py"]', "Unknown method"),
    "a dataset that is no path": ('datasets = ["./a\\u0000b"]', "cannot be a folder"),
    "a home of nobody": ('datasets = ["~nobody-of-this-name/x"]', "cannot be a folder"),
    "a date": ("seed_ratios = 1979-05-27", "must be a number"),
    "a list for an option": ("[protocol]\neval_every = [[1]]", "must be"),
    "a table for an option": ("[protocol.eval_every]\na = 1", "must be int, not a dict"),
    "no link to test": (
        "seed_ratios = [0.3, 0.8]\n[protocol]\nvalid_from = 'others'\nvalid_share = 0.2",
        "`seed_ratios` of 0.8 and a `valid_share` of 0.2 of all links leave none to test",
    ),
    "many mistakes": ("\n".join(f"k{n} = 1" for n in range(3000)), "and 2950 more"),
}


@pytest.mark.parametrize("name", SUITES)
def test_hostile_suites(tmp_path: Path, name: str) -> None:
    content, words = SUITES[name]
    keys = ("methods", "datasets")
    kept = [line for line in PLAN.splitlines() if not any(
        line.startswith(key) and content.startswith(key) for key in keys)]  # fmt: skip
    path = tmp_path / "suite.toml"
    path.write_text("\n".join([*kept, content]))
    with bounded(IMPORTS_SECONDS), pytest.raises(UserError) as caught:
        load_suite(str(path))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 30_000
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def test_a_suite_of_a_megabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(PLAN + "#" * LARGEST_SUITE_BYTES)
    with pytest.raises(UserError, match="a suite has at most 262144"):
        load_suite(str(path))


@pytest.mark.parametrize("name", ["a\0b.toml", "x" * 5000 + ".toml"])
def test_a_name_that_can_be_no_file_is_a_sentence(name: str) -> None:
    with pytest.raises(UserError, match=r"cannot be opened|does not exist"):
        load_suite(name)


def test_a_mark_of_the_encoding_is_no_part_of_a_suite(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(PLAN, encoding="utf-8-sig")
    assert load_suite(str(path)).methods == ("random_scores",)


def test_a_suite_in_another_encoding_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text('title = "Müller"\n' + PLAN, encoding="latin-1")
    with pytest.raises(UserError, match=r"is no UTF-8 text \(byte 10\), as TOML is"):
        load_suite(str(path))


def test_a_folder_is_no_suite(tmp_path: Path) -> None:
    folder = tmp_path / "mine.toml"
    folder.mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_suite_table(str(folder))


def test_a_suite_that_cannot_be_read_is_not_called_bad_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("repeats = 1", encoding="utf-8")

    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(suite_files, "read_regular", refuse)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        read_suite_table(str(path))

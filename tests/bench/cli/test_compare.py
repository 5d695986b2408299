"""``compare``: forms of output, exit codes, and requests that cannot be answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *(str(argument) for argument in arguments)])


def fill(folder: Path, *scores: float, method: str = "eva", **more: object) -> Path:
    store = ResultStore(folder)
    for repeat, score in enumerate(scores, 1):
        store.write(make_record(method, score, repeat=repeat, split_seed=repeat, **more))
    return folder


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return fill(tmp_path / "before", 0.50, 0.52, 0.51)


@pytest.fixture
def after(tmp_path: Path) -> Path:
    return fill(tmp_path / "after", 0.40, 0.421, 0.411)


def test_something_worse_is_exit_code_1(before: Path, after: Path) -> None:
    done = compare(before, after, "--metrics", "hits@1")
    assert done.exit_code == 1, done.output
    assert "after against before: 1 number of 3 pairs of cells: 1 worse." in done.stdout
    assert compare(after, before).exit_code == 0


def test_markdown_is_for_a_pull_request(before: Path, after: Path) -> None:
    text = compare(before, after, "--markdown").stdout
    assert text.startswith("# after against before")
    assert "| eva | fb15k-db15k, 20 % | strict, no names | Hits@1 | 3 |" in text


def test_a_program_can_read_it(before: Path, after: Path) -> None:
    content = json.loads(compare(before, after, "--json").stdout)
    assert (content["n_worse"], content["exit_code"]) == (2, 1)
    assert content["differences"][0]["difference"] == pytest.approx(-0.0993, abs=1e-3)


def test_names_of_others_cannot_break_the_table(tmp_path: Path) -> None:
    hostile = "w/o | <b>x</b>\x1b[31m"
    sides = [fill(tmp_path / name, 0.4, 0.5, variant=hostile) for name in ("a", "b")]
    for form in ((), ("--markdown",), ("--json",)):
        done = compare(*sides, *form)
        assert done.exit_code == 0, done.output
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Give two results folders, or one with --variants A B"),
        (("--variants", "full", "none"), "No cell of this folder has the variant 'none'."),
        (("--variants", "full", "full"), "Both sides are full. Name two variants."),
        (("--methods", "eva", "evaa"), "Did you mean 'eva'?"),
        (("--commits", "aaaa", "bbbb"), "No cell of this folder has the commit 'aaaa'."),
        (("--methods", "eva", "x", "--variants", "full", "y"), "Give one of --variants"),
        (("--markdown", "--json"), "--markdown and --json are two forms"),
        (("--metrics", "hits@2"), "Unknown metric 'hits@2'."),
        (("--direction", "up"), "Unknown direction 'up'."),
        (("--correction", "up"), "Unknown correction 'up'."),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(
    before: Path, options: tuple[str, ...], sentence: str
) -> None:
    done = compare(before, *options)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_other_sides_that_cannot_be_compared(before: Path, after: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "other", 0.5, method="mclea")
    (tmp_path / "empty").mkdir()
    for arguments, sentence in (
        ((before, before), "Both sides are"),
        ((before, tmp_path / "absent"), "is not a folder"),
        ((before, tmp_path / "empty"), "holds no results"),
        ((before, after, "--despite", "luck"), "Unknown word of --despite 'luck'"),
        ((before, after, "--variants", "a", "b"), "compares two parts of one results folder"),
        ((before, other), "have no number that can be paired."),
        ((before, after, "--csls", "7"), "they share: 0, 3."),
    ):
        done = compare(*arguments)
        assert (done.exit_code, sentence in done.stderr) == (2, True), done.output
    assert (
        "before: eva on fb15k-db15k, 20 %: method eva; other has mclea"
        in compare(before, other).stderr
    )


def test_a_broken_record_is_told_and_the_rest_compared(before: Path, after: Path) -> None:
    (after / "cells" / "broken.json").write_text("{")
    done = compare(before, after)
    assert done.exit_code == 1
    assert "broken.json" in done.stdout

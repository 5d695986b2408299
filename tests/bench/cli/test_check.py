"""``check``: exit codes, baselines and files, on records like those of a run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.results.core.plans.plan_file import PLAN_NAME
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.safe_text import guarded, unguarded
from mmea_bench.results.core.store import ResultStore
from tests.reports.published_factory import measured_cell, three_repeats

HOSTILE = '=cmd|<img src=x onerror="alert(1)">&*_`'


def check(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *(str(argument) for argument in arguments)])


def write(folder: Path, *records: Record) -> Path:
    store = ResultStore(folder)
    for record in records:
        store.write(record)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose GCN-Align number on FB15K-DB15K is the published one, .053."""
    return write(
        tmp_path / "run",
        *three_repeats(measured_cell(0.05)),
        measured_cell(0.3, method="transe"),
        measured_cell(0.2, method="random_scores"),
        measured_cell(0, method="eva", status="failed", reason="ValueError: no luck"),
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_check_prints_its_table_and_writes_its_files(run: Path) -> None:
    done = check(run)
    assert done.exit_code == 0, done.output
    assert "2 numbers with a published counterpart: 1 reproduced, 0 close, 1 better" in done.stdout
    assert "Without a published number, so not listed: random_scores." in done.stdout
    assert {path.name for path in (run / "check").iterdir()} == {
        *("check.md", "check.csv", "check.html"),
    }
    rows = read_csv(run / "check" / "check.csv")
    assert [(row["method"], row["verdict"]) for row in rows] == [
        *(("gcn_align", "reproduced"), ("transe", "better")),
    ]
    assert float(rows[0]["difference"]) == pytest.approx(-0.003)
    assert rows[0]["source"] == "loginmea2024 Table 1"


def test_a_check_says_what_was_planned_and_what_of_it_is_there(run: Path) -> None:
    failed = "State: 5 of 6 cells done, 1 failed."
    done = check(run)
    assert f"{failed} The folder has no plan, so that missing cells cannot be told." in done.stdout
    assert failed in (run / "check" / "check.md").read_text(encoding="utf-8")
    words = {"method": "eva", "variant": "full", "dataset": "fb15k-db15k", "seed_ratio": 0.2}
    planned = {"asked-for": {**words, "repeat": 2, "protocol": "paper"}}
    (run / PLAN_NAME).write_text(json.dumps({"keys": ["asked-for"], "cells": planned}))
    stated = "State: 5 of 7 cells done, 1 failed, 1 missing."
    assert stated in check(run).stdout
    assert stated in json.loads(check(run, "--json").stdout)["notes"]
    for suffix in ("md", "html"):
        assert stated in (run / "check" / f"check.{suffix}").read_text(encoding="utf-8")


def test_formats_and_folder_can_be_chosen(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert check(run, "--format", "json,csv", "--out", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"check.csv", "check.json"}


def test_a_program_can_read_it(run: Path) -> None:
    content = json.loads(check(run, "--json").stdout)
    assert content["counts"]["reproduced"] == 1
    assert content["regressions"] is None
    assert content["rows"][0]["published"] == 0.053
    assert [Path(path).name for path in content["files"]] == ["check.md", "check.csv", "check.html"]


def test_equal_results_give_equal_bytes(run: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert check(run, "--out", tmp_path / out, "--format", "md,csv,html,json").exit_code == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_an_unchanged_run_meets_its_baseline(run: Path, tmp_path: Path, suffix: str) -> None:
    check(run, "--out", tmp_path, "--format", suffix)
    done = check(run, "--baseline", tmp_path / f"check.{suffix}")
    assert done.exit_code == 0
    assert "Every cell that the baseline had as reproduced still is." in done.stdout


def test_what_json_prints_is_a_baseline(run: Path, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(check(run, "--json").stdout)
    assert check(run, "--baseline", tmp_path / "base.json").exit_code == 0


@pytest.mark.parametrize(("doctored", "now"), [(0.001, "off"), (0.033, "close"), (0.4, "better")])
def test_a_doctored_result_gives_exit_code_1(
    run: Path, tmp_path: Path, doctored: float, now: str
) -> None:
    check(run, "--out", tmp_path)
    write(run, *three_repeats(measured_cell(doctored)))
    done = check(run, "--baseline", tmp_path / "check.csv")
    assert done.exit_code == 1
    assert "1 cell(s) that the baseline had as reproduced no longer are." in done.stdout
    assert f"gcn_align, fb15k-db15k, 20 %, no names, paper, Hits@1: {now} (" in done.stdout
    page = (run / "check" / "check.html").read_text(encoding="utf-8")
    assert "no longer are" in page
    assert "## No longer reproduced" in (run / "check" / "check.md").read_text(encoding="utf-8")


def test_a_repeat_that_fails_closes_the_gate(run: Path, tmp_path: Path) -> None:
    check(run, "--out", tmp_path)
    write(run, measured_cell(0, repeat=4, status="failed", reason="no luck"))
    done = check(run, "--baseline", tmp_path / "check.csv")
    assert done.exit_code == 1
    assert "Hits@1: close (" in done.stdout


def test_a_number_that_is_no_longer_comparable_is_a_regression(run: Path, tmp_path: Path) -> None:
    check(run, "--out", tmp_path)
    write(run, *three_repeats(measured_cell(0.05, simulated_features="image")))
    done = check(run, "--baseline", tmp_path / "check.csv", "--json")
    assert done.exit_code == 1
    (regression,) = json.loads(done.stdout)["regressions"]
    assert (regression["now"], regression["method"]) == ("not comparable", "gcn_align")
    assert regression["detail"] == ".050 ± .000, published .053; simulated data: image"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda path: path.unlink(), "missing (not in these results)"),
        (None, "missing (timeout: took too long)"),
    ],
)
def test_a_missing_cell_is_a_regression_with_its_reason(
    run: Path, tmp_path: Path, change: Callable[[Path], None] | None, detail: str
) -> None:
    check(run, "--out", tmp_path)
    for record in three_repeats(measured_cell(0, status="timeout", reason="took\ntoo long")):
        if change:
            change(ResultStore(run).path_of(record.key))
        else:
            write(run, record)
    done = check(run, "--baseline", tmp_path / "check.csv")
    assert done.exit_code == 1
    assert detail in done.stdout


def test_only_reproduced_cells_of_the_baseline_bind(run: Path, tmp_path: Path) -> None:
    check(run, "--out", tmp_path)
    ResultStore(run).path_of(measured_cell(0, method="transe").key).unlink()
    assert check(run, "--baseline", tmp_path / "check.csv").exit_code == 0


def test_new_cells_need_no_baseline(run: Path, tmp_path: Path) -> None:
    check(run, "--out", tmp_path)
    write(run, measured_cell(0.2, seed_ratio=0.5))
    assert check(run, "--baseline", tmp_path / "check.csv").exit_code == 0


def test_a_mended_copy_of_the_data_keeps_its_baseline(run: Path, tmp_path: Path) -> None:
    check(run, "--out", tmp_path)
    write(run, *three_repeats(measured_cell(0.05, dataset_version="bbbbbbbbbbbb")))
    assert check(run, "--baseline", tmp_path / "check.csv").exit_code == 0


def test_the_baseline_may_be_the_file_that_is_replaced(run: Path) -> None:
    assert check(run).exit_code == 0
    write(run, *three_repeats(measured_cell(0.4)))
    assert check(run, "--baseline", run / "check" / "check.csv").exit_code == 1


def test_verdicts_can_be_asked_for_despite_a_reason(tmp_path: Path) -> None:
    simulated = measured_cell(0.05, simulated_features="image")
    run = write(tmp_path / "run", *three_repeats(simulated))
    assert "1 not comparable" in check(run).stdout
    assert "1 reproduced" in check(run, "--despite", "simulated").stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has no column 'method'"),
        ("a,b\n1,2\n", "it has no column 'method'"),
        ('{"rows": 3}', "it holds no list 'rows'"),
        ('{"rows": [{"method": 3}]}', "row 1 has no text in 'method'"),
        ("{", "Expecting property name"),
        ("\x00\x01", "column 'method'"),
    ],
)
def test_an_unreadable_baseline_is_one_sentence(
    run: Path, tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "base.csv"
    path.write_text(text)
    done = check(run, "--baseline", path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: Baseline {path} cannot be used: ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (run / "check").exists()


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("verdict", "fine", "row 1 has the unknown verdict 'fine'"),
        ("seed_ratio", "much", "row 1 has no number in 'seed_ratio'"),
    ],
)
def test_a_wrong_value_in_a_baseline_is_named(
    run: Path, tmp_path: Path, column: str, value: str, problem: str
) -> None:
    content = json.loads(check(run, "--json").stdout)
    content["rows"][0][column] = value
    path = tmp_path / "base.json"
    path.write_text(json.dumps(content))
    done = check(run, "--baseline", path)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_wrong_requests_are_one_sentence(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\xfa")
    for arguments, problem in (
        ([tmp_path / "nowhere"], "is not a folder"),
        ([tmp_path], "holds no results"),
        ([run, "--baseline", tmp_path / "none.csv"], "No such file"),
        ([run, "--baseline", tmp_path], "no regular file"),
        ([run, "--baseline", tmp_path / "latin.csv"], "codec can't decode"),
        ([run, "--out", tmp_path / "latin.csv"], "cannot be written"),
        ([run, "--format", "docx"], "Unknown format 'docx'. Valid: md, csv, html, json."),
        ([run, "--csls", "9"], "No result was scored with csls=9"),
        ([run, "--despite", "luck"], "Unknown reason 'luck'"),
    ):
        done = check(*arguments)
        assert done.exit_code == 2, done.output
        assert problem in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_run_without_numbers_is_no_error_but_misses_its_baseline(
    run: Path, tmp_path: Path
) -> None:
    check(run, "--out", tmp_path)
    failed = write(
        tmp_path / "failed",
        measured_cell(0, status="failed", reason="no luck"),
        measured_cell(0, repeat=2, status="skipped", reason="no data", dataset_version=None),
    )
    done = check(failed)
    assert done.exit_code == 0
    assert "No measured number here has a published counterpart." in done.stdout
    done = check(failed, "--baseline", tmp_path / "check.csv")
    assert done.exit_code == 1
    assert "missing (failed: no luck)" in done.stdout


def test_empty_tables_are_no_error(tmp_path: Path) -> None:
    ResultStore(tmp_path).write_tables()
    assert check(tmp_path).exit_code == 0
    assert (tmp_path / "check" / "check.csv").read_text().count("\n") == 1


class _Tags(HTMLParser):
    """Tags and event attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _value in attrs)


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"variant": f"iterative[{HOSTILE}]", "iterative": "no"}
    record = measured_cell(0.05, overrides='{"a": "<script>alert(1)</script>"}', **changes)
    run = write(tmp_path / "run", record, measured_cell(0.1, method=HOSTILE, key="x"))
    done = check(run)
    assert done.exit_code == 0, done.output
    page = (run / "check" / "check.html").read_text(encoding="utf-8")
    parser = _Tags()
    parser.feed(page)
    assert not parser.tags & {"script", "img", "link", "iframe"}
    assert not any(name.startswith("on") for name in parser.attributes)
    assert "&lt;img src=x" in page
    text = (run / "check" / "check.md").read_text(encoding="utf-8")
    assert "<img" not in text.replace("\\<img", "")
    assert "cmd\\|\\<img" in text


def test_csv_texts_are_no_formulas_and_numbers_stay_numbers(tmp_path: Path) -> None:
    run = write(tmp_path / "run", measured_cell(0.01, dataset_version="=1+1"))
    check(run, "--out", tmp_path)
    (row,) = read_csv(tmp_path / "check.csv")
    assert row["dataset_version"] == "'=1+1"
    assert float(row["difference"]) == pytest.approx(-0.043)


@pytest.mark.parametrize("text", ["=a", "'=a", "'a", "a", "", "@x", "-md", "''", "+"])
def test_marked_texts_are_read_back_exactly(text: str) -> None:
    assert unguarded(guarded(text)) == text


def test_the_page_needs_nothing_from_elsewhere(run: Path) -> None:
    check(run)
    page = (run / "check" / "check.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page

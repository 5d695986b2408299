"""``measured``, ``fidelity``, ``leaderboard`` and ``published --coverage`` on made-up runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.evidence.published_coverage import coverage
from mmea_bench.reports.making.evidence import BASELINE, BEGIN, END
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.reports.published_factory import measured_cell, three_repeats

PAGE = f"# A page\n\n{BEGIN}\nold\n{END}\n\nThe end.\n"


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(folder: Path, *records: Record) -> Path:
    for record in records:
        ResultStore(folder).write(record)
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Reference runs of GCN-Align on FB15K-DB15K, whose printed Hits@1 is .053, and of TransE."""
    run = write(
        tmp_path / "run",
        *three_repeats(measured_cell(0.05)),
        measured_cell(0.3, method="transe"),
    )
    folder = tmp_path / "measured"
    done = bench("measured", "add", run, "--machine", "2 cores", "--to", folder)
    assert done.exit_code == 0, done.output
    assert "4 records added" in done.stdout
    return folder


def altered(folder: Path, value: float) -> None:
    """Changes every number of one record by hand."""
    store = ResultStore(folder)
    record = next(r for r in store.records() if r.cell["method"] == "gcn_align")
    store.write(replace(record, results=[{**row, "value": value} for row in record.results]))


def test_tables_of_the_folder_are_what_its_records_give(shipped: Path) -> None:
    done = bench("measured", "check", shipped)
    assert (done.exit_code, "are what its records give" in done.stdout) == (0, True)


def test_one_altered_record_is_found_out(shipped: Path) -> None:
    altered(shipped, 0.5)
    done = bench("measured", "check", shipped)
    assert done.exit_code == 1
    assert f"{BASELINE} is not what the records give" in done.stdout.replace("\n", "")


def test_the_gate_is_open_for_the_records_themselves(shipped: Path, tmp_path: Path) -> None:
    done = bench("check", shipped, "--baseline", shipped / BASELINE, "--out", tmp_path / "check")
    assert done.exit_code == 0, done.output
    assert "Every cell that the baseline had as reproduced still is." in done.stdout


def test_the_gate_closes_when_one_record_is_altered(shipped: Path, tmp_path: Path) -> None:
    altered(shipped, 0.5)
    done = bench("check", shipped, "--baseline", shipped / BASELINE, "--out", tmp_path / "check")
    assert done.exit_code == 1
    assert "1 cell(s) that the baseline had as reproduced no longer are." in done.stdout


def test_the_gate_closes_when_a_repeat_fails(shipped: Path, tmp_path: Path) -> None:
    write(shipped, measured_cell(0, status="failed", reason="no luck", repeat=4))
    done = bench("check", shipped, "--baseline", shipped / BASELINE, "--out", tmp_path / "check")
    assert done.exit_code == 1
    assert "close" in done.stdout


def test_the_gate_binds_the_methods_that_are_asked_for(shipped: Path, tmp_path: Path) -> None:
    run = write(tmp_path / "part", measured_cell(0.3, method="transe"))
    words = ("check", run, "--baseline", shipped / BASELINE)
    assert bench(*words).exit_code == 1
    assert bench(*words, "--methods", "transe").exit_code == 0
    done = bench(*words, "--methods", "gcn_align")
    assert (done.exit_code, "is not in these results" in done.stderr) == (2, True)


def test_report_status_and_check_take_the_folder_as_any_other(
    shipped: Path, tmp_path: Path
) -> None:
    for arguments in (
        ("report", shipped, "--only", "main_table", "--format", "md", "--out", tmp_path / "r"),
        ("status", shipped),
    ):
        done = bench(*arguments)
        assert done.exit_code == 0, done.output


def test_fidelity_writes_its_page_and_names_what_is_unexplained(
    shipped: Path, tmp_path: Path
) -> None:
    page = tmp_path / "fidelity.md"
    done = bench("fidelity", shipped, "--write", page)
    assert done.exit_code == 0, done.output
    assert "2 rows of 2 methods: 1 meet the goal, 1 miss it (1 of them unexplained)" in done.stdout
    assert "Misses without a sentence in remarks.csv: transe on fb15k-db15k" in done.stderr
    header = "method,variant,dataset,seed_ratio,sentence\n"
    (shipped / "remarks.csv").write_text(header + "transe,,,,Another program.\n")
    done = bench("fidelity", shipped, "--write", page)
    assert "Misses" not in done.stderr
    assert "| Another program. |" in page.read_text(encoding="utf-8")


def test_fidelity_as_json_has_goal_and_outcome(shipped: Path) -> None:
    found = json.loads(bench("fidelity", shipped, "--json").stdout)
    outcomes = {row["method"]: (row["outcome"], row["goal"]) for row in found["rows"]}
    assert outcomes == {"gcn_align": ("met", 0.015), "transe": ("missed", 0.03)}
    assert "MCLEA" in found["not_measured"]


def test_an_unknown_reason_is_a_sentence(shipped: Path) -> None:
    done = bench("fidelity", shipped, "--despite", "mood")
    assert (done.exit_code, "Unknown reason 'mood'" in done.stderr) == (2, True)


def test_the_leaderboard_writes_all_its_pages(shipped: Path, tmp_path: Path) -> None:
    readme, html = tmp_path / "README.md", tmp_path / "board.html"
    readme.write_text(PAGE, encoding="utf-8")
    markdown = tmp_path / "board.md"
    words = ("leaderboard", shipped, "--write", markdown, "--html", html, "--readme", readme)
    done = bench(*words)
    assert done.exit_code == 0, done.output
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# A page\n")
    assert text.endswith("The end.\n")
    assert "| 1 | transe | 1 |" in text
    assert "old" not in text
    assert "gcn\\_align" in markdown.read_text(encoding="utf-8")
    assert "<td>transe</td>" in html.read_text(encoding="utf-8")
    assert "<script" not in html.read_text(encoding="utf-8")
    assert bench(*words).exit_code == 0
    assert readme.read_text(encoding="utf-8") == text


def test_a_page_without_marks_stays_as_it_is(shipped: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# A page\n", encoding="utf-8")
    done = bench("leaderboard", shipped, "--readme", readme)
    assert (done.exit_code, "has no lines" in done.stderr) == (2, True)
    assert readme.read_text(encoding="utf-8") == "# A page\n"
    assert bench("leaderboard", shipped, "--readme", tmp_path / "none.md").exit_code == 2


def test_pages_on_a_terminal(shipped: Path) -> None:
    assert "fb15k-db15k, 20 % seeds" in bench("leaderboard", shipped).stdout
    assert "fb15k-db15k, 20 % seeds" in bench("fidelity", shipped).stdout


def test_runs_that_cannot_ship_are_refused_in_a_sentence(tmp_path: Path) -> None:
    done = bench("measured", "add", tmp_path, "--machine", "2 cores", "--to", tmp_path / "to")
    assert (done.exit_code, "holds no records" in done.stderr) == (2, True)


def test_coverage_counts_by_source_and_method_and_reruns_apart() -> None:
    rows = [
        ("mclea2022", "TransE"),
        ("mclea2022", "KECG"),
        ("loginmea2024", "TransE"),
        ("eae_repo", "GCN-Align"),
    ]
    found = coverage(pd.DataFrame(rows, columns=["source", "method"]), ["transe", "gcn_align"])
    assert found.sentence == "2 of 3 published numbers, and 1 of 1 reruns by others"
    assert found.by_source == {"mclea2022": (1, 2), "loginmea2024": (1, 1), "eae_repo": (1, 1)}
    assert found.by_method == {"TransE": (2, True), "KECG": (1, False)}


def test_coverage_of_the_real_numbers() -> None:
    done = bench("published", "--coverage")
    assert done.exit_code == 0, done.output
    assert " of 1,326 published numbers, and 9 of 9 reruns by others" in done.stdout
    found = json.loads(bench("published", "--coverage", "--json").stdout)
    assert sum(n for n, _is_here in found["by_method"].values()) == found["n_all"] == 1326

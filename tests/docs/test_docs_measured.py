"""What ships as measured is what its records give: tables, pages, and the README's first lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmea_bench.methods.core.catalogue import method_names
from mmea_bench.reports.core.evidence.fidelity_document import fidelity_document
from mmea_bench.reports.core.evidence.leaderboard import leaderboard
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.making.check_build import make_check
from mmea_bench.reports.making.evidence import (
    BASELINE,
    make_fidelity,
    outdated_tables,
    render_small_page,
    with_first_lines,
)
from mmea_bench.results.core.measured.folder import MEASURED_FOLDER, MOST_BYTES, problems_of
from mmea_bench.results.core.measured.remarks import read_remarks
from mmea_bench.results.core.store import ResultStore, read_tables

ROOT = Path(__file__).parents[2]
FIDELITY = "mmea-bench fidelity --despite features --write docs/fidelity.md"
LEADERBOARD = "mmea-bench leaderboard --write docs/leaderboard.md"


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_the_shipped_tables_equal_their_records() -> None:
    assert problems_of(MEASURED_FOLDER) == []
    assert outdated_tables(MEASURED_FOLDER) == []


def test_the_projects_own_gate_is_open(tmp_path: Path) -> None:
    outcome = make_check(MEASURED_FOLDER, MEASURED_FOLDER / BASELINE, tmp_path)
    assert outcome.regressions == ()


def test_the_fidelity_page_is_what_its_command_makes() -> None:
    found = make_fidelity(MEASURED_FOLDER, method_names(), ["features"])
    assert text_of("docs/fidelity.md") == render_markdown(fidelity_document(found, FIDELITY))


def test_the_leaderboard_pages_are_what_their_command_makes() -> None:
    document = leaderboard(read_tables(MEASURED_FOLDER), LEADERBOARD)
    assert text_of("docs/leaderboard.md") == render_markdown(document)
    assert text_of("docs/leaderboard.html") == render_small_page(document)


def test_the_readme_shows_the_first_lines() -> None:
    page = text_of("README.md")
    assert with_first_lines(page, MEASURED_FOLDER, "docs/leaderboard.md") == page


def test_every_page_names_the_command_that_makes_it() -> None:
    for command in (FIDELITY, LEADERBOARD):
        page = command.rpartition(" ")[2]
        assert command in text_of(page).replace("\\", "")


@pytest.mark.parametrize("pattern", [r"/home/\w", r"/root/", r"/tmp/", r"/work/"])  # noqa: S108
def test_records_name_no_folder_of_the_machine(pattern: str) -> None:
    for path in MEASURED_FOLDER.rglob("*.*"):
        if path.suffix in (".json", ".csv"):
            assert not re.search(pattern, path.read_text(encoding="utf-8")), path


def test_the_folder_stays_small() -> None:
    files = [path for path in MEASURED_FOLDER.rglob("*") if path.suffix in (".json", ".csv")]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_every_remark_is_about_something_that_was_measured() -> None:
    methods = {record.cell["method"] for record in ResultStore(MEASURED_FOLDER).records()}
    assert {remark.method for remark in read_remarks()} <= methods

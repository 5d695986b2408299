"""The page on the regression check, its workflow and its baseline say what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.reports.core.published.baseline import read_baseline
from mmea_bench.reports.core.published.match import REASON_KINDS
from mmea_bench.reports.core.published.verdicts import VERDICTS
from mmea_bench.reports.formats.check_files import CSV_COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "regression_check.md").read_text(encoding="utf-8")
WORKFLOW = (DOCS / "examples" / "regression.yml").read_text(encoding="utf-8")
BASELINE = DOCS.parent / "results" / "measured" / "baseline.csv"


def workflow_commands() -> list[list[str]]:
    """Every call of the program, with folded lines joined."""
    text = re.sub(r"\n\s+(?=--)", " ", WORKFLOW)
    return [shlex.split(line) for line in re.findall(r"^.*?(mmea-bench .*)$", text, re.MULTILINE)]


def test_the_page_explains_every_verdict_and_reason() -> None:
    for word in (*VERDICTS, *REASON_KINDS):
        assert f"\n| `{word}` |" in PAGE


def test_links_of_the_page_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert {"examples/regression.yml", "../results/measured/baseline.csv"} <= set(targets)
    assert all((DOCS / target).exists() for target in targets)


def test_commands_of_the_workflow_have_options_that_exist() -> None:
    shipped, run, check = workflow_commands()
    for _program, verb, *words in (shipped, run, check):
        shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "300"})
        assert shown.exit_code == 0
        options = [word for word in words if word.startswith("--")]
        assert options
        assert all(option in shown.output for option in options)
    for command in (shipped, check):
        assert DOCS.parent / command[command.index("--baseline") + 1] == BASELINE
    assert run[run.index("--methods") + 1] == check[check.index("--methods") + 1]


def test_the_workflow_never_uses_tabs_and_pins_its_actions() -> None:
    assert "\t" not in WORKFLOW
    actions = re.findall(r"uses: (\S+)", WORKFLOW)
    assert actions
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in actions)


def test_the_projects_baseline_can_be_read() -> None:
    assert BASELINE.read_text(encoding="utf-8").startswith(",".join(CSV_COLUMNS) + "\n")
    assert read_baseline(BASELINE)

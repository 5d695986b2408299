"""Names from files and records reach the terminal as text, never as something that it obeys."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path

import pytest
from rich.text import Text
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.running.console import PlainConsole, say
from mmea_bench.results.core.safe_text import json_plain, plain
from mmea_bench.results.core.store import ResultStore
from tests.reports.published_factory import measured_cell
from tests.reports.reports_factory import make_record

BENCH = Path(__file__).resolve().parents[3] / "bench"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ODD = "a\x1b[31m\x1b]0;title\x07b\x9b2Jc\u202ed\re\x00f"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = ResultStore(tmp_path / "run")
    store.write(measured_cell(0.05))
    for repeat in (1, 2):
        odd = {"variant": ODD, "dataset": ODD, "suite": ODD, "repeat": repeat}
        store.write(make_record(ODD, 0.4, key=f"odd{repeat}", partial_copy=ODD, **odd))
    failed = {"status": "failed", "reason": ODD, "key": "failed"}
    store.write(make_record(ODD, 0.0, variant=ODD, dataset=ODD, **failed))
    (tmp_path / "run" / "cells" / f"{ODD[:-2].replace(chr(0), '')}.json").write_text("{")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "--json"),
        ("report", "--only", "main_table", "--format", "md,csv"),
        ("check",),
        ("check", "--json"),
    ],
)
def test_no_verb_prints_what_a_terminal_obeys(folder: Path, arguments: tuple[str, ...]) -> None:
    verb, *rest = arguments
    done = CliRunner().invoke(app, [verb, str(folder), *rest])
    assert done.exit_code == 0, done.output
    assert "31m" in done.output
    assert OBEYED.findall(done.output) == []
    if "--json" in rest and verb == "status":
        assert json.loads(done.stdout)["failures"][0]["reason"] == ODD
    for path in (folder / "report").glob("*.*"):
        assert OBEYED.findall(path.read_text(encoding="utf-8")) == [], path


def test_errors_are_printed_plain(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["status", str(tmp_path / ODD.replace("\x00", ""))])
    assert done.exit_code == 2
    assert OBEYED.findall(done.output) == []


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_name_that_no_disk_takes_is_a_sentence(tmp_path: Path, verb: str) -> None:
    asked = ("--methods", "random_scores", "--datasets", "synthetic[n=100]", "--repeats", "1")
    cache = ("--cache-dir", str(tmp_path / "cache"))
    done = CliRunner().invoke(app, [verb, *asked, *cache, "--out", str(tmp_path / ("x" * 300))])
    assert done.exit_code == 2
    assert "File name too long. Give another folder with --out" in done.output


def test_a_console_keeps_its_own_colours_and_drops_those_of_names() -> None:
    out = io.StringIO()
    console = PlainConsole(file=out, force_terminal=True, color_system="standard", width=80)
    console.print(Text(f"{ODD}\ud800", style="red"))
    say(console, ODD)
    first, second = out.getvalue().splitlines()
    assert first == "\x1b[31ma[31m]0;titleb2Jcdef\ufffd\x1b[0m"
    assert second == "a[31m]0;titleb2Jcdef"


def test_plain_text_and_json_keep_what_is_only_text() -> None:
    text = "naïve 方 \U0001f600\n\tend"
    assert plain(text) == text
    assert json.loads(json_plain(json.dumps(ODD, ensure_ascii=False))) == ODD


def test_the_program_prints_through_one_file_only() -> None:
    """``echo``, ``say`` and the consoles of ``texts`` strip; whatever prints past them does not."""
    allowed = {"running/console.py", "cli/texts.py"}
    for path in BENCH.rglob("*.py"):
        if path.relative_to(BENCH).as_posix() in allowed or "runs" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"print", "typer.echo", "Console"}, path

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_published_tables_need_no_run(tmp_path: Path) -> None:
    words = ("report", "--published", "--out", str(tmp_path), "--format", "tex,md,csv")
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    names = ["published_tables.tex", "published_tables.md", "published_tables.csv"]
    assert [Path(line).name for line in done.stdout.splitlines()] == names
    assert "MCLEA (COLING 2022), Table 1" in (tmp_path / names[1]).read_text(encoding="utf-8")


def test_published_tables_say_their_files_as_json(tmp_path: Path) -> None:
    done = invoke("report", "--published", "--out", str(tmp_path), "--format", "csv", "--json")
    assert json.loads(done.stdout) == {
        "files": [str(tmp_path / "published_tables.csv")],
        "problem": "",
    }


@pytest.mark.parametrize("words", [[], ["--published"], ["--out", "somewhere"]], ids=" ".join)
def test_a_report_of_nothing_says_in_one_sentence_what_to_name(words: list[str]) -> None:
    done = invoke("report", *words)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Name the results folder of a run, or give --published and --out DIR" in done.stderr


def test_an_unknown_format_of_published_tables_is_named(tmp_path: Path) -> None:
    done = invoke("report", "--published", "--out", str(tmp_path), "--format", "png")
    assert done.exit_code == 2
    assert "Published tables have no format 'png'. Valid: csv, md, tex, pdf." in done.stderr

"""Options of ``bench report`` as they are typed, on the records of a made-up run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from tests.reports.reports_factory import fill_rich_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``eva``, ``mclea`` and ``meaformer`` on fb15k-db15k, two of them elsewhere as well."""
    fill_rich_folder(tmp_path / "run")
    return tmp_path / "run"


def invoke(*words: object) -> Result:
    wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    return CliRunner().invoke(app, [str(word) for word in words], env=wide)


def report(folder: Path, *words: object, only: str = "main_table") -> str:
    """What is printed; what is written is Markdown alone."""
    done = invoke("report", folder, "--only", only, "--format", "md", *words)
    assert done.exit_code == 0, done.output
    return done.stdout


def written(folder: Path, name: str = "main_table") -> str:
    return (folder / "report" / f"{name}.md").read_text(encoding="utf-8")


def columns(text: str, place: int) -> set[str]:
    """What stands in a column of the Markdown tables of the main report with numbers."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {re.sub(r"[\\*†‡°]", "", row[place]).strip() for row in rows if "no names" in row}


def test_only_these_methods_are_shown(folder: Path) -> None:
    printed = report(folder, "--methods", "eva,meaformer")
    assert columns(written(folder), 0) == {"eva", "meaformer"}
    assert "meaformer" in printed
    assert "mclea" not in printed


def test_only_these_variants_are_shown(folder: Path) -> None:
    report(folder, "--methods", "mclea", "--variants", "w/o_image & 50%")
    assert columns(written(folder), 1) == {"w/o_image & 50%"}
    report(folder, "--methods", "mclea", "--variants", "full")
    assert columns(written(folder), 1) == {"full", "full[dim=50]"}


def test_only_these_datasets_are_shown(folder: Path) -> None:
    printed = report(folder, "--datasets", "fb15k-yago15k")
    for text in (printed, written(folder)):
        assert "fb15k-yago15k" in text
        assert "fb15k-db15k" not in text
        assert "dbp15k[lang=fr_en]" not in text


@pytest.mark.parametrize(
    ("option", "known"),
    [("--methods", "eva"), ("--variants", "full"), ("--datasets", "fb15k-db15k")],
)
def test_what_no_row_has_is_named_with_what_there_is(folder: Path, option: str, known: str) -> None:
    done = invoke("report", folder, option, "nothing")
    assert done.exit_code == 2
    assert "'nothing'" in done.stderr
    assert known in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_reference_is_held_against_every_other(folder: Path) -> None:
    for reference in ("eva", "mclea"):
        printed = report(folder, "--reference", reference, only="significance")
        assert f"Hits@1 against {reference}: fb15k-db15k 20 %" in printed
        assert f"p against {reference}" in written(folder, "significance")


def test_the_test_decides(folder: Path) -> None:
    for test, name in (("welch", "Welch's p"), ("student", "Student's p"), ("paired", "paired p")):
        report(folder, "--reference", "eva", "--test", test, only="significance")
        assert f"The column of {name} is corrected" in written(folder, "significance")
    done = invoke("report", folder, "--test", "sign")
    assert done.exit_code == 2
    assert "Unknown test 'sign'. Valid: welch, student, paired." in done.stderr


def test_names_are_printed_as_a_file_says(folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('[methods]\neva = "EVA (ours)"\n[datasets]\nfb15k-db15k = "FB-DB"\n')
    printed = report(folder, "--names", names)
    assert "EVA (ours)" in printed
    assert "FB-DB: strict protocol" in printed
    assert columns(written(folder), 0) == {"EVA (ours)", "mclea", "meaformer", "random_scores"}
    done = invoke("report", folder, "--names", tmp_path / "none.toml")
    assert done.exit_code == 2
    assert "none.toml cannot be read" in done.stderr


def test_names_of_what_no_cell_has_are_told(folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text(
        '[methods]\nevaa = "Ours"\neva = "EVA"\n[variants]\n"mclea full" = ""\n'
        '[datasets]\nfb15k-db15k = "FB-DB"\nfb15k = "FB"\n'
    )
    done = invoke("report", folder, "--names", names)
    assert done.exit_code == 0
    assert f"{names}: no cell of {folder} has methods.evaa, datasets.fb15k." in done.stderr


def test_the_title_heads_the_index_and_the_page(folder: Path) -> None:
    title = "Mine <b>& yours"
    report(folder, "--title", title, "--format", "html")
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Mine &lt;b&gt;&amp; yours</h1>" in page
    assert "<b>& yours" not in page
    first = (folder / "report" / "report.md").read_text(encoding="utf-8").splitlines()[0]
    assert first.replace("\\", "") == f"# {title}"


def test_brackets_stand_in_a_help_text_as_they_are_typed() -> None:
    text = " ".join(re.sub(r"[│\s]+", " ", invoke("run", "--help").stdout).split())
    assert "synthetic[n=1000,seed=1]" in text
    assert "csls[k=10],hungarian" in text
    for extra in ("[scale]", "[cluster]"):
        assert extra in text

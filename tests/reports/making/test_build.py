from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.escape import latex, latex_row, markdown
from mmea_bench.reports.making import catalogue
from mmea_bench.reports.making.build import build_reports, render_terminal
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import fill_curves_folder, fill_rich_folder, make_record

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def rich_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rich")
    fill_rich_folder(folder)
    return folder


GOLDEN_NAMES = (
    *("main_table.csv", "main_table.md", "main_table.tex", "report.md"),
    *("ablation.md", "cost.md", "low_resource.md", "significance.md"),
)


@pytest.fixture(scope="module")
def rich_report(rich_folder: Path) -> Path:
    """Everything that is made of the rich folder."""
    return build_reports(rich_folder).index.parent


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_output_equals_the_golden_file(rich_report: Path, name: str) -> None:
    made = (rich_report / name).read_text(encoding="utf-8")
    assert made == (GOLDEN / name).read_text(encoding="utf-8")


def test_everything_is_written_and_linked(tmp_path: Path) -> None:
    fill_curves_folder(tmp_path / "run")
    summary = build_reports(
        tmp_path / "run", out=tmp_path / "out", only=["learning_curves", "main_table"]
    )
    assert summary.index == summary.files[0] == tmp_path / "out" / "report.md"
    assert {path.name for path in summary.files} == {
        "report.md",
        "index.html",
        *(f"main_table.{suffix}" for suffix in ("csv", "md", "tex")),
        "learning_curves.md",
        *(
            f"learning_curves_fb15k-db15k-{ratio}-strict.{suffix}"
            for ratio in (20, 50)
            for suffix in ("pdf", "png", "svg")
        ),
    }
    index = summary.index.read_text()
    for path in summary.files:
        assert path.is_file()
        assert path == summary.index or f"]({path.name})" in index
    assert summary.skipped == []


def test_single_figure_takes_the_name_of_the_report(tmp_path: Path) -> None:
    ResultStore(tmp_path).write(make_record("a", 0.2, n_points=3))
    summary = build_reports(tmp_path, only=["learning-curves"], formats=("pdf",))
    assert [path.name for path in summary.files] == ["report.md", "learning_curves.pdf"]


def test_figures_of_names_that_differ_in_signs_alone_have_files_of_their_own(
    tmp_path: Path,
) -> None:
    store = ResultStore(tmp_path)
    for method, score in (("mclea", 0.5), ("eva", 0.3)):
        store.write(make_record(method, score))
        store.write(make_record(method, score / 2, variant="w/o image"))
    names = Names({"mclea": "MCLEA", "eva": "MCLEA+"})
    summary = build_reports(
        tmp_path, only=["ablation"], formats=("svg",), options=ReportOptions(names=names)
    )
    first, second = (path for path in summary.files if path.suffix == ".svg")
    assert second.stem == f"{first.stem}-2"
    assert first.read_bytes() != second.read_bytes()


def test_broken_record_is_named_in_the_report(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record("a", 0.2))
    store.path_of("torn").write_text('{"cell":')
    summary = build_reports(tmp_path, formats=("md",))
    assert "broken record" in summary.index.read_text()
    main = next(document for document in summary.documents if document.name == "main_table")
    assert any("broken record" in note for note in main.notes)


def test_tables_without_rows_give_a_report_of_sentences(tmp_path: Path) -> None:
    ResultStore(tmp_path).write_tables()
    summary = build_reports(tmp_path)
    assert [name for name, _ in summary.skipped] == catalogue.report_names()
    assert "No cells yet." in summary.index.read_text()
    assert [path.name for path in summary.files] == ["report.md", "index.html"]


def test_wrong_requests_are_sentences(rich_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"Unknown report 'main'\. .*Valid: ablation"):
        build_reports(rich_folder, only=["main"])
    with pytest.raises(ReportError, match=r"Unknown format 'docx'\. Valid: csv, md"):
        build_reports(rich_folder, formats=("docx",))
    with pytest.raises(ResultsError, match="holds no results"):
        build_reports(tmp_path)


def test_broken_report_files_do_not_take_others_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ResultStore(tmp_path).write(make_record("a", 0.2))
    (good,) = catalogue.catalogue_entries(["main_table"])

    def crash(*_arguments: object) -> object:
        raise KeyError("colour")

    entries = [
        catalogue.CatalogueEntry("crashing", crash, None),  # type: ignore[arg-type]
        catalogue.CatalogueEntry("unimportable", None, "cannot be imported: SyntaxError"),
        good,
    ]
    monkeypatch.setattr("mmea_bench.reports.making.build.catalogue_entries", lambda _only: entries)
    summary = build_reports(tmp_path, formats=("md",))
    reasons = dict(summary.skipped)
    assert reasons["crashing"].startswith("reports/crashing.py failed: KeyError: 'colour'")
    assert reasons["unimportable"] == "cannot be imported: SyntaxError"
    assert [document.name for document in summary.documents] == ["main_table"]


def test_every_report_file_can_be_used() -> None:
    entries = catalogue.catalogue_entries()
    assert [entry.name for entry in entries] == catalogue.report_names()
    assert [entry.error for entry in entries if entry.error] == []


@pytest.mark.parametrize("width", [60, 100, 200])
def test_terminal_shows_every_number_whatever_its_width(rich_folder: Path, width: int) -> None:
    (document,) = build_reports(rich_folder, only=["main_table"], formats=()).documents
    buffer = io.StringIO()
    render_terminal(document, Console(file=buffer, width=width))
    text = buffer.getvalue()
    for table in document.tables:
        for row in table.rows:
            assert all(cell.plain in text for cell in row.cells)


def test_csv_is_one_tidy_table(rich_folder: Path) -> None:
    build_reports(rich_folder, only=["main_table"], formats=("csv",))
    text = (rich_folder / "report" / "main_table.csv").read_text()
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["mean"]]
    mine = [
        row
        for row in rows
        if (row["method"], row["variant"], row["seed ratio"]) == ("mclea", "full", "50 %")
    ]
    assert [row["metric"] for row in mine] == ["Hits@1", "Hits@10", "MRR"]
    assert float(mine[0]["mean"]) == pytest.approx(0.728)
    assert mine[0]["is_best"] == "1"


def test_special_characters_are_escaped() -> None:
    assert latex("a_b & 50% [x] {y}") == r"a\_b \& 50\% {[}x{]} \{y\}"
    assert latex("\\ ~ ^ $ # < > |\n") == (
        r"\textbackslash{} \textasciitilde{} \textasciicircum{} \$ \# \textless{} \textgreater{} "
        r"\textbar{}"
    )
    assert markdown("a_b|c*\nd<e>") == r"a\_b\|c\* d\<e\>"
    assert markdown("R&D &lt; &#35;") == r"R&D \&lt; \&#35;"


@pytest.mark.parametrize(
    ("text", "written"),
    [("# 1", r"\# 1"), ("- x", r"\- x"), ("2. y", r"2\. y"), ("-.013", "-.013"), ("#1", "#1")],
)
def test_the_start_of_a_text_begins_no_heading_and_no_list(text: str, written: str) -> None:
    assert markdown(text) == written


def test_a_star_is_no_option_of_the_line_break_above() -> None:
    assert latex_row([latex("*ours"), ".5"]) == "{*}ours & .5"
    assert latex_row([latex("EVA*"), "*"]) == "EVA* & *"


def test_an_accent_that_is_a_character_of_its_own_stays() -> None:
    assert latex("Me\u0301thode") == r"M\'{e}thode"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(rich_folder: Path, tmp_path: Path) -> None:
    build_reports(rich_folder, out=tmp_path, formats=("tex",))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{main_table}"
        "\\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_size_of_csls_that_no_cell_has_is_refused_and_removes_nothing(rich_folder: Path) -> None:
    build_reports(rich_folder, only=["main_table"])
    with pytest.raises(ReportError, match=r"scored with csls=77. There is csls=0, 3"):
        build_reports(rich_folder, only=["main_table"], options=ReportOptions(csls=77))
    assert (rich_folder / "report" / "main_table.tex").is_file()


def test_a_report_that_is_left_out_leaves_no_earlier_files(rich_folder: Path) -> None:
    target = rich_folder / "report"
    build_reports(rich_folder, only=["ablation", "cost"])
    assert (target / "ablation.tex").is_file()
    in_full = ReportOptions(variants=("full",))
    summary = build_reports(rich_folder, only=["ablation"], options=in_full)
    assert [name for name, _reason in summary.skipped] == ["ablation"]
    assert not list(target.glob("ablation*"))
    assert (target / "cost.tex").is_file()

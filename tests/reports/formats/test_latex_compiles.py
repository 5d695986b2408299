from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from mmea_bench.reports.core.document import Cell, Document, Row, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.escape import latex
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.tex_pdf import (
    PAPER_WIDTH,
    Compiled,
    compile_pdf,
    find_pdflatex,
    standalone,
)
from mmea_bench.reports.making.build import build_reports
from mmea_bench.reports.making.published_tables import NAME, published_document, write_published
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import fill_rich_folder, make_record

PDFLATEX = find_pdflatex() or ""
PDFTOTEXT = shutil.which("pdftotext") or ""
needs_pdftotext = pytest.mark.skipif(not PDFTOTEXT, reason="pdftotext is not installed")
needs_latex = pytest.mark.skipif(not PDFLATEX, reason="pdflatex is not installed")


def compiled(fragment: str, text_width: str = PAPER_WIDTH) -> Compiled:
    """What LaTeX makes of a fragment; it must stop at nothing and no box may stick out."""
    made = compile_pdf(fragment, PDFLATEX, text_width)
    assert made.pdf is not None, made.log[-2000:]
    assert made.errors == []
    assert made.overfull == []
    assert "Undefined control sequence" not in made.log
    assert "Float too large" not in made.log
    return made


def text_of(pdf: Path, option: str) -> str:
    """The words of a PDF file."""
    command = [PDFTOTEXT, option, str(pdf), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def fragment_of(table: Table) -> str:
    return render_latex(Document("one", "One", (table,))) or ""


@pytest.fixture(scope="module")
def rich_tex(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every .tex file of the rich folder, with published numbers and marks where they may be."""
    folder = tmp_path_factory.mktemp("rich") / "runs"
    fill_rich_folder(folder)
    options = ReportOptions(published=True, significance=True)
    made = build_reports(folder, formats=("tex",), options=options)
    return {path.stem: path.read_text("utf-8") for path in made.files if path.suffix == ".tex"}


@needs_latex
def test_every_report_of_the_rich_folder_compiles(rich_tex: dict[str, str]) -> None:
    assert {"main_table", "paper_tables"} <= set(rich_tex)
    for text in rich_tex.values():
        compiled(text)


@needs_latex
def test_the_published_tables_compile_to_the_same_bytes_again(tmp_path: Path) -> None:
    made = [write_published(tmp_path / folder) for folder in ("first", "second")]
    assert [path.name for path in made[0].files] == [
        f"{NAME}.{suffix}" for suffix in ("csv", "md", "tex", "pdf")
    ]
    for first, second in zip(made[0].files, made[1].files, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    compiled((tmp_path / "first" / f"{NAME}.tex").read_text("utf-8"))
    pdf = (tmp_path / "first" / f"{NAME}.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    for secret in (b"/CreationDate", b"/ModDate", b"/ID", str(tmp_path).encode()):
        assert secret not in pdf


@needs_latex
@pytest.mark.parametrize("text_width", ["345pt", "516pt"], ids=["article", "transactions"])
def test_tables_fit_papers_of_other_widths(text_width: str, rich_tex: dict[str, str]) -> None:
    published = render_latex(published_document(read_published())) or ""
    for text in (published, rich_tex["paper_tables"]):
        compiled(text, text_width)


@needs_latex
@needs_pdftotext
def test_the_pdf_of_the_published_tables_shows_every_number_of_the_csv(tmp_path: Path) -> None:
    write_published(tmp_path, ["pdf"])
    shown = Counter(re.findall(r"\d?\.\d{2,4}", text_of(tmp_path / f"{NAME}.pdf", "-layout")))
    results = read_published().results
    fractions = {"mclea2022", "loginmea2024"}
    papers = [*fractions, "clamea2025", "crossea2025", "selfmea2022"]
    own = results[results["source"].isin(papers)]
    wanted = Counter(
        text.removeprefix("0") if source in fractions else text
        for source, text in zip(own["source"], own["printed"], strict=True)
    )
    assert sum(wanted.values()) == 1112
    assert wanted - shown == Counter()


def test_without_pdflatex_the_other_files_are_written_and_a_sentence_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    made = write_published(tmp_path)
    assert [path.suffix for path in made.files] == [".csv", ".md", ".tex"]
    assert made.problem.startswith("No PDF: pdflatex is not installed")


@needs_latex
def test_many_datasets_metrics_and_long_names_compile(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "runs")
    name = "a_method_with_a_rather_long_name_that_says_everything"
    for number in range(14):
        dataset = f"synthetic[n=12345,overlap=0.25,seed={number},noise=gaussian]"
        for repeat in (1, 2):
            for method in (name, "eva"):
                score = 0.3 + 0.01 * number + 0.002 * repeat
                store.write(make_record(method, score, dataset=dataset, repeat=repeat))
        reason = "FileNotFoundError: /a/path/" + "without_any_space" * 8 + "/image_features.pkl"
        failed = {"status": "failed", "reason": reason, "dataset": dataset, "repeat": 3}
        store.write(make_record("mclea", 0.0, variant="full[learning_rate=0.0005]", **failed))
    made = build_reports(tmp_path / "runs", formats=("tex",), only=["main_table"])
    text = made.files[1].read_text("utf-8")
    assert text.count(r"\begin{tabular}") > 14
    compiled(text)


LETTERS = (
    "éïñöüßłøÅčşāő αβγΔΩλμ → ← ≤ ≥ × − ± – — … † ‡ • ° “q” ‘s’ «x» ᵃᵇ ² ₂ ½ ﬁ Ａ đ ą ế 方法 中文 "
    "\u200b🙂"
)
SIGNS = "\\ & % $ # _ { } [x] ~ ^ < > | \" ' ` * -- --- ?` !`"


@needs_latex
def test_any_letter_survives_latex() -> None:
    words = f"{LETTERS} {SIGNS}"
    table = Table(
        f"Title {words}",
        (f"label {words}",),
        ("metric",),
        ((words,),),
        (Row((words,), (Cell(text=words),), ("†", "‡")),),
        (f"Note {words}",),
    )
    text = render_latex(Document("any", words, (table,), (words,))) or ""
    assert text.isascii()
    compiled(text)


@needs_latex
def test_a_table_of_words_longer_than_a_page_goes_on_on_the_next() -> None:
    rows = tuple(Row((f"method {n}", "a reason of some length " * 3)) for n in range(150))
    text = fragment_of(Table("Long", ("method", "reason"), rows=rows))
    assert text.count("(continued)") > 3
    assert all(f"method {n} &" in text for n in range(150))
    compiled(text)


@needs_latex
def test_a_very_wide_table_is_split_by_its_outer_words() -> None:
    columns = tuple(
        (f"dataset {n}", f"{r} %", m) for n in range(4) for r in (20, 50) for m in "abc"
    )
    cells = tuple(Cell(0.1234, 0.0123, 3) for _ in columns)
    text = fragment_of(
        Table("Wide", ("method",), ("dataset", "ratio", "metric"), columns, (Row(("m",), cells),))
    )
    assert text.count(r"\begin{tabular}") > 1
    assert text.count(".123") == len(columns)
    compiled(text)


@needs_latex
@needs_pdftotext
def test_decimal_points_stand_below_each_other(tmp_path: Path) -> None:
    cells = (
        Cell(0.5, 0.01, 3, is_best=True),
        Cell(0.25, 0.01, 3, is_second=True),
        Cell(0.125),
        Cell(0.61, digits=2, marks=("ᵃ",)),
        Cell(0.9, 0.2, 2, marks=("•",)),
        Cell(),
    )
    rows = tuple(Row((f"row{n}",), (cell,)) for n, cell in enumerate(cells))
    text = fragment_of(Table("Points", ("row",), ("metric",), (("Hits@10",),), rows))
    (tmp_path / "a.pdf").write_bytes(compiled(text).pdf or b"")
    found = re.findall(r'xMin="([\d.]+)"[^>]*>(\.\d+)', text_of(tmp_path / "a.pdf", "-bbox"))
    means = [float(x) for x, word in found if word in (".500", ".250", ".125", ".61", ".900")]
    spreads = [float(x) for x, word in found if word in (".010", ".200")]
    assert (len(means), len(spreads)) == (5, 3)
    assert max(means) - min(means) < 0.05
    assert max(spreads) - min(spreads) < 0.05


def test_every_cell_of_a_column_is_equally_wide() -> None:
    r"""Digits, points and marks of a cell, the invisible ones counted, are those of its column."""
    from mmea_bench.reports.formats.latex_cells import latex_column

    cells = [
        Cell(0.5, 0.1, 3, style="decimal", digits=4),
        Cell(1.0, style="decimal", digits=2, marks=("ᵃ",)),
        Cell(0.25, style="decimal", is_second=True),
    ]
    plain = [re.sub(r"\\rlap\{\$\^\{a\}\$\}", "", text) for text in latex_column(cells)]
    counts = {
        tuple(sum(letter in kind for letter in text) for kind in ("0123456789", ".", "^"))
        for text in plain
    }
    assert len(counts) == 1


def test_the_wrapper_holds_no_date() -> None:
    text = standalone("x")
    assert r"\pdfinfoomitdate=1" in text
    assert r"\pdftrailerid{}" in text
    assert r"\pdfsuppressptexinfo=-1" in text


def test_every_letter_becomes_ascii_for_latex() -> None:
    letters = map(chr, [*range(32, 0x3000), *range(0x4E00, 0x4E20), *range(0x1F600, 0x1F610)])
    assert all(latex(letter).isascii() for letter in letters)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("50 % & $5_a", r"50 \% \& \$5\_a"),
        ("ü ő ï ł", r"\"{u} \H{o} \"{\i} \l{}"),
        ("ế ḯ ṩ", r"\'{\^{e}} \'{\"{\i}} \.{\d{s}}"),
        ("α Λ µ", r"$\alpha$ $\Lambda$ $\mu$"),
        ("a -> b → c", r"a -\textgreater{} b $\rightarrow$ c"),
        ("x² yᵃ H₂", "x$^{2}$ y$^{a}$ H$_{2}$"),
        ("--set", "-{}-set"),
        ("“q” – —", "``q'' -- ---"),
        ("ﬁ ½", "fi 1/2"),
        ("方", "(U+65B9)"),
        ("a\u200bb\x07", "ab"),
    ],
)
def test_letters_are_written_as_latex_prints_them(text: str, printed: str) -> None:
    assert latex(text) == printed

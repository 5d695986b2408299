from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.places import columns_of, lines_of
from mmea_bench.reports.core.papers.tables import published_table
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.tidy_csv import render_csv
from mmea_bench.reports.making.published_tables import published_document
from mmea_bench.results.core.published import read_published

FILES = Path(__file__).resolve().parents[3] / "results" / "published"
GOLDEN = Path(__file__).parents[1] / "golden"
PAPERS = ("mclea2022", "loginmea2024", "clamea2025", "crossea2025", "selfmea2022")
RESULTS = read_published().results
ALL_LAYOUTS = read_layouts()
LAYOUTS = [layout for layout in ALL_LAYOUTS if not layout.is_repeated_runs]


def layout_of(source: str, table: str) -> Layout:
    return next(found for found in LAYOUTS if (found.source, found.table) == (source, table))


EVERY_LAYOUT = [pytest.param(layout, id=f"{layout.source} {layout.table}") for layout in LAYOUTS]


def csv_numbers(layout: Layout) -> list[dict[str, str]]:
    """The lines of the CSV file, read without the program's own reader."""
    with (FILES / "results.csv").open(encoding="utf-8", newline="") as file:
        return [
            line
            for line in csv.DictReader(file)
            if (line["source"], line["table"]) == (layout.source, layout.table)
        ]


def paper_digits(layout: Layout, value: str) -> str:
    """How the paper prints a number that the CSV file holds with a leading zero."""
    return value.removeprefix("0") if layout.style == "fraction" else value


HEADERS = {
    "dbp15k-zh-en": "DBP15K ZH-EN",
    "dbp15k-ja-en": "DBP15K JA-EN",
    "dbp15k-fr-en": "DBP15K FR-EN",
    "fb15k-db15k": "FB15K-DB15K",
    "fb15k-yago15k": "FB15K-YAGO15K",
    "nmmea": "NMMEA",
    **{"hits@1": "H@1", "hits@5": "Hits@5", "hits@10": "H@10", "mrr": "MRR"},
    **{"precision": "Precision", "recall": "Recall", "f1": "F1"},
}


def row_label(line: dict[str, str]) -> str:
    if line["variant"].startswith("-"):
        return line["method"] + line["variant"]
    return line["variant"] or line["method"]


def expected_place(layout: Layout, line: dict[str, str]) -> tuple[str, str, tuple[str, ...]]:
    """Group label, row label and header words under which a line of the CSV file must stand."""
    ratio = f"{100 * float(line['seed_ratio']):g} %" if line["seed_ratio"] else ""
    group = next(
        group.label
        for group in layout.groups
        if (line["method"], line["variant"]) in group.rows
        and group.setting in ("", *line["setting"].split(";"))
        and group.seed_ratio in (None, float(line["seed_ratio"] or "nan"))
    )
    metric = HEADERS[line["metric"]]
    if not (layout.source.startswith(("mclea", "loginmea", "selfmea"))):
        metric = metric.replace("H@", "Hits@")
    middle = (ratio,) if layout.seed_ratios else ()
    return group, row_label(line), (HEADERS[line["dataset"]], *middle, metric)


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
def test_every_number_of_the_csv_stands_once_at_its_place_and_no_other(layout: Layout) -> None:
    table = published_table(layout, RESULTS)
    shown: Counter[tuple[str, str, tuple[str, ...], str]] = Counter()
    for row in table.rows:
        group = row.labels[0] if table.is_grouped else ""
        for words, cell in zip(table.columns, row.cells, strict=True):
            if cell.mean is not None:
                shown[group, row.labels[-1], words, cell.mean_text] += 1
    wanted = Counter(
        (*expected_place(layout, line), paper_digits(layout, line["value"]))
        for line in csv_numbers(layout)
    )
    assert shown == wanted
    assert set(shown.values()) == {1}


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
def test_the_latex_of_a_table_holds_the_same_numbers_in_the_same_order(layout: Layout) -> None:
    table = published_table(layout, RESULTS)
    text = render_latex(Document("one", "One", (table,))) or ""
    found = Counter()
    for body in re.findall(r"\\midrule\n(.*?)\\bottomrule", text, re.DOTALL):
        plain = re.sub(r"\\phantom\{(?:[^{}]|\{[^{}]*\})*\}|\\rlap\{\$\^\{\w+\}\$\}", "", body)
        plain = re.sub(r"\\mmeabest\[(\d+)\]\{", r"{\1", plain)
        found.update(re.findall(r"(?<![\w@-])\d?\.\d+(?!\w)", plain))
    assert found == Counter(paper_digits(layout, line["value"]) for line in csv_numbers(layout))


def test_every_table_of_the_papers_in_the_csv_has_a_layout() -> None:
    known = {(layout.source, layout.table) for layout in LAYOUTS}
    own = RESULTS[RESULTS["source"].isin(PAPERS)]
    assert known == set(zip(own["source"], own["table"], strict=True))


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
def test_rows_stand_in_the_printing_order(layout: Layout) -> None:
    lines = lines_of(layout, RESULTS)
    first = [
        min(record["row"] for record in line.records if record)
        for line in lines
        if line.seed_ratio in (None, 0.2)
    ]
    assert first == sorted(first)
    assert all(any(line.records) for line in lines)
    assert all(len(line.records) == len(columns_of(layout)) for line in lines)


def test_ten_runs_stand_as_printed() -> None:
    document = published_document(read_published())
    layout = next(layout for layout in ALL_LAYOUTS if layout.is_repeated_runs)
    table = next(table for table in document.tables if table.title == layout.title)
    with (FILES / "significance.csv").open(encoding="utf-8", newline="") as file:
        wanted = {(line["method"], line["run"]): line["value"] for line in csv.DictReader(file)}
    found = {
        (row.labels[0], words[-1]): cell.mean_text
        for row in table.rows
        for words, cell in zip(table.columns, row.cells, strict=True)
    }
    assert found == wanted


def test_the_tables_of_the_papers_come_in_the_order_of_the_papers() -> None:
    titles = [table.title.split(":")[0] for table in published_document(read_published()).tables]
    assert len(titles) == len(ALL_LAYOUTS)
    assert [title for title in titles if "CrossEA" in title] == [
        f"CrossEA (COLING 2025), Table {number}" for number in (2, 3, 4, 5, 6)
    ]


def bold_and_underlined(table: Table, words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    place = table.columns.index(words)
    best = [row.labels[-1] for row in table.rows if row.cells[place].is_best]
    return best, [row.labels[-1] for row in table.rows if row.cells[place].is_second]


def test_best_and_second_best_are_those_that_the_papers_mark() -> None:
    login = published_table(layout_of("loginmea2024", "Table 1"), RESULTS)
    words = ("FB15K-DB15K", "20 %", "H@1")
    assert bold_and_underlined(login, words) == (["LoginMEA"], ["MEAformer"])
    clamea = published_table(layout_of("clamea2025", "Table 1"), RESULTS)
    words = ("FB15K-YAGO15K", "Hits@10")
    assert bold_and_underlined(clamea, words) == (["PCMEA"], ["LoginMEA"])


def test_groups_of_one_paper_are_ranked_apart() -> None:
    table = published_table(layout_of("mclea2022", "Table 1"), RESULTS)
    best, second = bold_and_underlined(table, ("DBP15K ZH-EN", "H@1"))
    assert best == ["MCLEA", "MCLEA"]
    assert second == ["EVA", "BERT-INT"]


def test_impossible_numbers_are_marked_explained_and_not_ranked() -> None:
    table = published_table(layout_of("mclea2022", "Table 1"), RESULTS)
    place = table.columns.index(("DBP15K ZH-EN", "MRR"))
    cell = next(row.cells[place] for row in table.rows if row.labels[-1] == "ERMC")
    assert cell.mean_text == ".899"
    assert cell.marks
    assert not cell.is_best
    note = next(note for note in table.notes if note.startswith(cell.marks[0]))
    assert note.startswith(f"{cell.marks[0]} not ranked: impossible: MRR is below hits@1")


def test_selfmea_is_best_although_a_doubtful_number_is_larger() -> None:
    table = published_table(layout_of("selfmea2022", "Table 1"), RESULTS)
    best, second = bold_and_underlined(table, ("DBP15K ZH-EN", "H@10"))
    assert (best, second) == (["SelfMEA"], ["RKDEA"])


def test_reproduced_rows_have_a_star_that_a_note_explains() -> None:
    table = published_table(layout_of("loginmea2024", "Table 1"), RESULTS)
    assert {row.labels[-1] for row in table.rows if row.marks} == {"KECG", "XGEA", "UMAEA"}
    assert "* reproduced by the authors of the table." in table.notes
    assert (
        "The paper itself prints “GCN-align” for GCN-Align, “POE” for PoE, “Chen et al.” for "
        in (" ".join(table.notes))
    )


@pytest.mark.parametrize("render", [render_markdown, render_latex, render_csv])
def test_a_published_table_equals_the_golden_file(
    render: Callable[[Document], str | None],
) -> None:
    table = published_table(layout_of("mclea2022", "Table 2"), RESULTS)
    suffix = {render_markdown: "md", render_latex: "tex", render_csv: "csv"}[render]
    golden = GOLDEN / f"published_mclea2022_table2.{suffix}"
    assert render(Document("published", "Published", (table,))) == golden.read_text("utf-8")

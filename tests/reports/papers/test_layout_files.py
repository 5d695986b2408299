"""Layouts are data: a paper is one file, and a file that breaks the rules is one sentence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mmea_bench.reports.core.papers.layout_files import LAYOUT_FOLDER, read_layouts
from mmea_bench.reports.core.papers.layouts import Layout, RowGroup
from mmea_bench.reports.core.papers.places import lines_of
from mmea_bench.reports.making.published_tables import published_document
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.published import read_published
from tests.reports.published_factory import published_frame, published_row

SIXTH = """\
paper = "SIXTH (ACL 2026)"
style = "decimal"
digits = 4

[datasets]
fb15k-db15k = "FBDB15K"
fb15k-yago15k = "FBYG15K"

[metrics]
"hits@1" = "H1"
mrr = "MRR"

[[tables]]
name = "Table 7"
caption = "a small table"
datasets = ["fb15k-db15k"]
metrics = ["mrr", "hits@1"]
seed_ratios = [0.2, 0.5]
group_name = "kind"

[[tables.groups]]
label = "theirs"
rows = ["GCN-Align"]

[[tables.groups]]
label = "ours"
setting = "no-names"
rows = ["Sixth", ["Sixth", "w/o image"]]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sixth2026.toml"
    path.write_text(SIXTH, encoding="utf-8")
    return path


def test_a_file_gives_its_tables(file: Path) -> None:
    assert read_layouts(file.parent) == (
        Layout(
            source="sixth2026",
            table="Table 7",
            paper="SIXTH (ACL 2026)",
            caption="a small table",
            groups=(
                RowGroup("theirs", (("GCN-Align", ""),)),
                RowGroup("ours", (("Sixth", ""), ("Sixth", "w/o image")), "no-names"),
            ),
            datasets={"fb15k-db15k": "FBDB15K"},
            metrics={"mrr": "MRR", "hits@1": "H1"},
            seed_ratios=(0.2, 0.5),
            group_name="kind",
            style="decimal",
            digits=4,
        ),
    )


def test_a_sixth_paper_is_one_more_file(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "layouts"
    shutil.copytree(LAYOUT_FOLDER, folder)
    before = published_document(read_published(), read_layouts(folder)).tables
    shutil.copy(file, folder)
    own = published_frame(
        published_row(value, source="sixth2026", table="Table 7", method=method, printed=str(value))
        for method, value in (("GCN-Align", 0.25), ("Sixth", 0.75))
    )
    printed = read_published()
    published = replace(printed, results=pd.concat([printed.results, own], ignore_index=True))
    *others, sixth = published_document(published, read_layouts(folder)).tables
    assert others == before
    assert sixth.title == "SIXTH (ACL 2026), Table 7: a small table"
    assert sixth.columns[:2] == (("FBDB15K", "20 %", "MRR"), ("FBDB15K", "20 %", "H1"))
    assert [(row.labels, row.cells[1].plain) for row in sixth.rows] == [
        (("theirs", "GCN-Align"), "0.25"),
        (("ours", "Sixth"), "0.75"),
        (("ours", "w/o image"), "–"),
    ]


@pytest.mark.parametrize(
    "layout",
    [pytest.param(layout, id=f"{layout.source} {layout.table}") for layout in read_layouts()],
)
def test_every_row_of_a_layout_is_a_published_row(layout: Layout) -> None:
    published = read_published()
    assert layout.source in published.sources
    if layout.is_repeated_runs:
        runs = published.significance
        own = runs[(runs["source"] == layout.source) & (runs["table"] == layout.table)]
        assert set(own["metric"]) == set(layout.metrics)
    else:
        lines = lines_of(layout, published.results)
        assert [line.row for line in lines if not any(line.records)] == []
        columns = zip(*(line.records for line in lines), strict=True)
        assert all(any(column) for column in columns)


def test_papers_come_by_their_number_then_by_their_file(tmp_path: Path) -> None:
    for name, line in (("b", "order = 2"), ("c", "order = 1"), ("z", ""), ("a", "")):
        (tmp_path / f"{name}.toml").write_text(f"{line}\n{SIXTH}", encoding="utf-8")
    assert [layout.source for layout in read_layouts(tmp_path)] == ["c", "b", "a", "z"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('paper = "SIXTH (ACL 2026)"', "", "key 'paper': is missing; add it"),
        ("(ACL 2026)", '"', "cannot be read as TOML"),
        ('"decimal"', '"percent"', "key 'style': must be one of fraction, decimal, not 'percent'"),
        ("digits = 4", "digits = 0", "key 'digits': must be a whole number from 1, not 0"),
        ("digits = 4", "digit = 4", "key 'digit': means nothing; valid keys are paper, order, st"),
        ('"hits@1" = "H1"', '"hits@3" = "H3"', "table [metrics], key 'hits@3': means nothing; va"),
        ('"FBDB15K"', "15", "table [datasets], key 'fb15k-db15k': must be a text, not 15"),
        ('name = "Table 7"', 'name = ""', "table 1, key 'name': must be a text, not ''"),
        ('["fb15k-db15k"]', '["nmmea"]', "table 1, key 'datasets': must hold names from fb15k-db"),
        ('["mrr", "hits@1"]', '["mrr", "mrr"]', "table 1, key 'metrics': must list at least one"),
        ('["mrr", "hits@1"]', "[]", "table 1, key 'metrics': must list at least one name"),
        ("[0.2, 0.5]", "[20]", "table 1, key 'seed_ratios': must hold shares of the anchor links"),
        ("[0.2, 0.5]", "0.2", "table 1, key 'seed_ratios': must be a list, not 0.2"),
        ('group_name = "kind"', "grouped = true", "table 1, key 'grouped': means nothing; valid"),
        ('group_name = "kind"', "ranks_groups_apart = 1", "must be true or false, not 1"),
        ('group_name = "kind"', "repeated_runs = true", "key 'groups': must not stand in a table"),
        ('"no-names"', '"nameless"', "table 1, group 2, key 'setting': must be one of iterative,"),
        ('rows = ["GCN-Align"]', "", "table 1, group 1, key 'rows': is missing; add it"),
        ('["GCN-Align"]', '[["GCN-Align"]]', 'group 1, key \'rows\': must list "method" or ["meth'),
        ('["GCN-Align"]', '["A", "A"]', "group 1, key 'rows': must list at least one row, and no"),
        ('["GCN-Align"]', "[]", "group 1, key 'rows': must list at least one row"),
        ("[[tables]]", "[tables]", "key 'tables': must be a list"),
    ],
)
def test_a_broken_file_is_one_sentence_with_its_place(
    file: Path, old: str, new: str, sentence: str
) -> None:
    assert old in SIXTH
    file.write_text(SIXTH.replace(old, new), encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        read_layouts(file.parent)
    assert str(caught.value).startswith(str(file))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_tables_of_one_name_are_refused(file: Path) -> None:
    file.write_text(SIXTH + SIXTH[SIXTH.index("[[tables]]") :], encoding="utf-8")
    with pytest.raises(ResultsError, match="table 2, key 'name': must differ from the names of"):
        read_layouts(file.parent)


def test_a_folder_without_layouts_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no layout of a paper"):
        read_layouts(tmp_path)

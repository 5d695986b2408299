"""Decoded numbers stand in blocks of their own and are never ranked with undecoded ones."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from mmea_bench.reports import cost, learning_curves, main_table, paper_tables, significance
from mmea_bench.reports.core.document import Document, Missing, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import comparisons, shown_numbers
from mmea_bench.reports.core.rows.select import with_sections
from mmea_bench.reports.formats.web_data import page_data
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record, own_numbers

HUNGARIAN = "hungarian[csls=3]"
SINKHORN = "sinkhorn[temperature=0.02]"


def decoded(method: str, score: float, **changes: Any) -> Record:
    """A cell with undecoded ranks, pairs by a one-to-one decoder, and ranks of spread scores."""
    record = make_record(method, score, **changes)
    (first, *_others) = own_numbers(record, csls=0)
    pairs = [
        {**first, "decoder": HUNGARIAN, "metric": metric, "value": score + 0.2}
        for metric in ("precision", "recall", "f1", "hits@1")
    ]
    spread = [
        {**first, "decoder": SINKHORN, "metric": metric, "value": score + 0.1}
        for metric in ("hits@1", "hits@10", "mrr")
    ]
    return Record.of(record.cell, [*own_numbers(record), *pairs, *spread])


def tables() -> Tables:
    repeats = [
        decoded(method, score + repeat / 100, repeat=repeat)
        for method, score in (("eva", 0.2), ("mclea", 0.3))
        for repeat in (1, 2, 3)
    ]
    return tables_of([*repeats, make_record("transe", 0.4)])


def document(report: Any, **options: Any) -> Document:
    made = report.build(tables(), ReportOptions(**options))
    assert isinstance(made, Document), made
    return made


def rows(table: Table) -> dict[str, list[str]]:
    return {row.labels[0]: [cell.plain for cell in row.cells] for row in table.rows}


def test_a_decoder_is_part_of_section_and_rules() -> None:
    found = with_sections(tables().results)
    of_decoder = found[found["decoder"] == HUNGARIAN].iloc[0]
    assert of_decoder["section"] == f"no names, decoder {HUNGARIAN}"
    assert of_decoder["rules"] == f"candidates=test ties=realistic decoder={HUNGARIAN}"
    plain = found[found["decoder"] == "none"].iloc[0]
    assert (plain["section"], plain["rules"]) == ("no names", "candidates=test ties=realistic")
    assert (plain["is_ranked"], of_decoder["is_ranked"]) == (True, False)


def test_decoded_numbers_follow_the_main_table_in_their_own() -> None:
    plain, pairs, spread, _without_a_number = document(main_table).tables
    assert plain.title == "fb15k-db15k: strict protocol, csls=3, source to target"
    assert set(rows(plain)) == {"eva", "mclea", "transe"}
    assert "decoder" not in " ".join(plain.notes)
    assert pairs.title == f"fb15k-db15k: strict protocol, decoder {HUNGARIAN}, source to target"
    assert [name for _, _, name in pairs.columns] == ["Precision", "Recall", "F1", "Hits@1"]
    assert set(rows(pairs)) == {"eva", "mclea"}
    assert [name for _, _, name in spread.columns] == ["Hits@1", "Hits@10", "MRR"]
    # The undecoded best stays the best, although a decoded number is larger.
    best = [row.labels[0] for row in plain.rows if row.cells[0].is_best]
    assert best == ["transe"]
    assert [row.labels[0] for row in pairs.rows if row.cells[2].is_best] == ["mclea"]


@pytest.mark.parametrize("csls", [0, 3])
def test_no_choice_of_csls_hides_or_mixes_decoded_numbers(csls: int) -> None:
    found = document(main_table, csls=csls).tables[:-1]
    assert [rows(table)["eva"][0][:4] for table in found[1:]] == [".420", ".320"]
    assert len(found) == 3


def test_comparisons_never_cross_decoders() -> None:
    options = ReportOptions()
    parts = list(comparisons(shown_numbers(tables(), options), options))
    assert [set(part.numbers["decoder"]) for part in parts] == [{"none"}, {HUNGARIAN}, {SINKHORN}]
    assert [part.metrics for part in parts] == [
        ("hits@1", "hits@10", "mrr"),
        ("f1", "precision", "recall", "hits@1"),
        ("hits@1", "hits@10", "mrr"),
    ]
    assert parts[1].title.endswith(f"strict protocol, decoder={HUNGARIAN}")


def test_tests_of_significance_stay_within_a_decoder() -> None:
    effects = [table for table in document(significance).tables if "against" in table.title]
    assert len(effects) == 3
    for table in effects:
        differences = [row.cells[1].plain for row in table.rows if row.cells[1].mean is not None]
        assert differences == ["+.100"] or differences == [".100"]


def test_costs_are_told_once_for_each_decoder() -> None:
    titles = [table.title for table in document(cost).tables]
    assert len(titles) == len(set(titles)) == 3


def test_curves_are_those_of_undecoded_scores() -> None:
    record = make_record("eva", 0.2, n_points=3)
    own = ("epoch", "loss", "links", "metric", "direction", "value")
    scoring = {"similarity": "cosine", "csls": 0, "candidates": "test", "ties": "realistic"}
    points = [
        {**{name: row[name] for name in own}, **scoring, "decoder": decoder}
        for row in record.curves
        for decoder in ("none", HUNGARIAN)
    ]
    both = Record.of(record.cell, own_numbers(record), points)
    made = learning_curves.build(tables_of([both]), ReportOptions())
    assert isinstance(made, Document)
    assert len(made.figures) == 1
    alone = Record.of(record.cell, own_numbers(record), points[1::2])
    assert isinstance(learning_curves.build(tables_of([alone]), ReportOptions()), Missing)


def test_papers_tables_hold_undecoded_numbers() -> None:
    record = decoded("eva", 0.2)
    made = paper_tables.build(tables_of([record]), ReportOptions())
    plain = paper_tables.build(tables_of([make_record("eva", 0.2)]), ReportOptions())
    assert made == plain


def test_the_page_has_a_rulebook_of_its_own_for_each_decoder() -> None:
    data = page_data(tables(), ReportOptions())
    found = {(row["rules"], row["section"]) for row in data["rows"]}
    base = "candidates=test ties=realistic"
    assert found == {
        (base, "no names"),
        (f"{base} decoder={HUNGARIAN}", f"no names, decoder {HUNGARIAN}"),
        (f"{base} decoder={SINKHORN}", f"no names, decoder {SINKHORN}"),
    }
    # Whatever size is chosen, decoded numbers are found under this view.
    assert "src2tgt any" in data["views"]
    assert data["start"]["csls"] == 3


def test_decoded_numbers_alone_are_a_page_too() -> None:
    record = decoded("eva", 0.2)
    only = [row for row in own_numbers(record) if row["decoder"] != "none"]
    found = tables_of([Record.of(record.cell, only)])
    assert page_data(found, ReportOptions())["start"]["csls"] == 0
    made = main_table.build(found, ReportOptions())
    assert isinstance(made, Document)
    assert len(made.tables) == 2
    assert isinstance(found.results, pd.DataFrame)


def test_numbers_by_the_published_similarity_compare_no_methods() -> None:
    record = make_record("transe", 0.2, own_similarity="cosine", all_csls=(0,))
    numbers = [*own_numbers(record), *own_numbers(record, similarity="euclidean", value=0.9)]
    numbers = [number for number in numbers if number["metric"] == "hits@1"]
    found = tables_of([Record.of(record.cell, numbers)])
    made = main_table.build(found, ReportOptions())
    assert isinstance(made, Document)
    assert rows(made.tables[0])["transe"][0] == ".200"
    assert set(shown_numbers(found, ReportOptions())["value"]) == {0.2}
    assert len(page_data(found, ReportOptions())["rows"]) == 1

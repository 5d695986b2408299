"""Every table that shows a method without released code to follow says so."""

from __future__ import annotations

from mmea_bench.methods.core.catalogue import get_method, method_names
from mmea_bench.reports import ablation, main_table
from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.core.names import BY_ID
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.stated.interpretations import (
    interpretation_notes,
    interpreted_methods,
    with_interpretations,
)
from mmea_bench.results.core.measured.remarks import INTERPRETED, read_origins
from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record

MINE = {"interpretation": "No code was released."}


def notes_of(document: object, records: list[Record]) -> list[tuple[str, ...]]:
    assert isinstance(document, Document)
    told = with_interpretations(document, tables_of(records).cells, BY_ID)
    return [
        tuple(note for note in block.notes if note.startswith("Interpretations"))
        for block in told.blocks
        if isinstance(block, Table)
    ]


def test_a_record_says_whether_its_method_is_an_interpretation() -> None:
    records = [make_record("mine", 0.5, **MINE), make_record("other", 0.5)]
    assert interpreted_methods(tables_of(records).cells) == {"mine"}


def test_records_from_before_are_told_by_the_name_of_their_method() -> None:
    records = [make_record("naea", 0.5), make_record("mclea", 0.5)]
    assert interpreted_methods(tables_of(records).cells) == {"naea"}


def test_the_note_names_the_interpretations_of_a_table_and_no_others() -> None:
    records = [
        make_record("mine", 0.5, **MINE),
        make_record("other", 0.4),
        make_record("other", 0.4, dataset="fb15k-yago15k"),
    ]
    document = main_table.build(tables_of(records), ReportOptions())
    (sentence,) = interpretation_notes(["mine"], BY_ID)
    assert sentence == "Interpretations, of methods without released code to follow: mine."
    assert set(notes_of(document, records)) == {(), (sentence,)}


def test_a_table_whose_title_alone_names_the_method_says_it_too() -> None:
    records = [
        make_record("mine", 0.5, **MINE),
        make_record("mine", 0.4, variant="w/o image", **MINE),
    ]
    document = ablation.build(tables_of(records), ReportOptions())
    assert all(len(notes) == 1 for notes in notes_of(document, records))


def test_nothing_is_said_where_released_code_was_followed() -> None:
    assert interpretation_notes([], BY_ID) == ()


def test_methods_and_the_list_that_tells_older_records_agree() -> None:
    listed = read_origins()
    for name in method_names():
        paper = get_method(name).paper
        is_interpretation = paper is not None and paper.interpretation != ""
        assert (listed.get(name_key(name)) == INTERPRETED) == is_interpretation, name

from __future__ import annotations

from typing import Any

import pytest

from mmea_bench.reports import paper_tables
from mmea_bench.reports.core.document import Document, Missing, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import PAIR_SCORING


def measured(records: list[Record], **options: Any) -> Document:
    made = paper_tables.build(tables_of(records), ReportOptions(**options))
    assert isinstance(made, Document)
    return made


def table_of(document: Document, name: str) -> Table:
    return next(table for table in document.tables if table.title.startswith(name))


def labels(table: Table) -> list[str]:
    return [row.labels[-2] for row in table.rows]


def test_measured_rows_stand_under_the_names_of_the_paper() -> None:
    records = [
        make_record("eva", 0.2 + 0.01 * repeat, repeat=repeat, all_csls=(3,)) for repeat in (1, 2)
    ]
    table = table_of(measured(records), "MCLEA (COLING 2022), Table 2")
    assert [row.labels for row in table.rows] == [("20 %", "EVA", "2")]
    assert table.columns == tuple(("FB15K-DB15K", name) for name in ("H@1", "H@10", "MRR"))
    assert table.rows[0].cells[0].plain == ".235 ± .007"
    assert "strict protocol, csls=3, source to target" in table.title


def test_nothing_that_a_paper_prints_gives_a_reason() -> None:
    made = paper_tables.build(tables_of([make_record("my_method", 0.2)]), ReportOptions())
    assert isinstance(made, Missing)
    made = paper_tables.build(tables_of([make_record("eva", 0.2, seed_ratio=0.4)]), ReportOptions())
    assert isinstance(made, Missing)
    assert "Table 1: it is for 20 %, 50 %, 80 % seeds, and 40 % was run." in made.reason


def test_every_table_that_is_left_out_says_why() -> None:
    document = measured([make_record("eva", 0.2, all_csls=(3,))])
    reasons = dict(row.labels for row in document.tables[-1].rows)
    shown = {table.title.partition(":")[0] for table in document.tables[:-1]}
    layouts = {f"{layout.paper}, {layout.table}" for layout in read_layouts()}
    assert shown | set(reasons) == layouts
    assert not shown & set(reasons)
    assert reasons["MCLEA (COLING 2022), Table 1"] == (
        "none of its datasets was run (DBP15K ZH-EN, DBP15K JA-EN, DBP15K FR-EN)"
    )
    assert reasons["CLAMEA (EMNLP Findings 2025), Table 2"] == (
        "none of its methods was run on its datasets (CLAMEA)"
    )
    assert reasons["CrossEA (COLING 2025), Table 6"].startswith("it lists single runs")


def test_failures_are_a_reason_of_their_own() -> None:
    failed = make_record("loginmea", 0.0, status="failed", reason="crash")
    document = measured([make_record("eva", 0.2, all_csls=(3,)), failed])
    reasons = dict(row.labels for row in document.tables[-1].rows)
    assert reasons["LoginMEA (ECAI 2024), Table 3"] == ("no cell of its methods ended ok (failed)")


def setting_record(method: str, score: float, words: dict[str, str], **changes: Any) -> Record:
    """A cell under other facts, such as ``iterative=yes``."""
    return make_record(method, score, all_csls=(3,), **words, **changes)


def test_names_and_pseudo_labels_must_be_those_that_the_paper_states() -> None:
    place = {"dataset": "dbp15k-zh-en", "seed_ratio": 0.3}
    iterative = {"iterative": "yes"}
    records = [
        setting_record("mclea", 0.8, {**iterative, "names": "yes"}, **place),
        setting_record("mclea", 0.7, iterative, variant="w/o name", **place),
        setting_record("mclea", 0.6, {"iterative": "no", "names": "yes"}, repeat=9, **place),
    ]
    table = table_of(measured(records), "MCLEA (COLING 2022), Table 1")
    assert [(row.labels[0], row.cells[0].plain) for row in table.rows] == [
        ("w/o SF", ".720"),
        ("w/ SF", ".820"),
    ]
    ablation = table_of(measured(records), "MCLEA (COLING 2022), Table 4")
    assert labels(ablation) == ["MCLEA", "w/o name"]


@pytest.mark.parametrize(
    "variant", ["iterative, w/o names", "w/o name", "without surface forms", "IL, no names"]
)
def test_the_row_without_names_is_found_by_its_setting_not_by_its_spelling(variant: str) -> None:
    place = {"dataset": "dbp15k-zh-en", "seed_ratio": 0.3}
    words = {"iterative": "yes", "names": "no"}
    records = [
        setting_record("meaformer", 0.7, words, variant=variant, **place),
        setting_record("meaformer", 0.5, {"iterative": "no", "names": "yes"}, **place),
        # Another method, whatever it reads.
        setting_record("meaformer", 0.8, words, variant="w/o attention", **place),
    ]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 2")
    assert [(row.labels[1], row.cells[0].plain) for row in table.rows] == [("MEAformer", ".720")]


def test_of_two_settings_that_fit_the_one_that_reads_more_stands_in_the_table() -> None:
    words = {"iterative": "yes", "names": "no"}
    records = [
        setting_record(
            "meaformer", 0.6, words, variant="iterative, w/o names", modalities="structure"
        ),
        setting_record(
            "meaformer", 0.7, words, variant="iterative", modalities="structure attribute"
        ),
    ]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    assert [row.cells[0].plain for row in table.rows] == [".720"]


def test_settings_that_a_table_does_not_state_are_taken_from_how_its_numbers_were_scored() -> None:
    place = {"dataset": "dbp15k-zh-en", "seed_ratio": 0.3}
    records = [
        setting_record("eva", 0.6, {"iterative": "no"}, **place),
        setting_record("eva", 0.7, {"iterative": "yes"}, variant="iterative", **place),
        setting_record("eva", 0.5, {"iterative": "yes"}, variant="unsupervised", **place),
    ]
    table = table_of(measured(records), "MCLEA (COLING 2022), Table 1")
    assert [row.cells[0].plain for row in table.rows] == [".720"]


def test_one_training_gives_crossea_with_and_without_its_inference() -> None:
    place = {"dataset": "synthetic-nmmkg[n=14921]", "seed_ratio": 0.3}
    table = table_of(
        measured([pairs_record("crossea", 0.6, "both", **place)]), "CrossEA (COLING 2025), Table 5"
    )
    assert {row.labels[0]: row.cells[0].plain for row in table.rows} == {
        "CrossEA": "0.700",
        "w/o AIM": "0.600",
    }


def test_published_numbers_stand_beside_on_request() -> None:
    table = table_of(
        measured([make_record("eva", 0.2)], published=True), "MCLEA (COLING 2022), Table 2"
    )
    assert table.level_names == ("dataset", "metric", "numbers")
    assert table.columns[:3] == (
        ("FB15K-DB15K", "H@1", "measured"),
        ("FB15K-DB15K", "H@1", "published"),
        ("FB15K-DB15K", "H@10", "measured"),
    )
    assert table.columns[-1] == ("FB15K-YAGO15K", "MRR", "published")
    assert [row.labels for row in table.rows[:5]] == [
        ("20 %", "PoE", ""),
        ("20 %", "HMEA", ""),
        ("20 %", "MMEA", ""),
        ("20 %", "EVA", "1"),
        ("20 %", "MCLEA", ""),
    ]
    assert [cell.plain for cell in table.rows[3].cells[:4]] == [".220", ".134", ".520", ".338"]
    assert [cell.plain for cell in table.rows[0].cells[:2]] == ["–", ".126"]


def test_changed_parameters_stand_in_where_they_are_the_only_run_and_say_so() -> None:
    changed = [make_record("eva", 0.2, variant="full[dim=50]")]
    table = table_of(measured(changed), "MCLEA (COLING 2022), Table 2")
    assert table.rows[0].marks == ("ᵃ",)
    assert "ᵃ measured with dim=50." in table.notes
    both = measured([*changed, make_record("eva", 0.3)])
    assert table_of(both, "MCLEA").rows[0].cells[0].plain == ".320"
    two = [make_record("eva", 0.3, variant=f"full[dim={dim}]") for dim in (50, 60)]
    assert isinstance(paper_tables.build(tables_of(two), ReportOptions()), Missing)


def pairs_record(method: str, score: float, inference: str, **changes: Any) -> Record:
    cell = dict(make_record(method, 0.0, status="failed", reason="x", **changes).cell)
    cell |= {"status": "ok", "reason": None, "key": f"{cell['key']}-{inference}"}
    numbers = [
        {
            **PAIR_SCORING,
            "inference": name,
            "metric": metric,
            "direction": "pairs",
            "value": score + 0.1 * (name == "two-thresholds"),
            "n": 50,
        }
        for name in ("one-threshold", "two-thresholds")
        for metric in ("precision", "recall", "f1")
    ]
    return Record.of(cell, numbers)


def test_each_row_of_an_nmmkg_table_takes_its_own_inference() -> None:
    place = {"dataset": "synthetic-nmmkg[n=14921]", "seed_ratio": 0.3}
    records = [
        pairs_record("crossea", 0.6, "both", **place),
        pairs_record("mclea", 0.4, "both", **place),
    ]
    document = measured(records)
    second = table_of(document, "CrossEA (COLING 2025), Table 2")
    assert {row.labels[1]: row.cells[0].plain for row in second.rows} == {
        "MCLEA": "0.400",
        "CrossEA": "0.700",
    }
    third = table_of(document, "CrossEA (COLING 2025), Table 3")
    assert [(row.labels[0], row.cells[0].plain) for row in third.rows] == [("MCLEA-md", "0.500")]
    assert any("stands in for unreleased data" in note for note in second.notes)
    assert all(row.marks for row in second.rows)


def repeats_of(method: str, scores: tuple[float, ...], **changes: Any) -> list[Record]:
    return [make_record(method, score, repeat=n, **changes) for n, score in enumerate(scores, 1)]


def test_a_clear_winner_has_a_mark_that_a_note_explains() -> None:
    records = repeats_of("loginmea", (0.50, 0.51, 0.52)) + repeats_of("eva", (0.20, 0.21, 0.22))
    words = {"iterative": "yes"}
    records = [
        setting_record(
            r.cell["method"], r.cell["repeat"] / 100 + base, words, repeat=r.cell["repeat"]
        )
        for r, base in zip(records, (0.5,) * 3 + (0.2,) * 3, strict=True)
    ]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    winner = next(row for row in table.rows if row.labels[1] == "LoginMEA")
    assert winner.cells[0].is_best
    assert winner.cells[0].marks == ("•",)
    assert any(note.startswith("• better than the second best") for note in table.notes)


def test_no_mark_where_chance_explains_the_difference() -> None:
    records = repeats_of("poe", (0.20, 0.30, 0.40)) + repeats_of("eva", (0.21, 0.31, 0.41))
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    assert not any(cell.marks for row in table.rows for cell in row.cells)


def test_one_repeat_gives_no_mark_of_significance() -> None:
    records = [make_record("poe", 0.2), make_record("eva", 0.6)]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    assert not any(cell.marks for row in table.rows for cell in row.cells)


def test_rows_stopped_on_test_are_marked_and_not_ranked() -> None:
    records = [
        make_record("eva", 0.8, stopped_on="test"),
        make_record("poe", 0.2),
        make_record("transe", 0.1),
    ]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    rows = {row.labels[1]: row for row in table.rows}
    assert rows["EVA"].marks == ("‡",)
    assert not rows["EVA"].cells[0].is_best
    assert rows["PoE"].cells[0].is_best
    assert any(
        note.startswith("‡ the checkpoint was chosen on the test links") for note in table.notes
    )


def test_simulated_features_and_partial_copies_are_said() -> None:
    lacks = {"lacking": "structure", "partial_copy": "505436 of 592213 triples"}
    record = make_record("eva", 0.2, simulated_features="image", **lacks)
    table = table_of(measured([record]), "MCLEA (COLING 2022), Table 2")
    assert table.rows[0].marks == ("†",)
    assert "† with simulated image features, not measured ones." in table.notes
    assert "Partial copy: 505436 of 592213 triples." in table.notes


def test_numbers_of_two_dataset_versions_are_not_mixed() -> None:
    records = [
        *repeats_of("eva", (0.2, 0.3)),
        make_record("poe", 0.5, dataset_version="bbbbbbbbbbbb"),
    ]
    table = table_of(measured(records), "LoginMEA (ECAI 2024), Table 1")
    assert labels(table) == ["EVA"]
    assert any("another version" in note for note in table.notes)


def test_a_version_that_is_left_out_stays_out_where_another_dataset_has_its_content() -> None:
    other = {"dataset_version": "bbbbbbbbbbbb", "all_csls": (3,)}
    records = [make_record("eva", 0.2, repeat=repeat, all_csls=(3,)) for repeat in (1, 2)]
    records.append(make_record("eva", 0.8, repeat=3, **other))
    records.append(make_record("eva", 0.5, dataset="fb15k-yago15k", **other))
    table = table_of(measured(records), "MCLEA (COLING 2022), Table 2")
    assert table.rows[0].cells[0].plain == ".220 ± .000"

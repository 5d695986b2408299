"""The report over the values of a transform."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure as Canvas

from mmea_bench.datasets.core.transforms.catalogue import TRANSFORMS
from mmea_bench.reports import robustness
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.robustness import area, split_transform
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DANGLING_METRICS
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, own_numbers


def _records(method: str, scores: dict[str, float], repeats: int = 1) -> list[Record]:
    return [
        make_record(
            method,
            score + 0.02 * (repeat - 1),
            repeat=repeat,
            dataset=f"fb15k-db15k{options}",
            dataset_version=f"version{options}",
        )
        for options, score in scores.items()
        for repeat in range(1, repeats + 1)
    ]


CURVE = {"[image_ratio=0.2]": 0.1, "[image_ratio=0.6]": 0.3, "": 0.5}


def _document(records: list[Record]) -> Document:
    made = robustness.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    return made


def test_area_by_hand() -> None:
    # Two trapezoids of width 0.4, of heights 0.2 and 0.4, over a range of 0.8.
    assert area([0.2, 0.6, 1.0], [0.1, 0.3, 0.5]) == pytest.approx(0.3)
    assert area([0.0, 3.0, 4.0], [1.0, 1.0, 0.0]) == pytest.approx(3.5 / 4)


def test_the_plain_dataset_is_a_point_of_the_curve() -> None:
    document = _document(_records("eva", CURVE, repeats=2))
    (table,) = document.tables
    assert [column[1] for column in table.columns] == [
        *("image_ratio=0.2", "image_ratio=0.6", "image_ratio=1"),
        "area",
    ]
    assert [cell.plain for cell in table.rows[0].cells] == [
        *(".110 ± .014", ".310 ± .014", ".510 ± .014"),
        ".310 ± .014",
    ]


def test_the_figure_has_a_line_for_each_method() -> None:
    document = _document(_records("eva", CURVE) + _records("mclea", CURVE))
    canvas = Canvas()
    document.figures[0].draw(canvas)
    assert canvas.axes[0].get_xlabel() == "image_ratio"
    assert [list(line.get_xdata()) for line in canvas.axes[0].lines].count([0.2, 0.6, 1.0]) == 2


def test_a_method_without_all_values_has_no_area_and_the_table_says_so() -> None:
    records = _records("eva", CURVE) + _records("mclea", {"": 0.5})
    records += _records("poe", {"[image_ratio=0.2]": 0.1, "": 0.5})
    (table,) = _document(records).tables
    assert [row.cells[-1].plain for row in table.rows] == [".300", "–", "–"]
    assert table.notes == (
        "mclea: one value alone, which is no curve.",
        "poe: no area, for no repeat has all values.",
    )


def test_one_value_is_no_curve() -> None:
    made = robustness.build(tables_of(_records("eva", {"": 0.5})), ReportOptions(csls=0))
    assert isinstance(made, Missing)
    assert "two or more values" in made.reason


def test_a_published_split_and_random_ones_share_no_curve_and_a_note_names_what_is_left() -> None:
    records = _records("eva", {"[image_ratio=0.2]": 0.1, "": 0.5})
    records += [
        make_record("eva", 0.8, dataset_version="version", split="published", key="published")
    ]
    document = _document(records)
    (table,) = document.tables
    assert [cell.plain for cell in table.rows[0].cells] == [".100", ".500", ".300"]
    assert (
        "In no curve of image_ratio, for there is no other value with the same split, seed ratio "
        "and rules: fb15k-db15k, published split, 20 % seeds, strict protocol."
    ) in document.notes


def test_a_curve_of_the_published_split_says_so() -> None:
    records = [
        make_record("eva", score, dataset=dataset, dataset_version=dataset, split="published")
        for dataset, score in (("fb15k-db15k", 0.5), ("fb15k-db15k[image_ratio=0.2]", 0.1))
    ]
    (table,) = _document(records).tables
    assert table.title == ("image_ratio: fb15k-db15k, published split, 20 % seeds, strict protocol")


def test_two_values_of_unlike_splits_are_no_curve_and_both_are_named() -> None:
    records = _records("eva", {"[image_ratio=0.2]": 0.1})
    records += [make_record("eva", 0.8, split="published", key="published")]
    made = robustness.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Missing)
    assert "fb15k-db15k, published split, 20 % seeds" in made.reason
    assert "fb15k-db15k[image_ratio=0.2], 20 % seeds" in made.reason


def test_an_address_is_told_from_its_transform() -> None:
    address = "synthetic[dangling=0.2,n=300]"
    assert split_transform(address, "dangling") == ("synthetic[n=300]", 0.2)
    assert split_transform(address, "seed_noise") == (address, 0.0)
    assert split_transform("fb15k-db15k", "image_ratio") == ("fb15k-db15k", 1.0)


def test_the_plain_values_are_those_of_the_transforms() -> None:
    with_strength = {n: each.neutral for n, each in TRANSFORMS.items() if not each.is_switch}
    assert dict(robustness.PLAIN_VALUES) == with_strength


def test_metrics_on_dangling_entities_have_curves_of_their_own() -> None:
    def judged(share: float, csls: int, f1: float) -> list[dict[str, object]]:
        (record,) = _records("eva", {f"[dangling={share}]": 0.5})
        words = {"candidates": "untrained", "ties": None, "csls": csls, "value": f1}
        rows = [row for row in own_numbers(record, **words) if row["metric"] == "hits@1"]
        ways = [row for row in rows if row["direction"] == "src2tgt"][:1]
        return [{**row, "metric": m} for row in ways for m in DANGLING_METRICS]

    records = []
    for share, f1 in ((0.1, 0.4), (0.3, 0.6)):
        (plain,) = _records("eva", {f"[dangling={share}]": 0.5})
        numbers = own_numbers(plain) + judged(share, 0, f1) + judged(share, 3, 0.9)
        records.append(Record.of(plain.cell, numbers))
    tables = {table.columns[0][0]: table for table in _document(records).tables}
    assert list(tables) == [
        *("Hits@1", "Dangling precision", "Dangling recall", "Dangling F1"),
        "Consolidated Hits@1",
    ]
    assert [cell.plain for cell in tables["Dangling F1"].rows[0].cells] == [".400", ".600", ".500"]

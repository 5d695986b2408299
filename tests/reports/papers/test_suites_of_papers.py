"""Every printed row whose method exists is run by the suite of its table, in the form it had.

The cells that a suite plans are written down as if they had been run, with the facts that a run
would note; the table of the paper must then find them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmea_bench.bench.battery.small_pairs import tiny_pair
from mmea_bench.bench.planning.cell import Cell, cell_words, configured
from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.suite import Suite
from mmea_bench.methods.core.catalogue import get_method, method_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.measured_names import (
    Found,
    MeasuredNumbers,
    Wanted,
    measured_groups,
)
from mmea_bench.reports.core.papers.places import Column, Line, columns_of, lines_of, wanted_ratio
from mmea_bench.results.core.published import name_key, read_published
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import PAIR_METRICS, RANK_METRICS
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record, scoring
from tests.reports.studies_factory import PAIR_SCORING

SUITES = Path(__file__).resolve().parents[3] / "bench" / "suites" / "papers"
PUBLISHED = read_published()
METHODS = {name_key(name): name for name in method_names()}
OFFERED = {
    "dbp15k": ("structure", "relation", "attribute", "image", "name"),
    # Freebase ids are no names.
    "fb15k": ("structure", "relation", "attribute", "image"),
    "nmmea": tiny_pair("n-mmkg").modalities,
    "synthetic": tiny_pair("n-mmkg").modalities,
}
"""Modalities of the datasets by the first word of their names."""


UNREACHED = {
    ("AttrGNN", "mclea2022 Table 1"): "its attribute channels read values, which the files lack",
    ("MRAEA", "mclea2022 Table 3"): "printed with names, by a variant that no source describes",
    ("RREA", "mclea2022 Table 3"): "printed with names, by a variant that no source describes",
}
"""Printed rows of methods that this program has in another form alone, with the reason."""

FORMS = {
    "names": ("names", "yes"),
    "no-names": ("names", "no"),
    "iterative": ("iterative", "yes"),
    "non-iterative": ("iterative", "no"),
}
"""Word of a setting to the fact of a run that it asks for."""


def suite_of(layout: Layout) -> Suite:
    table = layout.table.lower().replace(" ", "")
    return load_suite(str(SUITES / f"{layout.source}_{table}.toml"))


def offered(dataset: str) -> tuple[str, ...]:
    return OFFERED[dataset.partition("-")[0]]


def as_if_run(cell: Cell) -> Record:
    """The record of a cell with the facts that its run would have noted."""
    method = configured(get_method(cell.method), cell)
    read = method.used_modalities(offered(cell.dataset))
    words = {
        **{"variant": cell_words(cell)["variant"], "dataset": cell.dataset},
        **{"seed_ratio": cell.seed_ratio, "repeat": cell.repeat, "protocol": cell.protocol.name},
        "names": "yes" if "name" in read else "no",
        "iterative": "yes" if method.is_iterative else "no",
        "modalities": " ".join(read),
    }
    ranks = [
        {**scoring(csls), "metric": metric, "direction": "src2tgt", "value": 1.0, "n": 50}
        for csls in (0, 3)
        for metric in RANK_METRICS
    ]
    pairs = [
        {**PAIR_SCORING, "inference": inference, "metric": metric, "direction": "pairs"}
        | {"value": 1.0, "n": 50}
        for inference in ("one-threshold", "two-thresholds")
        for metric in PAIR_METRICS
    ]
    cell_of = make_record(cell.method, 0.5, **words).cell
    return Record.of(dict(cell_of), [*ranks, *(pairs if "nmmkg" in cell.dataset else ())])


def tables_after(suite: Suite) -> Tables:
    cells = [cell for cell in expand(suite) if cell.repeat == 1 and cell.dataset != "nmmea"]
    return tables_of([as_if_run(cell) for cell in cells])


def places(layout: Layout) -> Iterator[tuple[Line, Column, Wanted]]:
    """Printed numbers of methods that this program has."""
    for line in lines_of(layout, PUBLISHED.results, PUBLISHED.scoring):
        for column, record in zip(columns_of(layout), line.records, strict=True):
            ratio = wanted_ratio(line, column)
            reached = (line.row[0], f"{layout.source} {layout.table}") not in UNREACHED
            if record and reached and name_key(line.row[0]) in METHODS and ratio is not None:
                yield (
                    line,
                    column,
                    Wanted(line.row, line.words, column.dataset, ratio, column.metric),
                )


LAYOUTS = [
    pytest.param(layout, id=f"{layout.source} {layout.table}")
    for layout in read_layouts()
    if not layout.is_repeated_runs
]


def found_in(measured: list[MeasuredNumbers], wanted: Wanted) -> Found | None:
    return next(filter(None, (group.find(wanted) for group in measured)), None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_printed_row_is_planned_in_its_form_and_found(layout: Layout) -> None:
    suite = suite_of(layout)
    tables = tables_after(suite)
    measured = list(measured_groups(tables, ReportOptions()))
    cells = tables.cells.set_index("key")
    missing, wrong = set(), set()
    for line, column, wanted in places(layout):
        found = found_in(measured, wanted)
        where = f"{line.name} on {column.dataset} at {wanted.seed_ratio}: {sorted(line.words)}"
        if found is None:
            missing.add(where)
            continue
        (key,) = found.keys
        facts = cells.loc[key]
        for word, (fact, value) in FORMS.items():
            if word in line.words and facts[fact] != value:
                wrong.add(f"{where}, but {fact}={facts[fact]} ({found.variant})")
    assert sorted(missing) == []
    assert sorted(wrong) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_suite_of_a_table_runs_what_the_table_does_not_print(layout: Layout) -> None:
    printed = {name_key(method) for group in layout.groups for method, _ in group.rows}
    assert {name_key(name) for name in suite_of(layout).methods} <= printed


def test_figure_5_of_loginmea_compares_what_learns_from_pseudo_labels() -> None:
    suite = load_suite(str(SUITES / "loginmea2024_fig5.toml"))
    forms = {
        (cell.method, configured(get_method(cell.method), cell).is_iterative)
        for cell in expand(suite)
    }
    assert forms == {("loginmea", True), ("meaformer", True), ("mclea", True)}


def test_each_dataset_has_the_settings_that_were_published_for_it() -> None:
    suite = load_suite(str(SUITES / "loginmea2024_table2.toml"))
    (cell, *_) = [cell for cell in expand(suite) if cell.method == "meaformer"]
    params = configured(get_method("meaformer"), cell).params
    # Unlike on FB15K-DB15K: a feed-forward layer, and twice the decay.
    assert (params.feed_forward_dim, params.weight_decay, params.epochs) == (400, 1e-3, 1000)


def test_the_rivals_of_selfmea_train_on_as_many_links_as_they_did() -> None:
    suite = load_suite(str(SUITES / "selfmea2022_table1.toml"))
    (ratio,) = suite.seed_ratios
    assert ratio * (1 - suite.protocol.held_out_share) == pytest.approx(0.3)


def test_crosseas_t_tests_have_its_second_best_and_the_best_baseline() -> None:
    methods = load_suite(str(SUITES / "crossea2025_table6.toml")).methods
    assert {"desalign", "se_clip_mmea"} < set(methods)

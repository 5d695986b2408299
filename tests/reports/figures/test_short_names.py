"""Names that fit into figures."""

from __future__ import annotations

from collections.abc import Iterable

from mmea_bench.reports import (
    cost,
    learning_curves,
    low_resource,
    modality_weights,
    robustness,
    selection_audit,
    significance,
)
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.figures.short_names import short_names
from mmea_bench.reports.core.figures.style import COLUMN_WIDTH_IN
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import with_curves, with_weights
from tests.reports.figure_checks import layout_problems
from tests.reports.reports_factory import make_record

LONG = "full[batch_size=10000,dim=20,epochs=16,learning_rate=0.02]"


def test_short_names_stay() -> None:
    names = short_names([("mclea", "full"), ("mclea", "w/o image"), ("mclea", "full[dim=50]")])
    assert set(names.texts.values()) == {"mclea", "mclea w/o image", "mclea[dim=50]"}
    assert names.notes == ()


def test_long_overrides_stand_in_a_note() -> None:
    names = short_names([("mclea", LONG)])
    assert names.texts["mclea", LONG] == "mclea[…]"
    assert names.notes == (f"mclea[…] is mclea{LONG.removeprefix('full')}.",)


def test_settings_that_tell_two_lines_apart_are_shown_first() -> None:
    found = short_names([("mclea", LONG), ("mclea", LONG.replace("20", "30"))])
    assert set(found.texts.values()) == {"mclea[dim=20,…]", "mclea[dim=30,…]"}
    assert len(found.notes) == 2


def test_names_that_are_cut_alike_are_numbered() -> None:
    long = "full[modality=a_word_that_is_long_{}]"
    found = short_names([("mclea", long.format(number)) for number in (1, 2)])
    assert set(found.texts.values()) == {"mclea[…1]", "mclea[…2]"}


def test_a_long_variant_is_cut() -> None:
    text = short_names([("mclea", "w/o everything that has a name")]).texts.popitem()[1]  # type: ignore[attr-defined]
    assert text == "mclea w/o everything th…"


def test_one_set_of_overrides_does_not_change_the_look() -> None:
    names = short_names([("mclea", LONG), ("eva", "full"), ("eva", "full[dim=50]")])
    assert names.looks["mclea", LONG] == ("mclea", "full")
    assert names.looks["eva", "full[dim=50]"] == ("eva", "full[dim=50]")


def _over(names: Iterable[str], places: Iterable[str]) -> list[Record]:
    return [
        make_record(name, 0.5 + 0.1 * rank, variant=LONG, dataset=place)
        for place in places
        for rank, name in enumerate(names)
    ]


def test_figures_with_long_overrides_fit_a_column() -> None:
    names = ("eva", "mclea", "a_method_with_a_rather_long_name")
    costs = {"epochs": 5, "fit_s": 3.0, "peak_memory_mib": 900.0, "device": "cpu"}
    built: list[tuple[object, list[Record]]] = [
        (selection_audit, [with_curves(n, [0.2, 0.5], [0.1, 0.2], variant=LONG) for n in names]),
        (learning_curves, [with_curves(n, [0.2, 0.5], [0.1, 0.2], variant=LONG) for n in names]),
        (modality_weights, [with_weights(n, {"structure": 1.0}, variant=LONG) for n in names]),
        (cost, [make_record(n, 0.5, variant=LONG, **costs) for n in names]),
        (
            low_resource,
            [make_record(n, r, variant=LONG, seed_ratio=r) for n in names for r in (0.2, 0.5)],
        ),
        (robustness, _over(names, ("fb15k-db15k[image_ratio=0.4]", "fb15k-db15k"))),
        (significance, _over(names, (f"synthetic[n={n}]" for n in range(1, 5)))),
    ]
    for report, records in built:
        made = report.build(tables_of(records), ReportOptions())  # type: ignore[attr-defined]
        assert isinstance(made, Document)
        (figure,) = made.figures
        assert layout_problems(figure) == []
        assert figure.width_in < 1.05 * COLUMN_WIDTH_IN
        assert any(note.startswith("mclea[…] is mclea[batch_size") for note in figure.notes)

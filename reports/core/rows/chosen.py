"""Only what the reader wants to see of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches

import pandas as pd

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.select import name_of
from mmea_bench.results.core.plans.plan_file import CellWords
from mmea_bench.results.core.table import Tables

NamesOf = Callable[[str], tuple[str, ...]]
_MOST_LISTED = 12


def chosen_tables(tables: Tables, options: ReportOptions) -> Tables:
    """The tables without methods, variants and datasets that were not asked for.

    Raises:
        ReportError: If something asked for is in no cell, the reference and the size of CSLS
            included.
    """
    cells = tables.cells
    if cells.empty:
        return tables
    _check_csls(tables, options)
    is_wanted = pd.Series(data=True, index=cells.index)
    for what, chosen, names_of in _asked(options):
        is_wanted &= _matches(what, chosen, cells[what], names_of)
    if not is_wanted.any():
        raise ReportError(
            "No cell has all that was asked for: a method in --methods, a variant in --variants "
            "and a dataset in --datasets. Leave one of them out."
        )
    shown = cells[is_wanted]
    if options.reference:
        _check_reference(shown, options)
    keys, datasets = set(shown["key"]), set(shown["dataset"])
    return replace(
        tables,
        cells=shown.reset_index(drop=True),
        results=_only(tables.results, "key", keys),
        curves=_only(tables.curves, "key", keys),
        datasets=_only(tables.datasets, "dataset", datasets),
        planned=_planned(tables, options),
    )


def _check_csls(tables: Tables, options: ReportOptions) -> None:
    """Refuses a neighbourhood size that nothing was scored with: no report would have a number."""
    found = sorted({int(size) for size in tables.results["csls"].dropna()})
    if options.csls is not None and found and options.csls not in found:
        there = ", ".join(map(str, found))
        raise ReportError(
            f"No result of this folder was scored with csls={options.csls}. There is csls={there}."
        )


def choice_notes(options: ReportOptions) -> tuple[str, ...]:
    """A sentence on what was asked for; nothing where everything is shown."""
    asked = {
        "methods": options.methods,
        "variants": options.variants,
        "datasets": options.datasets,
    }
    words = [f"{kind} {', '.join(chosen)}" for kind, chosen in asked.items() if chosen]
    return (f"Shown on request: {'; '.join(words)} only.",) if words else ()


def _planned(tables: Tables, options: ReportOptions) -> dict[str, CellWords]:
    """The planned cells that were asked for, run or not."""
    return {
        key: words
        for key, words in tables.planned.items()
        if all(
            not chosen or not set(chosen).isdisjoint(names_of(str(words.get(what, ""))))
            for what, chosen, names_of in _asked(options)
        )
    }


def _asked(options: ReportOptions) -> list[tuple[str, tuple[str, ...], NamesOf]]:
    """Column, what was asked for in it, and the names by which a value may be asked for."""
    names = options.names
    return [
        ("method", options.methods, lambda m: (m, names.method(m))),
        ("variant", options.variants, lambda v: (v, v.partition("[")[0])),
        (
            "dataset",
            options.datasets,
            lambda d: (d, d.partition("[")[0], names.dataset(d)),
        ),
    ]


def _only(frame: pd.DataFrame, column: str, values: set[str]) -> pd.DataFrame:
    return frame[frame[column].isin(values)].reset_index(drop=True)


def _matches(
    what: str,
    asked: tuple[str, ...],
    column: pd.Series[str],
    names_of: NamesOf,
) -> pd.Series[bool]:
    """Whether each row is asked for by one of its names; all are where nothing was asked."""
    if not asked:
        return pd.Series(data=True, index=column.index)
    known = {value: set(names_of(value)) for value in sorted(set(column))}
    for word in asked:
        if not any(word in own for own in known.values()):
            raise ReportError(unknown_text(what, word, known))
    return column.map(lambda value: not known[value].isdisjoint(asked)).astype(bool)


def _check_reference(cells: pd.DataFrame, options: ReportOptions) -> None:
    wanted, names = options.reference, options.names
    pairs = sorted(set(zip(cells["method"], cells["variant"], strict=True)))
    known = {
        name
        for pair in pairs
        for name in (pair[0], names.method(pair[0]), name_of(*pair), names.of(*pair))
    }
    # Where pairs were predicted, the way to predict them follows behind a comma.
    if wanted not in known and wanted.rpartition(", ")[0] not in known:
        raise ReportError(unknown_text("reference", wanted, known))


def unknown_text(what: str, word: str, known: Iterable[str]) -> str:
    """Sentence on a word that stands in no cell, with what there is."""
    valid = sorted(known)
    close = get_close_matches(word, valid, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    more = f" and {len(valid) - _MOST_LISTED} more" if len(valid) > _MOST_LISTED else ""
    return (
        f"No cell of this folder has the {what} '{word}'.{hint} There is: "
        f"{', '.join(valid[:_MOST_LISTED])}{more}."
    )

"""Published numbers on a terminal: a summary, cells side by side, and what contradicts what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mmea_bench.results.core.published import Published
from mmea_bench.results.core.published_cells import Explanation, PrintedNumber, PublishedCell

NOT_SAID = "-"
FULL = "full"
NUMBERS = "printed numbers"
_STYLES = {"avoid": "red", "loose": "yellow", "trusted": ""}
_BETWEEN = 3
"""Spaces between the numbers of a cell."""
_MOST_METHODS = 3
"""An explanation that concerns more methods does not name them."""


def show_summary(published: Published, console: Console) -> None:
    """Prints sources, methods, datasets and how to choose from them."""
    results = published.all_results
    console.print(
        f"{len(results)} printed numbers of {results['method'].nunique()} methods on "
        f"{results['dataset'].nunique()} datasets. A mark such as !C4 names a contradiction.\n",
        highlight=False,
    )
    table = Table("source", "year", "numbers", "tables", "citation", box=box.SIMPLE_HEAD)
    for key, row in summary_of_sources(published).items():
        cells = [key, *(str(row[name]) for name in ("year", "numbers", "tables", "citation"))]
        table.add_row(*map(escape, cells))
    console.print(table)
    _print_names(console, "Methods", sorted(set(results["method"]), key=str.lower))
    _print_names(console, "Datasets", list(dict.fromkeys(results["dataset"])))
    _print_names(console, "Metrics", list(dict.fromkeys(results["metric"])))
    _print_names(console, "Settings", sorted(setting_words(results)))
    console.print(
        "\nChoose with --method, --variant, --dataset, --seed-ratio, --metric, --source and "
        "--setting; each takes several words, separated by commas. Examples:",
        highlight=False,
    )
    for example in ("--method mclea --seed-ratio 0.2", "--dataset nmmea --metric f1"):
        console.print(f"  mmea-bench published {example}", highlight=False)


def summary_of_sources(published: Published) -> dict[str, dict[str, object]]:
    """Of each source its year, number of results, number of tables, and citation."""
    results = published.all_results
    files = results["table"].str.partition("#")[0]
    return {
        key: {
            "year": source.year,
            "numbers": int((results["source"] == key).sum()),
            "tables": files[results["source"] == key].nunique(),
            "citation": source.citation,
        }
        for key, source in published.sources.items()
    }


def setting_words(results: pd.DataFrame) -> set[str]:
    """Every word that a setting may hold."""
    return {word for setting in set(results["setting"]) for word in setting.split(";") if word}


def _print_names(console: Console, title: str, names: Sequence[str]) -> None:
    console.print(Text.assemble((title, "bold"), ": ", ", ".join(names)))


def show_cells(
    cells: Sequence[PublishedCell], explained: Sequence[Explanation], console: Console
) -> None:
    """Prints a table of cells, and beneath it each contradiction that concerns them, once.

    What all cells share stands above the table instead of in a column. On a narrow console the
    first columns become headings, so that the numbers keep their room.
    """
    texts = [_cell_texts(cell) for cell in cells]
    items = [_number_texts(cell.numbers) for cell in cells]
    shared = {name: text for name, text in texts[0].items() if all(t[name] == text for t in texts)}
    if shared:
        _print_shared(shared, console)
    widths = {
        name: max(len(name), *(len(text[name]) for text in texts))
        for name in texts[0]
        if name not in shared
    }
    needed = max(len(NUMBERS), *(len(item) for row in items for item in row))
    headings: list[str] = []
    while widths and _width(widths) + needed > console.width:
        headings.append(next(iter(widths)))
        del widths[headings[-1]]
    rows = zip(texts, items, strict=True)
    groups = groupby(rows, key=lambda row: tuple(row[0][name] for name in headings))
    for number, (heading, group) in enumerate(groups):
        if headings:
            console.print(Text(", ".join(map(_spelled, headings, heading)), style="bold"))
        console.print(_table(list(group), widths, console.width, with_header=number == 0))
        console.print()
    _show_explanations(explained, console, with_methods="method" not in shared)


def _width(widths: Mapping[str, int]) -> int:
    """Room that columns take, each with the three spaces that part it from the next."""
    return sum(width + 3 for width in widths.values())


def _spelled(name: str, text: str) -> str:
    if text == NOT_SAID:
        return f"no {name}"
    return f"{name} {text}" if name in ("ratio", "variant") else text


def _table(
    rows: Sequence[tuple[Mapping[str, str], Sequence[Text]]],
    widths: Mapping[str, int],
    room: int,
    *,
    with_header: bool,
) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        show_edge=False,
        show_header=with_header,
    )
    for name, width in widths.items():
        table.add_column(name, width=width, no_wrap=True)
    table.add_column(NUMBERS)
    left = max(room - _width(widths), 1)
    for texts, items in rows:
        table.add_row(*(escape(texts[name]) for name in widths), _on_lines(items, left))
    return table


def _cell_texts(cell: PublishedCell) -> dict[str, str]:
    """The columns of a cell; those that a narrow console turns into headings come first."""
    return {
        "method": cell.method,
        "dataset": cell.dataset,
        "ratio": NOT_SAID if cell.seed_ratio is None else f"{cell.seed_ratio:g}",
        "variant": cell.variant or FULL,
        "metric": cell.metric,
        "setting": cell.setting.replace(";", " ") or NOT_SAID,
    }


def _print_shared(shared: Mapping[str, str], console: Console) -> None:
    parts = [
        f"no {name}" if text == NOT_SAID else f"{name} {text}"
        for name, text in shared.items()
        if (name, text) != ("variant", FULL)
    ]
    if parts:
        console.print(f"All rows: {', '.join(parts)}", markup=False, highlight=False)


def _number_texts(numbers: Sequence[PrintedNumber]) -> list[Text]:
    """Each number with its source and mark; with its table where a source has several."""
    n_by_source = Counter(
        source for source, _, _ in {(item.source, item.printed, item.mark) for item in numbers}
    )
    texts: dict[str, Text] = {}
    for item in numbers:
        text = Text(item.source)
        if n_by_source[item.source] > 1:
            text.append(f" {_short_table(item.table)}")
        text.append(" ").append(item.printed, style="bold")
        if item.mark:
            text.append(f" {item.mark}", style=_STYLES[item.trust])
        texts.setdefault(text.plain, text)
    return list(texts.values())


def _short_table(table: str) -> str:
    """``L3-l`` for ``results/report.csv#L3-l``, ``results.png`` for ``images/results.png``."""
    return table.rpartition("#")[2].rpartition("/")[2]


def _on_lines(items: Sequence[Text], width: int) -> Text:
    """Texts on as many lines as they need; none is broken that fits on a line."""
    lines: list[Text] = []
    for item in items:
        if lines and len(lines[-1]) + _BETWEEN + len(item) <= width:
            lines[-1].append(" " * _BETWEEN).append_text(item)
        else:
            lines.append(item.copy())
    return Text("\n").join(lines)


def _show_explanations(
    explained: Sequence[Explanation], console: Console, *, with_methods: bool
) -> None:
    if not explained:
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    previous = ""
    for explanation in explained:
        identity = explanation.contradiction
        about = ", ".join(explanation.sources)
        if with_methods and len(explanation.methods) <= _MOST_METHODS:
            about = f"{', '.join(explanation.methods)} in {about}"
        text = Text.assemble((about, "bold"), f": {explanation.why}")
        grid.add_row("" if identity == previous else f"!{identity}", text)
        previous = identity
    console.print(grid)


def as_json(
    cells: Sequence[PublishedCell], explained: Sequence[Explanation]
) -> dict[str, list[dict[str, object]]]:
    """Cells and contradictions for programs."""
    return {
        "cells": [asdict(cell) for cell in cells],
        "contradictions": [asdict(explanation) for explanation in explained],
    }

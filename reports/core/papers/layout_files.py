"""Layouts of published tables as data: one TOML file per paper.

The files and their keys are described in ``results/published/README.md``.
"""

from __future__ import annotations

import functools
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from mmea_bench.reports.core.papers.layout_values import Values
from mmea_bench.reports.core.papers.layouts import Layout, PrintedStyle, RowGroup
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.published import PACKAGED_FOLDER, SETTING_WORDS
from mmea_bench.results.core.published_files import METRICS

LAYOUT_FOLDER = PACKAGED_FOLDER / "layouts"
_PAPER_KEYS = ("paper", "order", "style", "digits", "datasets", "metrics", "tables")
_TABLE_KEYS = (
    *("name", "caption", "datasets", "metrics", "seed_ratios", "group_name", "row_name"),
    *("ranks_groups_apart", "measured_ratio", "repeated_runs", "groups"),
)
_GROUP_KEYS = ("label", "setting", "seed_ratio", "measured_ratio", "rows")
_LAST = sys.maxsize
_PRINTED: tuple[str, ...] = get_args(PrintedStyle)


def read_layouts(folder: Path | None = None) -> tuple[Layout, ...]:
    """The layouts of all papers of a folder, in printing order.

    Args:
        folder: Files ``<source>.toml``; None for those that come with the program.

    Raises:
        ResultsError: If a file cannot be read or holds something else than it should; the text
            names file, table and key, and what is valid there.
    """
    return _packaged() if folder is None else _read(folder)


@functools.cache
def _packaged() -> tuple[Layout, ...]:
    return _read(LAYOUT_FOLDER)


def _read(folder: Path) -> tuple[Layout, ...]:
    papers = [_read_paper(path) for path in sorted(folder.glob("*.toml"))]
    if not papers:
        raise ResultsError(
            f"{folder}: holds no layout of a paper. Put the files of the project there again."
        )
    # Papers without a place of their own come last, by the names of their files.
    papers.sort(key=lambda paper: paper[0])
    return tuple(layout for _, layouts in papers for layout in layouts)


def _read_paper(path: Path) -> tuple[int, list[Layout]]:
    """The place of a paper among the others, and its tables."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResultsError(f"{path}: cannot be read as TOML ({error}). Correct it.") from error
    values = Values(path, "", given)
    values.check_keys(_PAPER_KEYS, ("paper", "datasets", "metrics", "tables"))
    shared = Layout(
        source=path.stem,
        table="",
        paper=values.text("paper"),
        caption="",
        groups=(),
        datasets=values.names("datasets"),
        metrics=values.names("metrics", METRICS),
        style=cast("PrintedStyle", values.word("style", _PRINTED, "fraction")),
        digits=values.whole("digits", 3),
    )
    layouts: list[Layout] = []
    for table in values.tables("tables", "table"):
        layout = _read_table(table, shared)
        if layout.table in {earlier.table for earlier in layouts}:
            raise table.error("name", "must differ from the names of the tables before")
        layouts.append(layout)
    return values.whole("order", _LAST), layouts


def _read_table(values: Values, shared: Layout) -> Layout:
    """One table of a paper, with what the file says of all its tables."""
    is_runs = values.flag("repeated_runs")
    rows = () if is_runs else ("groups",)
    values.check_keys(_TABLE_KEYS, ("name", "caption", "datasets", "metrics", *rows))
    if is_runs and "groups" in values.given:
        raise values.error("groups", "must not stand in a table of repeated runs")
    return replace(
        shared,
        table=values.text("name"),
        caption=values.text("caption"),
        groups=tuple(
            _read_group(group, values.ratio("measured_ratio"))
            for group in values.tables("groups", "group")
        ),
        datasets=_chosen(values, "datasets", shared.datasets),
        metrics=_chosen(values, "metrics", shared.metrics),
        seed_ratios=values.ratios("seed_ratios"),
        group_name=values.text("group_name"),
        row_name=values.text("row_name", "method"),
        ranks_groups_apart=values.flag("ranks_groups_apart"),
        is_repeated_runs=is_runs,
    )


def _chosen(values: Values, key: str, names: Mapping[str, str]) -> Mapping[str, str]:
    """Those of a paper's names that stand in a table, in the order of the table."""
    return MappingProxyType({name: names[name] for name in values.words(key, names)})


def _read_group(values: Values, of_table: float | None) -> RowGroup:
    """One group of rows; it is measured at the ratio of the table unless it has its own."""
    own = values.ratio("measured_ratio")
    values.check_keys(_GROUP_KEYS, ("rows",))
    return RowGroup(
        label=values.text("label"),
        rows=values.pairs("rows"),
        setting=values.word("setting", sorted(SETTING_WORDS)),
        seed_ratio=values.ratio("seed_ratio"),
        measured_ratio=of_table if own is None else own,
    )

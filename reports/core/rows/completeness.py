"""What a folder was asked for and what of it is there, said in every report, table and figure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mmea_bench.reports.core.document import Block, Document, Figure, Row, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.results.core.plans.completeness import Counts
from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.table import Tables

INCOMPLETE = "°"
INCOMPLETE_NOTE = f"{INCOMPLETE} incomplete: some of its planned cells failed or are missing."
_COLUMNS = ("method", "variant", "dataset", "seed_ratio")
_PERCENT = re.compile(r"\d(?:[\d.]*) %")


def state_sentence(tables: Tables) -> str:
    """How many cells were planned, and how many are done, failed or missing."""
    state = tables.completeness
    text = f"State: {state.counts().sentence()}."
    if state.has_plan or not state.cells:
        return text
    return f"{text} The folder has no plan, so that missing cells cannot be told."


def with_state(document: Document, tables: Tables, names: Names) -> Document:
    """The document with the state of its folder, and a mark at every row that lacks cells.

    Tables and figures, which may be taken out of the report, say it by themselves where anything
    failed or is missing.

    Args:
        document: A report.
        tables: What it was made from.
        names: How methods and datasets are printed in it.
    """
    counts = tables.completeness.counts()
    notes = (state_sentence(tables), *document.notes)
    if counts.is_complete:
        return replace(document, notes=notes)
    gaps = list(_gaps(tables, names))
    sentence = f"Incomplete: {counts.sentence()}."
    blocks = tuple(_stated(block, sentence, gaps) for block in document.blocks)
    return replace(document, notes=notes, blocks=blocks)


@dataclass(frozen=True)
class _Gap:
    """A method on a dataset at a seed ratio that lacks cells, in printed words."""

    method: str
    variant: str
    whole: str
    dataset: str
    ratio: str

    def is_in(self, table: Table, row: Row) -> bool:
        """Whether a row stands for it; what a table does not tell apart is not asked."""
        title = " ".join((table.title, *(word for words in table.columns for word in words)))
        places = " ".join((title, *row.labels))
        ratios = set(_PERCENT.findall(places))
        return (
            self._names(table, row, title)
            and self.dataset in places
            and (not ratios or self.ratio in ratios)
        )

    def _names(self, table: Table, row: Row, title: str) -> bool:
        labels = dict(zip(table.label_names, row.labels, strict=True))
        variant = labels.get("variant", "").partition(", ")[0]
        if "method" not in labels:
            return variant == self.variant and title.startswith(self.method)
        if "variant" in labels:
            return (labels["method"], variant) == (self.method, self.variant)
        name = labels["method"].partition(", ")[0].rstrip("†‡")
        return name_key(name) == name_key(self.whole)


def _gaps(tables: Tables, names: Names) -> Iterator[_Gap]:
    by_row: dict[tuple[object, ...], Counts] = tables.completeness.by(*_COLUMNS)
    for (method, variant, dataset, ratio), counts in by_row.items():
        if counts.is_complete or None in (method, variant, dataset, ratio):
            continue
        pair = (str(method), str(variant))
        yield _Gap(
            names.method(pair[0]),
            names.variant(*pair),
            names.of(*pair),
            names.dataset(str(dataset)),
            percent(float(str(ratio))),
        )


def _stated(block: Block, sentence: str, gaps: list[_Gap]) -> Block:
    if isinstance(block, Figure):
        return replace(block, notes=(*block.notes, sentence), stamp=sentence)
    if not isinstance(block, Table) or not block.columns:
        return block
    lacking = [any(gap.is_in(block, row) for gap in gaps) for row in block.rows]
    rows = tuple(
        replace(row, marks=(*row.marks, INCOMPLETE)) if lacks else row
        for row, lacks in zip(block.rows, lacking, strict=True)
    )
    notes = (*block.notes, sentence, *((INCOMPLETE_NOTE,) if any(lacking) else ()))
    return replace(block, rows=rows, notes=notes)

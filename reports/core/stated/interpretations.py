"""Methods that follow no released code, named below every table that shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from mmea_bench.reports.core.document import Block, Document, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.stated.row_meanings import RowMeanings
from mmea_bench.results.core.measured.remarks import INTERPRETED, read_origins
from mmea_bench.results.core.published import name_key


def interpreted_methods(cells: pd.DataFrame) -> frozenset[str]:
    """The methods that are interpretations, by the catalogue's names.

    Args:
        cells: Rows of cells.csv; of records from before the column ``interpretation``, and of cells
            that did not end ok, the method's name tells.
    """
    origins = read_origins()
    said = set(cells.loc[cells["interpretation"].fillna("") != "", "method"])
    known = {m for m in set(cells["method"]) if origins.get(name_key(m)) == INTERPRETED}
    return frozenset(said | known)


def interpretation_notes(methods: Iterable[str], names: Names) -> tuple[str, ...]:
    """A sentence that names interpretations as they are printed; nothing for none."""
    listed = ", ".join(sorted(map(names.method, methods)))
    return (f"Interpretations, of methods without released code to follow: {listed}.",) * bool(
        listed
    )


def with_interpretations(document: Document, cells: pd.DataFrame, names: Names) -> Document:
    """The document with that sentence below each of its tables that has such a row.

    Args:
        document: A report.
        cells: Rows of cells.csv that it was made from.
        names: How methods are printed in it.
    """
    interpreted = interpreted_methods(cells)
    if not interpreted:
        return document
    pairs = frozenset(zip(cells["method"], cells["variant"], strict=True))
    meanings = RowMeanings(names, pairs)

    def told(block: Block) -> Block:
        if not isinstance(block, Table):
            return block
        shown = {method for row in meanings.of(block) for method, _ in row}
        return replace(
            block, notes=(*block.notes, *interpretation_notes(shown & interpreted, names))
        )

    return replace(document, blocks=tuple(map(told, document.blocks)))

"""What the records of cells say about their numbers, as marks and sentences for the reader."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

PARTIAL_COPY = "partial copy"
"""How a cell's note begins when its dataset lacks part of what was published."""


def partial_copies(cells: pd.DataFrame) -> set[str]:
    """What the cells' notes say about copies that lack part of the published dataset."""
    notes = {note for text in cells["notes"].dropna() for note in str(text).split("; ")}
    return {f"P{note[1:]}." for note in notes if note.startswith(PARTIAL_COPY)}


def simulated_features(cells: pd.DataFrame, keys: Collection[str]) -> set[str]:
    """Made-up inputs of some cells."""
    texts = cells.loc[cells["key"].isin(set(keys)), "simulated_features"].dropna()
    return {word for text in texts for word in str(text).replace(",", " ").split()}


def stopped_on_test(cells: pd.DataFrame, keys: Collection[str]) -> bool:
    """Whether the checkpoint of one of the cells was chosen on test links."""
    own = cells[cells["key"].isin(set(keys))]
    return bool((own["stopped_on"] == "test").any())

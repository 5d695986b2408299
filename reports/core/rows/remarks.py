"""What the records of cells say about their numbers, as marks and sentences for the reader."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

_EARLY = "precedes pseudo-label learning"
"""What a record notes of a checkpoint from before its second stage."""


def partial_copies(cells: pd.DataFrame) -> list[str]:
    """Sentences on copies of datasets that lack part of what methods read, sorted.

    A sentence names the methods where it does not concern all of these cells' methods.
    """
    named = cells.dropna(subset="partial_copy").groupby("partial_copy")["method"].unique()
    methods = set(cells["method"])
    return sorted(
        f"Partial copy: {text}."
        if set(own) == methods
        else f"Partial copy for {', '.join(sorted(own))}: {text}."
        for text, own in named.items()
    )


def simulated_features(cells: pd.DataFrame, keys: Collection[str]) -> set[str]:
    """Made-up inputs of some cells."""
    texts = cells.loc[cells["key"].isin(set(keys)), "simulated_features"].dropna()
    return {word for text in texts for word in str(text).replace(",", " ").split()}


def stopped_on_test(cells: pd.DataFrame, keys: Collection[str]) -> bool:
    """Whether the checkpoint of one of the cells was chosen on test links."""
    own = cells[cells["key"].isin(set(keys))]
    return bool((own["stopped_on"] == "test").any())


def early_checkpoints(cells: pd.DataFrame) -> set[str]:
    """Keys of cells whose kept checkpoint precedes the stage that learns from pseudo-labels."""
    return set(cells.loc[cells["notes"].fillna("").str.contains(_EARLY, regex=False), "key"])


def early_notes(numbers: pd.DataFrame) -> tuple[str, ...]:
    """How many checkpoints of each iterative method precede its second stage; nothing for none.

    Args:
        numbers: Columns ``key``, ``iterative``, ``is_early`` and ``printed``.
    """
    cells = numbers[numbers["iterative"] == "yes"].drop_duplicates("key")
    sentences = []
    for name, own in cells.groupby("printed", sort=True):
        n_early = int(own["is_early"].sum())
        if n_early:
            sentences.append(
                f"{name}: {n_early} of {len(own)} checkpoints precede the second stage (learning "
                "from pseudo-labels), so that these numbers are of the first stage alone."
            )
    return tuple(sentences)

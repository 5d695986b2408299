"""In which order pages on the shipped runs name datasets."""

from __future__ import annotations

DATASETS = (
    *("dbp15k-zh-en", "dbp15k-ja-en", "dbp15k-fr-en"),
    *("fb15k-db15k", "fb15k-yago15k", "nmmea"),
)
"""As papers print them."""


def dataset_order(dataset: str) -> tuple[int, str]:
    """What sorts a dataset: the usual ones first, others by name."""
    place = DATASETS.index(dataset) if dataset in DATASETS else len(DATASETS)
    return place, dataset

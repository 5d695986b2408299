"""Which of the published numbers belong to a method that this program has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from mmea_bench.results.core.published import name_key

RERUNS = ("eae_repo",)
"""Sources that ran programs of others again; their rows are counted apart."""


@dataclass(frozen=True)
class Coverage:
    """Printed numbers of methods and sources.

    Attributes:
        n_covered: Numbers whose method exists.
        n_all: All numbers.
        n_reruns: Further numbers of sources that ran programs again, and those of them covered.
        by_method: Printed name to number of numbers and whether the method exists.
        by_source: Source to covered numbers and all numbers.
    """

    n_covered: int
    n_all: int
    n_reruns: tuple[int, int]
    by_method: dict[str, tuple[int, bool]]
    by_source: dict[str, tuple[int, int]]

    @property
    def sentence(self) -> str:
        """The counts in words."""
        covered, reruns = self.n_reruns
        further = f", and {covered} of {reruns} reruns by others" if reruns else ""
        return f"{self.n_covered:,} of {self.n_all:,} published numbers{further}"


def coverage(results: pd.DataFrame, methods: Collection[str]) -> Coverage:
    """Counts the published numbers whose method exists.

    Args:
        results: ``Published.results``.
        methods: Catalogue names.
    """
    existing = {name_key(name) for name in methods}
    covered = results["method"].map(name_key).isin(existing)
    is_rerun = results["source"].isin(RERUNS)
    by_method = {
        str(name): (len(rows), name_key(str(name)) in existing)
        for name, rows in results[~is_rerun].groupby("method")
    }
    by_source = {
        str(source): (int(covered[rows.index].sum()), len(rows))
        for source, rows in results.groupby("source", sort=False)
    }
    return Coverage(
        int((covered & ~is_rerun).sum()),
        int((~is_rerun).sum()),
        (int((covered & is_rerun).sum()), int(is_rerun.sum())),
        dict(sorted(by_method.items(), key=lambda item: (not item[1][1], -item[1][0], item[0]))),
        by_source,
    )

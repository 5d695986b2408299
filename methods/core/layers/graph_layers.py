"""Single graph layers: convolution, multi-head attention on existing edges, highway gate.

They hold no activation, dropout or normalisation: a method writes those between its layers.
Attention with diagonal weights (KECG, MCLEA) is ``encoders.DiagonalGATLayer``.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

_LEAKY_SLOPE = 0.2

Normalisation = Literal["symmetric", "rows", "none"]


def glorot_uniform(
    n_in: int, n_out: int, generator: torch.Generator, shape: tuple[int, ...] | None = None
) -> nn.Parameter:
    """A parameter drawn from U(-b, b) with ``b = sqrt(6 / (n_in + n_out))``.

    Args:
        n_in: Columns of what it multiplies.
        n_out: Columns of the product.
        generator: On the CPU.
        shape: None is [n_in, n_out].
    """
    return uniform_parameter(shape or (n_in, n_out), math.sqrt(6 / (n_in + n_out)), generator)


def adjacency_matrix(
    graph: JointGraph,
    device: torch.device | None = None,
    *,
    normalisation: Normalisation = "symmetric",
    counts: bool = False,
    loops: bool = True,
) -> FixedMatrix:
    """Undirected adjacency of both KGs, [n_entities, n_entities].

    Args:
        graph: Union graph; triples that link an entity to itself are dropped.
        device: Where its products run.
        normalisation: ``symmetric`` is ``D^-1/2 A D^-1/2`` with the row sums ``D``, ``rows`` the
            mean over neighbours ``D^-1 A``, ``none`` is ``A``.
        counts: Whether an edge weighs as many as the triples between its ends, else one.
        loops: Whether every entity is a neighbour of itself, with weight one.
    """
    rows, columns, weights = undirected_edges(graph)
    if not loops:
        kept = rows != columns
        rows, columns, weights = rows[kept], columns[kept], weights[kept]
    values = weights if counts else np.ones_like(weights)
    if normalisation == "symmetric":
        values = symmetric_normalised(rows, columns, values, graph.n_entities)
    elif normalisation == "rows":
        sums = np.bincount(rows, weights=values, minlength=graph.n_entities)
        values = (values / np.maximum(sums[rows], 1e-12)).astype(np.float32)
    pattern = SparsePattern(rows, columns, (graph.n_entities,) * 2, device)
    return FixedMatrix(pattern, torch.from_numpy(values))


class GCNLayer(nn.Module):
    """``A X W + b`` with a given adjacency ``A``.

    Args:
        n_in: Columns of the input.
        n_out: Columns of the output; as many as ``n_in`` unless the weight is ``full``.
        generator: CPU generator of the initial values.
        weight: ``full`` is Glorot-uniform, ``diagonal`` one number per column that starts at one,
            ``none`` leaves the input as it is.
        bias: Whether there is ``b``, which starts at zero.

    Reference: Kipf and Welling, ICLR 2017; diagonal weights as in RDGCN and KECG.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        generator: torch.Generator,
        *,
        weight: Literal["full", "diagonal", "none"] = "full",
        bias: bool = True,
    ) -> None:
        super().__init__()
        if weight != "full" and n_in != n_out:
            raise ValueError(f"a {weight} weight keeps {n_in} columns; {n_out} were asked for")
        self.weight: nn.Parameter | None = None
        if weight == "full":
            self.weight = glorot_uniform(n_in, n_out, generator)
        elif weight == "diagonal":
            self.weight = nn.Parameter(torch.ones(n_in))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, inputs: Tensor, adjacency: FixedMatrix) -> Tensor:
        """Vectors of the rows of the adjacency, [n_rows, n_out].

        Args:
            inputs: [n_columns, n_in].
            adjacency: [n_rows, n_columns]; see ``adjacency_matrix``.
        """
        weight = self.weight
        if weight is None:
            outputs = adjacency @ inputs
        elif weight.dim() == 1:
            outputs = adjacency @ (inputs * weight)
        elif weight.shape[0] < weight.shape[1]:
            # The sparse product is the dear one: it runs over the narrower side.
            outputs = (adjacency @ inputs) @ weight
        else:
            outputs = adjacency @ (inputs @ weight)
        return outputs if self.bias is None else outputs + self.bias


class EdgeScores(nn.Module):
    """``a . [x_i || x_j] + b`` of every existing edge, without a vector per edge.

    Args:
        dim: Columns of the vectors.
        generator: CPU generator of the initial values.
        bias: Whether there is ``b``, which starts at zero.
        bound: ``a`` starts uniformly within it; None is Glorot's for a vector of ``2 dim`` numbers.
    """

    def __init__(
        self,
        dim: int,
        generator: torch.Generator,
        *,
        bias: bool = False,
        bound: float | None = None,
    ) -> None:
        super().__init__()
        bound = math.sqrt(6 / (2 * dim + 1)) if bound is None else bound
        self.ends = uniform_parameter((2, dim), bound, generator)
        self.bias = nn.Parameter(torch.zeros(())) if bias else None

    def forward(
        self, vectors: Tensor, pattern: SparsePattern, rows: Tensor | None = None
    ) -> Tensor:
        """Scores by edge, [n_edges].

        Args:
            vectors: [n_columns, dim].
            pattern: Edges into the wanted nodes, [n_rows, n_columns].
            rows: Node of each wanted row; None if all nodes are wanted.
        """
        towards, away = (vectors @ self.ends.T).unbind(1)
        if rows is not None:
            towards = towards.index_select(0, rows)
        # ``index_select`` because its backward adds up repeated nodes faster than indexing does.
        scores = towards.index_select(0, pattern.rows) + away.index_select(0, pattern.columns)
        return scores if self.bias is None else scores + self.bias


def attended(
    pattern: SparsePattern,
    scores: Tensor,
    values: Tensor,
    slope: float = _LEAKY_SLOPE,
    sign: Literal[-1, 1] = 1,
) -> Tensor:
    """Mean of the neighbours' values, weighted by ``softmax_j (s LeakyReLU(score_ij))``.

    A node without edges gets zeros.

    Args:
        pattern: Edges, [n_rows, n_columns].
        scores: Of each edge, [n_edges]; such as ``EdgeScores``, times an edge's own weight in
            RDGCN, or one number per relation.
        values: [n_columns, dim].
        slope: Of the LeakyReLU below zero; one leaves scores as they are.
        sign: ``s``.

    Returns:
        [n_rows, dim].
    """
    logits = leaky_relu(scores, slope)
    return pattern.product(pattern.row_softmax(logits if sign == 1 else -logits), values)


class GATLayer(nn.Module):
    """Multi-head graph attention on existing edges.

    Each head has ``h = x W`` and gives ``sum_j softmax_j(s LeakyReLU(a . [h_i || h_j])) h_j``.

    Args:
        n_in: Columns of the input.
        n_out: Columns of each head.
        n_heads: Number of heads.
        generator: CPU generator of the initial values, Glorot-uniform.
        merge: Whether heads are averaged or stand side by side.
        sign: ``s``; -1 in the released code of MCLEA and of what stands on it.
        score_bound: Where ``a`` starts, see ``EdgeScores``.

    Reference: Veličković et al., ICLR 2018, equations 1-6.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        n_heads: int,
        generator: torch.Generator,
        *,
        merge: Literal["mean", "concat"] = "concat",
        sign: Literal[-1, 1] = 1,
        score_bound: float | None = None,
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            glorot_uniform(n_in, n_out, generator) for _ in range(n_heads)
        )
        self.scores = nn.ModuleList(
            EdgeScores(n_out, generator, bound=score_bound) for _ in range(n_heads)
        )
        self._merge, self._sign = merge, sign
        self.n_out = n_out if merge == "mean" else n_out * n_heads

    def forward(self, inputs: Tensor, pattern: SparsePattern, rows: Tensor | None = None) -> Tensor:
        """Attended vectors of the wanted nodes, [n_rows, n_out] after merging.

        Args:
            inputs: [n_columns, n_in].
            pattern: Edges into the wanted nodes, self-loops where a node sees itself.
            rows: Node of each wanted row; None if all nodes are wanted.
        """
        heads = []
        for weight, scores in zip(self.weights, self.scores, strict=True):
            hidden = inputs @ weight
            edges = scores(hidden, pattern, rows)
            heads.append(attended(pattern, edges, hidden, sign=self._sign))
        return torch.stack(heads).mean(dim=0) if self._merge == "mean" else torch.cat(heads, dim=1)


class HighwayGate(nn.Module):
    """``T * new + (1 - T) * old`` with ``T = sigmoid(old K + b)``, by component.

    Args:
        dim: Columns of both.
        generator: CPU generator of ``K``, Glorot-uniform.
        bias: Where ``b`` starts; below zero the old vectors pass at first (HMAN has -1).

    Reference: Srivastava et al., 2015, arXiv:1505.00387, equation 3; RDGCN, HGCN.
    """

    def __init__(self, dim: int, generator: torch.Generator, bias: float = 0.0) -> None:
        super().__init__()
        self.kernel = glorot_uniform(dim, dim, generator)
        self.bias = nn.Parameter(torch.full((dim,), bias))

    def forward(self, new: Tensor, old: Tensor) -> Tensor:
        """[n, dim] and [n, dim] to [n, dim]."""
        return torch.lerp(old, new, torch.sigmoid(old @ self.kernel + self.bias))

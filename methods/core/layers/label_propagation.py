"""Labels that spread over entities and relations, and their third view over triples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.layers.sparse import ForwardMatrix
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.single_precision import in_float32
from mmea_bench.methods.core.sinkhorn import SinkhornAmong

_BLOCK_COLUMNS = 32
"""Relation columns of a step: 32 of 16 numbers each are 80 MB for 39,000 entities."""
_BLOCK_NUMBERS = 2**26
"""Of the pairs' weights, and of the neighbours', in a step: 256 MiB each."""


@dataclass(frozen=True, eq=False)
class LabelGraph:
    """The union graph with every triple in both directions, the inverse a relation of its own.

    Attributes:
        entities: How many triples lead from an entity to another; on the diagonal twice the
            number of triples at the entity, [n_entities, n_entities].
        heads: Whether an entity is head of a relation, [n_directed, n_entities].
        tails: Whether a relation has an entity as its tail, [n_entities, n_directed].
        pairs: Which pairs of entities a triple links, [n_entities, n_entities].
        pair_relations: Whether a relation links a pair, [n_pairs, n_directed].
    """

    entities: ForwardMatrix
    heads: ForwardMatrix
    tails: ForwardMatrix
    pairs: ForwardMatrix
    pair_relations: ForwardMatrix

    @property
    def n_entities(self) -> int:
        """Entities of both KGs."""
        return self.pairs.shape[0]

    @classmethod
    def of(cls, graph: JointGraph, device: torch.device) -> LabelGraph:
        """The matrices of a union graph.

        One sort by head, tail and relation puts pairs, and the relations of a pair, behind each
        other; everything else is counted from that.
        """
        size, n_directed = graph.n_entities, max(1, 2 * graph.n_relations)
        keys = _directed_keys(graph, n_directed)
        relations = (keys % n_directed).astype(np.int32)
        keys //= n_directed
        begins = np.ones(len(keys), dtype=bool)
        np.not_equal(keys[1:], keys[:-1], out=begins[1:])
        starts = np.append(np.flatnonzero(begins), len(keys))
        cells = keys[begins]
        keys //= max(1, size)  # heads
        sources = relations.astype(np.int64) * size + keys
        del keys, begins
        sources = _distinct(sources)
        # The tails of a relation are the heads of its inverse.
        targets = (sources % size) * n_directed + (sources // size ^ 1)
        targets.sort()
        return cls(
            _entity_matrix(cells, np.diff(starts), size, device),
            _matrix(sources, None, (n_directed, size), device),
            _matrix(targets, None, (size, n_directed), device),
            _matrix(cells, None, (size, size), device),
            ForwardMatrix(starts, relations, None, n_directed, device),
        )


def _directed_keys(graph: JointGraph, n_directed: int) -> IntArray:
    """``(head * n_entities + tail) * n_directed + relation`` of distinct triples, ascending."""
    size = graph.n_entities
    if size * size * n_directed > np.iinfo(np.int64).max:
        raise OverflowError(
            f"{size:,} entities and {n_directed // 2:,} relations are more than label propagation "
            "can number."
        )
    heads, relations, tails = graph.triples.T
    n_triples = len(heads)
    keys = np.empty(2 * n_triples, dtype=np.int64)
    for part, ends, inverse in (
        (keys[:n_triples], (heads, tails), 0),
        (keys[n_triples:], (tails, heads), 1),
    ):
        np.multiply(ends[0], size, out=part)
        part += ends[1]
        part *= n_directed
        part += 2 * relations + inverse
    return _distinct(keys)


def _distinct(keys: IntArray) -> IntArray:
    """Distinct keys in ascending order; sorts its argument."""
    keys.sort()
    keep = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=keep[1:])
    return keys[keep]


def _entity_matrix(
    cells: IntArray, counts: IntArray, size: int, device: torch.device
) -> ForwardMatrix:
    """Triples of each pair, and on the diagonal those at each entity twice."""
    starts = _row_starts(cells, size, size)
    sums = np.append(np.cumsum(counts) - counts, counts.sum())[starts]
    everyone = np.arange(size)
    diagonal = everyone * (size + 1)
    place = np.searchsorted(cells, diagonal)
    lacking = np.ones(size, dtype=bool)
    inside = place < len(cells)
    lacking[inside] = cells[place[inside]] != diagonal[inside]
    values = np.insert(counts, place[lacking], 0).astype(np.float32)
    cells = np.insert(cells, place[lacking], diagonal[lacking])
    # Each entity's own cell has moved by the cells put in before it. Every triple is there in both
    # directions, so that an entity is tail as often as it is head.
    place += np.cumsum(lacking) - lacking
    values[place] += (2 * np.diff(sums)).astype(np.float32)
    return _matrix(cells, values, (size, size), device)


def _matrix(
    cells: IntArray,
    values: np.ndarray | None,
    shape: tuple[int, int],
    device: torch.device,
) -> ForwardMatrix:
    """The matrix of cells ``row * n_columns + column`` in ascending order; ones without values."""
    columns = (cells % max(1, shape[1])).astype(np.int32)
    return ForwardMatrix(_row_starts(cells, *shape), columns, values, shape[1], device)


def _row_starts(cells: IntArray, n_rows: int, n_columns: int) -> IntArray:
    """Position of the first cell of each row, and the number of cells, [n_rows + 1]."""
    return np.searchsorted(cells, np.arange(n_rows + 1) * n_columns)


def propagated(
    labels: Tensor,
    graph: LabelGraph,
    n_hops: int,
    position: Tensor | None = None,
    position_share: float = 0.0,
) -> tuple[list[Tensor], list[Tensor]]:
    """Labels of entities and of relations after 0, 1, ... ``n_hops`` hops.

    ``Q_l+1 = n(C X_l)`` and ``X_l+1 = n(A X_l + B Q_l)``, n makes rows units. A position ``P`` with
    the share ``a`` is mixed into every hop (PMMEA): ``Q_l+1 = n(sqrt(1 - a) C X_l + sqrt(a) C P)``
    and ``X_l+1 = n(sqrt(b) (A X_l + B Q_l) + sqrt(a) A P)`` with ``b = (1 - a) / 2``.

    Args:
        labels: ``X_0``, zeros where an entity has none, [n_entities, dim].
        graph: Its matrices ``A`` (entities), ``B`` (tails) and ``C`` (heads).
        n_hops: Hops.
        position: ``P``, [n_entities, dim]; None for none.
        position_share: ``a``.

    Returns:
        Entities, n_hops + 1 times [n_entities, dim], and relations, as often [n_directed, dim].
        Side by side they make unit rows: an entity's hops are divided by their common length, the
        root of how many of them are not zero where the labels are unit rows.
    """
    entities = [labels]
    relations = [labels.new_zeros(graph.heads.shape[0], labels.shape[1])]
    mixed = None
    if position is not None:
        # Divided by the root of the labels' share, which does not change a direction.
        rest = 1 - position_share
        of_relations = math.sqrt(position_share / rest)
        of_entities = math.sqrt(2 * position_share / rest)
        mixed = of_relations * (graph.heads @ position), of_entities * (graph.entities @ position)
    for _ in range(n_hops):
        of_heads = graph.heads @ entities[-1]
        summed = graph.entities @ entities[-1]
        summed += graph.tails @ relations[-1]
        if mixed is not None:
            of_heads += mixed[0]
            summed += mixed[1]
        entities.append(normalize(summed, dim=1))
        relations.append(normalize(of_heads, dim=1))
    return _unit_together(entities), _unit_together(relations)


def _unit_together(hops: list[Tensor]) -> list[Tensor]:
    squares = hops[0].new_zeros(len(hops[0]))
    for hop in hops:
        squares += hop.square().sum(dim=1)
    norms = squares.sqrt().clamp(min=1e-12).unsqueeze(1)
    # The first one is the caller's.
    return [hops[0] / norms, *(hop.div_(norms) for hop in hops[1:])]


def unit_side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Parts with unit rows (or zeros) side by side, with unit rows again, in half precision."""
    if len(parts) == 1:
        return parts[0]
    n_parts = torch.stack([part.any(dim=1) for part in parts]).sum(dim=0)
    return _divided(torch.cat(list(parts), dim=1), n_parts.clamp(min=1).sqrt())


def unit_rows(n_rows: int, n_columns: int, generator: torch.Generator) -> Tensor:
    """Random directions: Gaussian rows of length 1, [n_rows, n_columns]."""
    return normalize(torch.randn(n_rows, n_columns, generator=generator), dim=1)


def third_view(
    entities: list[Tensor],
    relations: list[Tensor],
    graph: LabelGraph,
    widths: tuple[int, int],
    ctx: RunContext,
    generator: torch.Generator,
) -> Tensor:
    """Labels of the neighbours, weighted by the labels of the relations that lead to them.

    ``V = P Q G``, the sum of the projected relations of each pair; column c of it makes a matrix
    ``V_c`` of the pairs, and ``F_c = V_c (X G_c)`` with a random ``G_c`` of its own.

    Args:
        entities: ``X`` of ``propagated``.
        relations: ``Q`` of ``propagated``.
        graph: Its pairs and their relations.
        widths: Columns of ``G``, and of each ``G_c``.
        ctx: Device and deadline.
        generator: Draws the projections, column by column.

    Returns:
        ``F_1, F_2, ...`` side by side with unit rows, [n_entities, product of the widths], in half
        precision: an error of 0.0005 in each of 8,192 numbers changes an inner product by 0.000005.
    """
    n_columns, width = widths
    hops, dim = [_NonZeroRows.of(hop) for hop in entities], sum(hop.shape[1] for hop in entities)
    to_columns = unit_rows(dim, n_columns, generator).to(ctx.device)
    projected = torch.cat(relations, dim=1) @ to_columns
    size = len(entities[0])
    view = torch.empty(size, n_columns * width, dtype=torch.float16, device=ctx.device)
    squares = torch.zeros(size, device=ctx.device)
    largest = max(graph.pairs.n_cells, size * width, 1)
    at_once = max(1, min(_BLOCK_COLUMNS, _BLOCK_NUMBERS // largest))
    for start in range(0, n_columns, at_once):
        ctx.check_deadline()
        weights = (graph.pair_relations @ projected[:, start : start + at_once]).T
        n_here = len(weights)
        random = torch.cat([unit_rows(dim, width, generator) for _ in range(n_here)], dim=1)
        neighbours = _product(hops, random.to(ctx.device), size)
        for place in range(n_here):
            columns = slice(place * width, (place + 1) * width)
            matrix = graph.pairs.with_values(weights[place].float().contiguous())
            with in_float32(squares.device):
                part = matrix @ neighbours[:, columns].contiguous()
            squares += part.square().sum(dim=1)
            first = (start + place) * width
            view[:, first : first + width] = part
    return _divided(view, squares.sqrt().clamp_(min=1e-12))


@dataclass(frozen=True, eq=False)
class _NonZeroRows:
    """Rows that are not zero, where they are few: at hop 0 the labelled entities."""

    rows: Tensor
    values: Tensor

    @classmethod
    def of(cls, dense: Tensor) -> _NonZeroRows:
        rows = torch.nonzero(dense.any(dim=1)).squeeze(1)
        if 2 * len(rows) > len(dense):  # a copy would cost more than its zeros
            return cls(torch.arange(len(dense), device=dense.device), dense)
        return cls(rows, dense[rows])


def _product(hops: list[_NonZeroRows], right: Tensor, size: int) -> Tensor:
    """Hops side by side, times a matrix, [size, n_columns]."""
    result = right.new_zeros(size, right.shape[1])
    parts = torch.split(right, [hop.values.shape[1] for hop in hops])
    with in_float32(right.device):
        for hop, part in zip(hops, parts, strict=True):
            if len(hop.rows) == size:
                result.addmm_(hop.values, part)
            else:
                result.index_add_(0, hop.rows, hop.values @ part)
    return result


def _divided(rows: Tensor, by: Tensor) -> Tensor:
    """Rows divided in place, some at a time, in single precision."""
    for block, divisors in zip(torch.split(rows, 1024), torch.split(by, 1024), strict=True):
        block.copy_(block.float() / divisors.unsqueeze(1))
    return rows


def random_labels(
    pairs: Tensor,
    shape: tuple[int, int],
    generator: torch.Generator,
    kept: Literal["first", "last"] = "last",
) -> Tensor:
    """One random unit vector for both entities of a pair, zeros for others, [n_entities, dim].

    Args:
        pairs: Joint ids, [n_pairs, 2].
        shape: Of the result.
        generator: Draws the vectors.
        kept: Whose vector an entity of several pairs has.
    """
    vectors = unit_rows(len(pairs), shape[1], generator)
    labels = torch.zeros(shape)
    lacking, chosen = (-1, "amax") if kept == "last" else (len(pairs), "amin")
    for side in (0, 1):
        # Not by index: which of several labels of an entity stays would be undefined.
        holder = torch.full(shape[:1], lacking)
        holder.scatter_reduce_(0, pairs[:, side], torch.arange(len(pairs)), chosen)
        labelled = holder != lacking
        labels[labelled] = vectors[holder[labelled]]
    return labels


def confident_pairs(
    embeddings: Embeddings,
    labels: Tensor,
    n_source: int,
    n_candidates: int,
    sinkhorn: tuple[float, int],
    threshold: float,
) -> Tensor:
    """Pairs of entities without a label that hold most of a plan's mass, as joint ids, [n, 2].

    Args:
        embeddings: Vectors of all entities.
        labels: Pairs that have a label, as joint ids, [n_labels, 2].
        n_source: Entities of the source KG.
        n_candidates: Targets of a source that have a share in the plan.
        sinkhorn: Temperature and sweeps.
        threshold: A pair is taken whose mass is above it; nobody asks whether its target is free.
    """
    free = torch.ones(n_source + len(embeddings.target), dtype=torch.bool)
    free[labels.flatten()] = False
    sources = torch.nonzero(free[:n_source]).squeeze(1)
    targets = torch.nonzero(free[n_source:]).squeeze(1)
    if not len(sources) or not len(targets):
        return labels[:0]
    blocks = score_blocks(embeddings, sources.numpy(), targets.numpy())
    plan = SinkhornAmong(blocks, n_candidates, *sinkhorn)
    columns, shares = (values.cpu() for values in plan.best())
    sure = shares > threshold
    return torch.stack([sources[sure], targets[columns[sure]] + n_source], dim=1)

"""Propagation over the graph: of images that entities lack, and of joint vectors in testing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

_STEPS = 5


def doubled_adjacency(graph: JointGraph, device: torch.device) -> FixedMatrix:
    """``D^-1/2 A D^-1/2`` in which every triple counts twice in either direction, itself once.

    Reference: DESAlign, ICDE 2024, released code, which mirrors the distinct triples twice.
    """
    once = dataclasses.replace(graph, triples=graph.distinct(0, 1, 2))
    rows, columns, counts = undirected_edges(once)
    size = graph.n_entities
    weights = np.where(rows == columns, counts, 2 * counts).astype(np.float32)
    cells = torch.from_numpy(symmetric_normalised(rows, columns, weights, size))
    return FixedMatrix(SparsePattern(rows, columns, (size, size), device), cells)


@torch.no_grad()
def propagated(embeddings: Embeddings, adjacency: FixedMatrix, depth: int) -> Embeddings:
    """Unit vectors after 0, 1, ... ``depth`` steps, side by side, [n, (depth + 1) dim] each.

    Cosines are the mean of the steps' cosines, and CSLS of each step is averaged (``n_parts``).

    Args:
        embeddings: Joint vectors of both KGs.
        adjacency: Of all entities, source ones first.
        depth: Steps; 0 leaves the vectors as they are.
    """
    if not depth:
        return embeddings
    n_source = len(embeddings.source)
    steps = [normalize(torch.cat([embeddings.source, embeddings.target]), dim=1)]
    for _ in range(depth):
        steps.append(normalize(adjacency @ steps[-1], dim=1))
    joint: Tensor = torch.cat(steps, dim=1) / math.sqrt(depth + 1)
    return dataclasses.replace(
        embeddings, source=joint[:n_source], target=joint[n_source:], n_parts=depth + 1
    )


def interpolated_view(view: TrainView, graph: JointGraph) -> TrainView:
    """The view with images that entities lack interpolated from those of their neighbours.

    Known vectors stay as they are, the others become the weighted mean of their neighbours' in each
    of five steps; entities that nothing reaches go on lacking theirs. In an N-MMKG a node lacks a
    modality by definition, and nothing is made up.

    Args:
        view: What a training may see.
        graph: Its union graph.
    """
    if view.task == "n-mmkg" or "image" not in view.features:
        return view
    both = view.joint_features("image")
    values, present = _interpolated(np.array(both.values), both.present, graph)
    sides = slice(graph.n_source), slice(graph.n_source, None)
    source, target = (Features(values[side], present[side]) for side in sides)
    return dataclasses.replace(view, features={**view.features, "image": (source, target)})


def _interpolated(
    values: NDArray[np.float32], known: NDArray[np.bool_], graph: JointGraph
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rows, columns, counts = undirected_edges(graph)
    proper = (rows != columns) & ~known[rows]
    size = graph.n_entities
    links = csr_matrix((counts[proper], (rows[proper], columns[proper])), shape=(size, size))
    present = known.copy()
    values[~known] = 0
    for _ in range(_STEPS):
        weights = np.asarray(links @ present.astype(np.float32))
        reached = weights > 0
        found = links[reached] @ values
        values[reached] = found / weights[reached, None]
        present = known | reached
    return values, present

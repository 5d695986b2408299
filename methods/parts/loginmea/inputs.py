"""What LoginMEA's linear encoders read."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import (
    input_features,
    modality_features,
    neighbour_mean_features,
)
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.parts.loginmea.encoders import Features


def encoder_inputs(
    view: TrainView,
    graph: JointGraph,
    modalities: tuple[str, ...],
    ctx: RunContext,
    *,
    binary_relations: bool,
    neighbour_means: bool,
) -> Features:
    """Features by modality; counts and bags are mostly zeros and stored as such.

    Args:
        view: Dataset.
        graph: Its union graph.
        modalities: Which, in the order of the fusion.
        ctx: Device and generators.
        binary_relations: Whether relations are present or not rather than counted.
        neighbour_means: Whether an entity without an image gets the mean of its neighbours',
            rather than a normal sample.
    """
    counted = tuple(name for name in modalities if name in ("relation", "attribute"))
    counts = input_features(view, graph, counted, ctx, sparse=True)
    found: dict[str, Tensor | FixedMatrix] = {}
    for name in modalities:
        if name in counts:
            matrix = FixedMatrix.of_csr(counts[name])
            if name == "relation" and binary_relations:
                matrix = FixedMatrix(matrix.pattern, torch.ones_like(matrix.values))
            found[name] = matrix
        elif neighbour_means:
            found[name] = neighbour_mean_features(view, name, graph, ctx).to(ctx.device)
        else:
            found[name] = modality_features(view, name, ctx).to(ctx.device)
    return found

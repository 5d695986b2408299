"""What LoginMEA's linear encoders read."""

from __future__ import annotations

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
    others = tuple(name for name in modalities if name in ("relation", "attribute"))
    bags = input_features(view, graph, others, ctx)
    found: dict[str, Tensor | FixedMatrix] = {}
    for name in modalities:
        if name in bags:
            binary = name == "relation" and binary_relations
            found[name] = FixedMatrix.of((bags[name] > 0).float() if binary else bags[name])
        elif neighbour_means:
            found[name] = neighbour_mean_features(view, name, graph, ctx).to(ctx.device)
        else:
            found[name] = modality_features(view, name, ctx).to(ctx.device)
    return found

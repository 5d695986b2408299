"""The encoder of MEAformer and its successors, out of what a training may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.hybrid_encoder import HybridEncoder
from mmea_bench.methods.core.hybrid.modality_attention import ModalityTransformer
from mmea_bench.methods.core.inputs.encoded_parts import RELEASED_ORDER, encoded_parts
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.presence import node_presence
from mmea_bench.methods.core.layers.encoders import DiagonalGAT
from mmea_bench.methods.core.layers.gat_structure import GATStructure

EncoderT = TypeVar("EncoderT", bound=HybridEncoder)


@dataclass(frozen=True)
class EncoderShape:
    """Parameters of the encoder.

    Attributes:
        dim: Of all modality vectors and of the entity table.
        graph_heads: One number per layer of the graph encoder.
        n_layers: Of the transformer.
        n_heads: Of the transformer.
        feed_forward_dim: Of the transformer; 0 leaves the feed-forward part out.
    """

    dim: int
    graph_heads: tuple[int, ...]
    n_layers: int
    n_heads: int
    feed_forward_dim: int


def hybrid_encoder(
    kind: type[EncoderT],
    view: TrainView,
    graph: JointGraph,
    used: tuple[str, ...],
    shape: EncoderShape,
    ctx: RunContext,
) -> EncoderT:
    """Untrained encoder of the used modalities.

    Args:
        kind: Class of the encoder.
        view: Features and task.
        graph: Union graph of the view.
        used: Modalities.
        shape: Parameters.
        ctx: Device, and the generator of the initial values.
    """
    parts, generator = encoded_parts(used), ctx.generator("initial values")
    structure = None
    if "structure" in parts:
        gat = DiagonalGAT(
            shape.dim, shape.graph_heads, -1, "mean", generator, last_activation=False
        )
        structure = GATStructure(graph, gat, ctx.device)
    features = input_features(view, graph, parts, ctx, sparse=True, only_existing=True)
    transformer = ModalityTransformer(
        shape.dim, shape.n_layers, shape.n_heads, shape.feed_forward_dim, generator
    )
    return kind(
        graph,
        features,
        structure,
        dict.fromkeys(features, shape.dim),
        tuple(name for name in RELEASED_ORDER if name in parts),
        shape.dim,
        generator,
        transformer=transformer,
        presence=node_presence(view, parts, ctx.device),
    ).to(ctx.device)

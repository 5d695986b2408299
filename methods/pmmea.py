"""PMMEA: labels of seed links and positions in the KG spread together; nothing is trained.

LightEA's propagation with a position of every entity in each hop, once for the labels and once for
each modality's vectors. An interpretation where the released script is silent: images and
attributes take part (``released`` has structure and position alone).

Published pseudo-labels are drawn among the entities of the test links, which no training here is
told; ours among all entities without a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import attribute_bags, modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.label_propagation import (
    LabelGraph,
    confident_pairs,
    propagated,
    random_labels,
    third_view,
)
from mmea_bench.methods.parts.pmmea.position import turned, walk_positions


@dataclass(frozen=True)
class PMMEAParams:
    """Hyper-parameters of PMMEA; defaults are those of its released code."""

    modalities: tuple[str, ...] = ("structure", "attribute", "image")
    dim: int = 1024  # of a label, code
    n_hops: int = 2  # code
    relation_dim: int = 512  # 341 without images and attributes, code
    mini_dim: int = 16  # per relation column, code
    position_dim: int = 512  # code
    positioned: bool = True  # False leaves LightEA's propagation
    refresh_position: bool = False  # turned anew in each round; code: computed, never used
    window: int = 5  # of the walks, code
    position_hops: int = 7  # of the rotation, code
    position_share: float = 0.1  # alpha, code
    rounds: int = 1000  # at most, code
    threshold: float = 0.7  # mass of a pair that becomes a label, code
    threshold_step: float = 0.02  # that the threshold falls by in each round, code
    candidates: int = 500  # targets of a source in the plan, code
    temperature: float = 0.02  # code
    sweeps: int = 15  # code


class PMMEA(Method):
    """PMMEA with all modalities that the dataset has."""

    paper = Paper(
        authors="Tang, Wang",
        title="Multi-modal Entity Alignment via Position-enhanced Multi-label Propagation",
        venue="ICMR",
        year=2024,
        url="https://doi.org/10.1145/3652583.3658085",
        code_url="https://github.com/OceanTangWei/PMMEA",
        interpretation="The released script leaves open which modalities were used.",
    )
    modalities: ClassVar[tuple[str, ...]] = PMMEAParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = PMMEAParams
    # Code; what stands outside the 1,000 candidates counts as missed there.
    published_scoring = Scoring("inner", 0, "sinkhorn[candidates=1000,sweeps=15,temperature=0.02]")
    variants: ClassVar = {
        "released": {"modalities": ("structure",), "relation_dim": 341},
        "w/o image": {"modalities": ("structure", "attribute")},
        "w/o attribute": {"modalities": ("structure", "image")},
        "w/o position": {"positioned": False},
        "refreshed position": {"refresh_position": True},
        "one round": {"rounds": 1},
    }
    test_params: ClassVar = {
        "dim": 64,
        "relation_dim": 16,
        "position_dim": 32,
        "candidates": 20,
        "rounds": 4,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether a second round learns from what the first one found."""
        return bool(self.params.rounds > 1)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Rounds of propagation and pseudo-labels, until one adds nothing; the last vectors.

        In half precision; inner products are the sum of those of all blocks.
        """
        params: PMMEAParams = self.params
        union = JointGraph.of(view)
        graph = LabelGraph.of(union, ctx.device)
        features = block_features(view, union, self.used_modalities(view.modalities), params, ctx)
        labels, hops = union.seed_pairs(view), params.position_hops
        sides = position = None
        if params.positioned:
            sides = walk_positions(union, params.position_dim, params.window, ctx)
            position = turned(sides, labels, union.n_source, hops)
        number = 1
        first = all_blocks(features, position, labels, graph, number, params, ctx)
        found = union.split(first, "inner")
        del first
        while number < params.rounds:
            threshold = params.threshold - params.threshold_step * (number - 1)
            plan = params.temperature, params.sweeps
            new = confident_pairs(found, labels, union.n_source, params.candidates, plan, threshold)
            if not len(new):
                break
            labels, number = torch.cat([labels, new]), number + 1
            ctx.log.pseudo_labels_from(number)
            if params.refresh_position and sides is not None:
                position = turned(sides, labels, union.n_source, hops)
            del found  # before the next vectors are made: both are large
            vectors = all_blocks(features, position, labels, graph, number, params, ctx)
            found = union.split(vectors, "inner")
            del vectors
        ctx.log.epochs = ctx.log.best_epoch = number
        return found


def block_features(
    view: TrainView,
    graph: JointGraph,
    used: tuple[str, ...],
    params: PMMEAParams,
    ctx: RunContext,
) -> dict[str, Tensor]:
    """What spreads beside the labels: unit rows by modality; zeros as structure's."""
    found = {"structure": torch.zeros(graph.n_entities, params.dim)}
    if "attribute" in used:
        found["attribute"] = normalize(attribute_bags(graph), dim=1)
    if "image" in used:
        found["image"] = modality_features(view, "image", ctx)
    return found


def all_blocks(
    features: dict[str, Tensor],
    position: Tensor | None,
    labels: Tensor,
    graph: LabelGraph,
    number: int,
    params: PMMEAParams,
    ctx: RunContext,
) -> Tensor:
    """Blocks of all modalities side by side, without weights, in half precision.

    Structure gives the features of triples alone; the others those of entities as well.
    """
    generator, parts = ctx.generator(f"round {number}"), []
    for name, block in features.items():
        width = max(block.shape[1], params.position_dim)
        start = labelled(pad(block, (0, width - block.shape[1])), labels, generator)
        mixed = None
        if position is not None:
            padded = pad(position, (0, width - position.shape[1]))
            mixed = normalize(labelled(padded, labels, generator), dim=1).to(ctx.device)
        start = start.to(ctx.device)
        hops = propagated(start, graph, params.n_hops, mixed, params.position_share)
        del start, mixed
        sizes = params.relation_dim, params.mini_dim
        third = third_view(*hops, graph, sizes, ctx, generator)
        if name != "structure":
            parts += [hop.half() for hop in hops[0]]
        parts.append(third)
        del hops, third
    return torch.cat(parts, dim=1)


def labelled(rows: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Rows in whose place a pair has one random unit vector, [n, dim].

    An entity of several links (four of DB15K) has that of its first one, an interpretation.
    """
    drawn = random_labels(labels, (rows.shape[0], rows.shape[1]), generator, kept="first")
    return torch.where(drawn.any(dim=1, keepdim=True), drawn, rows)

"""HMEA: two branches of hyperbolic graph convolutions, structure and images.

An interpretation: no code was released, and the paper's sizes, fusion and training are not known to
us. What is here: convolutions in the tangent space at the origin of the hyperboloid, of a trained
table and of image vectors; a fusion that puts the weighted tangent vectors of both side by side; a
margin loss on hyperbolic distances of seed links, on each branch and on the fusion. Entities that
lack an image get the mean one. The paper's DenseNet vectors are not public: images are whatever the
dataset ships.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Alignment, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.losses.margins import lengths
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.optimisers import adam
from mmea_bench.methods.core.training.pair_stand_ins import PairStandIns
from mmea_bench.methods.parts.hmea.branches import IMAGE, STRUCTURE, Branches
from mmea_bench.methods.parts.hmea.hyperboloid import (
    all_distances,
    lifted,
    listed_distances,
    pattern_of_lists,
)

JOINT = "joint"

_PAIRS_AT_ONCE = 1024
"""Pairs whose stand-ins are gathered together in Euclidean space."""


@dataclass(frozen=True)
class HMEAParams:
    """Hyper-parameters of HMEA; "ours" marks what no source states."""

    modalities: tuple[str, ...] = (STRUCTURE, IMAGE)
    structure_dim: int = 400  # ours
    image_dim: int = 200  # half the structure's, ours
    n_layers: int = 2  # of each branch, ours
    k: float = 1.0  # minus one over the curvature, fixed; HGCN's default
    space: Literal["hyperbolic", "euclidean"] = "hyperbolic"
    structure_share: float = 0.8  # beta of the fusion, ours
    joint_loss: bool = True  # False: the branches alone are trained
    margin: float = 1.0  # ours
    n_negatives: int = 25  # of each end of a seed link, ours
    refresh_every: int = 10  # epochs between two draws of negatives, ours; as GCN-Align
    epochs: int = 1000  # ours
    learning_rate: float = 1e-3  # Adam on the tangent parameters, ours
    eval_every: int = 50  # ours


class HMEA(Method):
    """HMEA (interpretation): both branches in hyperbolic space.

    ``Euclidean`` takes the tangent vectors for the points, and their Euclidean distances.
    """

    paper = Paper(
        authors="Guo, Tang, Zeng, Zhao, Liu",
        title="Multi-modal entity alignment in hyperbolic space",
        venue="Neurocomputing",
        year=2021,
        url="https://arxiv.org/abs/2106.03619",
        interpretation="No code was found.",
    )
    modalities: ClassVar[tuple[str, ...]] = HMEAParams.modalities
    requires: ClassVar[tuple[str, ...]] = (STRUCTURE,)
    Params = HMEAParams
    # The interpretation's, by its own distance: no source states how its rows were scored, nor a
    # setting.
    published_scoring = Scoring(None, csls=0)
    variants: ClassVar = {
        "w/o image": {"modalities": (STRUCTURE,)},
        "visual branch": {"modalities": (IMAGE,)},
        "Euclidean": {"space": "euclidean"},
        "w/o joint loss": {"joint_loss": False},
    }
    test_params: ClassVar = {
        "epochs": 60,
        "structure_dim": 48,
        "image_dim": 24,
        "n_negatives": 5,
        "learning_rate": 0.01,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """Trains the branches and returns the distances between points of the fusion."""
        params: HMEAParams = self.params
        graph = JointGraph.of(view)
        branches = self.branches(graph, view, ctx).to(ctx.device)
        pairs = graph.seed_pairs(view).to(ctx.device)
        sizes = (len(pairs), graph.n_entities, params.n_negatives, params.refresh_every)
        negatives = PairStandIns(*sizes, ctx)

        def step(epoch: int) -> float:
            stand_ins, tangents = negatives.at(epoch), branches()
            if params.joint_loss and len(tangents) > 1:
                tangents[JOINT] = branches.fused(tangents)
            points = {name: points_of(each, params) for name, each in tangents.items()}
            return backward_in_batches(
                points, lambda leaves: losses(leaves, pairs, stand_ins, params)
            )

        @torch.no_grad()
        def embed() -> Alignment:
            return alignment(branches.fused(branches()), graph, params)

        schedule = Schedule(params.epochs, adam(params.learning_rate), eval_every=params.eval_every)
        return train(branches.parameters(), step, embed, schedule, ctx)

    def branches(self, graph: JointGraph, view: TrainView, ctx: RunContext) -> Branches:
        """The branches that the dataset allows, over the undirected graph with self-loops."""
        params: HMEAParams = self.params
        chosen = self.chosen_modalities(view.modalities)
        dims = {STRUCTURE: params.structure_dim, IMAGE: params.image_dim}
        images = None
        if IMAGE in chosen:
            images = modality_features(view, IMAGE, ctx, fill="mean").to(ctx.device)
        return Branches(
            adjacency_matrix(graph, ctx.device),
            {name: dims[name] for name in chosen},
            images,
            params.n_layers,
            params.structure_share,
            params.k,
            ctx.generator("initial values"),
        )


def points_of(tangent: Tensor, params: HMEAParams) -> Tensor:
    """Points of tangent vectors, in double precision: ``cosh`` loses the digits of single."""
    return lifted(tangent.double(), params.k) if params.space == "hyperbolic" else tangent.double()


def losses(
    points: dict[str, Tensor], pairs: Tensor, stand_ins: Tensor, params: HMEAParams
) -> Iterator[Tensor]:
    """Margin losses by branch, summed over pairs and stand-ins.

    ``[d(s, t) + margin - d(s, t')]+`` and ``[d(s, t) + margin - d(s', t)]+``.

    Args:
        points: Of all entities by branch, [n_entities, columns].
        pairs: (source, target) ids, [n_pairs, 2].
        stand_ins: For the targets and for the sources, [2, n_pairs, k] ids.
        params: Space and margin.
    """
    if params.space == "euclidean":
        yield from _euclidean_losses(points, pairs, stand_ins, params)
        return
    anchors = pairs.T.flatten()
    partners = pairs.flip(1).T.flatten()
    listed = torch.cat([partners.unsqueeze(1), stand_ins.flatten(0, 1)], dim=1)
    lists = pattern_of_lists(listed, len(next(iter(points.values()))))
    for each in points.values():
        found = listed_distances(each.index_select(0, anchors), each, lists, params.k)
        yield _margin_losses(found.view(listed.shape), params)


def _euclidean_losses(
    points: dict[str, Tensor], pairs: Tensor, stand_ins: Tensor, params: HMEAParams
) -> Iterator[Tensor]:
    for chosen in torch.split(torch.arange(len(pairs), device=pairs.device), _PAIRS_AT_ONCE):
        parts = []
        for each in points.values():
            for side in (0, 1):
                anchors, partners = pairs[chosen, side], pairs[chosen, 1 - side].unsqueeze(1)
                listed = torch.cat([partners, stand_ins[side, chosen]], dim=1)
                members = each.index_select(0, listed.flatten()).view(*listed.shape, -1)
                gaps = each.index_select(0, anchors).unsqueeze(1) - members
                parts.append(_margin_losses(lengths(gaps, "l2"), params))
        yield torch.stack(parts).sum()


def _margin_losses(away: Tensor, params: HMEAParams) -> Tensor:
    """Of the distances to the partner, first column, and to its stand-ins, [n, 1 + k]."""
    return relu(away[:, :1] + params.margin - away[:, 1:]).sum()


def alignment(tangent: Tensor, graph: JointGraph, params: HMEAParams) -> Alignment:
    """Scores of all pairs by the distance of their points; vectors in Euclidean space.

    A distance falls as ``<x, y>_L`` rises, which is an inner product but for one sign. No vectors
    are returned for it all the same: they are compared in single precision, which has no digit left
    of what tells points ten roots of K from the origin apart.

    Args:
        tangent: Of all entities, [n_entities, dim].
        graph: Union graph.
        params: Space.
    """
    points = points_of(tangent.detach(), params)
    if params.space == "euclidean":
        return graph.split(points.float(), "euclidean")
    source, target = points[: graph.n_source], points[graph.n_source :]

    def score_block(sources: Tensor) -> Tensor:
        return -all_distances(source[sources], target, params.k)

    return PairScores(score_block, len(source), len(target), points.device, "hyperbolic")

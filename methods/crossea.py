"""CrossEA: alignment of N-MMKGs, whose nodes are texts and images.

The features of a node are projected by its modality and mixed with a structure vector that is
aggregated along modality meta-paths. A margin loss pulls training pairs of every kind together;
pairs are accepted above thresholds of their own for equal and for different modalities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.joint_graph import IntArray, JointGraph, undirected_edges
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.layers.encoders import DiagonalGAT, normal_parameter
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.core.training.loop import Schedule, adamw, train
from mmea_bench.methods.parts.crossea.meta_paths import (
    MetaPathAttention,
    sampled_hop_sets,
    sparse_pattern,
)
from mmea_bench.methods.parts.crossea.node_negatives import NodeNegatives


@dataclass(frozen=True)
class CrossEAParams:
    """Hyper-parameters of CrossEA. The paper states none; defaults were tried on made-up data.

    "ours" marks a choice that the paper leaves open.
    """

    dim: int = 256  # ours; usually 64-512
    structure: Literal["meta-paths", "gat"] = "meta-paths"  # gat is w/o SL
    n_hops: int = 2  # L, ours; the paper warns of long paths
    caps: tuple[int, ...] = (20, 40)  # largest set of each hop, the last for all further, ours
    weights: Literal["per pair", "shared"] = "per pair"  # W, b of equation 2; printed: shared
    n_heads: tuple[int, ...] = (2, 2)  # of the GAT, per layer, ours
    own_share: float = 0.75  # of a node's own vector at the start, learned per modality, ours
    similarity: Literal["cosine", "abs-cosine"] = "cosine"  # of loss and decision; paper: absolute
    inference: Literal["two-thresholds", "one-threshold"] = "two-thresholds"  # one is w/o AIM
    margin: float = 0.5  # eta of equation 10, ours; 0.3-0.8
    n_negatives: int = 20  # per pair, half on each side, ours
    hard_share: float = 0.5  # of the negatives: the most similar wrong nodes, ours
    hard_from: int = 21  # first epoch with hard negatives, ours
    refresh_every: int = 10  # epochs between two searches of hard negatives, ours
    epochs: int = 300  # ours
    learning_rate: float = 1e-3  # Adam, ours; 2e-4 to 2e-3
    clip_norm: float = 1.0  # of the gradients, ours
    eval_every: int = 10  # ours

    @property
    def hop_caps(self) -> tuple[int, ...]:
        """Largest set of each of the ``n_hops`` hops."""
        further = max(0, self.n_hops - len(self.caps))
        return self.caps[: self.n_hops] + self.caps[-1:] * further


class CrossEA(Method):
    """CrossEA with plain cosines; ``abs`` scores and trains by their absolute value, as printed.

    Printed pair scores are cosines with a sign that tells equal from different modality. As the
    modality of every node is known, that is the same as one threshold for each of the two.
    """

    paper = Paper(
        authors="Xiao, Zeng, Zhang, Lao, Zhao",
        title="Multi-Modal Entities Matter: Benchmarking Multi-Modal Entity Alignment",
        venue="COLING",
        year=2025,
        url="https://aclanthology.org/volumes/2025.coling-main/",
    )
    tasks: ClassVar = ("n-mmkg",)
    modalities: ClassVar[tuple[str, ...]] = ("structure", "text", "image")
    requires: ClassVar[tuple[str, ...]] = ("text", "image")
    Params = CrossEAParams
    # Paper: thresholds over the method's own similarity; it states no setting of any dataset.
    published_scoring = Scoring(csls=0)
    # Figure 3 sweeps the width of the CLIP baselines without printing its values.
    grid: ClassVar = {
        "dim": (64, 128, 256, 512, 768, 1024),
        "margin": (0.3, 0.5, 0.8),
        "n_hops": (1, 2, 3),
    }
    variants: ClassVar = {
        "abs": {"similarity": "abs-cosine"},
        "w/o SL": {"structure": "gat"},
        "w/o AIM": {"inference": "one-threshold"},
        "L=1": {"n_hops": 1},
        "L=3": {"n_hops": 3},
        "own share 0.5": {"own_share": 0.5},
        "random negatives": {"hard_share": 0.0},
        "as described": {"similarity": "abs-cosine", "weights": "shared"},
    }
    no_op_variants: ClassVar = {
        "w/o AIM": "both inferences are read from the scores of one training"
    }
    test_params: ClassVar = {
        "epochs": 40,
        "dim": 32,
        "caps": (6, 8),
        "n_negatives": 10,
        "learning_rate": 3e-3,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed pairs and returns the vectors of all nodes."""
        params: CrossEAParams = self.params
        graph, nodes = JointGraph.of(view), NodeSets.of(view)
        model = CrossEAEncoder(view, graph, nodes, params, ctx).to(ctx.device)
        pairs = graph.seed_pairs(view).numpy()
        training = _Training(model, pairs, nodes, params, ctx)

        def embed() -> Embeddings:
            with torch.no_grad():
                vectors = graph.split(model(), params.similarity)
            return replace(vectors, modality_weights=model.weights())

        schedule = Schedule(
            params.epochs, adamw(params.learning_rate, 0.0), eval_every=params.eval_every
        )
        return train(model.parameters(), training.step, embed, schedule, ctx)


class CrossEAEncoder(nn.Module):
    """Vectors of all nodes: projected features mixed with structure.

    ``x_i = normalize(W_m f_i + b_m)`` and ``e_i = normalize(share_m x_i + (1 - share_m)
    normalize(s_i))`` with the learned share of the node's modality.
    """

    def __init__(
        self,
        view: TrainView,
        graph: JointGraph,
        nodes: NodeSets,
        params: CrossEAParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self._order = nodes.order().to(ctx.device)
        self._features = {
            modality: nodes.standardised(view, modality).to(ctx.device) for modality in nodes.ids
        }
        self.projection, self.bias = nn.ParameterDict(), nn.ParameterDict()
        for modality, features in self._features.items():
            n_in = features.shape[1]
            std = math.sqrt(2 / (n_in + params.dim))  # Xavier
            self.projection[modality] = normal_parameter((n_in, params.dim), std, generator)
            self.bias[modality] = nn.Parameter(torch.zeros(params.dim))
        logit = math.log(params.own_share / (1 - params.own_share))
        self.share_logits = nn.ParameterDict(
            {modality: nn.Parameter(torch.tensor(logit)) for modality in nodes.ids}
        )
        self.structure: nn.Module
        if params.structure == "meta-paths":
            self.structure = _meta_path_attention(graph, nodes, params, ctx)
        else:
            self.structure = _GATStructure(graph, nodes, params, ctx)

    def forward(self) -> Tensor:
        """L2-normalised vectors of all nodes, [n_nodes, dim]."""
        own = {
            modality: normalize(features @ self.projection[modality] + self.bias[modality], dim=1)
            for modality, features in self._features.items()
        }
        structure: Mapping[str, Tensor] = self.structure(own)
        mixed = []
        for modality, vectors in own.items():
            share = torch.sigmoid(self.share_logits[modality])
            around = normalize(structure[modality], dim=1)
            mixed.append(normalize(share * vectors + (1 - share) * around, dim=1))
        return torch.cat(mixed).index_select(0, self._order)

    def weights(self) -> dict[str, float]:
        """Share of each modality's own features and of structure, mean over all nodes."""
        n_nodes = sum(len(features) for features in self._features.values())
        own = {
            modality: float(torch.sigmoid(self.share_logits[modality].detach()))
            * len(features)
            / n_nodes
            for modality, features in self._features.items()
        }
        return {**own, "structure": 1.0 - sum(own.values())}


def pair_margin_loss(true: Tensor, wrong: Tensor, usable: Tensor, margin: float) -> Tensor:
    """Mean over usable wrong pairs of ``[margin - Sim(pair) + Sim(wrong pair)]+``.

    Equation 10 prints the opposite sign, which would push true pairs apart.

    Args:
        true: Similarity of each training pair, [n_pairs].
        wrong: Similarity of its wrong pairs, [n_pairs, k].
        usable: Which wrong pairs count, [n_pairs, k] bool.
        margin: eta.
    """
    excess = relu(margin - true.unsqueeze(1) + wrong) * usable
    return excess.sum() / usable.sum().clamp_min(1)


class _Training:
    """One full-batch step per epoch over the training pairs and their negatives."""

    def __init__(
        self,
        model: CrossEAEncoder,
        pairs: IntArray,
        nodes: NodeSets,
        params: CrossEAParams,
        ctx: RunContext,
    ) -> None:
        self._model, self._pairs, self._nodes, self._params = model, pairs, nodes, params
        self._device = ctx.device
        self._negatives = NodeNegatives(pairs, nodes, ctx.numpy_generator("negatives"))
        self._hard: IntArray | None = None

    def step(self, epoch: int) -> float:
        vectors = self._model()
        stand_ins = self._stand_ins(epoch, vectors.detach())
        usable = torch.from_numpy(~self._negatives.are_known(stand_ins)).to(self._device)
        scores = self._scores(vectors, stand_ins)
        wrong = torch.cat([usable[0], usable[1]], dim=1)
        loss = pair_margin_loss(scores[:, 0], scores[:, 1:], wrong, self._params.margin)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._model.parameters(), self._params.clip_norm)
        return float(loss.detach())

    def _stand_ins(self, epoch: int, vectors: Tensor) -> IntArray:
        params = self._params
        per_side = params.n_negatives // 2
        n_hard = round(params.hard_share * per_side) if epoch >= params.hard_from else 0
        drawn = self._negatives.random(per_side - n_hard)
        if not n_hard:
            return drawn
        if self._hard is None or (epoch - params.hard_from) % params.refresh_every == 0:
            self._hard = self._negatives.hardest(vectors, n_hard, params.similarity)
        return np.concatenate([drawn, self._hard], axis=2)

    def _scores(self, vectors: Tensor, stand_ins: IntArray) -> Tensor:
        """Similarities of each pair and its wrong pairs, [n_pairs, 1 + k].

        They are computed as cells of a sparse matrix: gathering both ends of every wrong pair
        would copy each vector dozens of times.
        """
        sources, targets = self._pairs[:, :1], self._pairs[:, 1:]
        shape = stand_ins.shape[1:]
        rows = np.concatenate([sources, np.broadcast_to(sources, shape), stand_ins[1]], axis=1)
        columns = np.concatenate([targets, stand_ins[0], np.broadcast_to(targets, shape)], axis=1)
        n_source, n_nodes = self._nodes.n_source, self._nodes.n_nodes
        order = np.argsort(rows.ravel(), kind="stable")
        pattern = SparsePattern(
            rows.ravel()[order],
            columns.ravel()[order] - n_source,
            (n_source, n_nodes - n_source),
            self._device,
        )
        cosines = pattern.inner_products(vectors[:n_source], vectors[n_source:])
        position = torch.from_numpy(np.argsort(order)).to(self._device)
        scores = cosines.index_select(0, position).view(rows.shape)
        return scores.abs() if self._params.similarity == "abs-cosine" else scores


class _GATStructure(nn.Module):
    """Structure without meta-paths: graph attention blind to relations and modalities."""

    def __init__(
        self, graph: JointGraph, nodes: NodeSets, params: CrossEAParams, ctx: RunContext
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values of the GAT")
        self.gat = DiagonalGAT(
            params.dim, params.n_heads, 1, "mean", generator, last_activation=False
        )
        rows, columns, _ = undirected_edges(graph)
        self._pattern = SparsePattern(rows, columns, (graph.n_entities,) * 2, ctx.device)
        self._order = nodes.order().to(ctx.device)
        self._rows = {
            modality: torch.from_numpy(ids).to(ctx.device) for modality, ids in nodes.ids.items()
        }

    def forward(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As ``MetaPathAttention``."""
        joint = torch.cat(list(own.values())).index_select(0, self._order)
        vectors = self.gat(joint, self._pattern, self._pattern, None)
        return {modality: vectors.index_select(0, rows) for modality, rows in self._rows.items()}


def _meta_path_attention(
    graph: JointGraph, nodes: NodeSets, params: CrossEAParams, ctx: RunContext
) -> MetaPathAttention:
    sets = sampled_hop_sets(graph, nodes, params.hop_caps, ctx.numpy_generator("meta-paths"))
    patterns = {path: sparse_pattern(cells, ctx.device) for path, cells in sets.items()}
    return MetaPathAttention(patterns, params.dim, shared=params.weights == "shared")

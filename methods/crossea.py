"""CrossEA: alignment of N-MMKGs, whose nodes are texts and images.

The features of a node are projected by its modality and mixed with a structure vector that is
aggregated along modality meta-paths. A margin loss pulls training pairs of every kind together;
pairs are accepted above thresholds of their own for equal and for different modalities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.optimisers import adamw
from mmea_bench.methods.parts.crossea.encoder import CrossEAEncoder, EncoderSettings
from mmea_bench.methods.parts.crossea.pair_negatives import NegativeSettings, PairNegatives


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

    Thresholds are no matter of the training: every training is scored with two of them and with
    one. The row with one is what the paper calls w/o AIM, so that this needs no variant.
    """

    paper = Paper(
        authors="Xiao, Zeng, Zhang, Lao, Zhao",
        title="Multi-Modal Entities Matter: Benchmarking Multi-Modal Entity Alignment",
        venue="COLING",
        year=2025,
        url="https://aclanthology.org/volumes/2025.coling-main/",
        interpretation="No code was released.",
    )
    tasks: ClassVar = ("n-mmkg",)
    modalities: ClassVar[tuple[str, ...]] = ("structure", "text", "image")
    requires: ClassVar[tuple[str, ...]] = ("text", "image")
    Params = CrossEAParams
    # Paper: thresholds over the method's own similarity; it states no setting of any dataset.
    published_scoring = Scoring(csls=0)
    paper_stop = "valid"  # CrossEA's paper holds a tenth of the pairs out
    # Figure 3 sweeps the width of the CLIP baselines without printing its values.
    grid: ClassVar = {
        "dim": (64, 128, 256, 512, 768, 1024),
        "margin": (0.3, 0.5, 0.8),
        "n_hops": (1, 2, 3),
    }
    variants: ClassVar = {
        "abs": {"similarity": "abs-cosine"},
        "w/o SL": {"structure": "gat"},
        "L=1": {"n_hops": 1},
        "L=3": {"n_hops": 3},
        "own share 0.5": {"own_share": 0.5},
        "random negatives": {"hard_share": 0.0},
        "as described": {"similarity": "abs-cosine", "weights": "shared"},
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
        settings = taken_from(params, EncoderSettings)
        encoder = CrossEAEncoder(view, graph, nodes, settings, ctx).to(ctx.device)
        pairs = graph.seed_pairs(view).numpy()
        negatives = PairNegatives(pairs, nodes, taken_from(params, NegativeSettings), ctx)

        def step(epoch: int) -> float:
            """One full-batch step over the training pairs and their negatives."""
            vectors = encoder()
            stand_ins, usable = negatives.at(epoch, vectors.detach())
            scores = negatives.scores(vectors, stand_ins)
            loss = pair_margin_loss(scores[:, 0], scores[:, 1:], usable, params.margin)
            return backward(loss, encoder.parameters(), params.clip_norm)

        @torch.no_grad()
        def embed() -> Embeddings:
            vectors = graph.split(encoder(), params.similarity)
            return replace(vectors, modality_weights=encoder.weights())

        optimiser = adamw(params.learning_rate, 0.0)
        schedule = Schedule(params.epochs, optimiser, eval_every=params.eval_every)
        return train(encoder.parameters(), step, embed, schedule, ctx)


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

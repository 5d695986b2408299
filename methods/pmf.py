"""PMF: progressive modality freezing.

MEAformer's modality encoders without its transformer. In a first stage an entity loses a modality
whose vector resembles nothing in the other KG under a growing threshold: it is frozen, a zero in
the joint vector and no anchor of a loss. A second stage ties the modalities of an entity together
by a contrast between them; a third one learns from mutual nearest neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopScore
from mmea_bench.methods.core.hybrid.stages import train_in_stages
from mmea_bench.methods.core.inputs.encoded_parts import encoded_parts
from mmea_bench.methods.core.inputs.features import input_features, modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import DiagonalGAT
from mmea_bench.methods.core.layers.gat_structure import GATStructure
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders
from mmea_bench.methods.core.settings import taken_from, without
from mmea_bench.methods.core.training.pseudo_seeds import LooksBeforeEpochs
from mmea_bench.methods.parts.pmf.encoder import FreezableEncoder
from mmea_bench.methods.parts.pmf.freezing import Freezing
from mmea_bench.methods.parts.pmf.losses import (
    LOSS_ORDER,
    CrossGraphLosses,
    CrossModalLosses,
    cross_pairs,
)
from mmea_bench.methods.parts.pmf.training import StagedTraining, TrainingSettings


@dataclass(frozen=True)
class PMFParams(LooksBeforeEpochs):
    """Hyper-parameters of PMF; defaults are its released settings for the FB15K pairs."""

    modalities: tuple[str, ...] = ("structure", "relation", "attribute", "image")
    dim: int = 300  # of all modality vectors and of the entity table; default
    graph_heads: tuple[int, ...] = (2, 2)  # one number per layer; default
    tau: float = 0.05  # temperature of the loss between KGs; default
    cross_tau: float = 0.05  # temperature of the loss between modalities; default
    cross_modal: bool = True  # whether there is a loss between modalities; code
    cross_entities: int = 0  # at most so many without a seed in it, of each KG; 0 for no bound
    image_weight: float = 10.0  # in the loss between modalities; default
    other_weight: float = 0.1  # of each other modality in it; default
    first_threshold: float = 0.1  # of freezing; code
    threshold_growth: float = 1.2  # after each epoch that freezes; default
    image_cap: float = 0.9  # largest threshold of images; code
    other_cap: float = 0.1  # largest threshold of the others; code
    masked_losses: bool = True  # frozen entities are no anchors; default
    masked_fusion: bool = True  # frozen vectors are zeros in the joint vector; default
    epochs: int = 250  # of the first two stages, without a third one; code
    freeze_epochs: int = 150  # of the first stage; code; 0 skips it
    freeze_from: int = 10  # epochs of the first stage that freeze nothing; default
    batch_size: int = 3500  # pairs per optimiser step; default
    learning_rate: float = 1e-3  # script
    weight_decay: float = 1e-4  # default
    warm_up: float = 0.15  # share of the steps in which the learning rate rises; code
    clip: float = 1.1  # of the gradient's norm; default
    iterative: bool = False  # a third stage; script
    iterative_start: int = 250  # last epoch of the second stage where there is a third one; script
    iterative_epochs: int = 500  # of the third stage; script
    iterative_learning_rate: float = 1e-4  # code
    iterative_stretch: float = 3.0  # schedule of the third stage over its epochs; code
    check_every: int = 5  # script
    renew_every: int = 25  # code
    promote_every: int = 50  # code
    eval_every: int = 1  # code

    @property
    def all_epochs(self) -> int:
        """Of all stages."""
        return self.iterative_start + self.iterative_epochs if self.iterative else self.epochs


class PMF(Method):
    """PMF as its released code trains it; the scripts' form is ``iterative``."""

    paper = Paper(
        authors="Huang, Zhang, Zhang, Chen, Kim",
        title="Progressively Modality Freezing for Multi-Modal Entity Alignment",
        venue="ACL",
        year=2024,
        url="https://arxiv.org/abs/2407.16168",
        code_url="https://github.com/ninibymilk/PMF-MMEA",
        code_commit="bf81f0b",
    )
    modalities: ClassVar[tuple[str, ...]] = (*PMFParams.modalities, "name")
    Params = PMFParams
    paper_stop = "test"
    # The code takes the larger of both directions' MRR at every evaluation.
    paper_stop_score: ClassVar = StopScore("mrr", "max")
    # The code applies CSLS twice, one after the other.
    published_scoring = Scoring("inner", 3, "csls_again")
    # Code; as many entities without a seed as there are test links.
    published_settings: ClassVar = {
        "dbp15k-*": {
            "epochs": 100,
            "freeze_epochs": 50,
            "iterative_start": 100,
            "cross_entities": 10500,
        },
        "fb15k-yago15k": {"cross_entities": 8960},
    }
    variants: ClassVar = {
        "iterative": {"iterative": True},
        "w/o freezing": {"freeze_epochs": 0},  # code: --freeze 0
        "w/o cross-modality loss": {"cross_modal": False},  # code: --cross_modal 0
        "w/o masks in losses": {"masked_losses": False},  # code: --frozen 0
        "w/o masks in fusion": {"masked_fusion": False},  # code: --with_weight 0
        "w/ names": {"modalities": (*PMFParams.modalities, "name")},  # code: --use_surface
        "w/o structure": without(PMFParams.modalities, "structure"),
        "w/o relation": without(PMFParams.modalities, "relation"),
        "w/o attribute": without(PMFParams.modalities, "attribute"),
        "w/o visual": without(PMFParams.modalities, "image"),
    }
    waits_for_device = "which entities of a batch are anchors of a modality is found there"
    test_params: ClassVar = {
        "epochs": 60,
        "freeze_epochs": 20,
        "freeze_from": 10,
        "dim": 32,
        "learning_rate": 5e-3,
        "iterative_start": 30,
        "iterative_epochs": 30,
        "renew_every": 10,
        "promote_every": 10,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' joint vectors."""
        params: PMFParams = self.params
        graph = JointGraph.of(view)
        encoder = _encoder(view, graph, self.used_modalities(view.modalities), params, ctx)
        names = encoder.encoders.modalities
        losses = CrossGraphLosses(names, params.tau, masked=params.masked_losses)
        weights = dict.fromkeys(names, params.other_weight) | {"image": params.image_weight}
        crossed = None
        if params.cross_modal and cross_pairs(names):
            crossed = CrossModalLosses(
                names, params.cross_tau, weights, masked=params.masked_losses
            ).to(ctx.device)
        caps = dict.fromkeys(names, params.other_cap)
        if "image" in caps:
            caps["image"] = params.image_cap
        pairs = graph.seed_pairs(view)
        freezing = Freezing(
            pairs,
            graph.n_source,
            graph.n_entities,
            params.first_threshold,
            params.threshold_growth,
            caps,
            ctx.device,
        )
        settings = taken_from(params, TrainingSettings)
        training = StagedTraining(
            encoder, losses.to(ctx.device), crossed, freezing, pairs, settings, ctx
        )
        return train_in_stages(training, params, encoder.embeddings, ctx)


def _encoder(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: PMFParams, ctx: RunContext
) -> FreezableEncoder:
    """Graph attention for structure, a linear layer for every other modality."""
    parts, generator = encoded_parts(used), ctx.generator("initial values")
    features = _features(view, graph, parts, ctx)
    structure = None
    if "structure" in parts:
        gat = DiagonalGAT(
            params.dim, params.graph_heads, -1, "mean", generator, last_activation=False
        )
        structure = GATStructure(graph, gat, ctx.device)
    names = tuple(name for name in LOSS_ORDER if name in parts)
    dims = dict.fromkeys(features, params.dim)
    encoders = ModalityEncoders(graph, features, structure, dims, names, params.dim, generator)
    alive = {
        name: torch.ones(graph.n_entities, dtype=torch.bool, device=ctx.device) for name in names
    }
    if "image" in alive:
        alive["image"] = torch.tensor(view.joint_features("image").present, device=ctx.device)
    return FreezableEncoder(encoders, alive, masked_fusion=params.masked_fusion).to(ctx.device)


def _features(
    view: TrainView, graph: JointGraph, parts: tuple[str, ...], ctx: RunContext
) -> dict[str, Tensor]:
    """Input features by modality; an image that is lacking is a zero vector."""
    others = tuple(name for name in parts if name != "image")
    features = input_features(view, graph, others, ctx, sparse=True, only_existing=True)
    if "image" in parts:
        features["image"] = modality_features(view, "image", ctx, "zeros").to(ctx.device)
    return features

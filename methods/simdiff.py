"""SimDiff: noise and denoising on modality vectors as augmentation of MCLEA's contrastive losses.

MCLEA's encoders and intra-modal losses without its distillation. The default is the released code,
whose "diffusion" is a single step between random layers that are never trained, at a weight of
0.001, beside plain contrastive training with a little noise. ``diffusion`` (interpretation) is what
the title promises: a denoiser over the steps of a schedule, whose one-shot estimates are augmented
vectors; the paper's own schedule and weights were not available. With s = 0 the backbone is left,
against which either is to be held: ``w/o augmentation`` is the control of the default, ``w/o
diffusion``, whose optimiser is never made anew, that of ``diffusion``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import DiagonalGAT
from mmea_bench.methods.core.layers.gat_structure import GATStructure
from mmea_bench.methods.core.settings import taken_from, without
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds
from mmea_bench.methods.parts.simdiff.losses import (
    LossParams,
    RawEncoder,
    SimDiffLosses,
    SlottedConcatenation,
)

MODALITIES = ("image", "attribute", "relation", "structure")
"""Order of the fusion."""


@dataclass(frozen=True)
class SimDiffParams(SeedTrainingParams):
    """Hyper-parameters of SimDiff; "ours" fills what the second form needs."""

    modalities: tuple[str, ...] = MODALITIES  # names are never used; script
    form: Literal["released", "diffusion"] = "released"
    dim: int = 300  # of every modality; script
    n_heads: tuple[int, ...] = (2, 2)  # one number per layer; code
    tau: float = 0.1  # script
    scale: float = 0.001  # s, of the noise and of the losses of the first augmentation; README
    n_augmentations: int = 2  # README
    reseeds: bool = True  # noise is seeded anew in every epoch; a slip of the code
    width: int = 64  # of the one-step denoiser; code
    n_layers: int = 4  # code
    noise: float = 0.1  # code
    n_steps: int = 50  # of the schedule; ours, as all that follows up to the loop
    early_steps: int = 10  # that estimates are made from
    betas: tuple[float, float] = (1e-4, 0.02)
    noise_weight: float = 0.1  # of the denoiser's loss
    cleaned_weight: float = 0.5  # of the contrastive losses of estimates
    epochs: int = 1000  # script
    learning_rate: float = 5e-4  # script
    weight_decay: float = 0.01  # the library's default
    batch_size: int = 3500  # script; sets the negatives, not the number of steps
    restart_from: int = 501  # the optimiser is made anew every epoch from here on, code
    iterative: bool = True  # script
    iterative_start: int = 500  # script
    check_every: int = 5  # script
    promote_every: int = 50  # code
    eval_every: int = 100  # code


class SimDiff(Method):
    """SimDiff as its released code trains it; ``diffusion`` (interpretation) is a diffusion."""

    paper = Paper(
        authors="Li, Di, Chen, Zhou",
        title=(
            "SimDiff: Simple Denoising Probabilistic Latent Diffusion Model for Data Augmentation "
            "on Multi-modal Knowledge Graph"
        ),
        venue="KDD",
        year=2024,
        url="https://doi.org/10.1145/3637528.3671769",
        code_url="https://github.com/ranlislz/SimDiff",
        code_commit="4eab2ae",
    )
    modalities: ClassVar[tuple[str, ...]] = MODALITIES
    Params = SimDiffParams
    published_scoring = Scoring("cosine", csls=3)  # code; one setting serves all datasets
    variants: ClassVar = {
        "diffusion": {"form": "diffusion", "reseeds": False, "restart_from": 1_000_000},
        # The paper's table of ablations was not available: one row for each part.
        "w/o augmentation": {"scale": 0.0},
        "w/o diffusion": {"scale": 0.0, "reseeds": False, "restart_from": 1_000_000},
        "w/o structure": without(MODALITIES, "structure"),
        "w/o relation": without(MODALITIES, "relation"),
        "w/o attribute": without(MODALITIES, "attribute"),
        "w/o image": without(MODALITIES, "image"),
        "w/o iter. strategy": {"iterative": False},
        "one augmentation": {"n_augmentations": 1},
        "fresh noise": {"reseeds": False},
    }
    idle_variants: ClassVar = dict.fromkeys(
        ("w/o augmentation", "w/o diffusion"),
        "the denoiser and both partial fusions have the weight 0",
    )
    test_params: ClassVar = {
        "epochs": 60,
        "dim": 30,
        "learning_rate": 2e-3,
        "iterative_start": 30,
        "promote_every": 10,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' joint vectors."""
        params: SimDiffParams = self.params
        graph = JointGraph.of(view)
        encoder = _encoder(view, graph, self.chosen_modalities(view.modalities), params, ctx)
        generators = (
            ctx.generator("initial denoiser"),
            ctx.generator("batches"),
            ctx.generator("noise"),
        )
        losses = SimDiffLosses(encoder, taken_from(params, LossParams), generators)
        losses = losses.to(ctx.device)
        pairs = graph.seed_pairs(view)
        return train_on_seeds(encoder, losses, pairs, params, ctx, losses.parameters())


def _encoder(
    view: TrainView,
    graph: JointGraph,
    used: tuple[str, ...],
    params: SimDiffParams,
    ctx: RunContext,
) -> RawEncoder:
    """Graph attention for structure, a linear layer for every other modality, weighted fusion."""
    generator = ctx.generator("initial values")
    structure = None
    if "structure" in used:
        gat = DiagonalGAT(params.dim, params.n_heads, -1, "mean", generator, last_activation=False)
        structure = GATStructure(graph, gat, ctx.device)
    features = input_features(view, graph, used, ctx, sparse=True)
    order = tuple(name for name in MODALITIES if name in used)
    dims = dict.fromkeys(features, params.dim)
    encoder = RawEncoder(graph, features, structure, dims, order, params.dim, generator)
    encoder.fusion = SlottedConcatenation(order)
    return encoder.to(ctx.device)

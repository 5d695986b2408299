"""UMAEA: robust alignment under uncertainly missing and ambiguous images.

MEAformer's encoder with two joint vectors: the transformer's weights per entity serve training,
global weights serve training, pseudo-labels and testing. Each modality's contrastive loss counts a
pair as much as the less confident of its two ends. This first stage is the default, as its authors
advise. With ``CMMI`` (circularly missing modality imagination) two stages follow: a generator
learns to imagine an image vector out of the other modalities, then what reads images is tuned with
imagined ones in place of those that are lacking. Where no entity lacks an image both stages are
trained all the same and nothing is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopScore
from mmea_bench.methods.core.hybrid.building import EncoderShape, hybrid_encoder
from mmea_bench.methods.core.hybrid.confident_losses import ConfidentLosses
from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridEncoder
from mmea_bench.methods.core.hybrid.staged_training import StagedTraining
from mmea_bench.methods.core.hybrid.stages import train_in_stages
from mmea_bench.methods.core.hybrid.training import TrainingSettings
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from, without
from mmea_bench.methods.core.training.pseudo_seeds import LooksBeforeEpochs
from mmea_bench.methods.parts.umaea.encoder import ImaginingEncoder
from mmea_bench.methods.parts.umaea.losses import ImaginationLosses, ImaginationWeights
from mmea_bench.methods.parts.umaea.stages import StageLengths, stages_of
from mmea_bench.methods.parts.umaea.training import ImaginingTraining


@dataclass(frozen=True)
class UMAEAParams(LooksBeforeEpochs):
    """Hyper-parameters of UMAEA; defaults are its released settings for DBP15K, and names.

    The released code has no script for the FB15K pairs.
    """

    modalities: tuple[str, ...] = ("structure", "relation", "attribute", "image", "name", "text")
    dim: int = 300  # of all modality vectors and of the entity table; script
    graph_heads: tuple[int, ...] = (2, 2)  # one number per layer of the graph encoder; script
    n_layers: int = 1  # of the transformer; script
    n_heads: int = 1  # of the transformer; script
    feed_forward_dim: int = 400  # code; none on the FB15K pairs
    dropout: float = 0.1  # of the transformer; code
    tau: float = 0.1  # temperature of every ICL; script
    balanced: bool = True  # code: three losses under learned scales; else their plain sum
    imagines: bool = False  # whether the stages with imagined images follow (CMMI)
    epochs: int = 250  # of all stages; script; iterative 500, CMMI 400, both 800
    # Where another stage follows; script.
    first_epochs: int = 250
    imagining_epochs: int = 50
    tuning_epochs: int = 100
    batch_size: int = 3500  # pairs per optimiser step; script
    learning_rate: float = 5e-4  # code, over the script's 4e-3; of loss weights 5 times as much
    imagining_rate: float = 4e-3  # of the generator; code
    tuning_rate: float = 2e-4  # code
    weight_decay: float = 1e-4  # code; none on biases, fusion logits and loss weights
    imagining_decay: float = 3.0  # of the generator; code
    image_weight: float = 6000.0  # of imagined against present images; code
    rebuild_weight: float = 6000.0  # of the given modalities, rebuilt; code
    prior_weight: float = 3000.0  # of the latent vectors' prior; code
    ial_weight: float = 6000.0  # of IAL; code
    ial_factor: float = 0.1  # of IAL once more; default
    tau2: float = 1.0  # temperature of IAL; default
    warm_up: float = 0.15  # share of the steps in which the learning rate rises; code
    clip: float = 1.0  # of the gradient's norm, in the very first stage; script
    iterative: bool = False  # all stages once more, with pseudo-labels; script with --il
    iterative_factor: float = 0.2  # of all learning rates then; code
    iterative_stretch: float = 3.0  # of the first stage's schedule then; code
    check_every: int = 5  # script
    renew_every: int = 25  # code
    promote_every: int = 50  # code
    eval_every: int = 1  # code

    @property
    def iterative_start(self) -> int:  # type: ignore[override]
        """Last epoch of all stages the first time, before pseudo-labels."""
        return self.first_epochs + self.imagines * (self.imagining_epochs + self.tuning_epochs)

    @property
    def last_growth(self) -> int:
        """Last epoch at which pairs may be promoted: of a first stage."""
        # With imagined images two stages follow, in which no pair is promoted.
        last = self.iterative_start + self.first_epochs if self.imagines else self.epochs
        return min(last, self.epochs)

    @property
    def iterative_learning_rate(self) -> float:
        """Learning rate of the first stage the second time."""
        return self.iterative_factor * self.learning_rate


class UMAEA(Method):
    """UMAEA as its released code trains it, without imagined images unless the variant says so."""

    paper = Paper(
        authors="Chen, Guo, Fang, Zhang, Chen, Pan, Li, Chen, Zhang",
        title="Rethinking Uncertainly Missing and Ambiguous Visual Modality in Multi-Modal "
        "Entity Alignment",
        venue="ISWC",
        year=2023,
        url="https://arxiv.org/abs/2307.16210",
        code_url="https://github.com/zjukg/UMAEA",
    )
    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment", "n-mmkg")
    modalities: ClassVar[tuple[str, ...]] = UMAEAParams.modalities
    Params = UMAEAParams
    paper_stop = "test"
    paper_stop_score: ClassVar = StopScore("mrr", "src2tgt")  # code
    published_scoring = Scoring("cosine", csls=3)  # script
    published_settings: ClassVar = {
        "fb15k-*": {"feed_forward_dim": 0},  # code; epochs of these pairs are not stated
        # The pairs have no names in the released scripts.
        "dbp15k-*": without(UMAEAParams.modalities, "name"),  # script
    }
    variants: ClassVar = {
        "CMMI": {"imagines": True, "epochs": 400},
        "iterative": {"iterative": True, "epochs": 500},
        "iterative CMMI": {"imagines": True, "iterative": True, "epochs": 800},
        "plain sum": {"balanced": False},  # code: --awloss 0
        "w/o structure": without(UMAEAParams.modalities, "structure"),
        "w/o relation": without(UMAEAParams.modalities, "relation"),
        "w/o attribute": without(UMAEAParams.modalities, "attribute"),
        "w/o visual": without(UMAEAParams.modalities, "image"),
        "w/o names": without(UMAEAParams.modalities, "name"),
    }
    test_params: ClassVar = {
        "epochs": 60,
        "dim": 32,
        "learning_rate": 5e-3,
        "first_epochs": 10,
        "imagining_epochs": 10,
        "tuning_epochs": 10,
        "renew_every": 10,
        "promote_every": 10,
        "eval_every": 20,
    }

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why UMAEA cannot run: no usable modality, or nothing to learn to imagine from."""
        lacking, used = super().skip_reason(modalities), self.used_modalities(modalities)
        if lacking is None and self.params.imagines and not {"image"} < set(used):
            lacking = "imagining images (CMMI) needs the modality 'image' and another one"
        return lacking

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' joint vectors."""
        params: UMAEAParams = self.params
        graph = JointGraph.of(view)
        used = self.used_modalities(view.modalities)
        training, encoder = self._training(view, graph, used, ctx)
        return train_in_stages(training, params, encoder.embeddings, ctx)

    def _training(
        self, view: TrainView, graph: JointGraph, used: tuple[str, ...], ctx: RunContext
    ) -> tuple[StagedTraining, GlobalHybridEncoder]:
        params: UMAEAParams = self.params
        shape, settings = taken_from(params, EncoderShape), taken_from(params, TrainingSettings)
        seeds = graph.seed_pairs(view)
        if not params.imagines:
            encoder = hybrid_encoder(GlobalHybridEncoder, view, graph, used, shape, ctx)
            losses = ConfidentLosses(encoder.modalities, params.tau, balanced=params.balanced)
            return StagedTraining(encoder, losses.to(ctx.device), seeds, settings, ctx), encoder
        imagining = hybrid_encoder(ImaginingEncoder, view, graph, used, shape, ctx)
        has_image = torch.tensor(view.joint_features("image").present, device=ctx.device)
        initial, noise = ctx.generator("initial generator"), ctx.generator("noise")
        imagining.add_generator(has_image, initial, noise)
        further = ImaginationLosses(imagining.modalities, params.tau, balanced=params.balanced)
        stages = stages_of(taken_from(params, StageLengths), params.epochs)
        weights = taken_from(params, ImaginationWeights)
        training = ImaginingTraining(
            imagining, further.to(ctx.device), seeds, settings, stages, weights, ctx
        )
        return training, imagining

"""UMAEA: robust alignment under uncertainly missing and ambiguous images, first stage.

MEAformer's encoder with two joint vectors: the transformer's weights per entity serve training,
global weights serve training, pseudo-labels and testing. Each modality's contrastive loss counts a
pair as much as the less confident of its two ends. This is what the released scripts without CMMI
train; the two further stages, in which a generator imagines lacking images, are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule


@dataclass(frozen=True)
class UMAEAParams:
    """Hyper-parameters of UMAEA; defaults are its released settings for DBP15K.

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
    epochs: int = 250  # script; iterative 500
    batch_size: int = 3500  # pairs per optimiser step; script
    learning_rate: float = 5e-4  # code, over the script's 4e-3; of loss weights 5 times as much
    weight_decay: float = 1e-4  # code; none on biases, fusion logits and loss weights
    warm_up: float = 0.15  # share of the steps in which the learning rate rises; code
    clip: float = 1.0  # of the gradient's norm, in the first part; script
    iterative: bool = False  # script with --il
    iterative_start: int = 250  # script
    iterative_learning_rate: float = 1e-4  # code: a fifth
    iterative_stretch: float = 3.0  # schedule of the iterative part over this many starts; code
    check_every: int = 5  # script
    renew_every: int = 25  # code
    promote_every: int = 50  # code
    eval_every: int = 1  # code

    @property
    def growth(self) -> IterativeSchedule:
        """When pseudo-labels are looked for and promoted: before an epoch trains."""
        return IterativeSchedule(
            self.iterative_start,
            self.check_every,
            self.promote_every,
            self.renew_every,
            looks_first=True,
        )


def _without(name: str) -> dict[str, tuple[str, ...]]:
    return {"modalities": tuple(each for each in UMAEAParams.modalities if each != name)}


class UMAEA(Method):
    """UMAEA without imagined images, as its released code trains it."""

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
        "dbp15k-*": {"modalities": _without("name")["modalities"]},  # script
    }
    variants: ClassVar = {
        "iterative": {"iterative": True, "epochs": 500},
        "plain sum": {"balanced": False},  # code: --awloss 0
        "w/o structure": _without("structure"),
        "w/o relation": _without("relation"),
        "w/o attribute": _without("attribute"),
        "w/o visual": _without("image"),
        "w/o names": _without("name"),
    }
    test_params: ClassVar = {
        "epochs": 60,
        "dim": 32,
        "learning_rate": 5e-3,
        "iterative_start": 30,
        "renew_every": 10,
        "promote_every": 10,
        "eval_every": 20,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether pseudo-labels are learned before the last epoch is over."""
        params: UMAEAParams = self.params
        return params.iterative and params.growth.is_reached(params.epochs)

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why UMAEA cannot run: no usable modality."""
        if not self.used_modalities(modalities):
            return f"the dataset has none of: {', '.join(self.params.modalities)}"
        return None

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' joint vectors."""
        params: UMAEAParams = self.params
        graph = JointGraph.of(view)
        used = self.used_modalities(view.modalities)
        shape = taken_from(params, EncoderShape)
        encoder = hybrid_encoder(GlobalHybridEncoder, view, graph, used, shape, ctx)
        losses = ConfidentLosses(encoder.modalities, params.tau, balanced=params.balanced)
        losses = losses.to(ctx.device)
        settings = taken_from(params, TrainingSettings)
        training = StagedTraining(
            encoder, losses.to(ctx.device), graph.seed_pairs(view), settings, ctx
        )
        return train_in_stages(training, params.epochs, params.eval_every, encoder.embeddings, ctx)

"""PCMEA (interpretation): pseudo-label calibration on MCLEA's encoders and losses.

Beside MCLEA's modalities, relation and attribute names are read as texts; adapters with attention
stand behind structure, relations and attributes; a term ties modalities to the joint vector by a
bound of their mutual information; late in training a slow copy of the encoder gives the targets,
and a pseudo-label counts once it was proposed at two promotions in a row.

An interpretation: the released script does not start, its attention runs over a single token, its
mutual information over matched pairs alone with critics that are never trained, its texts keep the
first token alone, and its optimiser is made anew every epoch. Here attention runs over the tokens
that its name promises, critics learn to tell an entity's joint vector from all others of the batch,
texts are averaged, and one optimiser lives through the training. ``as released`` takes the released
forms back. The paper's text was not available.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.layers.encoders import DiagonalGAT
from mmea_bench.methods.core.layers.gat_structure import GATStructure
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders
from mmea_bench.methods.core.settings import taken_from, without
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams
from mmea_bench.methods.parts.pcmea.encoder import AdaptedEncoder, AdapterParams
from mmea_bench.methods.parts.pcmea.losses import LossParams, PCMEALosses
from mmea_bench.methods.parts.pcmea.texts import TEXT_OF, text_features
from mmea_bench.methods.parts.pcmea.training import Calibration, CopyParams, train_pcmea

MODALITIES = ("structure", "relation", "attribute", "image")
ORDER = ("image", "attribute", "relation", "structure", "attribute_text", "relation_text")
"""Order of the fusion."""


@dataclass(frozen=True)
class PCMEAParams(SeedTrainingParams):
    """Hyper-parameters of PCMEA; "script" and "code" are released, "ours" the reading chosen."""

    modalities: tuple[str, ...] = MODALITIES
    texts: bool = True  # of relations and attributes
    text_encoder: str = "roberta"  # of both texts; ours, code: RoBERTa and T5
    pooling: Literal["mean tokens", "first token"] = "mean tokens"  # ours, code: the first
    max_tokens: int = 512  # RoBERTa's limit
    structure_dim: int = 300  # script
    n_heads: tuple[int, ...] = (2, 2)  # one number per layer; code
    modality_dim: int = 100  # script
    # Adapters' attention: several tokens (ours), one (itself), one in the form of the code
    # (single), or no adapters.
    attention: Literal["tokens", "itself", "single", "none"] = "tokens"
    attention_heads: int = 10  # code
    bottleneck: int = 30  # of the structure adapter; code
    dropout: float = 0.1  # of the adapters; code
    tau1: float = 0.1  # ICL temperature; script
    tau2: float = 4.0  # IAL temperature; script
    momentum_tau: float = 0.05  # with the momentum copy; code
    zoom: float = 0.1  # weight of IAL, applied twice; script
    information: float = 0.1  # weight of the mutual-information terms; ours, code: 1
    shuffled: bool = True  # critics learn from all pairs of a batch; ours, code: False
    critic_dim: int = 10  # code
    momentum_start: int = 500  # code
    momentum_every: int = 1  # epochs between two updates of the copy; ours, code: 20
    momentum: float = 0.999  # code; 1 leaves the copy as it was made
    calibration: Calibration = "previous"  # ours, code: any earlier promotion
    companions_until_start: int = 0  # epochs with companions of each pair; ours, code: 250
    last_batch_twice: bool = False  # a slip of the code
    epochs: int = 1500  # ours, script: 4500
    learning_rate: float = 5e-4  # script
    weight_decay: float = 0.01  # the library's default
    batch_size: int = 512  # script; sets the negatives, not the number of steps
    restart_from: int = 1_000_000  # never; ours, code: 501
    iterative: bool = True  # script
    iterative_start: int = 500  # script
    check_every: int = 5  # script
    promote_every: int = 50  # code
    eval_every: int = 50  # code

    def __post_init__(self) -> None:
        for name in ("structure_dim", "modality_dim"):
            if getattr(self, name) % self.attention_heads:
                raise ValueError(f"{name} must be a multiple of attention_heads")

    @property
    def last_growth(self) -> int:
        """Last epoch at which pairs may be found that join, which calibration delays."""
        return self.epochs - (0 if self.calibration == "none" else self.promote_every)


class PCMEA(TextMethod):
    """PCMEA (interpretation); ``as released`` has the released formulas, slips included."""

    paper = Paper(
        authors="Wang, Qi, Bao, Zhou, Qin",
        title="Pseudo-Label Calibration Semi-supervised Multi-Modal Entity Alignment",
        venue="AAAI",
        year=2024,
        url="https://doi.org/10.1609/aaai.v38i8.28762",
        code_url="https://github.com/paichichi/PCMEA",
        code_commit="7d04229",
        interpretation="The released script does not start.",
    )
    modalities: ClassVar[tuple[str, ...]] = MODALITIES
    texts_of: ClassVar[tuple[str, ...]] = tuple(TEXT_OF)
    Params = PCMEAParams
    published_scoring = Scoring("cosine", csls=3)  # script; one setting serves both datasets
    variants: ClassVar = {
        "as released": {
            "pooling": "first token",
            "attention": "single",
            "information": 1.0,
            "shuffled": False,
            "momentum_every": 20,
            "calibration": "any earlier",
            "companions_until_start": 250,
            "last_batch_twice": True,
            "epochs": 4500,
            "restart_from": 501,
        },
        # The paper's table of ablations was not available: one row for each part.
        "w/o structure": without(MODALITIES, "structure"),
        "w/o relation": without(MODALITIES, "relation"),
        "w/o attribute": without(MODALITIES, "attribute"),
        "w/o image": without(MODALITIES, "image"),
        "w/o name texts": {"texts": False},
        "w/o adapters": {"attention": "none"},
        "w/o MI": {"information": 0.0},
        "w/o KL": {"zoom": 0.0},
        "w/o momentum": {"momentum_start": 1_000_000},
        "w/o calibration": {"calibration": "none"},
        "w/o iter. strategy": {"iterative": False},
        "attention to itself": {"attention": "itself"},
        "offline encoder": {"text_encoder": "minilm"},
    }
    test_params: ClassVar = {
        "epochs": 60,
        "structure_dim": 30,
        "modality_dim": 20,
        "attention_heads": 5,
        "learning_rate": 2e-3,
        "momentum_start": 20,
        "iterative_start": 20,
        "promote_every": 10,
        "eval_every": 20,
        "text_encoder": "hashed",
        "max_tokens": 24,
    }

    @property
    def text_encoder(self) -> str | None:
        """Encoder of attributes and relations; None where none is read as a text."""
        params: PCMEAParams = self.params
        return params.text_encoder if params.texts else None

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns all entities' joint vectors."""
        params: PCMEAParams = self.params
        graph = JointGraph.of(view)
        encoder, dims = _encoder(view, graph, self.chosen_modalities(view.modalities), params, ctx)
        losses = PCMEALosses(
            encoder,
            dims,
            taken_from(params, LossParams),
            ctx.generator("initial critics"),
        ).to(ctx.device)
        settings = taken_from(params, CopyParams)
        return train_pcmea(encoder, losses, graph.seed_pairs(view), params, settings, ctx)


def _encoder(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: PCMEAParams, ctx: RunContext
) -> tuple[AdaptedEncoder, dict[str, int]]:
    """The encoder, and the columns of each modality."""
    generator = ctx.generator("initial values")
    structure = None
    if "structure" in used:
        gat = DiagonalGAT(
            params.structure_dim, params.n_heads, -1, "mean", generator, last_activation=False
        )
        structure = GATStructure(graph, gat, ctx.device)
    features: dict[str, Tensor] = input_features(view, graph, used, ctx, sparse=True)
    for name, text in TEXT_OF.items():
        if params.texts and name in used:
            features[text] = text_features(
                view, name, params.text_encoder, params.pooling, params.max_tokens, ctx
            )
    order = tuple(name for name in ORDER if name in features or name in used)
    dims = dict.fromkeys(features, params.modality_dim)
    encoders = ModalityEncoders(
        graph, features, structure, dims, order, params.structure_dim, generator
    )
    dims = {**dims, "structure": params.structure_dim}
    encoder = AdaptedEncoder(encoders, dims, taken_from(params, AdapterParams), ctx)
    return encoder.to(ctx.device), dims

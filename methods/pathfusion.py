"""PathFusion: similarities along paths through attribute values and images, beside Dual-AMN.

No modality is encoded by a trained network. A path from an entity over its values (or image) to
similar values (images) and on to the entities of the other KG gives one fixed matrix of
similarities; these are added to the cosines of a structural model, whose seeds grow by the mutual
best pairs of the sum. Sinkhorn turns the sum into a soft assignment, which the protocol does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import RunContext, Scoring
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.rounds.dual_training import train_dual_encoder
from mmea_bench.methods.parts.pathfusion.paths import (
    HeldPath,
    ImagePath,
    ScaledPath,
    SimilarityPath,
    value_similarities,
)
from mmea_bench.methods.parts.pathfusion.values import ValueItems


@dataclass(frozen=True)
class PathFusionParams:
    """Hyper-parameters of PathFusion; defaults are those of its released code.

    The temperature (0.02) and the sweeps (100) of Sinkhorn belong to the scoring.
    """

    modalities: tuple[str, ...] = ("structure", "attribute", "image")
    # The code has a RoBERTa for sentence similarity; this is a sentence encoder as well.
    text_encoder: str = "minilm"
    names: Literal["encoded", "equal"] = "encoded"  # equal: every name is like every other
    # FB15K's values are encoded with their names, the other KG's names alone; a slip of the code.
    name_and_value: bool = False
    value_offset: float = 1e-3  # added to differences of values; code
    dim: int = 128  # of entities and relations; code
    depth: int = 2  # layers; code
    n_proxies: int = 64  # code
    dropout: float = 0.3  # of the outputs; code
    margin: float = 1.0  # code
    scale: float = 30.0  # lambda; code
    shift: float = 10.0  # tau; code
    epochs: int = 30  # 20, and two rounds of 5; code
    batch_size: int = 1024  # code
    bootstrap_start: int = 20  # epochs of the first round; code
    bootstrap_every: int = 5  # epochs of the later ones; code
    learning_rate: float = 5e-3  # RMSprop with Keras' defaults; code
    eval_every: int = 5  # code


class PathFusion(TextMethod):
    """PathFusion as its released code computes it, with names alone on both sides of a path."""

    paper = Paper(
        authors="Zhu, Liu, Mao, Chen, Guo, Gui, Zhang",
        title="Universal Multi-modal Entity Alignment via Iteratively Fusing Modality Similarity "
        "Paths",
        venue="arXiv",
        year=2023,
        url="https://arxiv.org/abs/2310.05364",
        code_url="https://github.com/blzhu0823/PathFusion",
        code_commit="c997b63",
    )
    modalities: ClassVar[tuple[str, ...]] = PathFusionParams.modalities
    texts_of: ClassVar[tuple[str, ...]] = ("attribute",)
    Params = PathFusionParams
    published_scoring = Scoring(None, 0, "sinkhorn[sweeps=100,temperature=0.02]")  # code
    variants: ClassVar = {
        "w/o iteration": {"epochs": 20},
        "structure alone": {"modalities": ("structure",)},
        "attributes alone": {"modalities": ("attribute",)},
        "w/o attribute": {"modalities": ("structure", "image")},
        "w/o visual": {"modalities": ("structure", "attribute")},
        "w/o structure": {"modalities": ("attribute", "image")},
        "w/o attribute names": {"names": "equal"},
        "as released": {"name_and_value": True},
    }
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "epochs": 40,
        "bootstrap_start": 20,
        "bootstrap_every": 10,
        "dim": 16,
        "n_proxies": 8,
        "eval_every": 20,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether promoted pairs are learned before the last epoch is over."""
        params: PathFusionParams = self.params
        return "structure" in params.modalities and params.epochs > params.bootstrap_start

    @property
    def text_encoder(self) -> str | None:
        """Encoder of the attributes' names; None where they are not encoded."""
        params: PathFusionParams = self.params
        return params.text_encoder if params.names == "encoded" else None

    def fit(self, view: TrainView, ctx: RunContext) -> PairScores:
        """Sums of similarities of all pairs of entities."""
        params: PathFusionParams = self.params
        graph, used = JointGraph.of(view), self.used_modalities(view.modalities)
        paths = similarity_paths(view, graph, used, params, ctx)
        if "structure" not in used:
            return summed_scores(graph, None, paths, ctx.device)

        def align(vectors: Tensor) -> PairScores:
            return summed_scores(graph, vectors, paths, ctx.device)

        return train_dual_encoder(view, graph, params, align, ctx)


def similarity_paths(
    view: TrainView,
    graph: JointGraph,
    used: tuple[str, ...],
    params: PathFusionParams,
    ctx: RunContext,
) -> list[ScaledPath]:
    """The fixed paths, each in [0, 1] over the entities that stand in no seed link.

    The code takes the range over the entities of the test links, which a training is not told.
    """
    found: list[SimilarityPath] = []
    n_source = graph.n_source
    if "attribute" in used:

        def similarity(first: list[str], second: list[str]) -> Tensor:
            if params.names == "equal":
                return torch.ones(len(first), len(second))
            texts = [*first, *second]
            vectors = text_vectors(texts, params.text_encoder, "mean tokens", ctx)
            return vectors[: len(first)] @ vectors[len(first) :].T

        items = ValueItems.of(view.source), ValueItems.of(view.target)
        matrix = value_similarities(
            *items, similarity, params.value_offset, slip=params.name_and_value
        )
        found.append(HeldPath(matrix.to(ctx.device)))
    if "image" in used:
        images = modality_features(view, "image", ctx, "zeros").to(ctx.device)
        found.append(ImagePath(images[:n_source], images[n_source:]))
    free = torch.ones(graph.n_entities, dtype=torch.bool)
    free[graph.seed_pairs(view).flatten()] = False
    sources, targets = (
        torch.nonzero(part).squeeze(1).to(ctx.device) for part in (free[:n_source], free[n_source:])
    )
    return [ScaledPath.over(path, sources, targets) for path in found]


def summed_scores(
    graph: JointGraph, vectors: Tensor | None, paths: Sequence[ScaledPath], device: torch.device
) -> PairScores:
    """Cosine of the structural vectors plus all paths, with equal weights.

    Args:
        graph: Union graph.
        vectors: Of all entities, [n_entities, dim]; None without structure.
        paths: Fixed similarities.
        device: Where scores are made.
    """
    n_source, n_target = graph.n_source, graph.n_entities - graph.n_source
    units = None if vectors is None else normalize(vectors.detach(), dim=1)

    def score_block(sources: Tensor) -> Tensor:
        scores = torch.zeros(len(sources), n_target, device=device)
        if units is not None:
            scores += units[sources] @ units[n_source:].T
        for path in paths:
            scores += path.rows(sources)
        return scores

    return PairScores(score_block, n_source, n_target, device, "summed")

"""XGEA: reflection attention on entities and relations, with images as pivots.

What the released script trains reads no image in its vectors: images give pseudo-seeds, the most
alike ones of the two KGs, and that is all. The cross-modal model, in which images guide the
messages of entities and the other way round, is in the release but not called by it; here it is the
variant ``cross-modal``. Mutual nearest neighbours become seeds after each round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.reflection import ReflectionGraph
from mmea_bench.methods.core.layers.reflection_encoder import NeighbourFeatures
from mmea_bench.methods.core.rounds.promotions import Promotions, RoundSettings
from mmea_bench.methods.core.rounds.steps import HardSampleEpochs, HardSampling
from mmea_bench.methods.core.rounds.training import train_in_rounds
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.pseudo_seeds import unsupervised_seeds
from mmea_bench.methods.parts.xgea.guided_attention import AttentionEncoder

_IMAGE_SHARE = 0.3
"""Factor of the guided image vectors in the cross-modal model; released code."""


@dataclass(frozen=True)
class XGEAParams:
    """Hyper-parameters of XGEA; defaults are those of its released script."""

    modalities: tuple[str, ...] = ("structure", "image")
    cross_modal: bool = False  # whether images stand in the vectors; the script does not
    dim: int = 128  # code
    depth: int = 2  # code
    n_pivots: int = 6300  # pseudo-seeds by images, on any dataset; code
    dropout: float = 0.3  # of the outputs; code
    margin: float = 3.0  # code's default, which the script leaves
    scale: float = 20.0  # lambda; code
    shift: float = 8.0  # tau; code
    batch_size: int = 1024  # code
    bootstrap_start: int = 12  # epochs of the first round; code
    bootstrap_every: int = 5  # of the other four; code
    csls_k: int = 10  # of what is promoted; code
    epochs: int = 32  # of all five rounds; code
    learning_rate: float = 5e-3  # RMSprop with the library's other defaults; code
    weight_decay: float = 5e-4  # code
    eval_every: int = 5

    def __post_init__(self) -> None:
        if self.cross_modal and "image" not in self.modalities:
            raise ValueError("the cross-modal model needs the modality image")


class XGEA(Method):
    """XGEA as its released script trains it; ``cross-modal`` is the model of its title."""

    paper = Paper(
        authors="Xu, Xu, Su",
        title="Cross-Modal Graph Attention Network for Entity Alignment",
        venue="ACM MM",
        year=2023,
        url="https://doi.org/10.1145/3581783.3612151",
        code_url="https://github.com/LoveBigAI/XGEA",
        code_commit="21b7341",
    )
    modalities: ClassVar[tuple[str, ...]] = XGEAParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = XGEAParams
    # The script prints target to source alone. How others ran it on FB15K is not known.
    published_scoring = Scoring("cosine", csls=10)
    variants: ClassVar = {
        "cross-modal": {"cross_modal": True, "scale": 30.0, "shift": 10.0},
        "w/o image": {"modalities": ("structure",)},
        "one round": {"epochs": 12},
    }
    test_params: ClassVar = {
        "dim": 16,
        "n_pivots": 60,
        "bootstrap_start": 16,
        "bootstrap_every": 8,
        "epochs": 32,
        "eval_every": 16,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether promoted pairs are learned before the last epoch is over."""
        params: XGEAParams = self.params
        return params.epochs > params.bootstrap_start

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why it cannot run: no triples, or no images where they stand in the vectors."""
        lacking = super().skip_reason(modalities)
        if lacking is None and self.params.cross_modal and "image" not in modalities:
            lacking = "the dataset lacks: image"
        return lacking

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, 2 or 3 times (depth + 1) dim] on each side."""
        params: XGEAParams = self.params
        graph, images = JointGraph.of(view), None
        if "image" in self.used_modalities(view.modalities):
            images = modality_features(view, "image", ctx).to(ctx.device)
        model = CrossModalEncoder(graph, images if params.cross_modal else None, params, ctx)
        pairs = PivotedPairs(graph, view, images, params, ctx)
        optimiser = torch.optim.RMSprop(
            model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )
        settings = taken_from(params, HardSampling)
        step = HardSampleEpochs(model, pairs.all, optimiser, settings, ctx)

        return train_in_rounds(
            model, step, graph.split, pairs.rounds, ctx, eval_every=params.eval_every
        )


class PivotedPairs:
    """Seeds, promoted pairs, and pivots: the entities of the two KGs whose images are most alike.

    Pivots may contradict seeds and each other's promoted pairs, as in the released code. Every
    entity without a seed may be promoted; the code knows which have a partner.

    Args:
        graph: Union graph.
        view: With the seed links.
        images: Unit vectors of all entities, drawn ones among them; None gives no pivots.
        params: How many pivots.
        ctx: Its log.

    Attributes:
        rounds: Seeds and promoted pairs.
        pivots: Joint ids, [n_pivots, 2].
    """

    def __init__(
        self,
        graph: JointGraph,
        view: TrainView,
        images: Tensor | None,
        params: XGEAParams,
        ctx: RunContext,
    ) -> None:
        self.rounds = Promotions(graph, view, taken_from(params, RoundSettings), ctx)
        self.pivots = torch.empty(0, 2, dtype=torch.int64)
        if images is not None:
            self.pivots = unsupervised_seeds(images, graph.n_source, params.n_pivots).cpu()

    def all(self) -> Tensor:
        """What is learned at present, joint ids, [n, 2]."""
        return torch.cat([self.rounds.pairs, self.pivots])


class CrossModalEncoder(nn.Module):
    """An encoder of neighbours and one of relations; with images, one guided by either.

    Args:
        graph: Union graph.
        images: Vectors of all entities that stand in the output; None leaves them out.
        params: Sizes.
        ctx: Device and generator.
    """

    def __init__(
        self, graph: JointGraph, images: Tensor | None, params: XGEAParams, ctx: RunContext
    ) -> None:
        super().__init__()
        generator, dim, depth = ctx.generator("initial values"), params.dim, params.depth
        self.features = NeighbourFeatures(graph, dim, dim, generator, ctx.device)
        with torch.no_grad():
            for table in (self.features.entities, self.features.relations):
                bound = math.sqrt(6 / sum(table.shape))  # Xavier's, where Dual-AMN has Keras'
                table.copy_((torch.rand(table.shape, generator=generator) * 2 - 1) * bound)
        has_images = images is not None
        self.of_entities = AttentionEncoder(dim, depth, generator, guided=has_images)
        self.of_relations = AttentionEncoder(dim, depth, generator)
        if images is not None:
            self.of_images = AttentionEncoder(dim, depth, generator, guided=True)
            self.projection = glorot_uniform(images.shape[1], dim, generator)
        self._images = images
        self._reflections = ReflectionGraph.of(graph, ctx.device)
        self.to(ctx.device)

    def forward(self) -> Tensor:
        """Vectors of all entities, not normalised."""
        graph, features = self._reflections, self.features
        directions = graph.directions(features.relations)
        entities = features.of_neighbours()
        relations = self.of_relations(features.of_relations(), directions, graph)
        if self._images is None:
            return torch.cat([self.of_entities(entities, directions, graph), relations], dim=1)
        images = self._images @ self.projection
        guided = (
            self.of_entities(entities, directions, graph, images),
            _IMAGE_SHARE * self.of_images(images, directions, graph, entities),
        )
        return torch.cat([*guided, relations], dim=1)

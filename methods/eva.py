"""EVA: visual pivoting for (unsupervised) entity alignment.

Each modality gets its own encoder, each encoder its own neighbourhood-component loss over the seed
pairs; the joint vector is a weighted concatenation whose loss trains the weights alone. Late in an
iterative training mutual nearest neighbours join the seeds; without seeds the most similar images
stand in for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import input_features, modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.layers.encoders import GCN
from mmea_bench.methods.core.layers.multimodal import MultiModalEncoder, StructureEncoder
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.losses.nca import ModalityNCA
from mmea_bench.methods.core.search_space import Choice, Dimension, Float
from mmea_bench.methods.core.training.pseudo_seeds import unsupervised_seeds
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds

ORDER = ("image", "attribute", "relation", "structure")
"""Order of the concatenation in the released code."""


@dataclass(frozen=True)
class EVAParams(SeedTrainingParams):
    """Hyper-parameters of EVA; defaults are those of its released scripts for DBP15K."""

    modalities: tuple[str, ...] = ("structure", "relation", "attribute", "image")
    table_dim: int = 400  # entity table and first layer, script
    structure_dim: int = 200  # second layer, script
    modality_dim: int = 100  # relation and attribute vectors, code
    image_dim: int = 200  # image vectors, code
    structure_scale: float = 5.0  # NCA scale of the structure, code
    modality_scale: float = 15.0  # NCA scale of everything else, code
    attraction: float = 10.0  # beta, code
    margin: float = 0.0  # epsilon, code
    epochs: int = 500  # script without iterative learning; with it 1000
    learning_rate: float = 5e-4  # script
    weight_decay: float = 0.01  # the library's default; the script's value is never passed on
    batch_size: int = 7500  # script; more pairs are shuffled into batches anew in every epoch
    restart_from: int = 501  # the optimiser is made anew every epoch from here on, code
    iterative: bool = False  # script with --il
    iterative_start: int = 500  # script
    check_every: int = 5  # script
    promote_every: int = 50  # code
    unsupervised_pairs: int = 0  # pseudo-seeds from images instead of seed links; script: 6000
    eval_every: int = 50  # script


class _GCNStructure(StructureEncoder):
    def __init__(
        self, graph: JointGraph, params: EVAParams, generator: torch.Generator, device: torch.device
    ) -> None:
        super().__init__()
        self.gcn = GCN((params.table_dim, params.table_dim, params.structure_dim), generator)
        size = graph.n_entities
        rows, columns, weights = undirected_edges(graph)
        normalised = symmetric_normalised(rows, columns, weights, size)
        pattern = SparsePattern(rows, columns, (size, size), device)
        self._adjacency = FixedMatrix(pattern, torch.from_numpy(normalised))
        self._wanted = self._adjacency

    def prepare(self, rows: Tensor) -> None:
        self._wanted = self._adjacency.restricted(rows)

    def forward(self, inputs: Tensor, *, all_rows: bool) -> Tensor:
        last = self._adjacency if all_rows else self._wanted
        vectors: Tensor = self.gcn(inputs, self._adjacency, last)
        return vectors


class EVA(Method):
    """EVA as its released code trains it."""

    paper = Paper(
        authors="Liu, Chen, Roth, Collier",
        title="Visual Pivoting for (Unsupervised) Entity Alignment",
        venue="AAAI",
        year=2021,
        url="https://arxiv.org/abs/2009.13603",
        code_url="https://github.com/cambridgeltl/eva",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "relation", "attribute", "image")
    Params = EVAParams
    # The scripts; one setting, the defaults, serves all DBP15K pairs. Tables that quote EVA on the
    # FB15K pairs do not state theirs.
    published_scoring = Scoring("cosine", csls=3)
    # Our choice of ranges, around the defaults.
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "learning_rate": Float(5e-5, 5e-3, log=True),
        "structure_scale": Float(1.0, 20.0, log=True),
        "modality_scale": Float(2.0, 50.0, log=True),
        "attraction": Float(1.0, 30.0, log=True),
        "margin": Float(0.0, 1.0),
        "weight_decay": Float(1e-4, 0.1, log=True),
        "modality_dim": Choice((100, 200)),
    }
    variants: ClassVar = {
        "iterative": {"iterative": True, "epochs": 1000},
        "unsupervised": {"iterative": True, "epochs": 1000, "unsupervised_pairs": 6000},
        "w/o structure": {"modalities": ("relation", "attribute", "image")},
        "w/o relation": {"modalities": ("structure", "attribute", "image")},
        "w/o attribute": {"modalities": ("structure", "relation", "image")},
        "w/o visual": {"modalities": ("structure", "relation", "attribute")},
    }
    test_params: ClassVar = {
        "epochs": 60,
        "table_dim": 32,
        "structure_dim": 32,
        "iterative_start": 30,
        "promote_every": 10,
        "eval_every": 20,
    }

    @property
    def needs_seeds(self) -> bool:
        """Whether seed links give the seeds, not images."""
        return not self.params.unsupervised_pairs

    @property
    def further_modalities(self) -> tuple[str, ...]:
        """Images, where they give the seeds."""
        return ("image",) if self.params.unsupervised_pairs else ()

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why EVA cannot run: no usable modality, or no images for the unsupervised variant."""
        lacking = super().skip_reason(modalities)
        if lacking is None and self.params.unsupervised_pairs and "image" not in modalities:
            lacking = "pseudo-seeds come from images and the dataset has none"
        return lacking

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links (or visual pivots) and returns all entities' joint vectors."""
        params: EVAParams = self.params
        graph = JointGraph.of(view)
        used = self.chosen_modalities(view.modalities)
        encoder = _encoder(view, graph, used, params, ctx)
        losses = ModalityNCA(
            encoder.fusion,
            {"structure": params.structure_scale},
            params.modality_scale,
            params.batch_size,
            params.attraction,
            params.margin,
            shuffles=ctx.generator("batches"),
        )
        return train_on_seeds(
            encoder,
            losses,
            _seed_pairs(view, graph, params, ctx),
            params,
            ctx,
        )


def _encoder(
    view: TrainView, graph: JointGraph, used: tuple[str, ...], params: EVAParams, ctx: RunContext
) -> MultiModalEncoder:
    generator = ctx.generator("initial values")
    structure = _GCNStructure(graph, params, generator, ctx.device) if "structure" in used else None
    features = input_features(view, graph, used, ctx, sparse=True)
    dims = {name: params.image_dim if name == "image" else params.modality_dim for name in features}
    order = tuple(name for name in ORDER if name in used)
    encoder = MultiModalEncoder(
        graph, features, structure, dims, order, params.table_dim, generator
    )
    return encoder.to(ctx.device)


def _seed_pairs(view: TrainView, graph: JointGraph, params: EVAParams, ctx: RunContext) -> Tensor:
    """Seed links, or the most similar images of the two graphs, as joint ids."""
    if not params.unsupervised_pairs:
        return graph.seed_pairs(view)
    images = modality_features(view, "image", ctx)
    return unsupervised_seeds(images, graph.n_source, params.unsupervised_pairs)

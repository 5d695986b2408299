"""SEU: features of names, propagated over both graphs, and an assignment; nothing is trained.

Two graphs that are nearly the same give nearly the same vectors after the same steps, so that
alignment is an assignment problem. The paper solves it by Sinkhorn iterations, which its published
numbers here stand on, or by the Hungarian algorithm: that form is the decoder ``hungarian``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import bigram_counts, word_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.relation_matrices import inverse_frequency_adjacency
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.search_space import Choice, Dimension, Int

FEATURES: Mapping[str, Callable[[TrainView, RunContext], Tensor]] = {
    "word": word_vectors,
    "char": bigram_counts,
}


@dataclass(frozen=True)
class SEUParams:
    """Hyper-parameters of SEU; defaults are those of its released notebook.

    The temperature (1 / 50) and the sweeps (10) of Sinkhorn belong to the scoring.
    """

    modalities: tuple[str, ...] = ("structure", "name")
    features: tuple[str, ...] = ("word", "char")  # both are the paper's "hybrid"; notebook
    depth: int = 2  # propagation steps; notebook


class SEU(Method):
    """SEU: the mean of the similarities after 0, 1, ... ``depth`` steps, which reads no seed."""

    paper = Paper(
        authors="Mao, Wang, Wu, Lan",
        title="From Alignment to Assignment: Frustratingly Simple Unsupervised Entity Alignment",
        venue="EMNLP",
        year=2021,
        url="https://arxiv.org/abs/2109.02363",
        code_url="https://github.com/MaoXinn/SEU",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("name",)
    Params = SEUParams
    # Released notebook; candidates are the entities of all links there, as here at a seed ratio of
    # 0. MCLEA quotes Hits@10 and MRR, which the Hungarian form does not have.
    published_scoring = Scoring("inner", 0, "sinkhorn[sweeps=10,temperature=0.02]")
    grid: ClassVar = {"depth": (0, 1, 2, 3, 4)}
    search_space: ClassVar[Mapping[str, Dimension]] = {  # all that there is; published sweeps
        "depth": Int(0, 4),
        "features": Choice((("word", "char"), ("word",), ("char",))),
    }
    variants: ClassVar = {
        "SEU (word)": {"features": ("word",)},
        "SEU (char)": {"features": ("char",)},
        "SEU (char) w/o structure": {"features": ("char",), "modalities": ("name",)},
        "w/o structure": {"modalities": ("name",)},
    }

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all steps side by side, [n_entities, (depth + 1) * dim] on each side.

        Each step has unit rows, and the whole is scaled so that inner products are the mean of the
        inner products of the steps. Half precision, since 5,700 columns would take 0.9 GB: their
        rounding changes an inner product by less than 0.00001.
        """
        params: SEUParams = self.params
        graph = JointGraph.of(view)
        parts = [FEATURES[name](view, ctx) for name in params.features]
        features = normalize(torch.cat(parts, dim=1), dim=1).to(ctx.device)
        del parts
        has_structure = "structure" in self.used_modalities(view.modalities)
        depth = params.depth if has_structure else 0
        shape = graph.n_entities, (depth + 1) * features.shape[1]
        vectors = torch.empty(shape, dtype=torch.float16, device=ctx.device)
        steps = propagated(features, inverse_frequency_adjacency(graph, ctx.device), depth)
        for place, step in zip(vectors.chunk(depth + 1, dim=1), steps, strict=True):
            place.copy_(step / math.sqrt(depth + 1))
        return graph.split(vectors, similarity="inner")


def propagated(features: Tensor, adjacency: FixedMatrix, depth: int) -> Iterator[Tensor]:
    """``X_0`` and then ``X_k+1``, the normalised rows of ``A X_k``; depth + 1 tensors [n, dim]."""
    yield features
    for _ in range(depth):
        features = normalize(adjacency @ features, dim=1)
        yield features

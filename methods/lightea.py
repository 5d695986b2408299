"""LightEA: labels of seed links spread over entities, relations and triples; nothing is trained.

A label is a random unit vector that both entities of a link share. What has spread is compared, a
sparse Sinkhorn plan makes it nearly one-to-one, and pairs with most of the mass become labels
of the next round. Published candidates of that step are the entities of the test links, which no
training here is told; ours are all entities without a label.
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
from mmea_bench.methods.core.inputs.features import bigram_counts, word_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.label_propagation import (
    LabelGraph,
    confident_pairs,
    propagated,
    random_labels,
    third_view,
    unit_side_by_side,
)
from mmea_bench.methods.core.search_space import Dimension, Float, Int


@dataclass(frozen=True)
class LightEAParams:
    """Hyper-parameters of LightEA; defaults are those of its released notebook."""

    modalities: tuple[str, ...] = ("structure",)  # notebook: names off; LightEA-L adds them
    dim: int = 1024  # of a label, notebook
    n_hops: int = 2  # notebook
    relation_dim: int = 512  # half of dim on DBP15K, a third on the mono-lingual sets, notebook
    mini_dim: int = 16  # per relation column, notebook
    rounds: int = 3  # notebook; 1 is LightEA-B
    threshold: float = 0.5  # mass of a pair that becomes a label, notebook
    candidates: int = 500  # targets of a source in the plan, notebook
    temperature: float = 0.02  # notebook
    sweeps: int = 15  # notebook


class LightEA(Method):
    """LightEA-I; LightEA-B is its first round alone, LightEA-L adds the features of names."""

    paper = Paper(
        authors="Mao, Wang, Wu, Lan",
        title=(
            "LightEA: A Scalable, Robust, and Interpretable Entity Alignment Framework via "
            "Three-view Label Propagation"
        ),
        venue="EMNLP",
        year=2022,
        url="https://arxiv.org/abs/2210.10436",
        code_url="https://github.com/MaoXinn/LightEA",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = LightEAParams
    # Released notebook.
    published_scoring = Scoring("inner", 0, "sinkhorn[candidates=500,sweeps=15,temperature=0.02]")
    # The notebook goes by whether a dataset's name holds "EN".
    published_settings: ClassVar = {"fb15k-*": {"relation_dim": 341}}
    variants: ClassVar = {
        "LightEA-B": {"rounds": 1},
        "LightEA-L": {"modalities": ("structure", "name")},
        "PyTorch port": {"dim": 256, "relation_dim": 256},  # never LightEA's numbers
    }
    # Our choice of ranges, around the defaults.
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "n_hops": Int(1, 3),
        "rounds": Int(1, 5),
        "threshold": Float(0.2, 0.9),
        "temperature": Float(0.005, 0.1, log=True),
    }
    test_params: ClassVar = {"dim": 64, "relation_dim": 16, "candidates": 20}

    @property
    def is_iterative(self) -> bool:
        """Whether a second round learns from what the first one found."""
        return bool(self.params.rounds > 1)

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Rounds of propagation and pseudo-labels, then the vectors of the last propagation.

        [n_entities, relation_dim * mini_dim] in half precision on each side, and columns of names.
        """
        params: LightEAParams = self.params
        union = JointGraph.of(view)
        graph = LabelGraph.of(union, ctx.device)
        named = self._named(view, graph, ctx)
        labels = union.seed_pairs(view)
        for number in range(1, params.rounds):
            vectors = unit_side_by_side([self._spread(labels, graph, ctx, number), *named])
            found = self._confident(union.split(vectors, "inner"), labels, union.n_source)
            del vectors  # before the next ones are made: both would not fit into 2 GiB
            labels = torch.cat([labels, found])
            if len(found):
                ctx.log.pseudo_labels_from(number + 1)
        ctx.log.epochs = ctx.log.best_epoch = params.rounds
        last = self._spread(labels, graph, ctx, params.rounds)
        return union.split(unit_side_by_side([last, *named]), "inner")

    def _spread(self, labels: Tensor, graph: LabelGraph, ctx: RunContext, number: int) -> Tensor:
        """Third view of random labels of the pairs, [n_entities, relation_dim * mini_dim]."""
        params: LightEAParams = self.params
        generator = ctx.generator(f"round {number}")
        start = random_labels(labels, (graph.n_entities, params.dim), generator)
        hops = propagated(start.to(ctx.device), graph, params.n_hops)
        del start  # 160 MB that nobody reads any more
        return third_view(*hops, graph, (params.relation_dim, params.mini_dim), ctx, generator)

    def _named(self, view: TrainView, graph: LabelGraph, ctx: RunContext) -> tuple[Tensor, ...]:
        """Features of names after all hops, and their third view; nothing without names."""
        params: LightEAParams = self.params
        if "name" not in self.used_modalities(view.modalities):
            return ()
        # Each of them has unit rows; the source names no other scaling of the two together.
        features = torch.cat([word_vectors(view, ctx), bigram_counts(view, ctx)], dim=1)
        features = features.to(ctx.device)
        entities, relations = propagated(features, graph, params.n_hops)
        widths = params.relation_dim, params.mini_dim
        third = third_view(entities, relations, graph, widths, ctx, ctx.generator("names"))
        return torch.cat([hop.half() for hop in entities], dim=1), third

    def _confident(self, embeddings: Embeddings, labels: Tensor, n_source: int) -> Tensor:
        """Pairs of entities without a label that hold most of the mass, as joint ids, [n, 2]."""
        params: LightEAParams = self.params
        n_candidates, sinkhorn = params.candidates, (params.temperature, params.sweeps)
        return confident_pairs(
            embeddings, labels, n_source, n_candidates, sinkhorn, params.threshold
        )

"""GCN-Align: cross-lingual alignment by two graph convolutions without weight matrices.

Structure features (a trainable table) and attribute features (a trained projection of attribute
names) each pass two convolutions over a relation-weighted adjacency; both are trained by an L1
margin loss on the seed links and compared by the L1 distance of their weighted concatenation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import attribute_cells
from mmea_bench.methods.core.inputs.graphs.functionality import functional_adjacency
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.layers.weightless_gcn import WeightlessGCN
from mmea_bench.methods.core.losses.margins import pair_margin_loss
from mmea_bench.methods.core.search_space import Choice, Dimension, Float, Int
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.optimisers import sgd
from mmea_bench.methods.core.training.pair_stand_ins import PairStandIns


@dataclass(frozen=True)
class GCNAlignParams:
    """Hyper-parameters of GCN-Align; defaults are those of its released code."""

    modalities: tuple[str, ...] = ("structure", "attribute")
    structure_dim: int = 200  # code
    attribute_dim: int = 100  # code
    n_attributes: int = 2000  # most frequent attribute names, fewer where fewer exist; code
    structure_share: float = 0.9  # weight of the structure distance, code
    margin: float = 3.0  # code
    n_negatives: int = 5  # per side, code
    refresh_every: int = 10  # epochs between two draws of negatives, code
    weight_floor: float = 0.3  # of a relation's functionality, code
    epochs: int = 2000  # code
    learning_rate: float = 20.0  # plain SGD on the raw table, code
    eval_every: int = 500


class GCNAlign(Method):
    """GCN-Align as its released code trains it: SE and AE are independent trainings."""

    paper = Paper(
        authors="Wang, Lv, Lan, Zhang",
        title="Cross-lingual Knowledge Graph Alignment via Graph Convolutional Networks",
        venue="EMNLP",
        year=2018,
        url="https://aclanthology.org/D18-1032/",
        code_url="https://github.com/1049451037/GCN-Align",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "attribute")
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = GCNAlignParams
    # Code; one setting, the defaults, serves all DBP15K pairs. Tables that quote it on the FB15K
    # pairs do not state theirs.
    published_scoring = Scoring("manhattan", csls=0)
    # Our choice of ranges, around the defaults.
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "learning_rate": Float(1.0, 100.0, log=True),
        "margin": Float(1.0, 10.0),
        "n_negatives": Choice((1, 5, 15, 25)),
        "structure_share": Float(0.5, 1.0),
        "structure_dim": Int(100, 300, step=100),
        "weight_floor": Float(0.0, 0.5),
    }
    variants: ClassVar = {
        "SE": {"modalities": ("structure",)},
        "OpenEA": {"structure_dim": 100, "learning_rate": 8.0},  # that toolkit's settings
    }
    test_params: ClassVar = {"epochs": 100, "structure_dim": 64, "attribute_dim": 32}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains SE (and AE where both KGs have attributes) and returns their concatenation."""
        params: GCNAlignParams = self.params
        graph = JointGraph.of(view)
        towers = self.towers(graph, view, ctx).to(ctx.device)
        weights = [params.structure_share, 1 - params.structure_share][: len(towers)]
        pairs = graph.seed_pairs(view).to(ctx.device)
        sizes = (len(pairs), graph.n_entities, params.n_negatives, params.refresh_every)
        negatives = PairStandIns(*sizes, ctx)

        def step(epoch: int) -> float:
            stand_ins, loss = negatives.at(epoch), torch.zeros((), device=ctx.device)
            for tower in towers:
                loss = loss + pair_margin_loss(tower(), pairs, stand_ins, params.margin)
            return backward(loss)

        @torch.no_grad()
        def embed() -> Embeddings:
            vectors = [weight * tower() for weight, tower in zip(weights, towers, strict=True)]
            return graph.split(torch.cat(vectors, dim=1), similarity="manhattan")

        schedule = Schedule(params.epochs, sgd(params.learning_rate), None, params.eval_every)
        return train(towers.parameters(), step, embed, schedule, ctx)

    def towers(self, graph: JointGraph, view: TrainView, ctx: RunContext) -> nn.ModuleList:
        """SE, and AE where attributes are used: convolutions over the same adjacency."""
        params: GCNAlignParams = self.params
        generator = ctx.generator("initial values")
        rows, columns, values = functional_adjacency(graph, params.weight_floor)
        pattern = SparsePattern(rows, columns, (graph.n_entities,) * 2, ctx.device)
        adjacency = FixedMatrix(pattern, torch.from_numpy(values))
        towers = [WeightlessGCN(adjacency, params.structure_dim, generator)]
        if "attribute" in self.used_modalities(view.modalities):
            # A row for every column that holds an attribute: the spread of the initial values, and
            # with it the first steps, depend on their number.
            n_columns = min(params.n_attributes, graph.n_attributes)
            cells, shape = attribute_cells(graph, n_columns), (graph.n_entities, n_columns)
            bag = SparsePattern(*cells, shape, ctx.device)
            bags = FixedMatrix(bag, torch.ones(bag.n_edges))
            towers.append(WeightlessGCN(adjacency, params.attribute_dim, generator, bags))
        return nn.ModuleList(towers)

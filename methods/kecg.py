"""KECG: a graph model and a knowledge-embedding model that train one table in turn.

The cross-graph model (CG) is graph attention with diagonal weights over both KGs, trained on seed
links with nearest neighbours as negatives. The knowledge-embedding model (KE) scores all triples
on the outputs of that attention; entities without a seed learn from it, which is what the paper
calls semi-supervised. Nothing is bootstrapped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.layers.encoders import DiagonalGAT, normal_parameter
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.core.losses.margins import pair_margin_loss
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.negatives import (
    nearest_pair_negatives,
    random_pair_negatives,
)
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.parts.kecg.knowledge import (
    TripleNegatives,
    TripleScore,
    knowledge_losses,
)


@dataclass(frozen=True)
class KECGParams:
    """Hyper-parameters of KECG; defaults are those of its released script."""

    dim: int = 128  # script
    n_heads: tuple[int, ...] = (2, 2)  # of each layer, averaged; script
    alignment_margin: float = 3.0  # CG, script
    knowledge_margin: float = 3.0  # KE, script
    n_negatives: int = 25  # per end of a seed link, script
    nearest_negatives: bool = True  # after the first draw, which is random; code
    knowledge: bool = True  # whether every second epoch is KE; script
    triple_score: TripleScore = "signed sum"  # code; the paper's formula is the norm
    refresh_every: int = 5  # epochs of the respective model between two draws, code
    epochs: int = 1000  # CG and KE together, script
    learning_rate: float = 0.005  # Adagrad, whose sums start at 0; script
    eval_every: int = 100


class KECG(Method):
    """KECG as its released code trains it: one step an epoch, CG and KE in turn, CG first."""

    paper = Paper(
        authors="Li, Cao, Hou, Shi, Li, Chua",
        title=(
            "Semi-supervised Entity Alignment via Joint Knowledge Embedding Model and "
            "Cross-graph Model"
        ),
        venue="EMNLP",
        year=2019,
        url="https://aclanthology.org/D19-1274/",
        code_url="https://github.com/THU-KEG/KECG",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = KECGParams
    # Released code, one setting for all pairs; LoginMEA ran it on the FB15K pairs.
    published_scoring = Scoring("euclidean", csls=0)
    variants: ClassVar = {
        # Their rates and lengths are those of the authors' logs.
        "w/o K": {"knowledge": False, "learning_rate": 0.001, "epochs": 500},
        "w/o NNS": {"nearest_negatives": False, "learning_rate": 0.05},
        "plain norm": {"triple_score": "norm"},
    }
    test_params: ClassVar = {"epochs": 60, "dim": 32, "refresh_every": 4, "eval_every": 20}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, dim] on each side, compared by their distance."""
        params: KECGParams = self.params
        graph = JointGraph.of(view)
        model = KECGModel(graph, params, ctx)
        negatives = SeedNegatives(graph.seed_pairs(view), graph.n_entities, graph.n_source, ctx)
        triples = TripleNegatives(graph, params.refresh_every, ctx) if params.knowledge else None

        def align(epoch: int) -> float:
            vectors = model.vectors()
            stand_ins = negatives.at(epoch, vectors, params)
            # The mean over each end's negatives, summed over the two ends.
            pairs, margin = negatives.pairs, params.alignment_margin
            return backward(2 * pair_margin_loss(vectors, pairs, stand_ins, margin, "l2"))

        def know(epoch: int, triples: TripleNegatives) -> float:
            drawn = triples.at(epoch)

            def losses(leaves: dict[str, Tensor]) -> Iterable[Tensor]:
                tables = leaves["entities"], leaves["relations"]
                return knowledge_losses(
                    *tables, drawn, params.knowledge_margin, params.triple_score
                )

            encoded = {"entities": model.vectors(), "relations": model.relations * 1}
            return backward_in_batches(encoded, losses)

        def step(epoch: int) -> float:
            if triples is None:
                return align(epoch - 1)
            turn = (epoch - 1) // 2
            return know(turn, triples) if epoch % 2 == 0 else align(turn)

        @torch.no_grad()
        def embed() -> Embeddings:
            return graph.split(model.vectors(), similarity="euclidean")

        schedule = Schedule(params.epochs, adagrad(params.learning_rate), None, params.eval_every)
        return train(model.parameters(), step, embed, schedule, ctx)


class KECGModel(nn.Module):
    """The table of entities with its attention, and the table of relations where KE is used.

    Args:
        graph: Union graph; the attention reads which entities are linked, not by what.
        params: Sizes.
        ctx: Device and generator.
    """

    def __init__(self, graph: JointGraph, params: KECGParams, ctx: RunContext) -> None:
        super().__init__()
        generator, size = ctx.generator("initial values"), graph.n_entities
        self.entities = normal_parameter((size, params.dim), 1 / math.sqrt(size), generator)
        self.gat = DiagonalGAT(
            params.dim, params.n_heads, -1, "mean", generator, last_activation=False
        )
        if params.knowledge:
            self.relations = glorot_uniform(graph.n_relations, params.dim, generator)
        self.to(ctx.device)
        rows, columns, _ = undirected_edges(graph)
        self._pattern = SparsePattern(rows, columns, (size, size), ctx.device)

    def vectors(self) -> Tensor:
        """Outputs of the attention, not normalised, [n_entities, dim]."""
        outputs: Tensor = self.gat(self.entities, self._pattern, self._pattern, None)
        return outputs


class SeedNegatives:
    """Stand-ins for both ends of every seed link: random at first, then nearest neighbours.

    The random ones are any entities of both KGs; the nearest ones of an end are the entities of
    its own KG that stand in seed links and lie nearest to it, itself left out.

    Args:
        pairs: Seed links as joint ids, [n_pairs, 2].
        n_entities: Of both KGs.
        n_source: Of the source KG.
        ctx: Device and generator.
    """

    def __init__(self, pairs: Tensor, n_entities: int, n_source: int, ctx: RunContext) -> None:
        self.pairs = pairs.to(ctx.device)
        self._everyone = torch.arange(n_entities)
        seeds = torch.unique(self.pairs)
        self._of_side = seeds[seeds >= n_source], seeds[seeds < n_source]
        self._generator = ctx.generator("negatives")
        self._drawn = torch.empty(0)

    def at(self, epoch: int, vectors: Tensor, params: KECGParams) -> Tensor:
        """Stand-ins for the targets and for the sources, [2, n_pairs, k] joint ids.

        Args:
            epoch: Epoch of CG, counted from 0; epochs are asked for in their order.
            vectors: Current vectors, [n_entities, dim].
            params: How many, how often, of which kind.
        """
        if epoch % params.refresh_every:
            return self._drawn
        k = params.n_negatives
        if epoch and params.nearest_negatives:
            self._drawn = nearest_pair_negatives(
                vectors, self.pairs, self._of_side, k, near_partner=True, skip_partner=True
            )
        else:
            among = (self._everyone, self._everyone)
            drawn = random_pair_negatives(len(self.pairs), among, k, self._generator)
            self._drawn = drawn.to(vectors.device)
        return self._drawn

"""ERMC: entities and relations are nodes of one graph, and their neighbourhoods must agree.

An interpretation: no code was released, and the paper's layers, coupling, refinement and
hyper-parameters are not known to us. What is here is Deep Graph Matching Consensus (ICLR 2020) with
relations as nodes. A graph network turns names into features whose products propose ten targets
for each node. Random colours of the source nodes are then carried along these correspondences, of
entities and of relations, to the target KG; where a second network sees different colours in two
neighbourhoods, the pair loses. Outside training, entities without a seed are offered targets
without one alone. The second stage (variant ``stage 2``) corrects what is claimed twice by deferred
acceptance; it decides one target each, or none where all candidates are taken, so that its Hits@1
alone says more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Method, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.optimisers import adam
from mmea_bench.methods.parts.ermc.graph import ENTITY, triadic_graph
from mmea_bench.methods.parts.ermc.names import node_names
from mmea_bench.methods.parts.ermc.network import ERMCNetwork, NetworkSettings


@dataclass(frozen=True)
class ERMCParams:
    """Hyper-parameters of ERMC; ours, after Deep Graph Matching Consensus: none is published."""

    relation_nodes: bool = True
    refined: bool = False  # whether the second stage decides
    width: int = 256
    n_layers: int = 3
    dropout: float = 0.5  # of the features' layers
    n_candidates: int = 10
    n_random: int = 10  # random targets beside them, in training
    n_steps: int = 10  # of the consensus
    colour_dim: int = 32
    epochs: int = 200
    consensus_start: int = 100  # last epoch that trains features alone
    learning_rate: float = 1e-3  # Adam
    eval_every: int = 20


class ERMC(Method):
    """ERMC (interpretation): the first stage ranks; ``stage 2`` decides."""

    paper = Paper(
        authors="Yang, Wang, Zhou, Qian, Wang, Han, Hu",
        title="Entity and Relation Matching Consensus for Entity Alignment",
        venue="CIKM",
        year=2021,
        url="https://doi.org/10.1145/3459637.3482338",
        interpretation="No code was found.",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("structure", "name")
    Params = ERMCParams
    # No source states how its rows were scored: published_scoring stays empty.
    variants: ClassVar = {
        "stage 2": {"refined": True},
        "w/o relation nodes": {"relation_nodes": False},  # Deep Graph Matching Consensus
        "w/o consensus": {"n_steps": 0},
    }
    idle_variants: ClassVar = {
        "w/o consensus": "what relations gather last only serves their correspondence",
    }
    test_params: ClassVar = {
        "width": 32,
        "n_layers": 2,
        "n_steps": 2,
        "colour_dim": 8,
        "epochs": 40,
        "consensus_start": 20,
        "learning_rate": 5e-3,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> PairScores:
        """Trains on the seed links; scores candidates by consensus, other targets by cosine."""
        params: ERMCParams = self.params
        graph = triadic_graph(view, ctx.device, relation_nodes=params.relation_nodes)
        entities, relations = (each.to(ctx.device) for each in node_names(view, ctx))
        seeds = JointGraph.of(view).seed_pairs(view).to(ctx.device)
        seeds[:, 1] -= graph.n_source[ENTITY]
        settings = taken_from(params, NetworkSettings)
        network = ERMCNetwork(graph, (entities, relations), seeds, settings, ctx).to(ctx.device)
        done = [0]

        def step(epoch: int) -> float:
            done[0] = epoch
            return backward(network.loss(consensus=epoch > params.consensus_start))

        def embed() -> PairScores:
            return network.scores(consensus=done[0] > params.consensus_start)

        schedule = Schedule(
            params.epochs,
            adam(params.learning_rate),
            eval_every=params.eval_every,
            earliest_stop=params.consensus_start,
        )
        return train(network.parameters(), step, embed, schedule, ctx)

"""ACK-MMEA: graphs rewritten so that every entity has one vector of each modality.

An interpretation: no code was released, and the forms of both operators, the graph network, the
loss, sizes and training are not known to us. What is here: several attribute facts of an entity are
merged by an attention, lacking modalities are generated from neighbours by trained weights of
relations; every modality passes two layers of relation-reflection attention with random drop-outs,
and the results stand side by side under learned weights. A contrastive loss on seed links works on
the joint vectors and on the uniform ones. Seeds are consulted by neither operator. Texts of
attribute values are not read: the files of the paper's datasets hold numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward, shuffled_batches
from mmea_bench.methods.core.training.optimisers import adamw
from mmea_bench.methods.parts.ack_mmea.encoder import EncoderSettings, UniformEncoder


@dataclass(frozen=True)
class ACKMMEAParams:
    """Hyper-parameters of ACK-MMEA; no source states any of them, all are ours."""

    modalities: tuple[str, ...] = ("structure", "attribute", "image", "text")
    dim: int = 300
    n_bins: int = 16  # Gaussian bins of a number
    n_layers: int = 2  # as LoginMEA
    merge: Literal["attention", "mean"] = "attention"
    generate: Literal["neighbours", "noise"] = "neighbours"
    dropout: float = 0.3  # of the inputs of a network
    edge_dropout: float = 0.1
    tau: float = 0.1  # temperature
    attribute_weight: float = 0.5  # of the loss on uniform vectors
    batch_size: int = 3500  # seed links; sets the negatives, an epoch is one step
    epochs: int = 1000
    learning_rate: float = 5e-4  # AdamW
    weight_decay: float = 0.01
    eval_every: int = 50


class ACKMMEA(Method):
    """ACK-MMEA (interpretation): merge, generate and relation-aware networks; not iterative.

    ``w/o merge`` takes the mean of an entity's facts, ``w/o generate`` normal noise with mean and
    deviation of the present vectors. Merging acts on attribute facts alone, also in an N-MMKG,
    whose nodes have one text or one image; generating gives each the other.
    """

    paper = Paper(
        authors="Li, Guo, Luo, Ji, Wang, Sheng, Li",
        title="Attribute-Consistent Knowledge Graph Representation Learning for Multi-Modal "
        "Entity Alignment",
        venue="WWW",
        year=2023,
        url="https://arxiv.org/abs/2304.01563",
        interpretation="No code was found.",
    )
    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment", "n-mmkg")
    modalities: ClassVar[tuple[str, ...]] = ACKMMEAParams.modalities
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = ACKMMEAParams
    # The interpretation's: no source states how its rows were scored, nor a setting.
    published_scoring = Scoring("cosine", csls=0)
    variants: ClassVar = {
        "w/o merge": {"merge": "mean"},
        "w/o generate": {"generate": "noise"},
        "w/o merge and generate": {"merge": "mean", "generate": "noise"},
        "w/o attribute": {"modalities": ("structure", "image", "text")},
        "w/o image": {"modalities": ("structure", "attribute", "text")},
        "w/o random dropouts": {"dropout": 0.0, "edge_dropout": 0.0},
        "w/o attribute loss": {"attribute_weight": 0.0},
    }
    test_params: ClassVar = {
        "dim": 24,
        "n_bins": 6,
        "epochs": 40,
        "learning_rate": 5e-3,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and returns the joint vectors of all entities."""
        params: ACKMMEAParams = self.params
        graph, chosen = JointGraph.of(view), self.chosen_modalities(view.modalities)
        settings = taken_from(params, EncoderSettings)
        encoder = UniformEncoder(view, graph, chosen, settings, ctx).to(ctx.device)
        pairs, shuffles = graph.seed_pairs(view).to(ctx.device), ctx.generator("batches")

        def step(_epoch: int) -> float:
            uniform, joint = encoder()
            batches = shuffled_batches(pairs, params.batch_size, shuffles)
            parts = [seed_loss(uniform, joint, batch, params) for batch in batches]
            return backward(torch.stack(parts).sum())

        optimiser = adamw(params.learning_rate, params.weight_decay)
        schedule = Schedule(params.epochs, optimiser, eval_every=params.eval_every)
        return train(encoder.parameters(), step, encoder.embeddings, schedule, ctx)


def seed_loss(
    uniform: dict[str, Tensor], joint: Tensor, pairs: Tensor, params: ACKMMEAParams
) -> Tensor:
    """Contrast of seed partners: joint vectors, and the weighted mean over uniform ones.

    Args:
        uniform: Vectors before the networks by modality, [n_entities, dim].
        joint: Of unit length, [n_entities, columns].
        pairs: Seed links of a batch, (source, target) ids, [b, 2].
        params: Temperature and weight.
    """

    def contrast(vectors: Tensor) -> Tensor:
        source, target = (vectors.index_select(0, pairs[:, side]) for side in (0, 1))
        return intra_modal_contrastive_loss(source, target, params.tau)

    loss = contrast(joint)
    if uniform and params.attribute_weight:
        parts = [contrast(normalize(each, dim=1)) for each in uniform.values()]
        loss = loss + params.attribute_weight * torch.stack(parts).mean()
    return loss

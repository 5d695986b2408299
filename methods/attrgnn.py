"""AttrGNN: four channels (names, structure, literal and digital attributes) and their ensemble.

Each channel is a graph network of its own; the distances of all, standardised, are summed. Values
pass a frozen text encoder. The linear SVM that may weigh the channels in place of the plain sum is
not here, nor is the choice of rates by the links that are then tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.core.inputs.names import joint_names
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.losses.blocked_pairs import blocked_pair_margin_loss
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import nearest_by_l2
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import total
from mmea_bench.methods.core.training.negatives import random_pair_negatives
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.parts.attrgnn.channels import (
    Channel,
    NameChannel,
    StructureChannel,
    ValueChannel,
)
from mmea_bench.methods.parts.attrgnn.ensemble import ChannelDistances

CHANNELS = {
    "name": "name",
    "structure": "structure",
    "literal": "attribute",
    "digital": "attribute",
}
"""The modality that each channel reads; all of them run over the triples."""


@dataclass(frozen=True)
class AttrGNNParams:
    """Hyper-parameters of AttrGNN; defaults are those of its released code."""

    channels: tuple[str, ...] = tuple(CHANNELS)
    text_encoder: str = "bert-cased"  # its first layer, code; see inputs/text_encoders.py
    max_tokens: int = 382  # code
    dim: int = 128  # code
    n_attributes: int = 20  # of an entity and channel, the first ones, code
    digital_share: float = 0.5  # of an attribute's values at seed entities, code
    margin: float = 1.0  # code
    n_negatives: int = 25  # per side, code
    refresh_every: int = 5  # epochs between two looks for the nearest, code
    nearest: bool = True  # False draws uniformly throughout, as the code does on DWY100K
    epochs: int = 100  # code
    # The code chooses both for every channel by its test links; ours, within its grid.
    learning_rate: float = 7e-3  # Adagrad
    weight_decay: float = 0.0
    eval_every: int = 20  # 1 in the code

    def __post_init__(self) -> None:
        if not self.channels or set(self.channels) - set(CHANNELS):
            raise ValueError(f"channels must be among {', '.join(CHANNELS)}")


class AttrGNN(TextMethod):
    """AttrGNN with the channels that a dataset has input for, by the sum of their distances."""

    paper = Paper(
        authors="Liu, Cao, Pan, Li, Liu, Chua",
        title="Exploring and Evaluating Attributes, Values, and Structures for Entity Alignment",
        venue="EMNLP",
        year=2020,
        url="https://arxiv.org/abs/2010.03249",
        code_url="https://github.com/thunlp/explore-and-evaluate",
        code_commit="4549f93",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name", "attribute")
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    texts_of: ClassVar[tuple[str, ...]] = ("name", "attribute")
    Params = AttrGNNParams
    published_scoring = Scoring(None, csls=0)  # whether by sum or SVM is not stated
    grid: ClassVar = {
        "learning_rate": (1e-3, 4e-3, 7e-3),
        "weight_decay": (0.0, 1e-4, 1e-3),
    }
    variants: ClassVar = {
        "structure only": {"channels": ("structure",)},
        "name only": {"channels": ("name",)},
        "w/o name": {"channels": ("structure", "literal", "digital")},
        "w/o attribute": {"channels": ("name", "structure")},
        "uniform negatives": {"nearest": False},
        "offline encoder": {"text_encoder": "minilm"},
    }
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "max_tokens": 24,
        "dim": 32,
        "n_negatives": 8,
        "refresh_every": 3,
        "epochs": 30,
        "learning_rate": 3e-2,
        "eval_every": 10,
    }

    def chosen_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """What the channels read."""
        read = {CHANNELS[channel] for channel in self.params.channels}
        return tuple(name for name in self.modalities if name in read and name in offered)

    def fit(self, view: TrainView, ctx: RunContext) -> PairScores:
        """Trains all channels side by side; they share no parameter.

        Raises:
            UserError: If attributes have no values, of which two channels are made, or there is
                nothing for any channel.
        """
        params: AttrGNNParams = self.params
        graph = JointGraph.of(view)
        channels = self.built(view, graph, ctx)
        modules = nn.ModuleList(channels).to(ctx.device)
        seeds = graph.seed_pairs(view).to(ctx.device)
        stand_ins: dict[int, Tensor] = {}
        everyone = torch.arange(graph.n_entities, device=ctx.device)
        among = everyone[graph.n_source :], everyone[: graph.n_source]
        draws = ctx.generator("negatives")

        def refreshed(epoch: int, vectors: Tensor) -> Tensor:
            if epoch == 1 or not params.nearest:
                drawn = random_pair_negatives(len(seeds), among, params.n_negatives, draws)
                return drawn.to(ctx.device)
            return near_partners(vectors, seeds, graph.n_source, params.n_negatives)

        def step(epoch: int) -> float:
            values = []
            for number, channel in enumerate(channels):
                vectors = channel()
                if (epoch - 1) % params.refresh_every == 0:
                    stand_ins[number] = refreshed(epoch, vectors)
                loss = blocked_pair_margin_loss(
                    vectors, seeds, stand_ins[number], params.margin, "l2"
                )
                loss.backward()  # type: ignore[no-untyped-call]
                values.append(loss.detach())
            return total(values)

        @torch.no_grad()
        def embed() -> PairScores:
            parts = [
                ChannelDistances.of(channel(), graph.n_source, seeds, normalised=channel.normalised)
                for channel in channels
            ]
            n_target = graph.n_entities - graph.n_source

            def score_block(sources: Tensor) -> Tensor:
                return -torch.stack([part.rows(sources) for part in parts]).sum(dim=0)

            return PairScores(score_block, graph.n_source, n_target, ctx.device, "ensemble")

        optimiser = adagrad(params.learning_rate, params.weight_decay)
        schedule = Schedule(params.epochs, optimiser, None, params.eval_every)
        return train(modules.parameters(), step, embed, schedule, ctx)

    def built(self, view: TrainView, graph: JointGraph, ctx: RunContext) -> list[Channel]:
        """The channels that find their input, in the order of the parameter."""
        params: AttrGNNParams = self.params
        with_self = adjacency_matrix(graph, ctx.device, normalisation="rows")
        found: list[Channel] = []
        split = split_values(view, graph, params) if "attribute" in view.modalities else {}
        for channel in params.channels:
            # Of its own, so that a channel starts alike whichever stand beside it.
            generator = ctx.generator(f"initial values of {channel}")
            if channel == "structure":
                found.append(StructureChannel(with_self, params.dim, generator))
            elif channel == "name" and "name" in view.modalities:
                means = adjacency_matrix(graph, ctx.device, normalisation="rows", loops=False)
                names = self.encoded(joint_names(view), ctx).to(ctx.device)
                found.append(NameChannel(names, means, params.dim, generator))
            elif channel in split and len(split[channel]):
                found.append(self.value_channel(split[channel], with_self, ctx, generator))
        if not found:
            raise UserError(
                f"AttrGNN's channels {', '.join(params.channels)} find nothing to read: no value "
                "of the attributes is of their kind. Name further channels."
            )
        return found

    def value_channel(
        self,
        values: AttributeValues,
        means: FixedMatrix,
        ctx: RunContext,
        generator: torch.Generator,
    ) -> ValueChannel:
        """The channel of some attribute triples; each distinct value is encoded once."""
        rows = {text: row for row, text in enumerate(dict.fromkeys(values.texts))}
        text_of = torch.tensor([rows[text] for text in values.texts])
        texts = self.encoded(list(rows), ctx)
        return ValueChannel(values, texts, text_of, means, self.params.dim, generator)

    def encoded(self, texts: list[str], ctx: RunContext) -> Tensor:
        """Vectors of texts, [n_texts, dim]."""
        params: AttrGNNParams = self.params
        return text_vectors(
            texts, params.text_encoder, "max layer 1", ctx, max_tokens=params.max_tokens
        )


def near_partners(vectors: Tensor, seeds: Tensor, n_source: int, k: int) -> Tensor:
    """The nearest to either end of each pair in its own graph, the end aside, [2, n_seed, k] ids.

    Args:
        vectors: [n_entities, dim]; by L2 distance, which orders unit vectors as cosine does.
        seeds: Joint ids, [n_seed, 2].
        n_source: Entities of the source KG.
        k: Stand-ins for the targets and for the sources, as many as either graph has at most.
    """
    source, target = vectors[:n_source], vectors[n_source:]
    k = min(k, len(source) - 1, len(target) - 1)
    sources, targets = seeds[:, 0], seeds[:, 1] - n_source
    near_targets = nearest_by_l2(target[targets], target, k, targets) + n_source
    return torch.stack([near_targets, nearest_by_l2(source[sources], source, k, sources)])


def split_values(
    view: TrainView, graph: JointGraph, params: AttrGNNParams
) -> dict[str, AttributeValues]:
    """Attribute triples by channel, one value per entity and attribute, the first attributes.

    Raises:
        UserError: If a channel that is wanted reads values, and the files give none.
    """
    values = AttributeValues.of(view, graph)
    values = values.chosen(np.array([bool(text) for text in values.texts], dtype=bool))
    if {"literal", "digital"} & set(params.channels) and not len(values):
        raise UserError(
            "The values of attributes are not in these files, and AttrGNN's channels 'literal' and "
            "'digital' are made of them. Run its variant 'w/o attribute', which leaves both out."
        )
    seeds = graph.seed_pairs(view).numpy().reshape(-1)
    digital = values.digital(graph.n_attributes, seeds, params.digital_share)[values.attributes]
    parts = {"literal": values.chosen(~digital), "digital": values.chosen(digital)}
    return {channel: part.one_each(params.n_attributes) for channel, part in parts.items()}

"""AliNet: neighbours at one hop and, gated and with attention, at two.

Partners whose direct neighbours differ may still agree at two hops. Two-hop neighbours pass an
attention, a gate mixes them with a graph convolution over direct ones, and the loss pulls seed
partners together against near negatives, with a second loss on relations. Likely pairs found on
the way add edges to the training graph and never become training pairs.

The released code removes triples whose ends have no partner in the published links, those of the
test set included, and starts its hard negatives among such entities. A training here never sees
test links, so both is impossible: all triples stay, and all entities of a KG may be negatives.
Its checkpoint rule, the test links, is the protocol's choice (``paper_stop``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopScore
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import backward
from mmea_bench.methods.core.training.negatives import (
    drawn_of,
    nearest_pair_negatives,
    random_pair_negatives,
)
from mmea_bench.methods.core.training.optimisers import tensorflow_adam
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.methods.parts.alinet.encoder import AliNetEncoder
from mmea_bench.methods.parts.alinet.losses import (
    RelationWindows,
    alignment_loss,
    relation_loss,
    squared_distances,
)
from mmea_bench.methods.parts.alinet.neighbourhoods import one_hop, two_hop


@dataclass(frozen=True)
class AliNetParams:
    """Hyper-parameters of AliNet; defaults are those of its released code."""

    dims: tuple[int, ...] = (500, 400, 300)  # of the input and of both layers; code
    dropout: float = 0.5  # of the attention's scalars and of the gate, code
    n_dropped: int = 5  # most frequent two-hop patterns of each KG left out, code
    batch_size: int = 4500  # seed links drawn with replacement, one step an epoch; code
    n_negatives: int = 10  # per end of a seed link, code
    margin: float = 1.5  # on squared distances, code
    negative_weight: float = 0.1  # code
    n_candidates: int = 1499  # nearest entities that negatives are drawn of, code
    nearest_from: int = 10  # epoch after which negatives are near ones, code
    relation_weight: float = 0.01  # of the relation loss, code
    relation_window: int = 0  # triples of a relation and step; 0 is the code's rule
    smallest_window: int = 15  # where that rule gives one or none, code
    augmentation: bool = True  # whether likely pairs add edges, code
    augment_start: int = 20  # epoch after which they are looked for, code
    refresh_every: int = 5  # epochs between two looks, and two lists of negatives; code
    epochs: int = 1000  # at most, code
    learning_rate: float = 0.001  # Adam, code
    eval_every: int = 5  # code

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Columns of the input, of the gated layer and of the last one."""
        n_in, n_hidden, n_out = self.dims
        return n_in, n_hidden, n_out


class AliNet(Method):
    """AliNet as its released code trains it, on the whole graphs."""

    paper = Paper(
        authors="Sun, Wang, Hu, Chen, Dai, Zhang, Qu",
        title=("Knowledge Graph Alignment Network with Gated Multi-hop Neighborhood Aggregation"),
        venue="AAAI",
        year=2020,
        url="https://arxiv.org/abs/1911.08936",
        code_url="https://github.com/nju-websoft/AliNet",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = AliNetParams
    paper_stop = "test"
    paper_stop_score = StopScore("hits@1", "src2tgt", csls=0, patience=1)
    # The code prints plain and CSLS (k = 10) numbers; which of them the paper has is not stated.
    # The plain ones are among the common rules of every protocol.
    published_scoring = Scoring("inner", csls=10)
    # The windows that the code's rule gives on the graphs that it prunes.
    published_settings: ClassVar = {
        "dbp15k-zh-en": {"relation_window": 15},
        "dbp15k-ja-en": {"relation_window": 2},
        "dbp15k-fr-en": {"relation_window": 2},
    }
    variants: ClassVar = {
        "w/o augmentation": {"augmentation": False},
        "w/o relation loss": {"relation_weight": 0.0},
        "w/o augmentation and relation loss": {"augmentation": False, "relation_weight": 0.0},
    }
    test_params: ClassVar = {
        "epochs": 60,
        "dims": (48, 32, 24),
        "n_candidates": 30,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, sum of the dims] on each side."""
        params: AliNetParams = self.params
        training = _Training(params, view, ctx)
        adam_of_keras = tensorflow_adam(params.learning_rate, epsilon=1e-7)
        # The code looks from the epoch on that near negatives begin with: no plateau before counts.
        schedule = Schedule(
            params.epochs,
            adam_of_keras,
            eval_every=params.eval_every,
            earliest_stop=params.nearest_from,
        )
        parameters = training.encoder.parameters()
        steps = (training.step, training.embeddings)
        return train(parameters, *steps, schedule, ctx, training.after_epoch)


class _Training:
    """Encoder, graphs and negatives, and what changes them between epochs."""

    def __init__(self, params: AliNetParams, view: TrainView, ctx: RunContext) -> None:
        self._params, self._ctx = params, ctx
        self._graph = graph = JointGraph.of(view)
        self._pairs = graph.seed_pairs(view)
        self._near = one_hop(graph, self._pairs.numpy(), ctx.device)
        self._augmented: FixedMatrix | None = None  # with the edges of labels
        self._far = two_hop(graph, params.n_dropped, ctx.device)
        draws = ctx.generator("drop-out")
        generator = ctx.generator("initial values")
        sizes = (graph.n_entities, params.sizes, params.dropout)
        self.encoder = AliNetEncoder(*sizes, generator, draws).to(ctx.device)
        windows = (params.relation_window, params.batch_size, params.smallest_window)
        self._windows = RelationWindows(graph, *windows, ctx.generator("relations"))
        self._batches, self._draws = ctx.generator("batches"), ctx.generator("negatives")
        everyone = torch.arange(graph.n_entities)
        self._of_side = everyone[graph.n_source :], everyone[: graph.n_source]
        self._lists: Tensor | None = None
        rule = BootstrapRule(matching="best", threshold=0.0, csls_k=10)
        # Labels train nothing, so the training is not iterative: they get a log of their own.
        sizes_of_graph = (graph.n_source, graph.n_entities)
        self._labels = Bootstrapping(self._pairs, *sizes_of_graph, rule, TrainingLog())

    def step(self, epoch: int) -> float:
        """Gradients of one batch of seed links."""
        del epoch
        params = self._params
        self.encoder.train()
        near = self._near if self._augmented is None else self._augmented
        layers = self.encoder(near, self._far)
        pairs, negatives = self._batch()
        parts = [pairs, *negatives]
        window = self._windows.draw() if params.relation_weight else None
        if window is not None:
            parts.append(window.triples[:, [0, 2]])
        distances = squared_distances(layers, torch.cat(parts).to(self._ctx.device))
        own, *others = torch.split(distances, [len(part) for part in parts])
        of_negatives = torch.cat(others[: len(negatives)])
        loss = alignment_loss(own, of_negatives, params.margin, params.negative_weight)
        if window is not None:
            loss = loss + params.relation_weight * relation_loss(layers, others[-1], window)
        return backward(loss)

    def _batch(self) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Seed links and their negatives, on the CPU: [b, 2] and twice [b * k, 2]."""
        params, n_pairs = self._params, len(self._pairs)
        size = params.batch_size  # with replacement: no fewer where there are fewer links
        rows = torch.randint(n_pairs, (size,), generator=self._batches)
        k = params.n_negatives
        if self._lists is None:
            stand_ins = random_pair_negatives(size, self._of_side, k, self._draws)
        else:
            stand_ins = drawn_of(self._lists[:, rows], k, self._draws)
        pairs = self._pairs[rows]
        sources, targets = (each.repeat_interleave(k) for each in pairs.T)
        of_targets = torch.stack([sources, stand_ins[0].flatten()], dim=1)
        of_sources = torch.stack([stand_ins[1].flatten(), targets], dim=1)
        return pairs, (of_targets, of_sources)

    def after_epoch(self, epoch: int) -> None:
        """Renews the lists of negatives and the edges between likely pairs, where that is due."""
        params = self._params
        if epoch % params.refresh_every or epoch == params.epochs:
            return
        augments = params.augmentation and epoch >= params.augment_start
        if epoch < params.nearest_from and not augments:
            return
        last = self._vectors()[-1]
        if epoch >= params.nearest_from:
            # The partner itself is skipped. Labels are pairs of entities without a seed, so that
            # no negative of a seed link can be one.
            self._lists = nearest_pair_negatives(
                last,
                self._pairs,
                self._of_side,
                params.n_candidates,
                "inner",
                near_partner=False,
                skip_partner=True,
            ).cpu()
        if augments:
            self._labels.look(epoch, self._graph.split(last, similarity="inner"))
            known = self._labels.pairs.numpy()
            self._augmented = one_hop(self._graph, known, self._ctx.device)

    @torch.no_grad()
    def _vectors(self) -> list[Tensor]:
        self.encoder.eval()
        layers: list[Tensor] = self.encoder(self._near, self._far)
        return layers

    def embeddings(self) -> Embeddings:
        """The layers side by side, unit vectors on the graph without found edges."""
        vectors = normalize(torch.cat(self._vectors(), dim=1), dim=1)
        return self._graph.split(vectors, similarity="inner")

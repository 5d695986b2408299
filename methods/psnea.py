"""PSNEA: an encoder for each KG, and a pool of likely pairs that grows and is corrected.

The released code has neither part and does not run, and no formula of the paper is at hand: this is
one complete interpretation, on the encoders and losses of MCLEA. Both KGs have weights of their own
and share the fusion alone; pairs of the pool count by how similar they are, and half of the time a
target stands in for its source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.encoded_parts import RELEASED_ORDER
from mmea_bench.methods.core.inputs.features import input_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from, without
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.optimisers import adamw
from mmea_bench.methods.parts.psnea.branches import BranchSizes, PseudoSiameseEncoder
from mmea_bench.methods.parts.psnea.losses import PoolLosses
from mmea_bench.methods.parts.psnea.pool import Pool, found_pool


@dataclass(frozen=True)
class PSNEAParams:
    """Hyper-parameters of PSNEA; defaults are those of its scripts for DBP15K at 30 % seeds."""

    modalities: tuple[str, ...] = ("structure", "relation", "attribute", "image")
    structure_dims: tuple[int, ...] = (300, 300, 150)  # table and graph layers; script
    n_heads: int = 2  # ours; the default of the code is 3, of a layer that cannot change the width
    relation_dim: int = 100  # code
    attribute_dim: int = 100  # code
    image_dim: int = 200  # code
    shared: bool = False  # True is one encoder for both KGs
    tau: float = 0.1  # of all losses; default
    contrasted: float = 0.5  # weight of the contrastive losses; default
    distilled: float = 0.1  # weight of the divergence; default
    joint_epochs: int = 25  # epochs that train the joint vectors alone; ours
    epochs: int = 3000  # script
    learning_rate: float = 5e-4  # script
    weight_decay: float = 0.01  # the library's default
    batch_size: int = 3000  # pairs, which are negatives of each other; one step per epoch; script
    iterative: bool = True  # script
    pool_start: int = 500  # script
    pool_every: int = 50  # epochs between two looks; code
    csls_k: int = 3  # of the pool and of testing; script
    weighted_pool: bool = True  # ours
    swapped_share: float = 0.5  # of the pool's pairs; ours
    eval_every: int = 25  # script


class PSNEA(Method):
    """PSNEA as an interpretation."""

    paper = Paper(
        authors="Ni, Xu, Jiang, Cao, Cao, Huang",
        title="PSNEA: Pseudo-Siamese Network for Entity Alignment between Multi-modal Knowledge "
        "Graphs",
        venue="ACM Multimedia",
        year=2023,
        url="https://doi.org/10.1145/3581783.3612184",
        code_url="https://github.com/idrfer/psn4ea",
        code_commit="a3b0800",
        interpretation="No code was found.",
    )
    modalities: ClassVar[tuple[str, ...]] = PSNEAParams.modalities
    Params = PSNEAParams
    published_scoring = Scoring("cosine", csls=3)  # script
    variants: ClassVar = {
        "w/o PSN": {"shared": True},
        "w/o IAP": {"iterative": False},
        "w/o data swapping": {"swapped_share": 0.0},
        "w/o re-weighting": {"weighted_pool": False},
        "w/o structure": without(PSNEAParams.modalities, "structure"),
        "w/o relation": without(PSNEAParams.modalities, "relation"),
        "w/o attribute": without(PSNEAParams.modalities, "attribute"),
        "w/o visual": without(PSNEAParams.modalities, "image"),
    }
    test_params: ClassVar = {
        "epochs": 60,
        "structure_dims": (32, 32, 16),
        "relation_dim": 16,
        "attribute_dim": 16,
        "image_dim": 16,
        "learning_rate": 5e-3,
        "joint_epochs": 10,
        "pool_start": 30,
        "pool_every": 10,
        "eval_every": 20,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether pairs of the pool are learned before the last epoch is over."""
        params: PSNEAParams = self.params
        return params.iterative and params.epochs > params.pool_start

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed links and the pool; returns all entities' joint vectors."""
        params: PSNEAParams = self.params
        graph = JointGraph.of(view)
        used = self.used_modalities(view.modalities)
        encoder = PseudoSiameseEncoder(
            graph,
            input_features(view, graph, used, ctx),
            tuple(name for name in RELEASED_ORDER if name in used),
            taken_from(params, BranchSizes),
            ctx.generator("initial values"),
            ctx.device,
            shared=params.shared,
        ).to(ctx.device)
        shares = (params.contrasted, params.distilled)
        losses = PoolLosses(encoder.fusion, params.tau, *shares).to(ctx.device)
        training = PoolTraining(encoder, losses, graph.seed_pairs(view), params, ctx)
        schedule = Schedule(
            params.epochs,
            adamw(params.learning_rate, params.weight_decay),
            eval_every=params.eval_every,
            earliest_stop=params.pool_start + params.pool_every if params.iterative else 0,
            round_epochs=params.pool_every if params.iterative else 0,
        )
        parameters = [*encoder.parameters(), *losses.parameters()]
        grow = training.after_epoch if params.iterative else None
        return train(parameters, training.epoch, encoder.embeddings, schedule, ctx, grow)


class PoolTraining:
    """Epochs over seed links and the pool; gradients of all batches make one step.

    Args:
        encoder: Of both KGs.
        losses: Of a batch.
        seed_pairs: Joint ids, [n_seeds, 2].
        params: Of the method.
        ctx: Device, generators and log.
    """

    def __init__(
        self,
        encoder: PseudoSiameseEncoder,
        losses: PoolLosses,
        seed_pairs: Tensor,
        params: PSNEAParams,
        ctx: RunContext,
    ) -> None:
        self._encoder, self._losses = encoder, losses
        self._seed_pairs, self._params, self._ctx = seed_pairs, params, ctx
        self._shuffles, self._swaps = ctx.generator("batches"), ctx.generator("swaps")
        self._pool = Pool.empty()

    def epoch(self, epoch: int) -> float:
        """Gradients of one epoch; returns the summed loss of its batches."""
        graph, device, n_seeds = self._encoder.graph, self._ctx.device, len(self._seed_pairs)
        pairs = torch.cat([self._seed_pairs, self._pool.pairs])
        weights = torch.cat([torch.ones(n_seeds), self._pool.weights])
        drawn = torch.rand(len(self._pool.pairs), generator=self._swaps)
        swaps = torch.cat([torch.ones(n_seeds), drawn]) < self._params.swapped_share
        rows, positions = torch.unique(pairs, return_inverse=True)
        n_first = int((rows < graph.n_source).sum())
        wanted = rows.to(device)
        encoded = self._encoder.encode((wanted[:n_first], wanted[n_first:]))
        order = torch.arange(len(pairs))

        def batches(leaves: dict[str, Tensor]) -> Iterable[Tensor]:
            for chosen in shuffled_batches(order, self._params.batch_size, self._shuffles):
                parts = (positions[chosen], weights[chosen], swaps[chosen])
                yield self._losses(
                    leaves,
                    *(each.to(device) for each in parts),
                    joint_alone=epoch <= self._params.joint_epochs,
                )

        return backward_in_batches(encoded, batches)

    def after_epoch(self, epoch: int) -> None:
        """Makes the pool anew, where the schedule says so: pairs that are mutual no more go."""
        params = self._params
        if epoch < params.pool_start or epoch % params.pool_every or epoch >= params.epochs:
            return
        embeddings, weighted = self._encoder.embeddings(), params.weighted_pool
        self._pool = found_pool(embeddings, self._seed_pairs, params.csls_k, weighted=weighted)
        if len(self._pool.pairs):
            self._ctx.log.pseudo_labels_from(epoch + 1)

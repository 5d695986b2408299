"""Wrong pairs of an epoch, random and hard, and the scores of right and wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.parts.crossea.node_negatives import NodeNegatives


@dataclass(frozen=True)
class NegativeSettings:
    """Parameters of the wrong pairs.

    Attributes:
        similarity: Of loss and decision.
        n_negatives: Per pair, half on each side.
        hard_share: Share of them that are the most similar wrong nodes.
        hard_from: First epoch with hard ones.
        refresh_every: Epochs between two searches of hard ones.
    """

    similarity: Literal["cosine", "abs-cosine"]
    n_negatives: int
    hard_share: float
    hard_from: int
    refresh_every: int


class PairNegatives:
    """Wrong pairs of the training pairs, epoch by epoch.

    Args:
        pairs: Joint ids, [n_pairs, 2].
        nodes: Nodes by modality.
        settings: Parameters of the wrong pairs.
        ctx: Device and generator.
    """

    def __init__(
        self, pairs: IntArray, nodes: NodeSets, settings: NegativeSettings, ctx: RunContext
    ) -> None:
        self._pairs, self._nodes, self._settings = pairs, nodes, settings
        self._device = ctx.device
        self._negatives = NodeNegatives(pairs, nodes, ctx.numpy_generator("negatives"))
        self._hard: IntArray | None = None

    def at(self, epoch: int, vectors: Tensor) -> tuple[IntArray, Tensor]:
        """Stand-ins of an epoch (counted from 1) and which of them make no training pair.

        Args:
            epoch: Its number.
            vectors: Of all nodes, without gradients, [n_nodes, dim].

        Returns:
            Stand-ins for targets and for sources, [2, n_pairs, k], and the usable wrong pairs,
            [n_pairs, 2 k] bool on the device.
        """
        stand_ins = self._stand_ins(epoch, vectors)
        usable = torch.from_numpy(~self._negatives.are_known(stand_ins)).to(self._device)
        return stand_ins, torch.cat([usable[0], usable[1]], dim=1)

    def _stand_ins(self, epoch: int, vectors: Tensor) -> IntArray:
        settings = self._settings
        per_side = settings.n_negatives // 2
        n_hard = round(settings.hard_share * per_side) if epoch >= settings.hard_from else 0
        drawn = self._negatives.random(per_side - n_hard)
        if not n_hard:
            return drawn
        if self._hard is None or (epoch - settings.hard_from) % settings.refresh_every == 0:
            self._hard = self._negatives.hardest(vectors, n_hard, settings.similarity)
        return np.concatenate([drawn, self._hard], axis=2)

    def scores(self, vectors: Tensor, stand_ins: IntArray) -> Tensor:
        """Similarities of each pair and its wrong pairs, [n_pairs, 1 + 2 k].

        They are computed as cells of a sparse matrix: gathering both ends of every wrong pair
        would copy each vector dozens of times.

        Args:
            vectors: L2-normalised, of all nodes, [n_nodes, dim].
            stand_ins: As ``at`` returns them.
        """
        sources, targets = self._pairs[:, :1], self._pairs[:, 1:]
        shape = stand_ins.shape[1:]
        rows = np.concatenate([sources, np.broadcast_to(sources, shape), stand_ins[1]], axis=1)
        columns = np.concatenate([targets, stand_ins[0], np.broadcast_to(targets, shape)], axis=1)
        n_source, n_nodes = self._nodes.n_source, self._nodes.n_nodes
        order = np.argsort(rows.ravel(), kind="stable")
        pattern = SparsePattern(
            rows.ravel()[order],
            columns.ravel()[order] - n_source,
            (n_source, n_nodes - n_source),
            self._device,
        )
        cosines = pattern.inner_products(vectors[:n_source], vectors[n_source:])
        position = torch.from_numpy(np.argsort(order)).to(self._device)
        scores = cosines.index_select(0, position).view(rows.shape)
        return scores.abs() if self._settings.similarity == "abs-cosine" else scores

"""Wrong pairs of N-MMKG nodes: a node of a training pair replaced by one of its own modality."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.methods.core.base import Similarity
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.similarity import ScoreMatrix

_REDRAWS = 5


class NodeNegatives:
    """Stand-ins for the nodes of training pairs, of the same graph and the same modality.

    All results have shape [2, n_pairs, k]: stand-ins for the targets, then for the sources, as
    joint ids. A stand-in that makes a training pair is drawn anew; where a graph is so small that
    one remains, ``are_known`` tells.

    Args:
        pairs: Training pairs as joint ids, [n_pairs, 2].
        nodes: Modalities of the nodes.
        generator: Source of the random stand-ins.
    """

    def __init__(self, pairs: IntArray, nodes: NodeSets, generator: np.random.Generator) -> None:
        self._pairs, self._nodes, self._generator = pairs, nodes, generator
        self._known = np.unique(pairs[:, 0] * nodes.n_nodes + pairs[:, 1])
        is_source = np.arange(nodes.n_nodes) < nodes.n_source
        in_graph = (~is_source, is_source)
        # Pools in the order of side, then modality, one after the other.
        self._pools = [
            [np.flatnonzero(mask & (nodes.is_visual == visual)) for visual in (False, True)]
            for mask in in_graph
        ]

    def are_known(self, stand_ins: IntArray) -> NDArray[np.bool_]:
        """Whether a stand-in makes a training pair, [2, n_pairs, k]."""
        sources, targets = self._pairs[:, 0, None], self._pairs[:, 1, None]
        size = self._nodes.n_nodes
        keys = np.stack([sources * size + stand_ins[0], stand_ins[1] * size + targets])
        if not len(self._known):
            return np.zeros(keys.shape, dtype=bool)
        nearest = np.searchsorted(self._known, keys).clip(max=len(self._known) - 1)
        return np.asarray(self._known[nearest] == keys)

    def random(self, k: int) -> IntArray:
        """Uniform stand-ins."""
        stand_ins = self._drawn(k)
        for _ in range(_REDRAWS):
            known = self.are_known(stand_ins)
            if not known.any():
                break
            stand_ins = np.where(known, self._drawn(k), stand_ins)
        return stand_ins

    def hardest(self, vectors: Tensor, k: int, similarity: Similarity) -> IntArray:
        """The stand-ins most similar to the node that stays; repeated where there are less than k.

        Args:
            vectors: Of all nodes, [n_nodes, dim].
            k: Stand-ins per pair and side.
            similarity: How vectors are compared.
        """
        stand_ins = np.zeros((2, len(self._pairs), k), dtype=np.int64)
        for side in (0, 1):
            staying, replaced = self._pairs[:, side], self._pairs[:, 1 - side]
            # Training pairs of a node are skipped among its most similar, so as many more are kept.
            most_known = int(np.bincount(staying).max(initial=0))
            for visual, pool in enumerate(self._pools[side]):
                wanted = np.flatnonzero(self._nodes.is_visual[replaced] == bool(visual))
                anchors, position = np.unique(staying[wanted], return_inverse=True)
                if not len(anchors):
                    continue
                n_kept = min(len(pool), k + most_known)
                nearest = pool[_nearest_rows(vectors, anchors, pool, n_kept, similarity)]
                stand_ins[side, wanted] = self._unknown_first(anchors, nearest, side, k)[position]
        return stand_ins

    def _drawn(self, k: int) -> IntArray:
        drawn = np.empty((2, len(self._pairs), k), dtype=np.int64)
        for side, pools in enumerate(self._pools):
            visual = self._nodes.is_visual[self._pairs[:, 1 - side]].astype(np.int64)
            sizes = np.array([len(pool) for pool in pools])
            starts, flat = np.array([0, sizes[0]]), np.concatenate(pools)
            shares = self._generator.random((len(self._pairs), k))
            offsets = (shares * sizes[visual][:, None]).astype(np.int64)
            drawn[side] = flat[starts[visual][:, None] + offsets]
        return drawn

    def _unknown_first(self, anchors: IntArray, nearest: IntArray, side: int, k: int) -> IntArray:
        """The first k columns of ``nearest`` that make no training pair with their anchor."""
        size = self._nodes.n_nodes
        ends = (anchors[:, None], nearest) if side == 0 else (nearest, anchors[:, None])
        known = np.isin(ends[0] * size + ends[1], self._known)
        order = np.argsort(known, axis=1, kind="stable")
        n_unknown = np.maximum(1, (~known).sum(axis=1, keepdims=True))
        chosen = np.take_along_axis(order, np.arange(k)[None, :] % n_unknown, axis=1)
        return np.take_along_axis(nearest, chosen, axis=1)


def _nearest_rows(
    vectors: Tensor, anchors: IntArray, pool: IntArray, k: int, similarity: Similarity
) -> IntArray:
    """Positions in ``pool`` of the k nodes most similar to each anchor, [n_anchors, k]."""
    rows, columns = (vectors[torch.from_numpy(ids).to(vectors.device)] for ids in (anchors, pool))
    blocks = ScoreMatrix(rows, columns, similarity)
    return np.concatenate([block.scores.topk(k, dim=1).indices.cpu().numpy() for block in blocks])

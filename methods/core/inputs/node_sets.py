"""Nodes of two N-MMKGs by their modality: each node is a text or an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.nodes import NODE_MODALITIES, visual_nodes
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray


@dataclass(frozen=True, eq=False)
class NodeSets:
    """Which nodes of both graphs are texts and which are images.

    Attributes:
        n_source: Nodes of the source graph; joint ids below are source nodes.
        is_visual: Whether a node is an image, [n_nodes] by joint id.
        ids: Modality to the joint ids of its nodes, ascending.
    """

    n_source: int
    is_visual: NDArray[np.bool_]
    ids: Mapping[str, IntArray]

    @classmethod
    def of(cls, view: TrainView) -> NodeSets:
        """The nodes of a view."""
        source, target = visual_nodes(view.features)
        is_visual = np.concatenate([source, target])
        masks = dict(zip(NODE_MODALITIES, (~is_visual, is_visual), strict=True))
        ids = {modality: np.flatnonzero(mask) for modality, mask in masks.items()}
        return cls(len(source), is_visual, ids)

    @property
    def n_nodes(self) -> int:
        """Nodes of both graphs."""
        return len(self.is_visual)

    def order(self) -> Tensor:
        """Row of each joint id once the modalities' rows are put below each other, [n_nodes]."""
        return torch.from_numpy(np.argsort(np.concatenate(list(self.ids.values()))))

    def standardised(self, view: TrainView, modality: str) -> Tensor:
        """Features of a modality's nodes, per column with mean 0 and deviation 1 over both graphs.

        Raw text vectors have a large common part and hence high cosines throughout; it goes with
        the mean. Columns that do not vary become 0.

        Returns:
            [n_nodes of the modality, dim] float32, in the order of ``ids``.
        """
        values = view.joint_features(modality).values[self.ids[modality]]
        deviation = values.std(axis=0, dtype=np.float64)
        centred = values - values.mean(axis=0, dtype=np.float64)
        scale = np.where(deviation > 1e-8, deviation, np.inf)
        return torch.from_numpy((centred / scale).astype(np.float32))

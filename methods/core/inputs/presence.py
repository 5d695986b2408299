"""Which nodes have which modality, where a node lacks modalities by definition.

A node of an N-MMKG is one text or one image. The modality that it lacks must not be made up: its
vector is zero in every fusion, and pairs that lack it on either side stay out of that modality's
losses. In entity alignment a lacking feature is an accident of the data instead, and the methods
fill it; there the functions below find nothing to mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView

Presence = Mapping[str, Tensor]
"""Modality to whether a row has it, [n_rows] bool; one not named here is never lacking."""


def node_presence(
    view: TrainView, modalities: Sequence[str], device: torch.device
) -> dict[str, Tensor]:
    """Presence of the modalities of an N-MMKG's nodes, [n_entities] each; empty for other tasks.

    An image has neither a text nor attributes, whatever facts its dataset states: our
    reading of CrossEA's comparison with methods that were made for entity alignment.
    """
    if view.task != "n-mmkg":
        return {}
    found = {
        name: np.concatenate([side.present for side in view.features[name]])
        for name in modalities
        if name in view.features
    }
    if "attribute" in modalities:
        found["attribute"] = ~images(view, modalities)
    return {name: torch.from_numpy(present).to(device) for name, present in found.items()}


def images(view: TrainView, modalities: Sequence[str]) -> NDArray[np.bool_]:
    """Which nodes are images, [n_entities]: none in entity alignment, or where nothing tells.

    Args:
        view: Dataset.
        modalities: What is read of it; a method that reads neither texts nor images is not told.
    """
    if view.task == "n-mmkg":
        for name in ("image", "text"):
            if name in modalities and name in view.features:
                present = np.concatenate([side.present for side in view.features[name]])
                return present if name == "image" else ~present
    return np.zeros(view.source.n_entities + view.target.n_entities, dtype=np.bool_)


def masked(vectors: Tensor, name: str, presence: Presence) -> Tensor:
    """The vectors with zero rows where the modality is lacking, [n_rows, ...]."""
    if name not in presence:
        return vectors
    return vectors * presence[name].reshape(-1, *[1] * (vectors.dim() - 1))


def pair_presence(presence: Presence, pairs: Tensor) -> dict[str, Tensor]:
    """Positions of the pairs whose two ends both have a modality, by modality.

    Args:
        presence: Of rows.
        pairs: Two rows each, [n_pairs, 2].

    Returns:
        Modality to positions in ``pairs``, [<= n_pairs].
    """
    if not presence:
        return {}
    # How many there are is asked of a GPU once for all modalities.
    complete = torch.stack(list(presence.values()))[:, pairs].all(dim=2).cpu()
    return {
        name: torch.nonzero(of_pairs).squeeze(1).to(pairs.device)
        for name, of_pairs in zip(presence, complete, strict=True)
    }


def loss_where_present(
    loss: Callable[..., Tensor],
    name: str,
    kept: Mapping[str, Tensor],
    *vectors: Tensor,
) -> Tensor:
    """A batch loss of one modality over the pairs that have it on both sides; 0 without such pairs.

    Args:
        loss: Of vectors that stand pair by pair.
        name: Modality.
        kept: As ``pair_presence`` returns it.
        vectors: Arguments of the loss, [n_pairs, dim] each.
    """
    if name not in kept:
        return loss(*vectors)
    if not len(kept[name]):
        return vectors[-1].sum() * 0.0
    return loss(*(part[kept[name]] for part in vectors))

"""PCMEA's losses: MCLEA's two, a mutual-information term, and targets of a momentum copy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, relu

from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter
from mmea_bench.methods.core.losses.batch import alignment_targets, distillation_loss
from mmea_bench.methods.core.losses.contrastive import contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.parts.pcmea.encoder import AdaptedEncoder

INFORMED = ("image", "attribute_text", "relation_text", "structure")
"""Modalities with a mutual-information term."""


@dataclass(frozen=True)
class LossParams:
    """Temperatures and weights; see ``PCMEAParams``."""

    tau1: float
    tau2: float
    momentum_tau: float
    zoom: float
    information: float
    shuffled: bool
    critic_dim: int
    last_batch_twice: bool


class Critic(nn.Module):
    """Two layers on a modality's vector beside the joint one, to one number without an offset.

    An offset would cancel out in either loss.

    Args:
        n_in: Columns of both together.
        n_hidden: Of the first layer.
        generator: CPU generator of the initial values.
    """

    def __init__(self, n_in: int, n_hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = Linear(n_in, n_hidden, generator)
        self.outer = uniform_parameter((n_hidden,), 1 / math.sqrt(n_hidden), generator)

    def forward(self, modality: Tensor, joint: Tensor) -> Tensor:
        """Of each vector beside its joint one, [n, dim] and [n, joint dim] to [n]."""
        hidden = relu(self.inner(torch.cat([modality, joint], dim=1)))
        values: Tensor = hidden @ self.outer
        return values

    def of_all(self, modality: Tensor, joint: Tensor) -> Tensor:
        """Of each vector beside every joint one, [n, dim] and [n, joint dim] to [n, n]."""
        weight, cut = self.inner.weight, modality.shape[1]
        own, others = modality @ weight[:cut] + self.inner.bias, joint @ weight[cut:]
        values: Tensor = own.new_zeros(len(own), len(others))
        # Column by column, since [n, n, n_hidden] leaves the processor's caches.
        for column, factor in enumerate(self.outer):
            values = values + factor * relu(own[:, column, None] + others[:, column])
        return values


def information_loss(values: Tensor) -> Tensor:
    """``-log2(n) - mean_i log2 softmax_j(f_ij)_i``: minus a lower bound of information, in bits.

    Args:
        values: Critic's values ``f`` of all pairs of a batch, matched ones on the diagonal, [n, n].

    Reference: van den Oord et al. (InfoNCE), arXiv 1807.03748.
    """
    matched = log_softmax(values, dim=1).diagonal()
    return -(matched.mean() + math.log(len(values))) / math.log(2)


def spread_loss(matched: Tensor) -> Tensor:
    """``log2(e) (log mean e^f - mean f)``: how far the critic's values lie apart, in bits.

    Meant as the bound of Donsker and Varadhan, whose first mean runs over shuffled pairs.

    Args:
        matched: Critic's values ``f`` of pairs that belong together, [n].

    Reference: PCMEA's released code.
    """
    log_mean = torch.logsumexp(matched, dim=0) - math.log(len(matched))
    return (log_mean - matched.mean()) / math.log(2)


class PCMEALosses(nn.Module):
    """Losses of the batches of one epoch.

    Args:
        encoder: Whose fusion makes the joint vectors.
        dims: Columns by modality.
        params: Temperatures and weights.
        generator: CPU generator of the critics.
    """

    def __init__(
        self,
        encoder: AdaptedEncoder,
        dims: Mapping[str, int],
        params: LossParams,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        # A tuple hides the encoder's part from this module's own parameters.
        self._shared, self._params = (encoder,), params
        names = encoder.modalities
        self.icl_weighting = UncertaintyWeighting(names, 1.0, learned=True)
        self.ial_weighting = UncertaintyWeighting(names, 1.0, learned=params.zoom > 0)
        joint = sum(dims[name] for name in names)
        informed = [name for name in INFORMED if name in names and params.information]
        self.critics = nn.ModuleDict(
            {name: Critic(dims[name] + joint, params.critic_dim, generator) for name in informed}
        )
        # The released code never hands its critics to the optimiser.
        self.critics.requires_grad_(params.shuffled)

    def forward(
        self, encoded: Mapping[str, Tensor], batches: list[Tensor], momentum: Tensor | None
    ) -> Iterator[Tensor]:
        """One loss per batch.

        Args:
            encoded: Modality to L2-normalised vectors, [n_rows, dim] each.
            batches: Rows of the pairs of each batch, [b, 2].
            momentum: Joint vectors of the momentum copy, [n_rows, joint dim]; None without one.
        """
        for place, rows in enumerate(batches):
            loss = self.batch_loss(encoded, rows, momentum)
            is_last = place == len(batches) - 1
            yield 2 * loss if is_last and self._params.last_batch_twice else loss

    def batch_loss(
        self, encoded: Mapping[str, Tensor], rows: Tensor, momentum: Tensor | None
    ) -> Tensor:
        """Loss of one batch; arguments as in ``forward``."""
        params, (encoder,) = self._params, self._shared
        pairs = {name: (each[rows[:, 0]], each[rows[:, 1]]) for name, each in encoded.items()}
        source, target = (
            encoder.joint({name: pair[side] for name, pair in pairs.items()}) for side in (0, 1)
        )
        loss: Tensor
        if momentum is None:
            loss = contrastive_loss(source, target, params.tau1)
        else:
            loss = contrastive_loss(source, momentum[rows[:, 1]], params.momentum_tau)
        loss = loss + self.icl_weighting(
            {name: contrastive_loss(*pair, params.tau1) for name, pair in pairs.items()}
        )
        if params.zoom:
            targets = alignment_targets(source, target, params.tau2)
            handed = {
                name: params.zoom * distillation_loss(targets, *pair)
                for name, pair in pairs.items()
            }
            loss = loss + params.zoom * self.ial_weighting(handed)
        for name, critic in self.critics.items():
            informed = self._informed(cast(Critic, critic), pairs[name], (source, target))
            loss = loss + params.information * informed
        return loss

    def _informed(
        self, critic: Critic, own: tuple[Tensor, Tensor], joint: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Mutual-information term of one modality, of whose vectors each KG's are given."""
        if not self._params.shuffled:
            return spread_loss(critic(torch.cat(own), torch.cat(joint)))
        # Each KG for itself: an entity's seed partner is not to be told from it.
        sides = [information_loss(critic.of_all(*side)) for side in zip(own, joint, strict=True)]
        return torch.stack(sides).mean()

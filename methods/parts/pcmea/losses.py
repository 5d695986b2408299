"""PCMEA's losses: MCLEA's two, a mutual-information term, and targets of a momentum copy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter
from mmea_bench.methods.core.losses.batch import alignment_targets, distillation_loss
from mmea_bench.methods.core.losses.contrastive import contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.parts.pcmea.encoder import AdaptedEncoder

INFORMED = ("image", "attribute text", "relation text", "structure")
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

    An offset would cancel out in ``information_loss``.

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
        """[n, dim] and [n, joint dim] to [n]."""
        hidden = relu(self.inner(torch.cat([modality, joint], dim=1)))
        values: Tensor = hidden @ self.outer
        return values


def information_loss(matched: Tensor, others: Tensor) -> Tensor:
    """``log2(e) (log mean e^other - mean matched)``: minus a lower bound of information, in bits.

    Args:
        matched: Critic's values of pairs that belong together, [n].
        others: Of shuffled pairs (the released code takes the matched ones again), [n].

    Reference: the bound of Donsker and Varadhan, as PCMEA's code writes it with matched pairs.
    """
    log_mean = torch.logsumexp(others, dim=0) - math.log(len(others))
    return (log_mean - matched.mean()) / math.log(2)


class PCMEALosses(nn.Module):
    """Losses of the batches of one epoch.

    Args:
        encoder: Whose fusion makes the joint vectors.
        dims: Columns by modality.
        params: Temperatures and weights.
        generator: CPU generator of the critics.
        shuffles: CPU generator of shuffled pairs.
    """

    def __init__(
        self,
        encoder: AdaptedEncoder,
        dims: Mapping[str, int],
        params: LossParams,
        generator: torch.Generator,
        shuffles: torch.Generator,
    ) -> None:
        super().__init__()
        # A tuple hides the encoder's part from this module's own parameters.
        self._shared, self._params, self._shuffles = (encoder,), params, shuffles
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
        joint = torch.cat([source, target])
        for name, critic in self.critics.items():
            own = torch.cat(pairs[name])
            matched = critic(own, joint)
            others = matched
            if params.shuffled:
                order = torch.randperm(len(joint), generator=self._shuffles).to(joint.device)
                others = critic(own, joint[order])
            loss = loss + params.information * information_loss(matched, others)
        return loss

"""UMAEA's losses in its later stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize

from mmea_bench.methods.core.hybrid.confident_losses import ConfidentLosses
from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridVectors
from mmea_bench.methods.core.inputs.presence import loss_where_present
from mmea_bench.methods.core.losses.batch import inter_modal_alignment_loss
from mmea_bench.methods.parts.umaea.encoder import ImaginingVectors
from mmea_bench.methods.parts.umaea.generator import ImageGenerator, Imagined


@dataclass(frozen=True)
class ImaginationWeights:
    """Weights of what the generator alone is trained by.

    Attributes:
        image_weight: Of the divergence from images that are there.
        rebuild_weight: Of the divergence of what is rebuilt from what was given.
        prior_weight: Of the divergence from the normal distribution.
        ial_weight: Of the alignment loss against what was given.
        ial_factor: Of the same loss, once more.
        tau2: Its temperature.
    """

    image_weight: float
    rebuild_weight: float
    prior_weight: float
    ial_weight: float
    ial_factor: float
    tau2: float


class ImaginationLosses(ConfidentLosses):
    """``ConfidentLosses`` that also align imagined images, where there are any."""

    def forward(  # type: ignore[override]
        self,
        encoded: GlobalHybridVectors,
        positions: Tensor,
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Total loss of a batch of pairs; arguments as in ``HybridLosses``."""
        total = super().forward(encoded, positions, kept)
        if not isinstance(encoded, ImaginingVectors) or encoded.imagined is None:
            return total
        source, target = positions.unbind(dim=1)
        confidences = self._confidences(encoded, positions)
        confidence = confidences[:, self._modalities.index("image")]
        images = normalize(encoded.imagined.code, dim=1)
        aligned = loss_where_present(
            self._confident, "image", kept, confidence, images[source], images[target]
        )
        # One more term of the second of the three losses, in which their sum is linear.
        scales = self.balance.scales
        return total + (aligned if scales is None else aligned / (2 * scales[1] ** 2))

    def beside(self, losses: Tensor) -> Tensor:
        """Sum of further losses, [n], whose scales stay at 1 where the three are balanced."""
        if self.balance.scales is None:
            return losses.sum()
        return (losses / 2 + math.log(2)).sum()


def imagination_losses(
    generator: ImageGenerator,
    imagined: Imagined,
    pictured: Tensor,
    everyone: Tensor,
    seeds: Tensor,
    weights: ImaginationWeights,
) -> Tensor:
    """The four losses of the generator alone, each with its weight, [4].

    Args:
        generator: Of the images.
        imagined: What it makes of the training pairs' entities.
        pictured: Places of the batch's entities that have an image, [<= n].
        everyone: What it is given of all entities, [n_entities, n_given].
        seeds: Places of the seed pairs, [n_seeds, 2]: those that were promoted do not count.
        weights: Of the losses.

    Reference: UMAEA (ISWC 2023), as the released code computes it.
    """
    images = normalize(imagined.code, dim=1)
    rebuilt = generator.rebuilt(imagined.code[pictured])
    sides = [
        (each[seeds[:, 0]], each[seeds[:, 1]])
        for each in (normalize(imagined.given, dim=1), images)
    ]
    losses = [
        weights.image_weight * row_divergence(imagined.images[pictured], images[pictured]),
        weights.rebuild_weight * row_divergence(imagined.given[pictured], rebuilt),
        weights.prior_weight * prior_divergence(*generator.encoded(everyone), generator.n_given),
        weights.ial_weight
        * weights.ial_factor
        * inter_modal_alignment_loss(sides[0], sides[1], weights.tau2),
    ]
    return torch.stack(losses)


def row_divergence(wanted: Tensor, found: Tensor) -> Tensor:
    """Mean over rows of ``KL(softmax(wanted) || softmax(found))``; 0 without rows.

    Args:
        wanted: [n, dim]; the softmax runs over the columns.
        found: [n, dim].
    """
    if not len(wanted):
        return found.sum() * 0.0
    return kl_div(
        log_softmax(found, dim=1),
        log_softmax(wanted, dim=1),
        reduction="batchmean",
        log_target=True,
    )


def prior_divergence(mean: Tensor, log_variance: Tensor, n_given: int) -> Tensor:
    """``1/2 sum(e^sigma + mu^2 - 1 - sigma) / (n * n_given)``.

    Args:
        mean: ``mu``, [n, dim].
        log_variance: ``sigma``, [n, dim].
        n_given: Columns that the released code divides by, in place of ``dim``.
    """
    terms = torch.exp(log_variance) + mean**2 - 1 - log_variance
    return terms.sum() / (2 * len(mean) * n_given)

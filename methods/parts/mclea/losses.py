"""MCLEA's losses: ICL within, IAL between modalities, weighed by learned uncertainties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.presence import loss_where_present, pair_presence
from mmea_bench.methods.core.layers.multimodal import MultiModalEncoder
from mmea_bench.methods.core.losses.batch import (
    alignment_targets,
    distillation_loss,
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.core.training.minibatch import shuffled_batches


@dataclass(frozen=True)
class LossSettings:
    """Parameters of the losses.

    Attributes:
        tau1: Temperature of ICL.
        tau2: Temperature of IAL.
        zoom: Weight of IAL, applied twice; 0 leaves it out.
        use_icl: Whether modalities have an ICL; the joint vector always has.
        learned_uncertainty: Whether the weights of modalities are learned; else all are 1.
        icl_mean: As for ``intra_modal_contrastive_loss``.
        ial_reduction: As for ``inter_modal_alignment_loss``.
        regulariser: Factor of the log-variances.
        batch_size: Pairs of a batch, whose other pairs are the negatives.
    """

    tau1: float
    tau2: float
    zoom: float
    use_icl: bool
    learned_uncertainty: bool
    icl_mean: Literal["of logs", "of probabilities"]
    ial_reduction: Literal["entries", "rows"]
    regulariser: float
    batch_size: int


class MCLEALosses(nn.Module):
    """Losses of one epoch: shuffled pairs in mini-batches.

    Args:
        encoder: Whose fusion makes the joint vectors.
        settings: Parameters of the losses.
        shuffles: CPU generator of the batches.
    """

    def __init__(
        self, encoder: MultiModalEncoder, settings: LossSettings, shuffles: torch.Generator
    ) -> None:
        super().__init__()
        # A tuple hides the encoder's part from this module's own parameters.
        self._shared = (encoder,)
        self._settings, self._shuffles = settings, shuffles
        learned, factor = settings.learned_uncertainty, settings.regulariser
        self.icl_weighting = UncertaintyWeighting(encoder.modalities, factor, learned=learned)
        self.ial_weighting = UncertaintyWeighting(encoder.modalities, factor, learned=learned)

    def forward(self, encoded: dict[str, Tensor], positions: Tensor) -> Iterator[Tensor]:
        """One loss per batch.

        Args:
            encoded: Modality to L2-normalised vectors, [n_rows, dim] each.
            positions: Rows of the pairs, [n_pairs, 2].
        """
        (encoder,) = self._shared
        for chunk in shuffled_batches(positions, self._settings.batch_size, self._shuffles):
            batch = {
                name: (vectors[chunk[:, 0]], vectors[chunk[:, 1]])
                for name, vectors in encoded.items()
            }
            yield self.batch_loss(batch, pair_presence(encoder.prepared_presence, chunk))

    def batch_loss(
        self,
        encoded: dict[str, tuple[Tensor, Tensor]],
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Loss of one mini-batch of L2-normalised modality vectors, by modality.

        Args:
            encoded: Modality to the pairs' source and target vectors, [b, dim] each.
            kept: Pairs that have a modality, where it is not all of them.
        """
        settings, (encoder,) = self._settings, self._shared
        source, target = (
            normalize(encoder.fusion({name: pair[side] for name, pair in encoded.items()}), dim=1)
            for side in (0, 1)
        )

        def icl(*pair: Tensor) -> Tensor:
            return intra_modal_contrastive_loss(pair[0], pair[1], settings.tau1, settings.icl_mean)

        def ial(*vectors: Tensor) -> Tensor:
            joint, pair = (vectors[0], vectors[1]), (vectors[2], vectors[3])
            return inter_modal_alignment_loss(joint, pair, settings.tau2, settings.ial_reduction)

        def alignment(name: str, pair: tuple[Tensor, Tensor]) -> Tensor:
            if name in kept:
                return loss_where_present(ial, name, kept, source, target, *pair)
            return distillation_loss(targets, *pair, settings.ial_reduction)

        loss = icl(source, target)
        if settings.use_icl:
            loss = loss + self.icl_weighting(
                {name: loss_where_present(icl, name, kept, *pair) for name, pair in encoded.items()}
            )
        if settings.zoom:
            targets = alignment_targets(source, target, settings.tau2)
            handed = {name: settings.zoom * alignment(name, pair) for name, pair in encoded.items()}
            loss = loss + settings.zoom * self.ial_weighting(handed)
        return loss

"""PSNEA's losses of a batch of pairs, some of which are likely ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.hybrid.confident_losses import confident_contrastive_loss
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import alignment_targets, distillation_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting


class PoolLosses(nn.Module):
    """Contrastive loss of the joint vectors and of each modality, and what the joint hands down.

    Args:
        fusion: Of the encoder.
        tau: Temperature of all losses.
        contrasted: Weight of all contrastive losses, whose two directions count half each.
        distilled: Weight of the divergence from the joint vectors' similarities.
    """

    def __init__(
        self, fusion: WeightedConcatenation, tau: float, contrasted: float, distilled: float
    ) -> None:
        super().__init__()
        # A tuple hides the encoder's part from this module's own parameters.
        self._fusion, self._tau = (fusion,), tau
        self._contrasted, self._distilled = contrasted, distilled
        self.weighting = UncertaintyWeighting(fusion.modalities, 1.0, learned=True)

    def forward(
        self,
        encoded: Mapping[str, Tensor],
        positions: Tensor,
        weights: Tensor,
        swapped: Tensor,
        *,
        joint_alone: bool,
    ) -> Tensor:
        """Loss of a batch.

        Args:
            encoded: Modality to unit vectors, [n_rows, dim].
            positions: Source and target row of each pair, [b, 2].
            weights: How much each pair counts, [b].
            swapped: Pairs whose target stands in for their source, [b] bool.
            joint_alone: Whether the joint vectors alone are trained, as in the first epochs.
        """
        source, target = positions.unbind(dim=1)
        source = torch.where(swapped, target, source)
        units = {name: (each[source], each[target]) for name, each in encoded.items()}
        joint = [
            normalize(self._fusion[0]({name: pair[side] for name, pair in units.items()}), dim=1)
            for side in (0, 1)
        ]
        loss = confident_contrastive_loss(joint[0], joint[1], weights, self._tau)
        if joint_alone:
            return self._contrasted * loss
        targets = alignment_targets(joint[0], joint[1], self._tau)
        own, handed = {}, torch.zeros((), device=loss.device)
        for name, (first, second) in units.items():
            own[name] = confident_contrastive_loss(first, second, weights, self._tau)
            handed = handed + distillation_loss(targets, first, second, "rows")
        weighted: Tensor = self.weighting(own)
        return self._contrasted * (loss + weighted) + self._distilled * handed

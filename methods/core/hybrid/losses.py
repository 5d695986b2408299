"""MEAformer's losses before and after the transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.hybrid.hybrid_encoder import HybridVectors
from mmea_bench.methods.core.hybrid.joint_contrast import joint_contrasts
from mmea_bench.methods.core.hybrid.modality_attention import weighted_concatenation
from mmea_bench.methods.core.inputs.encoded_parts import RELEASED_ORDER
from mmea_bench.methods.core.inputs.presence import loss_where_present
from mmea_bench.methods.core.losses.contrastive import SHARPEST, contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting

ALWAYS_WEIGHTED = RELEASED_ORDER[:6]
"""Modalities whose log-variances enter the loss even where the modality is off, as released."""

LATE_WEIGHT = {
    "image": "structure",
    "attribute": "relation",
    "relation": "attribute",
    "structure": "image",
}
"""Modality whose log-variance weighs a late token's loss: the released code reads the tokens of
the first four modalities in reverse order. Names and texts keep their own."""


class HybridLosses(nn.Module):
    """Contrastive losses of a batch before and after the transformer, sharing log-variances.

    Args:
        modalities: Those of the encoder.
        tau: Temperature.
    """

    def __init__(self, modalities: tuple[str, ...], tau: float) -> None:
        super().__init__()
        self._tau = tau
        weighted = tuple(dict.fromkeys([*ALWAYS_WEIGHTED, *modalities]))
        self._weighted = weighted
        self.weighting = UncertaintyWeighting(weighted, 1.0, learned=True)

    def forward(
        self,
        encoded: HybridVectors,
        positions: Tensor,
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Total loss of a batch of pairs.

        Args:
            encoded: Rows of the batch.
            positions: Source and target row of each pair, [b, 2].
            kept: Pairs that have a modality, where it is not all of them.
        """
        (joint,), early = self.contrasts(encoded, [encoded.shares], positions, kept)
        late = self.late(encoded, positions, kept)
        total: Tensor = joint
        for losses in (early, late):
            total = total + self.weighted(losses)
        return total

    def contrasts(
        self,
        encoded: HybridVectors,
        shares: Sequence[Tensor],
        positions: Tensor,
        kept: Mapping[str, Tensor],
        confidences: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses of joint vectors and of what they concatenate.

        Args:
            encoded: Rows of the batch.
            shares: Of the joint vectors of each kind, [n_rows, n_modalities] each.
            positions: Source and target row of each pair, [b, 2].
            kept: Pairs that have a modality, where it is not all of them.
            confidences: Factors of the pairs in the modalities' losses, [b, n_modalities].

        Returns:
            Of each kind of joint vectors, [n_kinds], and by modality.
        """
        if kept or self._tau < SHARPEST:
            return self._separate(encoded, shares, positions, kept, confidences)
        rows = positions.T.flatten()
        parts = torch.stack([vectors[rows] for vectors in encoded.early.values()])
        anchors = None if confidences is None else confidences.T.unsqueeze(1).expand(-1, 2, -1)
        joint, own = joint_contrasts(parts, [each[rows] for each in shares], self._tau, anchors)
        return joint, dict(zip(encoded.early, own, strict=True))

    def _separate(
        self,
        encoded: HybridVectors,
        shares: Sequence[Tensor],
        positions: Tensor,
        kept: Mapping[str, Tensor],
        confidences: Tensor | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As ``contrasts``, of joint vectors; modalities that pairs lack have fewer rows."""
        source, target = positions.unbind(dim=1)
        joint = (weighted_concatenation(list(encoded.early.values()), each) for each in shares)
        of_joint = torch.stack([self._icl(rows[source], rows[target]) for rows in joint])
        own = {}
        for column, (name, vectors) in enumerate(encoded.early.items()):
            pairs = [vectors[source], vectors[target]]
            if confidences is not None:
                pairs.append(confidences[:, column])
            own[name] = loss_where_present(self._icl, name, kept, *pairs)
        return of_joint, own

    def late(
        self, encoded: HybridVectors, positions: Tensor, kept: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Losses of the tokens, by the modality whose log-variance weighs them.

        Args:
            encoded: Rows of the batch.
            positions: Source and target row of each pair, [b, 2].
            kept: Pairs that have a modality, where it is not all of them.
        """
        source, target = positions.unbind(dim=1)
        return {
            LATE_WEIGHT.get(name, name): loss_where_present(
                self._icl, name, kept, vectors[source], vectors[target]
            )
            for name, vectors in encoded.late.items()
        }

    def weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Losses by modality under the log-variances; one that is off has loss 0."""
        none = torch.zeros((), device=self.weighting.log_variances.device)
        total: Tensor = self.weighting({name: losses.get(name, none) for name in self._weighted})
        return total

    def _icl(self, source: Tensor, target: Tensor, confidence: Tensor | None = None) -> Tensor:
        weights = None if confidence is None else confidence.expand(2, -1)
        return contrastive_loss(source, target, self._tau, weights)

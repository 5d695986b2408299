"""GEEA's losses: MCLEA's on the seed pairs, and those of four generative flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize

from mmea_bench.methods.core.losses.batch import (
    alignment_targets,
    distillation_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.parts.geea.encoder import WeightedMean
from mmea_bench.methods.parts.geea.flows import Generators

_N_SLOTS = 6
"""Modalities with log-variances in the released code, present or not."""


@dataclass(frozen=True)
class LossWeights:
    """Temperatures and weights of the losses.

    Attributes:
        tau1: Temperature of the contrastive losses.
        tau2: Temperature of the inter-modal alignment.
        zoom: Weight of the inter-modal alignment, applied twice.
        divergence: Factor of the divergence from the prior.
        match: Weight of the distribution match.
        prior: Weight of the reconstruction of raw features.
        reconstruction: Weight of the reconstruction of modality vectors.
        post: Weight of the reconstruction of joint vectors.
    """

    tau1: float
    tau2: float
    zoom: float
    divergence: float
    match: float
    prior: float
    reconstruction: float
    post: float


@dataclass(frozen=True, eq=False)
class Flow:
    """Entities that go in, and those that are to come out.

    Attributes:
        inputs: Positions among the encoded rows, [n].
        outputs: Positions of those that are to come out, [n].
        within: Whether they are the same.
        entities: Joint ids of those that are to come out, on the CPU, [n].
    """

    inputs: Tensor
    outputs: Tensor
    within: bool
    entities: Tensor


class AlignmentLosses(nn.Module):
    """ICL of the joint vector and of each modality, and IAL, weighed by learned uncertainties.

    The log-variance of a slot without a modality stands in the loss alone. It falls without limit,
    and its gradient, always the same, counts in the norm that is clipped.

    Args:
        modalities: Names.
        weights: Temperatures and weights.
    """

    def __init__(self, modalities: tuple[str, ...], weights: LossWeights) -> None:
        super().__init__()
        self._weights = weights
        self.icl_weighting = UncertaintyWeighting(modalities, 1.0, learned=True)
        self.ial_weighting = UncertaintyWeighting(modalities, 1.0, learned=True)
        n_spare = _N_SLOTS - len(modalities)
        self.spare = nn.Parameter(torch.zeros(2, n_spare)) if n_spare > 0 else None

    def forward(
        self, joint: tuple[Tensor, Tensor], encoded: Mapping[str, tuple[Tensor, Tensor]]
    ) -> Tensor:
        """Loss of a batch of pairs.

        Args:
            joint: Source and target joint vectors, [b, dim] each.
            encoded: Modality to source and target vectors, [b, dim] each.
        """
        weights = self._weights
        source, target = (normalize(side, dim=1) for side in joint)
        targets = alignment_targets(source, target, weights.tau2)
        handed, within = {}, {}
        for name, pair in encoded.items():
            first, second = (normalize(side, dim=1) for side in pair)
            handed[name] = weights.zoom * distillation_loss(targets, first, second)
            within[name] = intra_modal_contrastive_loss(first, second, weights.tau1)
        loss = intra_modal_contrastive_loss(source, target, weights.tau1)
        total: Tensor = loss + self.icl_weighting(within)
        handed_down: Tensor = self.ial_weighting(handed)
        if self.spare is not None:
            total = total + self.spare[0].sum()
            handed_down = handed_down + self.spare[1].sum()
        return total + weights.zoom * handed_down


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of ``N(mean, e^log_variance)`` from N(0, 1), mean over rows."""
    cells = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * cells.sum(dim=1).mean()


class GenerativeLosses:
    """What the flows of GEEA are trained for.

    Args:
        generators: Auto-encoders and decoders.
        fusion: Of the backbone, which makes joint vectors of what the flows give.
        features: Modality to the raw features of all entities, [n_entities, width].
        weights: Of the losses.

    Reference: GEEA, ICLR 2024, released code.
    """

    def __init__(
        self,
        generators: Generators,
        fusion: WeightedMean,
        features: Mapping[str, Tensor | csr_matrix],
        weights: LossWeights,
    ) -> None:
        self._generators, self._fusion = generators, fusion
        self._features, self._weights = dict(features), weights

    def __call__(
        self, flow: Flow, rows: Tensor, encoded: Mapping[str, Tensor], joint: Tensor
    ) -> Tensor:
        """Weighted sum of the losses of one flow.

        Args:
            flow: What goes in and what is to come out.
            rows: Joint ids of the encoded rows, [n_rows].
            encoded: Modality to vectors, [n_rows, dim].
            joint: Their joint vectors, not normalised, [n_rows, dim].
        """
        weights, decoded = self._weights, {}
        loss = joint.new_zeros(())
        for name in self._generators.modalities:
            vectors = encoded[name][flow.inputs]
            found, mean, log_variance = self._generators.flow(name, vectors)
            decoded[name] = found
            if flow.within and weights.match:
                divergence = gaussian_divergence(mean, log_variance)
                loss = loss + weights.match * weights.divergence * divergence
            if weights.reconstruction:
                # Also from source to target what comes out is held against what went in.
                loss = loss + weights.reconstruction * mse_loss(found, vectors.detach())
            if weights.prior:
                targets = self._targets(name, rows[flow.outputs], flow)
                loss = loss + weights.prior * self._generators.decoders[name](found, targets)
        if weights.post:
            wanted = joint[flow.outputs].detach()
            loss = loss + weights.post * mse_loss(self._fusion(decoded), wanted)
        return loss

    def _targets(self, name: str, entities: Tensor, flow: Flow) -> Tensor | csr_matrix:
        features = self._features[name]
        if isinstance(features, Tensor):
            return features[entities]
        return features[flow.entities.numpy()]


def random_flows(
    n_source: int, n_target: int, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random entities of either KG, equally many and without repetition, as joint ids.

    Args:
        n_source: Entities of the source KG.
        n_target: Entities of the target KG.
        share: How many, as a share of the source KG's.
        generator: On the CPU.
    """
    wanted = min(max(2, int(n_source * share)), n_target)
    source = torch.randperm(n_source, generator=generator)[:wanted]
    target = torch.randperm(n_target, generator=generator)[:wanted]
    return source, target + n_source

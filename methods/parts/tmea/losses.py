"""TMEA's losses of a step and of a batch of pseudo-pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.siamese.pair_losses import (
    halves,
    orthogonality_loss,
    squared_contrastive_loss,
)
from mmea_bench.methods.core.siamese.translation import BatchEntities, translation_loss
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.tmea.encoder import Encoded, TokenEncoder


@dataclass(frozen=True)
class LossParams:
    """Margins and weights; see ``TMEAParams``."""

    margin: float
    contrastive_margin: float
    orthogonality: float
    matching: float
    pseudo_weight: float


class Losses:
    """``L_TransE + L_align + orthogonality L_o + L_VAE + matching L_m``, a plain sum.

    Args:
        encoder: Whose vectors are trained.
        params: Margins and weights.
        ctx: Generators.
    """

    def __init__(self, encoder: TokenEncoder, params: LossParams, ctx: RunContext) -> None:
        self._encoder, self._params = encoder, params
        self._noise = ctx.generator("latents")

    def of_step(
        self,
        triples: Tensor,
        stand_ins: Tensor,
        replaces_head: Tensor,
        seeds: Tensor,
        n_seeds: int,
    ) -> Tensor:
        """All losses of a batch of triples and of the seeds.

        Args:
            triples: [b, 3].
            stand_ins: Entity of each one's negative, [b].
            replaces_head: Whether it takes the head's place, [b].
            seeds: Rows of those of this step, [2 n], see ``rows_of_pairs``.
            n_seeds: Seeds that they were drawn from; sums over seeds grow accordingly.
        """
        encoder, params = self._encoder, self._params
        ends = (triples[:, 0], triples[:, 2], stand_ins)
        entities = BatchEntities(torch.cat([*ends, seeds]), encoder.entities)
        batch = entities.triples(*ends, triples[:, 1], replaces_head)
        relations = unit_rows(encoder.relations)
        loss = translation_loss(entities.vectors, relations, batch, params.margin)
        encoded = encoder.encode(seeds, entities.of(seeds), self._noise)
        loss = loss + self.alignment(encoded, n_seeds)
        if params.orthogonality:
            loss = loss + params.orthogonality * self.orthogonality(encoded)
        return loss + self.completion(encoded, n_seeds)

    def of_pseudo_pairs(self, rows: Tensor) -> Tensor:
        """The alignment loss of a batch of pseudo-pairs, at its weight; rows as for seeds."""
        base = unit_rows(embedding(rows, self._encoder.entities))
        encoded = self._encoder.encode(rows, base, self._noise)
        return self._params.pseudo_weight * self.alignment(encoded)

    def alignment(self, encoded: Encoded, n_pairs: int | None = None) -> Tensor:
        """``(1 - y) S^2 + y [margin - S]+^2``, averaged over n x n, of joint and single vectors.

        S is the inner product of joint vectors and the cosine within a modality; y says who is
        partner of whom. What an entity lacks counts as its layer's bias, not as what is generated.

        Args:
            encoded: Of pairs: the sources, then in the same order their partners.
            n_pairs: Pairs that they were drawn from; None if these are all.
        """
        margin = self._params.contrastive_margin
        # ``squared_contrastive_loss`` halves its terms, as CLAMEA prints them; TMEA does not.
        losses = [
            2 * squared_contrastive_loss(*halves(rows), margin, n_pairs, cosine=False)
            for rows in (encoded.joint, *encoded.single.values())
        ]
        return torch.stack(losses).sum()

    def orthogonality(self, encoded: Encoded) -> Tensor:
        """Sum over (m, s) of the mean over entities of ``mean(s * (m - A_ms))^2``."""
        losses = [
            orthogonality_loss(encoded.whole[name] - rows, encoded.whole[other])
            for (name, other), rows in encoded.attended.items()
        ]
        return torch.stack(losses).sum() if losses else encoded.joint.new_zeros(())

    def completion(self, encoded: Encoded, n_pairs: int) -> Tensor:
        """VAE losses and, weighted, distances of latents, of the sources and of their partners."""
        completion = self._encoder.completion
        loss = encoded.joint.new_zeros(())
        if completion is None:
            return loss
        half = len(encoded.joint) // 2
        has_both = encoded.present["image"] & encoded.present["attribute"]
        for first in (0, half):
            rows = torch.nonzero(has_both[first : first + half]).squeeze(1) + first
            error, divergence, matching = completion.losses(encoded.single, rows, self._noise)
            # The divergence alone is a sum over entities; a sample estimates means as they are.
            loss = loss + error + divergence * (n_pairs / max(1, half))
            loss = loss + self._params.matching * matching
        return loss

"""Vectors for modalities that an entity lacks, generated from those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.siamese.modal_vae import (
    LossForm,
    ModalVAE,
    completed,
    sampled,
    unit_scale,
    vae_loss,
)
from mmea_bench.methods.core.siamese.pair_losses import mean_square
from mmea_bench.methods.parts.clamea.attention_flow import AttentionFlow, FusionRule, VectorFusion

BASE = "structure"
"""The modality that every entity has."""


class ModalGeneration(nn.Module):
    """Dynamic missing modality generation (DMMG).

    One VAE per modality and one per fusion of a modality with structure. A lacking image is decoded
    by the image VAE from the latents of attribute + structure and of structure alone; both results
    are fused. Where the attribute is lacking too, structure alone counts. Attributes alike.

    Args:
        flows: Modality other than structure to its fusion with structure.
        dim: Columns of every vector.
        latent: Columns of the latents.
        n_heads: Heads of the entity weights.
        fusion: Rule of the fusion of two generated vectors.
        form: Of the VAE loss.
        generator: CPU generator of the initial values.

    Reference: CLAMEA, EMNLP Findings 2025, equations 16-19.
    """

    def __init__(
        self,
        flows: Mapping[str, AttentionFlow],
        dim: int,
        latent: int,
        n_heads: int,
        fusion: FusionRule,
        form: LossForm,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._flows = dict(flows)
        self._sides = tuple(flows)
        self._form: LossForm = form
        scale = unit_scale(dim, form)
        # Fused vectors serve the other modality only, so a single one needs none.
        fused = [_with_base(name) for name in self._sides] if len(self._sides) > 1 else []
        self.vaes = nn.ModuleDict(
            {
                name: ModalVAE(dim, latent, scale, generator)
                for name in chain([BASE], self._sides, fused)
            }
        )
        self.fusions = nn.ModuleDict(
            {
                name: VectorFusion(fusion, 2, dim, n_heads, generator, keep_dim=True)
                for name in (self._sides if fused else ())
            }
        )

    def _partner(self, name: str) -> str | None:
        return next((other for other in self._sides if other != name), None)

    def losses(
        self,
        vectors: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        noise: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """VAE loss and distance between the latents that must be interchangeable (L_m).

        Terms other than structure's VAE count entities that have every modality.

        Args:
            vectors: Modality to [n, dim], without gradients.
            present: Modality to whether an entity has it, [n] bool.
            noise: CPU generator of the latents' noise.
        """
        base = vectors[BASE]
        whole = torch.ones(len(base), dtype=torch.bool, device=base.device)
        for name in self._sides:
            whole = whole & present[name]
        rows = torch.nonzero(whole).squeeze(1)
        loss, latents = self._auto_encode(BASE, base, noise)
        latents_of = {BASE: latents[rows]}
        matching = torch.zeros((), device=base.device)
        if not len(rows):
            return loss, matching
        for name in self._sides:
            inputs = {name: vectors[name][rows]}
            if len(self._sides) > 1:
                inputs[_with_base(name)] = self._flows[name](inputs[name], base[rows])
            for key, value in inputs.items():
                part, latents_of[key] = self._auto_encode(key, value, noise)
                loss = loss + part
        for name in self._sides:
            partner = self._partner(name)
            matching = matching + mean_square(latents_of[name], latents_of[BASE])
            if partner is not None:
                matching = matching + mean_square(latents_of[name], latents_of[_with_base(partner)])
        return loss, matching

    def _auto_encode(
        self, name: str, vectors: Tensor, noise: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        vae = self._vae(name)
        encoded = vae.encode(vectors)
        latents = sampled(*encoded, noise)
        return vae_loss(vae, vectors, encoded, latents, self._form), latents

    def complete(
        self,
        vectors: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        noise: torch.Generator | None,
    ) -> dict[str, Tensor]:
        """The vectors with generated, L2-normalised ones where an entity lacks a modality.

        Args:
            vectors: Modality to [n, dim]; what is generated sends them no gradient.
            present: Modality to whether an entity has it, [n] bool.
            noise: CPU generator of the latents' noise; None uses the means.
        """
        whole = dict(vectors)
        for name in self._sides:
            lacking = torch.nonzero(~present[name]).squeeze(1)
            if not len(lacking):
                continue
            base = vectors[BASE].detach()[lacking]
            stand_ins = self._generate(name, BASE, base, noise)
            partner = self._partner(name)
            if partner is not None:
                fused = self._flows[partner](vectors[partner].detach()[lacking], base)
                both = [self._generate(name, _with_base(partner), fused, noise), stand_ins]
                has_partner = present[partner][lacking].unsqueeze(1)
                stand_ins = torch.where(has_partner, self.fusions[name](both), stand_ins)
            whole[name] = completed(vectors[name], lacking, normalize(stand_ins, dim=1))
        return whole

    def _generate(
        self, name: str, origin: str, vectors: Tensor, noise: torch.Generator | None
    ) -> Tensor:
        latents = sampled(*self._vae(origin).encode(vectors), noise)
        return self._vae(name).decode(latents)

    def _vae(self, name: str) -> ModalVAE:
        return cast(ModalVAE, self.vaes[name])


def _with_base(name: str) -> str:
    return f"{name} and {BASE}"

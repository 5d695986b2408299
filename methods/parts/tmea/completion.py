"""Images and attributes that an entity lacks, generated from its other two modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import xavier_linear
from mmea_bench.methods.core.siamese.modal_vae import ModalVAE, completed, divergences, sampled
from mmea_bench.methods.core.siamese.pair_losses import mean_square

SOURCES = {"attribute": "image", "image": "attribute"}
"""The modality that, beside structure, gives the lacking one."""


class CompletionLosses(NamedTuple):
    """What the VAEs lose on some entities, at the scales of the released code.

    Attributes:
        reconstruction: Mean squared errors over entities and dimensions, summed over the VAEs.
        divergence: Summed over entities, latents and VAEs.
        matching: Mean squared distance of the latents that must be interchangeable.
    """

    reconstruction: Tensor
    divergence: Tensor
    matching: Tensor


class Completion(nn.Module):
    """Four VAEs: of the images, of the attributes, and of either joined with structure.

    A lacking attribute is what the VAE of attributes decodes from the latent of ``W [i; r] + b``,
    a lacking image likewise from ``W [a; r] + b``. No gradient passes to the modality vectors.

    Args:
        dim: Columns of every vector.
        latent: Columns of the latents.
        generator: CPU generator of the initial values.
    """

    def __init__(self, dim: int, latent: int, generator: torch.Generator) -> None:
        super().__init__()
        self.joined = nn.ModuleDict(
            {name: xavier_linear(2 * dim, dim, generator) for name in SOURCES.values()}
        )
        self.vaes = nn.ModuleDict(
            {
                name: ModalVAE(dim, latent, 1.0, generator)
                for name in (*SOURCES, *(_joined(name) for name in SOURCES.values()))
            }
        )

    def complete(
        self,
        vectors: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        noise: torch.Generator | None,
    ) -> dict[str, Tensor]:
        """The vectors with generated ones, not normalised, where an entity lacks a modality.

        Args:
            vectors: Modality to [n, dim].
            present: Modality to whether an entity has it, [n] bool.
            noise: CPU generator of the latents' noise; None uses the means.
        """
        whole = dict(vectors)
        for name, source in SOURCES.items():
            lacking = torch.nonzero(~present[name]).squeeze(1)
            if len(lacking):
                inputs = self._with_structure(source, vectors, lacking)
                latents = sampled(*self._vae(_joined(source)).encode(inputs), noise)
                stand_ins = self._vae(name).decode(latents)
                whole[name] = completed(vectors[name], lacking, stand_ins)
        return whole

    def losses(
        self, vectors: Mapping[str, Tensor], rows: Tensor, noise: torch.Generator | None
    ) -> CompletionLosses:
        """Losses of all VAEs and of their latents.

        Args:
            vectors: Modality to [n, dim].
            rows: Entities that have image and attributes, [k]; all losses are 0 without any.
            noise: As in ``complete``.
        """
        error, divergence, matching = (torch.zeros((), device=rows.device) for _ in range(3))
        if not len(rows):
            return CompletionLosses(error, divergence, matching)
        latents = {}
        for name, source in SOURCES.items():
            joined = _joined(source)
            inputs = {
                name: vectors[name].detach()[rows],
                joined: self._with_structure(source, vectors, rows),
            }
            for key, value in inputs.items():
                vae = self._vae(key)
                encoded = vae.encode(value)
                latents[key] = sampled(*encoded, noise)
                # Told apart, since a sample of the entities shrinks sums alone.
                error = error + mean_square(vae.decode(latents[key]), value.detach())
                divergence = divergence + divergences(*encoded).sum()
            matching = matching + mean_square(latents[name], latents[joined])
        return CompletionLosses(error, divergence, matching)

    def _with_structure(self, name: str, vectors: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        both = [vectors[each].detach()[rows] for each in (name, "structure")]
        joined: Tensor = self.joined[name](torch.cat(both, dim=1))
        return joined

    def _vae(self, name: str) -> ModalVAE:
        return cast(ModalVAE, self.vaes[name])


def _joined(name: str) -> str:
    return f"{name} and structure"

"""UMAEA's encoder in its later stages: lacking images are imagined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridEncoder, GlobalHybridVectors
from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.parts.umaea.generator import ImageGenerator, Imagined, latent_code

_FIRST_GIVEN = ("structure", "relation", "attribute")
"""Order of what the generator is given; names and texts follow."""


@dataclass(frozen=True, eq=False)
class ImaginingVectors(GlobalHybridVectors):
    """As ``GlobalHybridVectors``.

    Attributes:
        imagined: What the generator made of these rows; None where nothing is imagined, and in
            evaluation.
    """

    imagined: Imagined | None = None


class ImaginingEncoder(GlobalHybridEncoder):
    """``GlobalHybridEncoder`` that can replace the image vectors of entities without an image.

    ``add_generator`` completes it. While ``is_imagining`` is false, an entity without an image
    keeps the vector of the random stand-in. A node of an N-MMKG that has no image by definition is
    never given one.
    """

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.is_imagining = False
        self._imagined: Imagined | None = None

    def add_generator(
        self, has_image: Tensor, initial: torch.Generator, noise: torch.Generator
    ) -> None:
        """Makes the generator, on the device of the encoder.

        Args:
            has_image: Whether an entity has one, [n_entities] bool on the encoder's device.
            initial: CPU generator of the initial values.
            noise: CPU generator of the noise in training.
        """
        others = [name for name in self.modalities if name not in (*_FIRST_GIVEN, "image")]
        self._given = [name for name in _FIRST_GIVEN if name in self.modalities] + others
        linear = self.linear["image"]
        assert isinstance(linear, Linear)  # noqa: S101 - made above
        dim = linear.weight.shape[1]
        self.generator = ImageGenerator(len(self._given) * dim, dim, initial).to(has_image.device)
        self.has_image, self._noise = has_image, noise
        self._replaced = torch.zeros_like(has_image) if "image" in self.presence else ~has_image

    def vectors(self, rows: Tensor | None, chosen: Tensor | None = None) -> dict[str, Tensor]:
        """As in ``ModalityEncoders``; lacking images are imagined, in evaluation without noise."""
        found = super().vectors(rows, chosen)
        if not self.is_imagining:
            return found
        if rows is None:
            return self._filled(found, self._replaced if chosen is None else self._replaced[chosen])
        given = self._joined(found)
        mean, log_variance = self.generator.encoded(given)
        noise = torch.randn(mean.shape, generator=self._noise).to(mean.device)
        code = latent_code(mean, log_variance, noise)
        self._imagined = Imagined(given, mean, log_variance, code, found["image"])
        replaced = self._replaced[rows if chosen is None else rows[chosen]].unsqueeze(1)
        return {**found, "image": torch.where(replaced, normalize(code, dim=1), found["image"])}

    def hybrid(
        self,
        rows: Tensor | None,
        chosen: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> ImaginingVectors:
        """Vectors of prepared rows, or of all entities; arguments as in ``HybridEncoder``."""
        found = super().hybrid(rows, chosen, dropout)
        # ``vectors`` has no other way to hand it out through the encoders below.
        imagined, self._imagined = self._imagined, None
        return ImaginingVectors(
            found.early, found.late, found.weights, found.shares, found.dynamic_shares, imagined
        )

    @torch.no_grad()
    def given_of_all(self) -> Tensor:
        """What the generator is given of every entity, [n_entities, n_given]."""
        return self._joined(super().vectors(None))

    def _filled(self, found: dict[str, Tensor], replaced: Tensor) -> dict[str, Tensor]:
        places = torch.nonzero(replaced).squeeze(1)
        if not len(places):
            return found
        given = self._joined({name: vectors[places] for name, vectors in found.items()})
        code = latent_code(*self.generator.encoded(given), None)
        images = found["image"].index_put((places,), normalize(code, dim=1))
        return {**found, "image": images}

    def _joined(self, vectors: dict[str, Tensor]) -> Tensor:
        return normalize(torch.cat([vectors[name] for name in self._given], dim=1), dim=1)

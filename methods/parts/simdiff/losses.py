"""SimDiff's losses: contrastive ones on vectors as they are, with noise, and denoised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.multimodal import MultiModalEncoder
from mmea_bench.methods.core.losses.contrastive import contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.parts.simdiff.denoisers import (
    Denoising,
    OneStepDenoiser,
    StepDenoiser,
    noise_like,
)

GROUPS = {"topology": ("structure", "relation"), "semantics": ("image", "attribute")}
"""Modalities that are fused without the others, with weights of their own."""

_SEED = 1

_N_SLOTS = 6
"""Weights of the joint fusion in the released code; the two of names are never used."""

Pairs = Mapping[str, Tensor]
"""Modality to the sources' rows, then in the same order their partners', [2 b, dim] each."""


class SlottedConcatenation(WeightedConcatenation):
    """A softmax over six weights, of which those of unused slots scale down all that are used.

    Cosines do not see the scale, but noise put on the joint vector weighs more beside a shorter
    one: four modalities of equal weights make a third of length where four weights alone made a
    half.

    Args:
        modalities: Names in the order of the concatenation, at most six.
    """

    def __init__(self, modalities: tuple[str, ...]) -> None:
        super().__init__(modalities)
        self.logits = nn.Parameter(torch.ones(_N_SLOTS))

    def shares(self) -> Tensor:
        """The weights of the slots that are used, [n_modalities]; their sum is below 1."""
        return torch.softmax(self.logits, dim=0)[: len(self.modalities)]

    def weights(self) -> dict[str, float]:
        """Current weight of each modality beside the others that are used."""
        used = self.logits.detach()[: len(self.modalities)]
        shares = torch.softmax(used, dim=0).tolist()
        return dict(zip(self.modalities, shares, strict=True))


class RawEncoder(MultiModalEncoder):
    """Gives training the vectors as the encoders make them, not L2-normalised."""

    def encode(self, rows: Tensor | None) -> dict[str, Tensor]:
        """As they are for the prepared rows, L2-normalised for all entities."""
        return super().encode(rows) if rows is None else self.vectors(rows)


@dataclass(frozen=True)
class LossParams:
    """Of the losses; see ``SimDiffParams``."""

    form: Literal["released", "diffusion"]
    tau: float
    scale: float
    n_augmentations: int
    reseeds: bool
    width: int
    n_layers: int
    noise: float
    n_steps: int
    early_steps: int
    betas: tuple[float, float]
    noise_weight: float
    cleaned_weight: float
    dim: int
    batch_size: int


@dataclass(frozen=True, eq=False)
class EpochNoise:
    """What the released form draws in an epoch, a row for each entity that trains.

    Attributes:
        denoising: Of the first augmentation, by modality.
        first_joint: Of the joint vectors in it, those of the groups after the full one,
            [n_rows, columns] each.
        modal: Of the second augmentation, by modality, [n_rows, dim] each; none without it.
        second_joint: As ``first_joint``, in the second augmentation.
    """

    denoising: dict[str, Denoising]
    first_joint: list[Tensor]
    modal: dict[str, Tensor]
    second_joint: list[Tensor]

    def of(self, rows: Tensor) -> EpochNoise:
        """That of the entities of a batch."""
        return EpochNoise(
            {name: each.of(rows) for name, each in self.denoising.items()},
            [each[rows] for each in self.first_joint],
            {name: each[rows] for name, each in self.modal.items()},
            [each[rows] for each in self.second_joint],
        )


class SimDiffLosses(nn.Module):
    """Losses of one epoch: shuffled pairs in mini-batches.

    Args:
        encoder: Whose fusion makes the joint vectors.
        params: Of the losses.
        generators: CPU generators of initial values, of batches, and of all noise.
    """

    def __init__(
        self,
        encoder: RawEncoder,
        params: LossParams,
        generators: tuple[torch.Generator, torch.Generator, torch.Generator],
    ) -> None:
        super().__init__()
        initial, self._shuffles, self._noise = generators
        # A tuple hides the encoder's part from this module's own parameters.
        self._shared, self._params = (encoder,), params
        self.weighting = UncertaintyWeighting(encoder.modalities, 1.0, learned=True)
        self.groups = nn.ModuleDict()
        self.one_step: OneStepDenoiser | None = None
        self.by_steps: StepDenoiser | None = None
        if params.form == "diffusion":
            sizes = (params.dim, len(encoder.modalities))
            self.by_steps = StepDenoiser(sizes, params.n_steps, params.betas, initial)
            return
        for name, members in GROUPS.items():
            there = tuple(each for each in members if each in encoder.modalities)
            if there:
                # A single member has no weight to learn.
                self.groups[name] = WeightedConcatenation(there, learned=len(there) > 1)
        self.one_step = OneStepDenoiser(params.width, params.n_layers, params.noise, initial)

    def forward(self, encoded: dict[str, Tensor], positions: Tensor) -> Iterator[Tensor]:
        """One loss per batch.

        Args:
            encoded: Modality to vectors, [n_rows, dim] each.
            positions: Rows of the pairs, [n_pairs, 2].
        """
        noise = self.epoch_noise(encoded) if self.by_steps is None else None
        for chunk in shuffled_batches(positions, self._params.batch_size, self._shuffles):
            rows = chunk.T.flatten()
            pairs = {name: vectors[rows] for name, vectors in encoded.items()}
            if self.by_steps is not None:
                yield self.diffused(pairs, self.by_steps)
            elif noise is not None:
                yield self.released(pairs, noise.of(rows))

    @torch.no_grad()
    def epoch_noise(self, encoded: Pairs) -> EpochNoise:
        """Noise of an epoch, drawn for entities and not for the rows of a batch.

        The released code seeds its generator before the second augmentation in every epoch. So each
        entity has the same noise from the second epoch on, and each modality the same A and B;
        here they are others once further pairs join.

        Args:
            encoded: Modality to vectors, [n_rows, dim] each.
        """
        assert self.one_step is not None  # noqa: S101 - for the type alone
        denoising = {name: self.one_step.drawn(rows, self._noise) for name, rows in encoded.items()}
        first_joint = self._joint_noise(encoded)
        if self._params.n_augmentations < 2:
            return EpochNoise(denoising, first_joint, {}, [])
        if self._params.reseeds:
            self._noise.manual_seed(_SEED)
        modal = {name: noise_like(rows, self._noise) for name, rows in encoded.items()}
        return EpochNoise(denoising, first_joint, modal, self._joint_noise(encoded))

    def _joint_noise(self, encoded: Pairs) -> list[Tensor]:
        """Noise of joint vectors, of all modalities and then of each group."""
        (encoder,) = self._shared
        fusions = (encoder.fusion, *self.groups.values())
        return [noise_like(fusion(encoded), self._noise) for fusion in fusions]

    def released(self, pairs: Pairs, noise: EpochNoise) -> Tensor:
        """``s (J + I(x~) + sum_m MSE(x_m, x~_m))`` and, of two augmentations, ``J + I(x + s e)``.

        Args:
            pairs: Vectors of the pairs of a batch.
            noise: Drawn for these entities.
        """
        scale = self._params.scale
        assert self.one_step is not None  # noqa: S101 - for the type alone
        denoised = {
            name: self.one_step(rows, noise.denoising[name]) for name, rows in pairs.items()
        }
        distances = [(pairs[name] - rows).square().mean() for name, rows in denoised.items()]
        first = self.joint_terms(pairs, noise.first_joint) + self.modal_terms(denoised)
        loss = scale * (first + torch.stack(distances).sum())
        if not noise.modal:
            return loss
        noisy = {name: rows + scale * noise.modal[name] for name, rows in pairs.items()}
        return loss + self.joint_terms(pairs, noise.second_joint) + self.modal_terms(noisy)

    def diffused(self, pairs: Pairs, denoiser: StepDenoiser) -> Tensor:
        """Contrastive losses of clean and of cleaned vectors, and the denoiser's own."""
        params, noise = self._params, self._noise
        losses, cleaned = [], {}
        for place, (name, rows) in enumerate(pairs.items()):
            losses.append(denoiser.loss(rows, place, noise))
            cleaned[name] = denoiser.cleaned(rows, place, params.early_steps, noise)
        loss = params.noise_weight * torch.stack(losses).sum()
        (encoder,) = self._shared
        for vectors, weight in ((pairs, 1.0), (cleaned, params.cleaned_weight)):
            joint = self._contrast(encoder.fusion(vectors))
            loss = loss + weight * (joint + self.modal_terms(vectors))
        return loss

    def joint_terms(self, pairs: Pairs, noise: list[Tensor]) -> Tensor:
        """``J = C(joint + s e) + s C(topology + s e) + s C(semantics + s e)``."""
        (encoder,), scale = self._shared, self._params.scale
        of_joint, *of_groups = noise
        loss = self._contrast(encoder.fusion(pairs) + scale * of_joint)
        for group, of_group in zip(self.groups.values(), of_groups, strict=True):
            loss = loss + scale * self._contrast(group(pairs) + scale * of_group)
        return loss

    def modal_terms(self, pairs: Pairs) -> Tensor:
        """``I = sum_m (e^-a_m C(x_m) + a_m)``."""
        weighted: Tensor = self.weighting(
            {name: self._contrast(rows) for name, rows in pairs.items()}
        )
        return weighted

    def _contrast(self, rows: Tensor) -> Tensor:
        half = len(rows) // 2
        unit = normalize(rows, dim=1)
        return contrastive_loss(unit[:half], unit[half:], self._params.tau)

"""Noise put on modality vectors and taken off again."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu, silu

from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter

_STEP_COLUMNS, _MODALITY_COLUMNS, _HIDDEN = 64, 16, 512


@dataclass(frozen=True, eq=False)
class Denoising:
    """What the one-step denoiser draws for the vectors of one modality.

    Attributes:
        noise: Put on the vectors, [n, dim].
        into: Layer A, which is not trained.
        out: Layer B, which is not trained.
    """

    noise: Tensor
    into: Linear
    out: Linear

    def of(self, rows: Tensor) -> Denoising:
        """The same layers, with the noise of some vectors."""
        return Denoising(self.noise[rows], self.into, self.out)


class OneStepDenoiser(nn.Module):
    """``B f(A (x + noise e))``: the released "diffusion", one step without a schedule.

    A and B are drawn with the noise and never trained; f, a stack of layers with ReLUs between, is
    trained and serves all modalities.

    Args:
        width: Columns inside.
        n_layers: Layers of f.
        noise: Standard deviation of what is put on.
        generator: CPU generator of f's initial values.
    """

    def __init__(self, width: int, n_layers: int, noise: float, generator: torch.Generator) -> None:
        super().__init__()
        self._width, self._noise = width, noise
        self.layers = nn.ModuleList([Linear(width, width, generator) for _ in range(n_layers)])

    def drawn(self, vectors: Tensor, generator: torch.Generator) -> Denoising:
        """Noise of that shape, then A and B.

        Args:
            vectors: [n, dim].
            generator: On the CPU.
        """
        dim, device = vectors.shape[1], vectors.device
        noise = self._noise * noise_like(vectors, generator)
        into, out = Linear(dim, self._width, generator), Linear(self._width, dim, generator)
        for layer in (into, out):
            layer.requires_grad_(requires_grad=False).to(device)
        return Denoising(noise, into, out)

    def forward(self, vectors: Tensor, drawn: Denoising) -> Tensor:
        """Denoised vectors, [n, dim].

        Args:
            vectors: [n, dim].
            drawn: What ``drawn`` gave for them.
        """
        hidden = drawn.into(vectors + drawn.noise)
        for place, layer in enumerate(self.layers):
            hidden = layer(relu(hidden) if place else hidden)
        denoised: Tensor = drawn.out(hidden)
        return denoised


class StepDenoiser(nn.Module):
    """Denoising diffusion: predicts the noise of a step of a linear schedule.

    One network serves all modalities; it reads the noisy vector beside vectors of the step and of
    the modality.

    Args:
        dims: Columns of the vectors, equal for all modalities, and number of modalities.
        n_steps: Steps of the schedule.
        betas: Variances that its first and last step add.
        generator: CPU generator of the initial values.

    Reference: Ho et al., NeurIPS 2020.
    """

    def __init__(
        self,
        dims: tuple[int, int],
        n_steps: int,
        betas: tuple[float, float],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim, n_modalities = dims
        self.steps = normal_parameter((n_steps, _STEP_COLUMNS), 1.0, generator)
        self.modalities = normal_parameter((n_modalities, _MODALITY_COLUMNS), 1.0, generator)
        columns = (dim + _STEP_COLUMNS + _MODALITY_COLUMNS, _HIDDEN, _HIDDEN, dim)
        self.layers = nn.ModuleList(
            [Linear(n_in, n_out, generator) for n_in, n_out in itertools.pairwise(columns)]
        )
        self.kept = torch.cumprod(1 - torch.linspace(*betas, n_steps), dim=0).tolist()

    def predicted(self, noisy: Tensor, steps: Tensor, modality: int) -> Tensor:
        """The noise in vectors, [n, dim].

        Args:
            noisy: [n, dim].
            steps: Of each row, [n].
            modality: Number of the modality.
        """
        of_modality = self.modalities[modality].expand(len(noisy), -1)
        hidden = torch.cat([noisy, self.steps[steps], of_modality], dim=1)
        for place, layer in enumerate(self.layers):
            hidden = layer(silu(hidden) if place else hidden)
        return hidden

    def noised(
        self, vectors: Tensor, n_steps: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows of unit variance with the noise of random steps.

        Args:
            vectors: [n, dim]; their rows are brought to the length ``sqrt(dim)``.
            n_steps: Steps to draw from, the first of the schedule.
            generator: On the CPU.

        Returns:
            Noisy rows [n, dim], steps [n], noise [n, dim], and the share of the variance that is
            the row's own [n, 1].
        """
        clean = normalize(vectors, dim=1) * math.sqrt(vectors.shape[1])
        drawn = torch.randint(n_steps, (len(vectors),), generator=generator)
        steps = drawn.to(vectors.device)
        noise = noise_like(vectors, generator)
        share = torch.tensor(self.kept, device=vectors.device)[steps].unsqueeze(1)
        return share.sqrt() * clean + (1 - share).sqrt() * noise, steps, noise, share

    def loss(self, vectors: Tensor, modality: int, generator: torch.Generator) -> Tensor:
        """Mean squared error of the predicted noise at random steps of all."""
        noisy, steps, noise, _ = self.noised(vectors, len(self.kept), generator)
        return (self.predicted(noisy, steps, modality) - noise).square().mean()

    def cleaned(
        self, vectors: Tensor, modality: int, n_steps: int, generator: torch.Generator
    ) -> Tensor:
        """One-shot estimates of the rows from random early steps, L2-normalised, [n, dim]."""
        noisy, steps, _, share = self.noised(vectors, n_steps, generator)
        noise = self.predicted(noisy, steps, modality)
        return normalize((noisy - (1 - share).sqrt() * noise) / share.sqrt(), dim=1)


def noise_like(vectors: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of that shape, drawn on the CPU."""
    return torch.randn(vectors.shape, generator=generator).to(vectors.device)

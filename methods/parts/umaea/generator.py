"""UMAEA's generator: the image vector of an entity out of its other modalities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.layers.encoders import Linear


@dataclass(frozen=True, eq=False)
class Imagined:
    """What the generator makes of some entities.

    Attributes:
        given: ``x``, unit vectors of the other modalities side by side, [n, n_given].
        mean: ``mu``, [n, dim].
        log_variance: ``sigma``, [n, dim].
        code: ``z``, [n, dim]; normalised it is the imagined image.
        images: The image vectors that the encoder gives, before any is replaced, [n, dim].
    """

    given: Tensor
    mean: Tensor
    log_variance: Tensor
    code: Tensor
    images: Tensor


class ImageGenerator(nn.Module):
    """Nearly a variational auto-encoder, whose latent vector stands for the image.

    Args:
        n_given: Columns of the other modalities together.
        dim: Columns of an image vector, of hidden layers and of the latent vector.
        generator: CPU generator of the initial values.

    Reference: UMAEA (ISWC 2023), as the released code computes it (option "vae").
    """

    def __init__(self, n_given: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.dim, self.n_given = dim, n_given
        self.hidden = Linear(n_given, dim, generator)
        self.moments = Linear(dim, 2 * dim, generator)
        self.decoded = Linear(dim, dim, generator)
        self.output = Linear(dim, n_given, generator)

    def encoded(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, [n, dim] each.

        Args:
            given: [n, n_given].
        """
        mean, log_variance = self.moments(relu(self.hidden(given))).chunk(2, dim=1)
        return mean, log_variance

    def rebuilt(self, code: Tensor) -> Tensor:
        """What was given, as a unit vector, out of latent vectors, [n, n_given].

        Args:
            code: [n, dim].
        """
        return normalize(relu(self.output(relu(self.decoded(code)))), dim=1)


def latent_code(mean: Tensor, log_variance: Tensor, noise: Tensor | None) -> Tensor:
    """``noise + mu e^(sigma / 2)``, [n, dim]: the mean is scaled, and the noise is not.

    A variational auto-encoder has ``mu + noise e^(sigma / 2)``; the released code does not.

    Args:
        mean: [n, dim].
        log_variance: [n, dim].
        noise: Standard normal numbers, [n, dim]; None leaves them out, as testing does.
    """
    scaled = mean * torch.exp(log_variance / 2)
    return scaled if noise is None else noise + scaled

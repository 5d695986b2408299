"""An attribute and its value to the vector that their entity should have (MultiKE and MMEA)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, normalize, pad

from mmea_bench.methods.core.layers.encoders import uniform_parameter

Unit = Literal["rows", "batch"]
"""What has unit length: every row, or a batch as a whole."""

_FILTERS = 2
_KERNEL = (2, 4)
_BATCH_NORM_EPSILON = 1e-3


class ValueEncoder(nn.Module):
    """Two convolutions of the 2 x dim image of attribute and value, then a dense layer.

    The first layer is a batch normalisation whose statistics are never updated: a scale and a
    shift of each column. The result is scaled by ``unit_targets``.

    Args:
        dim: Of attributes, values and results.
        generator: CPU generator of the initial values (Glorot's uniform).
        unit: Whether every row has unit length, or the whole batch together.
    """

    def __init__(self, dim: int, generator: torch.Generator, unit: Unit = "batch") -> None:
        super().__init__()
        self._unit = unit
        self.scale = nn.Parameter(torch.ones(dim))
        self.shift = nn.Parameter(torch.zeros(dim))
        self.kernels = nn.ParameterList()
        self.kernel_biases = nn.ParameterList()
        area = math.prod(_KERNEL)
        for n_in in (1, _FILTERS):
            bound = math.sqrt(6 / (area * (n_in + _FILTERS)))
            shape = (_FILTERS, n_in, *_KERNEL)
            self.kernels.append(uniform_parameter(shape, bound, generator))
            self.kernel_biases.append(nn.Parameter(torch.zeros(_FILTERS)))
        flat = 2 * dim * _FILTERS
        self.weight = uniform_parameter((flat, dim), math.sqrt(6 / (flat + dim)), generator)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, attributes: Tensor, values: Tensor) -> Tensor:
        """Attributes [b, dim] and values [b, dim] to [b, dim]."""
        image = torch.stack([attributes, values], dim=1).unsqueeze(1)  # [b, 1, 2, dim]
        image = image * self.scale / math.sqrt(1 + _BATCH_NORM_EPSILON) + self.shift
        for kernel, bias in zip(self.kernels, self.kernel_biases, strict=True):
            # What an even kernel lacks is added at the end, as TensorFlow does. With the channels
            # innermost the library's convolution of so few of them takes a sixth of the time.
            padded = pad(image, (1, 2, 0, 1)).to(memory_format=torch.channels_last)
            image = torch.tanh(conv2d(padded, kernel, bias))
        flat = normalize(image, dim=3).permute(0, 2, 3, 1).flatten(1)
        found = torch.tanh(flat @ self.weight + self.bias)
        return unit_targets(found, self._unit)


def unit_targets(rows: Tensor, unit: Unit) -> Tensor:
    """Rows of unit length, or rows whose batch as a whole has it, [b, dim].

    The released code of MultiKE and MMEA names no axis where it normalises, and so divides by the
    length of the whole batch, which both flag as important: rows have a length of about one over
    the root of the batch size.

    Args:
        rows: [b, dim].
        unit: What has unit length.
    """
    if unit == "rows":
        return normalize(rows, dim=1)
    scaled: Tensor = rows / rows.norm().clamp_min(1e-6)
    return scaled

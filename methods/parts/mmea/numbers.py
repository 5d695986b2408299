"""Numeric attribute triples, and what a network makes of an attribute and its number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import AttributeValues, standardised_numbers
from mmea_bench.methods.core.layers.encoders import uniform_parameter, xavier_normal
from mmea_bench.methods.core.layers.value_encoder import Unit, ValueEncoder

LARGEST_NUMBER = 3.0
"""Standardised numbers are clipped here."""


@dataclass(frozen=True, eq=False)
class NumericFacts:
    """Attribute triples with a number.

    Attributes:
        entities: Joint ids, [n].
        attributes: Attribute ids, consecutive, [n].
        numbers: Standardised by attribute, [n] float32.
    """

    entities: Tensor
    attributes: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        """Number of triples."""
        return len(self.entities)

    @property
    def n_attributes(self) -> int:
        """Distinct attributes."""
        return int(self.attributes.max()) + 1 if len(self) else 0

    @classmethod
    def of(cls, view: TrainView, graph: JointGraph, fewest: int) -> NumericFacts:
        """Triples of attributes with enough numbers, over both KGs.

        A number ``v`` becomes ``sign(v) log(1 + |v|)``, is standardised by the mean and the
        population deviation of its attribute in both KGs and clipped to ``LARGEST_NUMBER``: basis
        functions of unit scale would see nothing of a raw year.

        Args:
            view: Dataset.
            graph: Its union graph.
            fewest: Numbers that an attribute must have.
        """
        values = AttributeValues.of(view, graph)
        values = values.chosen(~np.isnan(values.numbers))
        counts = np.bincount(values.attributes, minlength=1)
        values = values.chosen(counts[values.attributes] >= fewest)
        numbers = np.sign(values.numbers) * np.log1p(np.abs(values.numbers))
        _, attributes = np.unique(values.attributes, return_inverse=True)
        scaled = standardised_numbers(attributes, numbers)
        clipped = np.clip(scaled, -LARGEST_NUMBER, LARGEST_NUMBER).astype(np.float32)
        parts = (values.entities.astype(np.int64), attributes.astype(np.int64), clipped)
        return cls(*(torch.from_numpy(part) for part in parts))

    def with_swaps(self, pairs: Tensor) -> NumericFacts:
        """These triples, and behind them a copy for every partner of their entity.

        Args:
            pairs: Joint ids of partners, [n_pairs, 2]; an entity may stand in several.
        """
        both = torch.cat([pairs, pairs.flip(1)])
        order = torch.argsort(both[:, 0], stable=True)
        owners, partners = both[order].unbind(1)
        owners = owners.contiguous()
        first = torch.searchsorted(owners, self.entities)
        counts = torch.searchsorted(owners, self.entities, right=True) - first
        rows = torch.repeat_interleave(torch.arange(len(self)), counts)
        within = torch.arange(len(rows)) - torch.repeat_interleave(
            counts.cumsum(0) - counts, counts
        )
        copies = partners[first[rows] + within]
        return NumericFacts(
            torch.cat([self.entities, copies]),
            torch.cat([self.attributes, self.attributes[rows]]),
            torch.cat([self.numbers, self.numbers[rows]]),
        )


class RadialBasis(nn.Module):
    """``exp(-((v - c_a) / delta_a)^2) W + b``, where rows of ``W`` and ``b`` have unit length.

    Args:
        n_attributes: Attributes, each with centres ``c`` and widths ``delta`` of its own.
        n_bases: Columns of these.
        dim: Columns of the result.
        width: Where the widths start.
        generator: CPU generator of the initial values: centres from U(-1, 1), the others Glorot's.
    """

    def __init__(
        self, n_attributes: int, n_bases: int, dim: int, width: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.centres = uniform_parameter((n_attributes, n_bases), 1.0, generator)
        self.widths = nn.Parameter(torch.full((n_attributes, n_bases), width))
        self.weight = nn.Parameter(xavier_normal((n_bases, dim), generator))
        self.bias = nn.Parameter(xavier_normal((1, dim), generator))

    def forward(self, attributes: Tensor, numbers: Tensor) -> Tensor:
        """Attribute ids [b] and standardised numbers [b] to [b, dim]."""
        centres, widths = self.centres[attributes], self.widths[attributes]
        near = torch.exp(-((numbers.unsqueeze(1) - centres) / widths).square())
        return near @ normalize(self.weight, dim=1) + normalize(self.bias, dim=1)


class NumericTargets(nn.Module):
    """The vector that an entity should have because of one of its numbers.

    Args:
        n_attributes: Attributes.
        n_bases: Radial basis functions of each.
        dim: Columns of all vectors.
        width: Where their widths start.
        unit: What has unit length.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        n_attributes: int,
        n_bases: int,
        dim: int,
        width: float,
        unit: Unit,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.attributes = nn.Parameter(xavier_normal((n_attributes, dim), generator))
        self.basis = RadialBasis(n_attributes, n_bases, dim, width, generator)
        self.encoder = ValueEncoder(dim, generator, unit)

    def forward(self, attributes: Tensor, numbers: Tensor) -> Tensor:
        """Attribute ids [b] and standardised numbers [b] to [b, dim]."""
        found: Tensor = self.encoder(self.attributes[attributes], self.basis(attributes, numbers))
        return found

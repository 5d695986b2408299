"""The attributes of each entity with their numeric values, as lists that seed partners share."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.literals import AttributeValues

_DATE = re.compile(r"-?[0-9]{3,9}-")


@dataclass(frozen=True, eq=False)
class ListedAttributes:
    """The lists of some entities, one behind the other.

    Attributes:
        owners: Place of the entity among those asked for, [n_items].
        attributes: Attribute id, [n_items].
        values: Logistic function of the value, [n_items].
        n_padding: Items by which the list of each entity is shorter than the longest, [n].
    """

    owners: Tensor
    attributes: Tensor
    values: Tensor
    n_padding: Tensor


class AttributeLists:
    """Attribute lists of all entities, by joint id.

    Args:
        items: (entity, attribute) ids, distinct together with the values, [n_items, 2].
        values: [n_items].
        n_entities: Entities of both KGs.
        device: Where the lists lie.

    Attributes:
        longest: Items of the longest list.
    """

    def __init__(
        self,
        items: IntArray,
        values: NDArray[np.float64],
        n_entities: int,
        device: torch.device,
    ) -> None:
        order = np.argsort(items[:, 0], kind="stable")
        counts = np.bincount(items[:, 0], minlength=n_entities)
        self.longest = int(counts.max(initial=0))
        self._counts = torch.from_numpy(counts).to(device)
        self._starts = torch.cumsum(self._counts, dim=0) - self._counts
        self._attributes = torch.from_numpy(items[order, 1]).to(device)
        self._values = torch.from_numpy(values[order]).sigmoid().float().to(device)

    def of(self, rows: Tensor) -> ListedAttributes:
        """The lists of some entities, joint ids [n]."""
        counts = self._counts[rows]
        owners = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        first = torch.cumsum(counts, dim=0) - counts
        within = torch.arange(len(owners), device=rows.device) - first[owners]
        places = self._starts[rows][owners] + within
        n_padding = self.longest - counts
        return ListedAttributes(owners, self._attributes[places], self._values[places], n_padding)


def attribute_lists(
    view: TrainView, graph: JointGraph, device: torch.device, *, with_values: bool
) -> AttributeLists | None:
    """The lists of a view; None where nobody has an item.

    Both members of a seed link get the items of both. With values an item is an attribute and a
    number, and triples whose literal is no number are left out; a date counts as its year. Without
    values an item is an attribute.
    """
    found = AttributeValues.of(view, graph)
    items = np.stack([found.entities, found.attributes], axis=1)
    values = np.zeros(len(items))
    if with_values:
        dated = [bool(_DATE.match(text)) for text in found.texts]
        values = np.where(dated, np.floor(found.numbers), found.numbers)
        kept = ~np.isnan(values)
        items, values = items[kept], values[kept]
    if not len(items):
        return None
    items, values = shared_along(items, values, graph.seed_pairs(view).numpy())
    return AttributeLists(items, values, graph.n_entities, device)


def shared_along(
    items: IntArray, values: NDArray[np.float64], pairs: IntArray
) -> tuple[IntArray, NDArray[np.float64]]:
    """Distinct items with those that an entity gets from its partners, [n, 2] and [n].

    Args:
        items: (entity, attribute) ids, [n_items, 2].
        values: [n_items].
        pairs: Joint ids of partners, [n_pairs, 2].
    """
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    both_ways = both_ways[np.argsort(both_ways[:, 0], kind="stable")]
    first = np.searchsorted(both_ways[:, 0], items[:, 0], side="left")
    counts = np.searchsorted(both_ways[:, 0], items[:, 0], side="right") - first
    rows = np.repeat(np.arange(len(items)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    copies = items[rows].copy()
    copies[:, 0] = both_ways[first[rows] + within, 1]
    everything = np.concatenate([items, copies])
    numbers = np.concatenate([values, values[rows]])
    _, codes = np.unique(numbers, return_inverse=True)
    keyed = np.column_stack([everything, codes.reshape(-1)])
    _, kept = np.unique(keyed, axis=0, return_index=True)
    return everything[kept], numbers[kept]

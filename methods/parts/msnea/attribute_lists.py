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
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs
from mmea_bench.methods.core.inputs.literals import AttributeValues, number_of, parse_literal
from mmea_bench.methods.core.layers.sparse import SparsePattern

_DATE = re.compile(r"(-?[0-9]{1,9})-[0-9]{0,2}(?:-[0-9]{0,2}(?:[TZ+].*)?)?")
"""Month and day may be 0, or nothing once their ``##`` are gone."""

_SHORT_YEAR = re.compile(r"-?[0-9]{1,2}-[0-9]{0,2}")
"""No date without a day: ``3-1`` may be a result, a range or a page."""


@dataclass(frozen=True, eq=False)
class ListedAttributes:
    """The lists of some entities, one behind the other.

    Attributes:
        pattern: The items as cells of an [n, n_attributes] matrix, row by row; an attribute with
            two values is two cells.
        values: Logistic function of the value, [n_items].
        n_padding: Items by which the list of each entity is shorter than the longest, [n].
    """

    pattern: SparsePattern
    values: Tensor
    n_padding: Tensor

    @property
    def owners(self) -> Tensor:
        """Place of the entity among those asked for, [n_items]."""
        return self.pattern.rows

    @property
    def attributes(self) -> Tensor:
        """Attribute id, [n_items]."""
        return self.pattern.columns


class AttributeLists:
    """Attribute lists of all entities, by joint id.

    Args:
        items: (entity, attribute) ids, distinct together with the values, [n_items, 2].
        values: [n_items].
        n_entities: Entities of both KGs.
        n_attributes: Attributes of both KGs.
        device: Where the lists lie.

    Attributes:
        longest: Items of the longest list.
    """

    def __init__(
        self,
        items: IntArray,
        values: NDArray[np.float64],
        n_entities: int,
        n_attributes: int,
        device: torch.device,
    ) -> None:
        order = np.argsort(items[:, 0], kind="stable")
        counts = np.bincount(items[:, 0], minlength=n_entities)
        self.longest = int(counts.max(initial=0))
        self._counts, self._starts = counts, np.cumsum(counts) - counts
        self._attributes, self._n_attributes = items[order, 1], n_attributes
        self._values = torch.from_numpy(values[order]).sigmoid().float()
        self._device = device
        self._last: tuple[Tensor, ListedAttributes] | None = None

    def of(self, rows: Tensor) -> ListedAttributes:
        """The lists of some entities, joint ids [n]; every step asks for those of the seeds."""
        if self._last is None or not torch.equal(self._last[0], rows):
            self._last = (rows, self._listed(rows.cpu().numpy()))
        return self._last[1]

    def _listed(self, rows: IntArray) -> ListedAttributes:
        counts = self._counts[rows]
        owners, places = listed_runs(self._starts[rows], counts)
        shape = (len(rows), self._n_attributes)
        return ListedAttributes(
            SparsePattern(owners, self._attributes[places], shape, self._device),
            self._values[torch.from_numpy(places)].to(self._device),
            torch.from_numpy(self.longest - counts).to(self._device),
        )


def attribute_lists(
    view: TrainView, graph: JointGraph, device: torch.device, *, with_values: bool
) -> AttributeLists | None:
    """The lists of a view; None where nobody has an item.

    Both members of a seed link get the items of both. With values an item is an attribute and a
    number, and triples whose literal is no number are left out, see ``number_or_year``. Without
    values an item is an attribute.
    """
    found = AttributeValues.of(view, graph)
    items = np.stack([found.entities, found.attributes], axis=1)
    values = np.zeros(len(items))
    if with_values:
        distinct = dict.fromkeys(found.texts)
        numbers = {text: number_or_year(parse_literal(text).text) for text in distinct}
        values = np.array([numbers[text] for text in found.texts], dtype=np.float64)
        kept = ~np.isnan(values)
        items, values = items[kept], values[kept]
    if not len(items):
        return None
    items, values = shared_along(items, values, graph.seed_pairs(view).numpy())
    return AttributeLists(items, values, graph.n_entities, graph.n_attributes, device)


def number_or_year(text: str) -> float:
    """The number that a literal's text is, of a date the year with its sign; NaN if it is none.

    As in the released code quotes and ``#`` count for nothing, so that ``15##-##-##`` is the year
    15, and what months and days say is not looked at.
    """
    plain = text.replace('"', "").replace("#", "").strip()
    dated = _DATE.fullmatch(plain)
    if dated is None or _SHORT_YEAR.fullmatch(plain):
        return number_of(plain)
    return float(dated[1])


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
    rows, places = listed_runs(first, counts)
    copies = items[rows].copy()
    copies[:, 0] = both_ways[places, 1]
    everything = np.concatenate([items, copies])
    numbers = np.concatenate([values, values[rows]])
    _, codes = np.unique(numbers, return_inverse=True)
    keyed = np.column_stack([everything, codes.reshape(-1)])
    _, kept = np.unique(keyed, axis=0, return_index=True)
    return everything[kept], numbers[kept]

"""Attribute values of one KG as items, each a distinct name with a distinct value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.methods.core.inputs.attribute_texts import attribute_name
from mmea_bench.methods.core.inputs.literals import is_float, parse_literal

_DATE = re.compile(r"(-?[0-9]{1,9})-([0-9]{1,2})-([0-9]{1,2})(?:T.*|Z)?")


def path_number(text: str) -> float:
    """The number that a value counts as.

    A date ``y-m-d`` is ``y + m / 12``, so that December rolls to the next year; what is no finite
    float to Python (``1974-##-##``, ``1,234``) is 0, as in PathFusion's code.
    """
    text = text.strip()
    date = _DATE.fullmatch(text)
    if date is not None:
        return int(date[1]) + int(date[2]) / 12
    number = float(text) if is_float(text) else 0.0
    return number if math.isfinite(number) else 0.0


@dataclass(frozen=True, eq=False)
class ValueItems:
    """Distinct pairs of an attribute's name and a value.

    Attributes:
        holders: Which entity has which item, binary, [n_ent, n_items] float32.
        names: Name of each item's attribute, [n_items].
        texts: What each item's value says, [n_items].
        numbers: ``path_number`` of it, whatever quotes or type stand around it, [n_items] float64.
    """

    holders: csr_matrix
    names: list[str]
    texts: list[str]
    numbers: NDArray[np.float64]

    @classmethod
    def of(cls, graph: KnowledgeGraph) -> ValueItems:
        """The items of one KG."""
        names = [attribute_name(uri) for uri in graph.attributes]
        places: dict[tuple[str, str], int] = {}
        columns = [
            places.setdefault((names[attribute], text), len(places))
            for attribute, text in zip(
                graph.attribute_triples[:, 1].tolist(), graph.attribute_values, strict=True
            )
        ]
        cells = np.unique(
            np.stack([graph.attribute_triples[:, 0], np.array(columns, dtype=np.int64)], axis=1),
            axis=0,
        )
        shape = (graph.n_entities, len(places))
        ones = np.ones(len(cells), dtype=np.float32)
        holders = csr_matrix((ones, (cells[:, 0], cells[:, 1])), shape=shape)
        texts = [text for _, text in places]
        numbers = np.array([path_number(parse_literal(text).text) for text in texts], np.float64)
        return cls(holders, [name for name, _ in places], texts, numbers)

"""One multi-modal knowledge graph as immutable arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError

Ids = NDArray[np.int32]
Text = NDArray[np.object_]
"""One-dimensional array of Python strings; an empty string means that the entry is lacking."""


def frozen_array(array: NDArray[np.generic]) -> None:
    """Makes an array read-only in place, so that no method can change a shared dataset."""
    if array.flags.writeable:
        array.setflags(write=False)


def text_array(values: object) -> Text:
    """A one-dimensional object array of strings from any iterable of strings."""
    items = list(values)  # type: ignore[call-overload]
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """Entities, relation triples, attribute triples and entity names of one KG.

    Attributes:
        name: Short printed name, such as ``FB15K`` or ``ZH``.
        entities: URIs, [n_ent] text, unique.
        relations: Relation URIs, [n_rel] text, unique.
        attributes: Attribute URIs, [n_attr] text, unique.
        relation_triples: (head, relation, tail) ids, [n_triples, 3] int32; duplicates are kept.
        attribute_triples: (entity, attribute) ids, [n_attribute_triples, 2] int32.
        attribute_values: Literal of each attribute triple, [n_attribute_triples] text; empty
            strings where the files give attribute names only.
        names: Surface form of each entity, [n_ent] text; an empty string is a lacking name.

    Raises:
        DataError: If shapes disagree or an id is out of range.
    """

    name: str
    entities: Text
    relations: Text
    attributes: Text
    relation_triples: Ids
    attribute_triples: Ids
    attribute_values: Text
    names: Text

    def __post_init__(self) -> None:
        self._check_shapes()
        n_ent, n_rel, n_attr = len(self.entities), len(self.relations), len(self.attributes)
        _check_range(self.name, "head entity", self.relation_triples[:, 0], n_ent)
        _check_range(self.name, "relation", self.relation_triples[:, 1], n_rel)
        _check_range(self.name, "tail entity", self.relation_triples[:, 2], n_ent)
        _check_range(self.name, "entity with an attribute", self.attribute_triples[:, 0], n_ent)
        _check_range(self.name, "attribute", self.attribute_triples[:, 1], n_attr)
        self._freeze()

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._freeze()  # unpickled arrays are writeable whatever they were before

    def _freeze(self) -> None:
        for array in (
            self.entities,
            self.relations,
            self.attributes,
            self.relation_triples,
            self.attribute_triples,
            self.attribute_values,
            self.names,
        ):
            frozen_array(array)

    def _check_shapes(self) -> None:
        if self.relation_triples.ndim != 2 or self.relation_triples.shape[1] != 3:
            raise DataError(
                f"{self.name}: relation triples need shape [n, 3], "
                f"not {list(self.relation_triples.shape)}."
            )
        if self.attribute_triples.ndim != 2 or self.attribute_triples.shape[1] != 2:
            raise DataError(
                f"{self.name}: attribute triples need shape [n, 2], "
                f"not {list(self.attribute_triples.shape)}."
            )
        if len(self.attribute_values) != len(self.attribute_triples):
            raise DataError(f"{self.name}: one value per attribute triple is needed.")
        if len(self.names) != len(self.entities):
            raise DataError(f"{self.name}: one name (or an empty string) per entity is needed.")

    @property
    def n_entities(self) -> int:
        """Number of entities."""
        return len(self.entities)

    @property
    def n_relations(self) -> int:
        """Number of distinct relations."""
        return len(self.relations)

    @property
    def n_attributes(self) -> int:
        """Number of distinct attributes."""
        return len(self.attributes)

    @property
    def has_names(self) -> bool:
        """Whether at least one entity has a surface form."""
        return bool(np.any(self.names != ""))


def _check_range(graph: str, what: str, ids: NDArray[np.integer], size: int) -> None:
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= size):
        wrong = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
        raise DataError(f"{graph}: {what} id {wrong} is outside 0..{size - 1}.")

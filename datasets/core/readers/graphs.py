"""Steps that every reader shares: texts to ids, tables to a graph, links checked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text, text_array
from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.readers import spelling
from mmea_bench.datasets.core.readers.text import stored

_MOST_NAMED = 5
_SIDES = ("source", "target")

ItemT = TypeVar("ItemT", bound=Hashable)

Facts = list[tuple[str, str, str]]
"""Attribute triples as (entity, attribute, value) text."""


@dataclass(frozen=True)
class Triples:
    """Relation triples as parallel columns of text."""

    heads: Sequence[str]
    relations: Sequence[str]
    tails: Sequence[str]


def strip_brackets(uri: str) -> str:
    """The URI without the angle brackets of N-Triples."""
    return uri[1:-1] if uri.startswith("<") and uri.endswith(">") else uri


def positions(items: Iterable[ItemT]) -> dict[ItemT, int]:
    """Position of each distinct item in order of first appearance."""
    return {item: position for position, item in enumerate(dict.fromkeys(items))}


def encode(texts: Sequence[str], index: Mapping[str, int]) -> Ids:
    """Ids of texts that are all in the index, [n] int32."""
    return np.fromiter(map(index.__getitem__, texts), dtype=np.int32, count=len(texts))


def build_graph(
    name: str, triples: Triples, facts: Facts, entities: Mapping[str, int], names: Sequence[str]
) -> KnowledgeGraph:
    """One graph from tables of text.

    Args:
        name: Printed name.
        triples: Relation triples; every entity of them is in ``entities``.
        facts: Attribute triples; those of unknown entities have been left out.
        entities: Entity to position; positions run from 0 without gaps, in order.
        names: Surface form of each entity, by position.
    """
    relations = positions(triples.relations)
    attributes = positions(attribute for _, attribute, _ in facts)
    columns = (
        encode(triples.heads, entities),
        encode(triples.relations, relations),
        encode(triples.tails, entities),
    )
    fact_columns = (
        encode([entity for entity, _, _ in facts], entities),
        encode([attribute for _, attribute, _ in facts], attributes),
    )
    return KnowledgeGraph(
        name=name,
        entities=text_array(entities),
        relations=text_array(relations),
        attributes=text_array(attributes),
        relation_triples=np.stack(columns, axis=1),
        attribute_triples=np.stack(fact_columns, axis=1),
        attribute_values=text_array(value for _, _, value in facts),
        names=text_array(names),
    )


def keep_ids_apart(
    source: KnowledgeGraph, target: KnowledgeGraph
) -> tuple[tuple[KnowledgeGraph, KnowledgeGraph], list[str]]:
    """Both KGs without a relation or attribute id of both, and a sentence where ids were changed.

    A bare number is an id that means something in its own KG only: where both KGs count from 0,
    equal ids are unrelated, and a method that shares relations by name would merge them. No layout
    says that its numbers are those of both KGs. Names and URIs that stand in both are shared.
    """
    notes = []
    changed = []
    for kind, first, second in (
        ("relation", source.relations, target.relations),
        ("attribute", source.attributes, target.attributes),
    ):
        both = {text for text in set(first.tolist()) & set(second.tolist()) if is_id(text)}
        changed.append(
            [_apart(texts, both, side) for texts, side in zip((first, second), _SIDES, strict=True)]
        )
        if both:
            notes.append(
                f"{len(both):,} {kind} ids stand in both KGs; they are kept apart, as ids of each "
                "KG."
            )
    relations, attributes = changed
    apart = [
        replace(graph, relations=relations[side], attributes=attributes[side])
        for side, graph in enumerate((source, target))
    ]
    return (apart[0], apart[1]), notes


def is_id(text: str) -> bool:
    """Whether a relation or attribute is a bare number, which says nothing outside its KG."""
    return text.isascii() and text.isdigit()


def _apart(texts: Text, both: Set[str], side: str) -> Text:
    if not both:
        return texts
    return text_array(f"{text} ({side})" if text in both else text for text in texts.tolist())


def ids_as_in_files(source: Text, target: Text) -> tuple[Text, Text]:
    """Relations or attributes as ``keep_ids_apart`` found them, to write them back."""
    ids = [
        {text.removesuffix(f" ({side})") for text in texts.tolist() if text.endswith(f" ({side})")}
        for texts, side in zip((source, target), _SIDES, strict=True)
    ]
    apart = {text for text in ids[0] & ids[1] if is_id(text)}
    found = [
        text_array(
            number if (number := text.removesuffix(f" ({side})")) in apart else text
            for text in texts.tolist()
        )
        for texts, side in zip((source, target), _SIDES, strict=True)
    ]
    return found[0], found[1]


def known_facts(path: Path, facts: Facts, entities: Mapping[str, int]) -> tuple[Facts, list[str]]:
    """Attribute triples of known entities, and a sentence where some were left out."""
    kept = [fact for fact in facts if fact[0] in entities]
    left_out = len(facts) - len(kept)
    unknown = (fact[0] for fact in facts if fact[0] not in entities)
    if not left_out:
        return kept, []
    return kept, [
        f"{path.name}: {left_out:,} attribute triples belong to entities without a relation "
        f"triple and were left out.{spelling.left_out_hint(unknown, entities)}"
    ]


def repeat_notes(path: Path, rows: Sequence[tuple[str, str]], what: str = "link") -> list[str]:
    """A sentence where links are repeated, as public copies do; they count once."""
    n_repeats = len(rows) - len(set(rows))
    sentence = f"{path.name}: {n_repeats:,} lines repeat a {what}; each counts once."
    return [sentence] * bool(n_repeats)


def graph_notes(graphs: Sequence[KnowledgeGraph]) -> list[str]:
    """Sentences about texts that look alike and about triples that are repeated; both are kept."""
    notes = spelling.look_alike_notes(graphs)
    for graph in graphs:
        facts = zip(
            *graph.attribute_triples.T.tolist(), graph.attribute_values.tolist(), strict=True
        )
        triples = graph.relation_triples
        n_distinct = {"relation": len(distinct_rows(triples)), "attribute": len(set(facts))}
        n_all = {"relation": len(triples), "attribute": len(graph.attribute_triples)}
        for kind, n_rows in n_all.items():
            if n_repeats := n_rows - n_distinct[kind]:
                notes.append(
                    f"{n_repeats:,} {kind} triples of {graph.name} repeat another one; each counts "
                    "as often as the files hold it."
                )
    return notes


def build_links(
    path: Path, rows: Sequence[tuple[str, str]], sides: Sequence[Mapping[str, int]]
) -> Ids:
    """Anchor links as ids, each once, in the order of the lines, [n, 2] int32.

    Args:
        path: File that the links came from, for the error text.
        rows: (source entity, target entity) of each line.
        sides: Entity to id of the source and of the target KG.

    Raises:
        DataError: If an entity is unknown.
    """
    _check_ends(stored(path) or path, rows, sides)
    distinct = list(dict.fromkeys(rows))
    links: NDArray[np.int32] = np.empty((len(distinct), 2), dtype=np.int32)
    for column, index in enumerate(sides):
        links[:, column] = encode([row[column] for row in distinct], index)
    return links


def _check_ends(
    place: Path, rows: Sequence[tuple[str, str]], sides: Sequence[Mapping[str, int]]
) -> None:
    """Raises one error for all links to unknown entities: one file may lack thousands."""
    unknown: dict[tuple[str, str], int] = {}  # entity and side to the first line
    lines = set()
    for number, row in enumerate(rows, 1):
        for entity, index, side in zip(row, sides, _SIDES, strict=True):
            if entity not in index:
                unknown.setdefault((entity, side), number)
                lines.add(number)
    if not unknown:
        return
    (entity, side), number = next(iter(unknown.items()))
    index = sides[0] if side == "source" else sides[1]
    problem = (
        f"the link names {shown(entity)}, which is no entity of the {side} KG"
        f"{spelling.hint(entity, index)}"
    )
    further = [f"{shown(name)} ({kg})" for name, kg in list(unknown)[1:_MOST_NAMED]]
    if further:
        problem += (
            f"; {len(lines):,} of {len(rows):,} links name {len(unknown):,} such entities, among "
            f"them {', '.join(further)}"
        )
    raise DataError.at(place, problem, "Remove the lines, or add the entities' triples.", number)

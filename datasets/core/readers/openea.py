"""OpenEA layout: ``rel_triples_1/2``, ``attr_triples_1/2``, ``ent_links`` and published folds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.readers import folds, graphs, images, meta, spelling, text
from mmea_bench.datasets.core.readers.graphs import Facts, Triples, strip_brackets
from mmea_bench.datasets.core.readers.names import lexical_value, number_notes, surface_forms

KIND = "OpenEA"
REQUIRED_FILES = ("rel_triples_1", "rel_triples_2", "ent_links")
REQUIRED = ", ".join(REQUIRED_FILES)
IMAGES = "images.npz"

_FOLD_PARTS = ("train_links", "valid_links", "test_links")
_OPTIONAL_PART = "valid_links"


@dataclass(frozen=True)
class OpeneaFiles:
    """Where the files of one dataset in this layout are.

    Attributes:
        folder: Folder with the required files.
        fold_folders: Folders with one published split each, in order.
    """

    folder: Path
    fold_folders: tuple[Path, ...] = ()

    @property
    def graph_names(self) -> tuple[str, str]:
        """Printed names where nobody gives better ones."""
        return "source", "target"

    @property
    def _vectors(self) -> Path | None:
        path = self.folder / IMAGES
        return path if text.is_filled(path) else None

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens."""
        found = [text.stored(path) or path for path in map(self.folder.joinpath, REQUIRED_FILES)]
        parts = [folder / part for folder in self.fold_folders for part in _FOLD_PARTS]
        found += [path for part in parts if (path := text.stored(part))]
        found += [path for side in "12" if (path := self._attributes(side))]
        found += [self._vectors] if self._vectors else []
        return (*found, *meta.file(self.folder))

    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""
        lacking = [
            f"{text.lacking(self.folder / f'attr_triples_{side}')}: that KG has no attributes."
            for side in "12"
            if self._attributes(side) is None
        ]
        if self._vectors is None:
            lacking.append(f"{text.lacking(self.folder / IMAGES)}: there are no images.")
            lacking += images.unread_pickle_notes((self.folder,))
        lacking += [
            f"{fold.relative_to(self.folder).as_posix()}/{text.lacking(fold / _OPTIONAL_PART)}: "
            "that fold has no validation links."
            for fold in self.fold_folders
            if text.stored_content(fold / _OPTIONAL_PART) is None
        ]
        if loose := [part for part in _FOLD_PARTS if text.stored(self.folder / part)]:
            where = "a published split lies in a folder of its own, such as 721_5fold/1"
            lacking.append(f"{', '.join(loose)} is not read: {where}.")
        return tuple(lacking)

    def _attributes(self, side: str) -> Path | None:
        return text.stored_content(self.folder / f"attr_triples_{side}")

    def read(self, address: str, graph_names: tuple[str, str]) -> KGPair:
        """The dataset in canonical order.

        Args:
            address: Canonical address of the dataset.
            graph_names: Printed names of source and target KG.
        """
        (source, target), id_notes = graphs.keep_ids_apart(
            self._read_graph("1", graph_names[0]), self._read_graph("2", graph_names[1])
        )
        sides = [graphs.positions(graph.entities.tolist()) for graph in (source, target)]
        links_path = self.folder / "ent_links"
        rows = _read_pairs(links_path)
        links = graphs.build_links(links_path, rows, sides)
        declared = meta.read(self.folder)
        dangling, dangling_notes = declared.dangling_ids((source, target), links)
        features: dict[str, tuple[Features, Features]] = {}
        notes: list[str] = []
        if self._vectors is not None:
            vectors = images.read_npz(self._vectors)
            keyed = images.Vectors([strip_brackets(key) for key in vectors.keys], vectors.values)
            features, notes = images.shared_features(
                self._vectors, keyed, sides, [len(side) for side in sides]
            )
        split = partial(_read_fold, self.folder, links=rows)
        read = tuple(
            folds.read_or_broken(_fold_name(self.folder, fold), partial(split, fold))
            for fold in self.fold_folders
        )
        notes += [*folds.broken_notes(read), *text.copy_notes(self.input_files())]
        notes += [*graphs.graph_notes((source, target)), *number_notes((source, target))]
        notes += [*id_notes, *dangling_notes, *_attributes_only_notes((source, target))]
        return canonical(
            KGPair(
                dataset=address,
                source=source,
                target=target,
                anchor_links=links,
                features=features,
                simulated=declared.simulated,
                notes=(*self.missing(), *graphs.repeat_notes(links_path, rows), *notes),
                folds=read,
                dangling=dangling,
            )
        )

    def _read_graph(self, side: str, name: str) -> KnowledgeGraph:
        path = self.folder / f"rel_triples_{side}"
        rows = text.read_rows(path, ("head", "relation", "tail"))
        spelling.check_header(text.stored(path) or path, rows)
        triples = Triples(*([strip_brackets(row[column]) for row in rows] for column in range(3)))
        attributes = self._attributes(side)
        facts = _read_facts(attributes) if attributes else []
        # OpenEA counts entities that have attributes only, too.
        entities = graphs.positions([*triples.heads, *triples.tails, *(fact[0] for fact in facts)])
        names = surface_forms(entities)
        return graphs.build_graph(name, triples, facts, entities, names)


def locate(folder: Path) -> OpeneaFiles | None:
    """The files of a folder in this layout; None where a required one is missing."""
    if any(text.stored(folder / name) is None for name in REQUIRED_FILES):
        return None
    return OpeneaFiles(folder, folds.locate(folder, ("*", "*/*"), _FOLD_PARTS))


def _attributes_only_notes(both: tuple[KnowledgeGraph, KnowledgeGraph]) -> list[str]:
    """A sentence for each KG with entities that its relation triples do not know."""
    notes = []
    for graph in both:
        n_only = graph.n_entities - len(np.unique(graph.relation_triples[:, [0, 2]]))
        if n_only:
            notes.append(
                f"{n_only:,} entities of {graph.name} have attributes, but no relation triple; "
                "they count as entities."
            )
    return notes


def _fold_name(folder: Path, fold: Path) -> str:
    return fold.relative_to(folder).as_posix()


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    rows = text.read_rows(path, ("source entity", "target entity"))
    return [(strip_brackets(row[0]), strip_brackets(row[1])) for row in rows]


def _read_facts(path: Path) -> Facts:
    facts: Facts = []
    rows: list[list[str]] = []
    for number, line in enumerate(text.read_lines(path), 1):
        parts = line.split("\t", 2)  # a literal may hold tabs itself
        if len(parts) != 3 or not all(map(strip_brackets, parts[:2])):
            raise text.malformed(path, number, line, "entity TAB attribute TAB literal")
        entity, attribute, literal = parts
        rows.append(parts)
        facts.append((strip_brackets(entity), strip_brackets(attribute), lexical_value(literal)))
    spelling.check_header(path, rows)
    return facts


def _read_fold(folder: Path, fold: Path, links: list[tuple[str, str]]) -> Fold:
    position = graphs.positions(links)
    used: dict[tuple[str, str], str] = {}
    parts: list[NDArray[np.int64]] = []
    for part in _FOLD_PARTS:
        path = fold / part
        is_there = part != _OPTIONAL_PART or text.stored_content(path) is not None
        pairs = _read_pairs(path) if is_there else []
        for number, link in enumerate(pairs, 1):
            problem = ""
            if link not in position:
                problem = f"the link of {link[0]!r} and {link[1]!r} is not in ent_links"
            elif used.get(link, part) != part:
                problem = f"the link of {link[0]!r} and {link[1]!r} already stands in {used[link]}"
            if problem:
                raise DataError.at(
                    text.stored(path) or path, problem, "Copy the fold again.", number
                )
            used[link] = part
        distinct = dict.fromkeys(pairs)  # repeated links count once, as in ent_links
        parts.append(np.array([position[link] for link in distinct], dtype=np.int64))
    return Fold(_fold_name(folder, fold), *parts)

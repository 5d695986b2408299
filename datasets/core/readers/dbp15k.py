"""Layout of EVA, MCLEA and MEAformer: ``ent_ids_1/2``, ``triples_1/2``, ``ill_ent_ids``.

Entity ids are unique over both KGs. Relations have no names in this layout, so their ids stand for
them, in each KG for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.readers import folds, graphs, images, meta, spelling, text
from mmea_bench.datasets.core.readers.graphs import Facts, Triples, strip_brackets
from mmea_bench.datasets.core.readers.names import canonical_id, read_names
from mmea_bench.datasets.core.readers.pickles import read_feature_pickle

KIND = "DBP15K (EVA, MCLEA, MEAformer)"
GRAPH_FILES = ("ent_ids_1", "ent_ids_2", "triples_1", "triples_2")
LINKS = "ill_ent_ids"
SPLIT_LINKS = ("sup_ent_ids", "ref_ent_ids")
"""Training and test links, as GCN-Align, RDGCN, SRPRS and DWY100K publish them."""

_SPLIT_NAME = "+".join(SPLIT_LINKS)
REQUIRED_FILES = (*GRAPH_FILES, LINKS)
REQUIRED = f"{', '.join(REQUIRED_FILES)} (or {' and '.join(SPLIT_LINKS)})"
IMAGES = "images.npz"
PICKLES = "*_id_img_feature_dict.pkl"
NAMES = "translated_ent_name/*.json"

_OPTIONAL = (NAMES, PICKLES, f"pkls/{PICKLES}", IMAGES)


@dataclass(frozen=True)
class Dbp15kFiles:
    """Where the files of one dataset in this layout are.

    Attributes:
        folder: Folder with the required files.
        names: JSON file of translated names, if there is one.
        vectors: Image vectors, a feature pickle or a NumPy archive, if there is one.
    """

    folder: Path
    names: Path | None = None
    vectors: Path | None = None

    @property
    def graph_names(self) -> tuple[str, str]:
        """Printed names where nobody gives better ones."""
        return "source", "target"

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens."""
        required = [*(self.folder / name for name in GRAPH_FILES), *self._links]
        found = [text.stored(path) or path for path in required]
        found += [path for side in "12" if (path := self._attributes(side))]
        found += [path for path in (self.names, self.vectors) if path is not None]
        return (*found, *meta.file(self.folder))

    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""
        lacking = [
            f"{text.lacking(self.folder / f'training_attrs_{side}')}: that KG has no attributes."
            for side in "12"
            if self._attributes(side) is None
        ]
        stored = [name for name in SPLIT_LINKS if text.stored(self.folder / name)]
        if len(stored) == 1:
            lacking.append(f"{stored[0]} is not read: a split needs {' and '.join(SPLIT_LINKS)}.")
        if self.names is None:
            lacking.append(f"{NAMES} is missing: there are no names.")
        if self.vectors is None:
            lacking.append(f"{PICKLES} (or {IMAGES}) is missing: there are no images.")
        elif self.vectors.suffix != ".npz" and text.is_filled(self.folder / IMAGES):
            lacking.append(f"{IMAGES} is not read: {self.vectors.name} is.")
        inside = (path for pattern in _OPTIONAL for path in sorted(self.folder.glob(pattern)))
        return (*lacking, *text.empty_notes(inside))

    @property
    def _links(self) -> tuple[Path, ...]:
        """The file of all links, the files of training and test links, or all three."""
        names = [LINKS] if text.stored(self.folder / LINKS) else []
        if all(text.stored(self.folder / name) for name in SPLIT_LINKS):
            names += SPLIT_LINKS
        return tuple(self.folder / name for name in names)

    def _attributes(self, side: str) -> Path | None:
        return text.stored_content(self.folder / f"training_attrs_{side}")

    def read(self, address: str, graph_names: tuple[str, str]) -> KGPair:
        """The dataset in canonical order.

        Args:
            address: Canonical address of the dataset.
            graph_names: Printed names of source and target KG.
        """
        ids, uris = _read_entities(self.folder)
        known = [*ids[0], *ids[1]]
        names = read_names(self.names, set(known)) if self.names else {}
        triples = [
            _read_triples(self.folder / f"triples_{side + 1}", ids[side], uris[side])
            for side in (0, 1)
        ]
        surface = [[names.get(entity_id, "") for entity_id in side] for side in ids]
        built = [
            self._read_graph(side, graph_names[side], triples[side], uris[side], surface[side])
            for side in (0, 1)
        ]
        (source, target), id_notes = graphs.keep_ids_apart(built[0][0], built[1][0])
        links, folds, link_notes = self._read_links(ids)
        features, image_notes = self._read_images(ids, uris)
        declared = meta.read(self.folder)
        dangling, dangling_notes = declared.dangling_ids((source, target), links)
        notes = [
            *self.missing(),
            *built[0][1],
            *built[1][1],
            *id_notes,
            *_nameless_notes(self.names, graph_names, surface),
            *_unread_name_notes(self.folder),
            *link_notes,
            *image_notes,
            *dangling_notes,
            *text.copy_notes(self.input_files()),
            *graphs.graph_notes((source, target)),
        ]
        return canonical(
            KGPair(
                dataset=address,
                source=source,
                target=target,
                anchor_links=links,
                features=features,
                simulated=declared.simulated,
                notes=tuple(notes),
                folds=folds,
                dangling=dangling,
            )
        )

    def _read_links(self, ids: Sequence[dict[str, int]]) -> tuple[Ids, tuple[Fold, ...], list[str]]:
        """All links, the published split where two files hold them, and notes."""
        if self._links[0].name == LINKS:
            return self._read_all_links(ids)
        parts = [(path, _read_pairs(path)) for path in self._links]
        read = [graphs.build_links(path, pairs, ids) for path, pairs in parts]
        notes = [note for part in parts for note in graphs.repeat_notes(*part)]
        train, test = read
        again = set(map(tuple, test.tolist())) & set(map(tuple, train.tolist()))
        if again:
            problem = f"{len(again):,} of its links stand in {SPLIT_LINKS[0]}, too"
            raise DataError.at(self._links[1], problem, "Keep each link in one of the two files.")
        rows = np.arange(len(train) + len(test))
        fold = Fold(_SPLIT_NAME, rows[: len(train)], rows[:0].copy(), rows[len(train) :])
        return np.concatenate(read), (fold,), notes

    def _read_all_links(
        self, ids: Sequence[dict[str, int]]
    ) -> tuple[Ids, tuple[Fold, ...], list[str]]:
        """All links of one file; training and test links beside it are the published split."""
        path, *parts = self._links
        pairs = _read_pairs(path)
        links = graphs.build_links(path, pairs, ids)
        notes = graphs.repeat_notes(path, pairs)
        if not parts:
            return links, (), notes
        read_part = cache(_read_pairs)  # read for the split, and for the notes
        read = partial(folds.link_split, _SPLIT_NAME, parts, read_part, pairs)
        fold = folds.read_or_broken(_SPLIT_NAME, read)
        notes += folds.broken_notes([fold])
        if not fold.problem:
            notes += [note for part in parts for note in graphs.repeat_notes(part, read_part(part))]
        return links, (fold,), notes

    def _read_graph(
        self, side: int, name: str, triples: Triples, uris: Sequence[str], surface: Sequence[str]
    ) -> tuple[KnowledgeGraph, list[str]]:
        entities = graphs.positions(uris)
        facts: Facts = []
        notes: list[str] = []
        path = self._attributes(str(side + 1))
        if path is not None:
            read = _read_facts(path)
            facts, notes = graphs.known_facts(path, read, entities)
            if read and not facts and all(entity.isdecimal() for entity, *_ in read):
                notes = [f"{path.name} names entities by ids, not by URIs: none of it was read."]
        return graphs.build_graph(name, triples, facts, entities, surface), notes

    def _read_images(
        self, ids: Sequence[dict[str, int]], uris: Sequence[Sequence[str]]
    ) -> tuple[dict[str, tuple[Features, Features]], list[str]]:
        if self.vectors is None:
            return {}, []
        sizes = [len(side) for side in ids]
        if self.vectors.suffix != ".npz":
            vectors = read_feature_pickle(self.vectors)
            stray = [key for key in vectors.keys if key not in ids[0] and key not in ids[1]]
            if stray:
                raise DataError.at(
                    self.vectors,
                    f"has a vector for id {stray[0]}, which neither ent_ids file holds",
                    "Use the features of this very dataset.",
                )
            return images.shared_features(self.vectors, vectors, ids, sizes)
        archive = images.read_npz(self.vectors)
        keyed = images.Vectors([strip_brackets(key) for key in archive.keys], archive.values)
        # An archive may name entities by URI or by id; what is a URI of either KG is no id.
        named = {*uris[0], *uris[1]}
        own = [{key: row for key, row in side.items() if key not in named} for side in ids]
        by_key = [{**own[side], **graphs.positions(uris[side])} for side in (0, 1)]
        known = by_key[0].keys() | by_key[1].keys()
        keys = [
            canonical_id(key) if graphs.is_id(key) and key not in known else key
            for key in keyed.keys
        ]
        keyed = images.Vectors(keys, keyed.values)
        return images.shared_features(self.vectors, keyed, by_key, sizes)


def locate(folder: Path) -> Dbp15kFiles | None:
    """The files of a folder in this layout; None where a required one is missing."""
    has_links = all(text.stored(folder / name) for name in SPLIT_LINKS)
    has_links = has_links or text.stored(folder / LINKS) is not None
    if not has_links or any(text.stored(folder / name) is None for name in GRAPH_FILES):
        return None
    return Dbp15kFiles(folder, _names_file(folder), _vectors_file(folder))


def _names_file(folder: Path) -> Path | None:
    stems = (folder.name, f"dbp_{folder.name}")
    inside = _names_below(folder)
    # The folder beside several datasets holds one file for each, told apart by the dataset name.
    beside = [path for path in _names_below(folder.parent) if _stem(path) in stems]
    found = [path for path in inside if _stem(path) in stems] if len(inside) > 1 else inside
    found = found or inside or beside
    if len(found) > 1:
        raise DataError.at(
            found[0].parent,
            f"holds {len(found)} files of names ({', '.join(path.name for path in found)})",
            f"Keep the one that you mean, or call it {folder.name}.json.",
        )
    return next(iter(found), None)


def _names_below(folder: Path) -> list[Path]:
    """Files of names, a compressed one where it does not stand beside its file."""
    plain = _filled(folder.glob(NAMES))
    packed = _filled(folder.glob(f"{NAMES}.gz"))
    return [*plain, *(path for path in packed if path.with_suffix("") not in plain)]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


def _vectors_file(folder: Path) -> Path | None:
    found = _filled(folder.glob(PICKLES)) or _filled(folder.glob(f"pkls/{PICKLES}"))
    if not found:
        # EVA's files say GA behind the name of the dataset.
        stems = (folder.name, folder.name.replace("_", ""))
        own = {PICKLES.replace("*", f"{stem}{end}") for stem in stems for end in ("", "_GA")}
        beside = _filled((folder.parent / "pkls").glob(PICKLES))
        found = [path for path in beside if path.name in own]
    if len(found) > 1:
        raise DataError.at(
            found[0].parent,
            f"holds {len(found)} feature pickles ({', '.join(path.name for path in found)})",
            "Keep the one that you mean.",
        )
    archive = folder / IMAGES
    return found[0] if found else archive if text.is_filled(archive) else None


def _filled(files: Iterable[Path]) -> list[Path]:
    return sorted(filter(text.is_filled, files))


def _read_entities(folder: Path) -> tuple[list[dict[str, int]], list[list[str]]]:
    ids: list[dict[str, int]] = []
    uris: list[list[str]] = []
    earlier: dict[str, str] = {}
    for name in ("ent_ids_1", "ent_ids_2"):
        path = folder / name
        rows = text.read_rows(path, ("id", "URI"))
        text.id_column(path, [row[0] for row in rows], "entity id")
        seen: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            entity_id, uri = canonical_id(row[0]), strip_brackets(row[1])
            if entity_id in earlier:
                raise _twice(path, f"id {entity_id}", earlier[entity_id], number)
            if uri in seen:
                raise _twice(path, f"the URI {uri!r}", f"line {seen[uri]}", number)
            earlier[entity_id] = f"{name}, line {number}"
            seen[uri] = number
        ids.append({canonical_id(row[0]): position for position, row in enumerate(rows)})
        uris.append(list(seen))
    return ids, uris


def _twice(path: Path, what: str, where: str, line: int) -> DataError:
    return DataError.at(
        text.stored(path) or path,
        f"{what} already stands in {where}",
        "Give each entity one id and one URI.",
        line,
    )


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    rows = text.read_rows(path, ("source id", "target id"))
    for column in (0, 1):
        text.id_column(path, [row[column] for row in rows], "entity id")
    return [(canonical_id(row[0]), canonical_id(row[1])) for row in rows]


def _read_triples(path: Path, ids: dict[str, int], uris: Sequence[str]) -> Triples:
    rows = text.read_rows(path, ("head id", "relation id", "tail id"))
    heads, relations, tails = ([row[column] for row in rows] for column in range(3))
    text.id_column(path, relations, "relation id")
    ends = []
    for column in (heads, tails):
        numbers = text.id_column(path, column, "entity id").tolist()
        rows_of = np.array([ids.get(str(number), -1) for number in numbers])
        if rows_of.min() < 0:
            line = int(np.argmin(rows_of))
            raise DataError.at(
                text.stored(path) or path,
                f"entity id {column[line]} is not in ent_ids_{path.name.removesuffix('.gz')[-1]}",
                "Add the entity there, or remove the line.",
                line + 1,
            )
        ends.append([uris[row] for row in rows_of.tolist()])
    return Triples(ends[0], [canonical_id(relation) for relation in relations], ends[1])


def _nameless_notes(
    file: Path | None, graph_names: Sequence[str], surface: Sequence[Sequence[str]]
) -> list[str]:
    """A sentence where the file of names has none of a KG: then neither has any."""
    lacking = [name for name, own in zip(graph_names, surface, strict=True) if not any(own)]
    if file is None or not lacking:
        return []
    of_one = f" of {lacking[0]}: there are no names" if len(lacking) == 1 else ""
    return [f"{file.name} names no entity{of_one}."]


def _unread_name_notes(folder: Path) -> list[str]:
    """A sentence where files name the relations, which this layout calls by their ids."""
    found = [name for name in ("rel_ids_1", "rel_ids_2", "rel_ids") if text.stored(folder / name)]
    if not found:
        return []
    return [f"{', '.join(found)} is not read: relations keep their ids, as in the triples."]


def _read_facts(path: Path) -> Facts:
    """Attribute names by entity; the layout keeps no values, so these are empty strings."""
    facts: Facts = []
    rows = [list(map(strip_brackets, line.split("\t"))) for line in text.read_lines(path)]
    spelling.check_header(path, rows)
    for number, (entity, *attributes) in enumerate(rows, 1):
        attributes = [attribute for attribute in attributes if attribute]
        if not entity or not attributes:
            found = "\t".join(rows[number - 1])
            raise text.malformed(path, number, found, "URI TAB attribute TAB attribute ...")
        facts += [(entity, attribute, "") for attribute in attributes]
    return facts

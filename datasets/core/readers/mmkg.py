"""Raw MMKG layout: ``NAME_EntityTriples.txt`` and its companions, one set per KG.

Entities are those of the relation triples, as in the published conversion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers import graphs, images, meta, spelling, text
from mmea_bench.datasets.core.readers.bounded.sizes import check_table
from mmea_bench.datasets.core.readers.graphs import Facts, Triples, strip_brackets
from mmea_bench.datasets.core.readers.names import lexical_value, number_notes, surface_forms

KIND = "raw MMKG"
REQUIRED = "two NAME_EntityTriples.txt and one NAME_SameAsLink.txt, in the folder or below it"
IMAGES = "images.npz"

_BLANKS = re.compile(r"[ \t]+")
_SPACED = re.compile(r"<[^>\t]*> +<[^>\t]*> ")
_TRIPLE = "head relation tail ."
_LINK = "source-entity <SameAs> target-entity ."
_FACT = 'entity attribute "value"^^<type> .` or `entity TAB attribute TAB value'


@dataclass(frozen=True)
class GraphFiles:
    """The files of one KG in the raw layout.

    Attributes:
        name: Prefix of the file names, such as ``FB15K``.
        folder: Folder with the files.
    """

    name: str
    folder: Path

    def path(self, kind: str) -> Path:
        """Path of one file, whether it exists or not; ``kind`` such as ``EntityTriples.txt``."""
        return self.folder / f"{self.name}_{kind}"

    def optional(self, kind: str) -> Path | None:
        """The file, or its ``.gz`` copy, if either exists and holds anything."""
        return text.stored_content(self.path(kind))


@dataclass(frozen=True)
class MmkgFiles:
    """Where the files of one dataset in the raw layout are.

    Attributes:
        source: Files of the source KG.
        target: Files of the target KG, with its ``NAME_SameAsLink.txt``.
        vectors: NumPy archive of image vectors by entity, if there is one.
        vectors_simulated: Whether that archive was made up, not measured.
        meta_folder: Folder whose ``meta.json`` speaks of this dataset, if there is one.
    """

    source: GraphFiles
    target: GraphFiles
    vectors: Path | None = None
    vectors_simulated: bool = False
    meta_folder: Path | None = None

    @property
    def graph_names(self) -> tuple[str, str]:
        """Names of source and target KG."""
        return self.source.name, self.target.name

    @property
    def has_h5(self) -> bool:
        """Whether both KGs have the published image file and the index into it."""
        return all(
            text.is_filled(side.path("ImageData.h5")) and side.optional("ImageIndex.txt")
            for side in (self.source, self.target)
        )

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens."""
        sides = (self.source, self.target)
        wanted = [side.path("EntityTriples.txt") for side in sides]
        wanted.append(self.target.path("SameAsLink.txt"))
        found = [text.stored(path) or path for path in wanted]
        found += [path for side in sides if (path := side.optional("NumericalTriples.txt"))]
        if self.has_h5:
            found += [path for side in sides if (path := side.optional("ImageIndex.txt"))]
            found += [side.path("ImageData.h5") for side in sides]
        elif self.vectors is not None:
            found.append(self.vectors)
        return (*found, *meta.file(self.meta_folder))

    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""
        lacking = [
            f"{text.lacking(side.path('NumericalTriples.txt'))}: {side.name} has no attributes."
            for side in (self.source, self.target)
            if side.optional("NumericalTriples.txt") is None
        ]
        if not self.has_h5:
            names = " and ".join(f"{name}_ImageData.h5" for name in self.graph_names)
            instead = f"{self.vectors.name} is used" if self.vectors else "there are no images"
            lacking.append(f"{names} with their ImageIndex.txt are not both there: {instead}.")
            folders = (self.source.folder, self.target.folder, self.target.folder.parent)
            lacking += [] if self.vectors else images.unread_pickle_notes(folders)
            optional = [side.path("ImageData.h5") for side in (self.source, self.target)]
            optional += [folder / IMAGES for folder in dict.fromkeys(folders)]
            lacking += text.empty_notes(optional)
        elif self.vectors is not None:
            lacking.append(f"{self.vectors.name} is not read: the published image files are.")
        return tuple(lacking)

    def read(self, address: str, graph_names: tuple[str, str]) -> KGPair:
        """The dataset in canonical order.

        Args:
            address: Canonical address of the dataset.
            graph_names: Printed names of source and target KG.
        """
        source, source_notes = _read_graph(self.source, graph_names[0])
        target, target_notes = _read_graph(self.target, graph_names[1])
        (source, target), id_notes = graphs.keep_ids_apart(source, target)
        sides = [graphs.positions(graph.entities.tolist()) for graph in (source, target)]
        links_path = self.target.path("SameAsLink.txt")
        links = _read_links(links_path)
        anchor_links = graphs.build_links(links_path, links, sides)
        notes_on_links = graphs.repeat_notes(links_path, links)
        features, notes = self._read_images(sides)
        notes += [
            *text.copy_notes(self.input_files()),
            *graphs.graph_notes((source, target)),
        ]
        notes += [*number_notes((source, target)), *id_notes]
        declared = meta.read(self.meta_folder)
        dangling, dangling_notes = declared.dangling_ids((source, target), anchor_links)
        simulated = declared.simulated
        if features and self.vectors_simulated and not self.has_h5:
            simulated = ("image",)
            notes.append("The image vectors are simulated, not measured.")
        return canonical(
            KGPair(
                dataset=address,
                source=source,
                target=target,
                anchor_links=anchor_links,
                features=features,
                simulated=simulated,
                notes=(
                    *(*self.missing(), *source_notes, *target_notes, *notes_on_links),
                    *(*dangling_notes, *notes),
                ),
                dangling=dangling,
            )
        )

    def _read_images(
        self, sides: Sequence[dict[str, int]]
    ) -> tuple[dict[str, tuple[Features, Features]], list[str]]:
        if self.has_h5:
            return _read_h5_images(self.source, self.target, sides)
        if self.vectors is None:
            return {}, []
        vectors = images.read_npz(self.vectors)
        keyed = images.Vectors([strip_brackets(key) for key in vectors.keys], vectors.values)
        return images.shared_features(self.vectors, keyed, sides, [len(side) for side in sides])


def _read_graph(files: GraphFiles, name: str) -> tuple[KnowledgeGraph, list[str]]:
    triples = read_triples(files.path("EntityTriples.txt"))
    entities = graphs.positions([*triples.heads, *triples.tails])
    facts_path = files.path("NumericalTriples.txt")
    facts: Facts = []
    notes: list[str] = []
    if files.optional("NumericalTriples.txt"):
        facts, notes = graphs.known_facts(facts_path, read_facts(facts_path), entities)
    names = surface_forms(entities)
    return graphs.build_graph(name, triples, facts, entities, names), notes


def read_triples(path: Path) -> Triples:
    """Relation triples of ``NAME_EntityTriples.txt``, without angle brackets.

    Raises:
        DataError: If a line is not ``head relation tail .``.
    """
    rows = _dotted_rows(path, _TRIPLE)
    spelling.check_header(text.stored(path) or path, rows)
    heads, relations, tails, _ = zip(*rows, strict=True)
    # Each text is stripped once, not once per line: there are 20 times more lines than texts.
    bare = {raw: strip_brackets(raw) for column in (heads, relations, tails) for raw in set(column)}
    if "" in bare.values():
        number = next(n for n, row in enumerate(rows, 1) if any(not bare[t] for t in row[:3]))
        raise text.malformed(path, number, " ".join(rows[number - 1]), _TRIPLE)
    return Triples(*([bare[raw] for raw in column] for column in (heads, relations, tails)))


def _read_links(path: Path) -> list[tuple[str, str]]:
    rows = _dotted_rows(path, _LINK)
    for number, row in enumerate(rows, 1):
        if not strip_brackets(row[1]).lower().endswith("sameas"):
            raise text.malformed(path, number, " ".join(row), _LINK)
    return [(strip_brackets(row[0]), strip_brackets(row[2])) for row in rows]


def _dotted_rows(path: Path, wanted: str) -> list[list[str]]:
    lines = text.read_lines(path)
    rows = [line.split(" ") for line in lines]
    for position, row in enumerate(rows):
        if len(row) != 4 or row[3] != ".":
            rows[position] = _BLANKS.split(lines[position].strip(" \t"))
            if len(rows[position]) != 4 or rows[position][3] != ".":
                raise text.malformed(path, position + 1, lines[position], wanted)
    return rows


def read_facts(path: Path) -> Facts:
    """Attribute triples of ``NAME_NumericalTriples.txt`` in any of the three published dialects.

    FB15K's lines are ``entity TAB attribute TAB bare value``; DB15K's and YAGO15K's are like
    N-Triples, with a typed literal of which the lexical value is kept, and a final dot.

    Raises:
        DataError: If a line is neither.
    """
    facts = []
    for number, line in enumerate(text.read_lines(path), 1):
        # Of a line that is spaced out like N-Triples, a tab is a letter of the literal.
        is_tabbed = "\t" in line and not _SPACED.match(line)
        parts = line.split("\t" if is_tabbed else " ", 2)
        value = parts[2].strip() if len(parts) == 3 else ""
        if value.endswith((" .", "\t.")):
            value = value[:-2].rstrip()
        elif not is_tabbed:
            value = ""
        entity, attribute = strip_brackets(parts[0]), strip_brackets(parts[-2:][0])
        if not (value and entity and attribute):
            raise text.malformed(path, number, line, _FACT)
        facts.append((entity, attribute, lexical_value(value)))
    spelling.check_header(text.stored(path) or path, facts)
    return facts


def _read_h5_images(
    source: GraphFiles, target: GraphFiles, sides: Sequence[dict[str, int]]
) -> tuple[dict[str, tuple[Features, Features]], list[str]]:
    (first, first_notes), (second, second_notes) = (
        _read_graph_images(files, side) for files, side in zip((source, target), sides, strict=True)
    )
    notes = first_notes + second_notes
    if not (first.n_present and second.n_present):
        return {}, [*notes, "One KG has no image vector, so the dataset lacks images."]
    if first.dim != second.dim:
        raise DataError.at(
            target.path("ImageData.h5"),
            f"vectors have {second.dim} numbers, those of {source.name} have {first.dim}",
            "Both files need the same dimension.",
        )
    notes += images.filler_notes("ImageData.h5", (first, second))
    return {"image": (first, second)}, notes


def _read_graph_images(files: GraphFiles, side: dict[str, int]) -> tuple[Features, list[str]]:
    index_path, data_path = files.path("ImageIndex.txt"), files.path("ImageData.h5")
    entity_of: dict[str, int] = {}
    unknown: list[str] = []
    rows = text.read_rows(index_path, ("entity", "image id"))
    spelling.check_header(text.stored(index_path) or index_path, rows)
    for number, (entity, image) in enumerate(rows, 1):
        position = side.get(strip_brackets(entity))
        if image in entity_of:
            raise DataError.at(
                text.stored(index_path) or index_path,
                f"image id {image!r} stands twice",
                "Give each image its own id.",
                number,
            )
        if position is None:
            unknown.append(strip_brackets(entity))
        else:
            entity_of[image] = position
    vectors = images.read_h5(data_path, sorted(entity_of))
    check_table(data_path, len(side), vectors.values.shape[1], vectors.values.nbytes)
    notes = []
    if unknown:
        notes.append(
            f"{index_path.name}: {len(unknown):,} rows name unknown entities; left out."
            f"{spelling.left_out_hint(unknown, side)}"
        )
    if lacking := len(entity_of) - len(vectors.keys):
        notes.append(f"{data_path.name}: {lacking:,} images of the index have no vector.")
    return images.to_features(vectors, entity_of, len(side)), notes

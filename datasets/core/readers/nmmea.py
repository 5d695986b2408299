"""NMMEA layout: N-MMKGs, in which texts and images are nodes; ``docs/nmmkg.md`` describes it.

The folder ``private`` of a generated copy is never opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.nodes import pair_kinds
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.readers import folds, graphs, images, meta, spelling, text
from mmea_bench.datasets.core.readers.bounded.arrays import as_float32, load_array
from mmea_bench.datasets.core.readers.bounded.sizes import check_table
from mmea_bench.datasets.core.readers.graphs import Triples
from mmea_bench.datasets.core.readers.names import lexical_value

KIND = "NMMEA"
GRAPH_FOLDERS = ("kg1", "kg2")
REQUIRED_FILES = ("pairs.tsv", "kg1/entities.tsv", "kg2/entities.tsv")
REQUIRED = ", ".join(REQUIRED_FILES)

ENTITY_COLUMNS = ("id", "modality", "label")
TRIPLE_COLUMNS = ("head", "relation", "tail", "kind")
FACT_COLUMNS = ("entity", "attribute", "value")
PAIR_COLUMNS = ("id1", "id2", "kind")
PARTS = ("train", "valid", "test")
FEATURE_FILES = {"text": "feat_t", "image": "feat_v"}
LETTERS = {"t": "text", "v": "image"}
MOST_ID_CORRELATION = 0.05

_GRAPH_FILES = ("entities.tsv", "rel_triples.tsv")
_ATTRIBUTES = "attr_triples.tsv"
_CORRECT = "Correct the line, or copy the file again."
_Rows = list[list[str]]


@dataclass(frozen=True)
class NmmeaFiles:
    """Where the files of one dataset in this layout are.

    Attributes:
        folder: Folder with ``pairs.tsv`` and the folders of the two graphs.
        fold_folders: Folders with one published split each, in order.
    """

    folder: Path
    fold_folders: tuple[Path, ...] = ()

    @property
    def graph_names(self) -> tuple[str, str]:
        """Printed names where nobody gives better ones."""
        return "NMMKG1", "NMMKG2"

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens."""
        paths = []
        optional = []
        for side in map(self.folder.joinpath, GRAPH_FOLDERS):
            paths += [side / name for name in _GRAPH_FILES]
            optional.append(side / _ATTRIBUTES)
            for stem in FEATURE_FILES.values():
                # A graph without nodes of a modality has no files for it, or empty ones.
                is_there = text.stored_content(side / f"{stem}.ids") is not None
                (paths if is_there else optional).extend(
                    side / f"{stem}.{end}" for end in ("npy", "ids")
                )
        found = [text.stored(path) or path for path in (self.folder / "pairs.tsv", *paths)]
        for path in found:
            if not path.is_file():
                raise DataError.at(path, "the file is missing", "Put it there, or copy it again.")
        optional += [fold / f"{part}.tsv" for fold in self.fold_folders for part in PARTS]
        found += [file for path in optional if (file := text.stored(path))]
        return (*found, *meta.file(self.folder))

    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""
        lacking = [
            f"{side}/{text.lacking(path)}: that graph has no attributes."
            for side in GRAPH_FOLDERS
            if text.stored_content(path := self.folder / side / _ATTRIBUTES) is None
        ]
        lacking += [
            f"{side}/{text.lacking(path)}: that graph has no {kind}s."
            for side in GRAPH_FOLDERS
            for kind, stem in FEATURE_FILES.items()
            if text.stored_content(path := self.folder / side / f"{stem}.ids") is None
        ]
        if not self.fold_folders:
            lacking.append("splits/ is missing: pairs are split at random.")
        return tuple(lacking)

    def read(self, address: str, graph_names: tuple[str, str]) -> KGPair:
        """The dataset in canonical order.

        Args:
            address: Canonical address of the dataset.
            graph_names: Printed names of source and target graph.
        """
        self.input_files()
        sides = [_Side(self.folder / folder) for folder in GRAPH_FOLDERS]
        found = [side.read(name) for side, name in zip(sides, graph_names, strict=True)]
        (source, target), id_notes = graphs.keep_ids_apart(found[0][0], found[1][0])
        nodes = [graphs.positions(graph.entities.tolist()) for graph in (source, target)]
        features = {name: _both(found[0][1][name], found[1][1][name]) for name in FEATURE_FILES}
        pairs_path = self.folder / "pairs.tsv"
        rows = _read_table(pairs_path, PAIR_COLUMNS)
        written = _distinct(pairs_path, rows)
        for column in range(2):
            _check_known(pairs_path, [pair[column] for pair in written], nodes[column])
        links = np.stack(
            [graphs.encode([pair[side] for pair in written], nodes[side]) for side in range(2)],
            axis=1,
        )
        kinds = pair_kinds(links, features["image"][0].present, features["image"][1].present)
        for (pair, (kind, line)), wanted in zip(written.items(), kinds.tolist(), strict=True):
            if kind != wanted:
                problem = f"the pair of {pair[0]!r} and {pair[1]!r} is {wanted}, not {kind!r}"
                raise DataError.at(pairs_path, problem, _CORRECT, line)
        split = partial(_read_fold, self.folder, pairs=written)
        read = tuple(
            folds.read_or_broken(_fold_name(self.folder, fold), partial(split, fold))
            for fold in self.fold_folders
        )
        notes = [*self.missing(), *folds.broken_notes(read), *_order_notes(links, nodes)]
        notes += graphs.repeat_notes(pairs_path, [(row[0], row[1]) for row in rows], "pair")
        notes += text.copy_notes(self.input_files())
        notes += [*id_notes, *graphs.graph_notes((source, target))]
        declared = meta.read(self.folder)
        dangling, dangling_notes = declared.dangling_ids((source, target), links)
        for name, both in features.items():
            notes += images.filler_notes(FEATURE_FILES[name], both)
        return canonical(
            KGPair(
                dataset=address,
                source=source,
                target=target,
                anchor_links=links,
                features=features,
                simulated=declared.simulated,
                notes=(*notes, *dangling_notes),
                folds=read,
                task="n-mmkg",
                dangling=dangling,
            )
        )


def locate(folder: Path) -> NmmeaFiles | None:
    """The files of a folder in this layout; None where a required one is missing."""
    if any(text.stored(folder / name) is None for name in REQUIRED_FILES):
        return None
    parts = [f"{part}.tsv" for part in PARTS]
    return NmmeaFiles(folder, folds.locate(folder, ("splits/*/*",), parts))


def _fold_name(folder: Path, fold: Path) -> str:
    return fold.relative_to(folder / "splits").as_posix()


@dataclass(frozen=True)
class _Side:
    """The folder of one graph."""

    folder: Path

    def read(self, name: str) -> tuple[KnowledgeGraph, dict[str, Features]]:
        modality, labels = self._entities()
        nodes = graphs.positions(modality)
        triples = self._triples(nodes, modality)
        facts_path = self.folder / _ATTRIBUTES
        facts: _Rows = []
        if text.stored_content(facts_path) is not None:
            facts = _read_table(facts_path, FACT_COLUMNS, last_may_be_empty=True)
        _check_known(facts_path, [row[0] for row in facts], nodes)
        graph = graphs.build_graph(
            name, triples, [(row[0], row[1], lexical_value(row[2])) for row in facts], nodes, labels
        )
        return graph, {
            kind: self._features(kind, stem, nodes, modality)
            for kind, stem in FEATURE_FILES.items()
        }

    def _entities(self) -> tuple[dict[str, str], list[str]]:
        path = self.folder / "entities.tsv"
        modality: dict[str, str] = {}
        rows = _read_table(path, ENTITY_COLUMNS, last_may_be_empty=True)
        for line, (node, letter, _) in enumerate(rows, 2):
            if letter not in LETTERS:
                problem = f"node {node!r} has the modality {letter!r}, which is not t or v"
                raise DataError.at(path, problem, _CORRECT, line)
            if node in modality:
                raise DataError.at(path, f"node {node!r} stands here twice", _CORRECT, line)
            modality[node] = LETTERS[letter]
        return modality, [row[2] for row in rows]

    def _triples(self, nodes: Mapping[str, int], modality: Mapping[str, str]) -> Triples:
        path = self.folder / "rel_triples.tsv"
        rows = _read_table(path, TRIPLE_COLUMNS)
        _check_known(path, [row[0] for row in rows], nodes)
        _check_known(path, [row[2] for row in rows], nodes)
        for line, (head, _, tail, kind) in enumerate(rows, 2):
            wanted = ("TT", "TV", "VV")[(modality[head], modality[tail]).count("image")]
            if kind != wanted:
                problem = f"the triple of {head!r} and {tail!r} is {wanted}, not {kind!r}"
                raise DataError.at(path, problem, _CORRECT, line)
        return Triples(*([row[column] for row in rows] for column in range(3)))

    def _features(
        self, kind: str, stem: str, nodes: Mapping[str, int], modality: Mapping[str, str]
    ) -> Features:
        ids_path, path = self.folder / f"{stem}.ids", self.folder / f"{stem}.npy"
        owners = text.read_lines(ids_path) if text.stored_content(ids_path) else []
        _check_known(ids_path, owners, nodes, first_line=1)
        seen: set[str] = set()
        for line, node in enumerate(owners, 1):
            problem = ""
            if modality[node] != kind:
                problem = f"node {node!r} has {modality[node]}, not {kind}"
            elif node in seen:
                problem = f"node {node!r} stands here twice"
            if problem:
                raise DataError.at(ids_path, problem, _CORRECT, line)
            seen.add(node)
        lacking = next((n for n, own in modality.items() if own == kind and n not in seen), None)
        if lacking is not None:
            problem = f"node {lacking!r} has {kind}, but no row"
            raise DataError.at(ids_path, problem, "Add its vector.")
        if not owners and not path.is_file():
            return Features(np.zeros((len(nodes), 0), np.float32), np.zeros(len(nodes), np.bool_))
        rows = _read_vectors(path, owners)
        check_table(path, len(nodes), rows.shape[1], rows.nbytes)
        values = np.zeros((len(nodes), rows.shape[1]), dtype=np.float32)
        present = np.zeros(len(nodes), dtype=np.bool_)
        place = graphs.encode(owners, nodes)
        values[place], present[place] = rows, True
        return Features(values, present)


def _both(source: Features, target: Features) -> tuple[Features, Features]:
    """Features of both graphs; one without nodes of a modality has as many columns as the other."""
    dims = [side.dim for side in (source, target) if side.n_present] or [1]
    empty = [
        side
        if side.n_present
        else Features(np.zeros((len(side.values), dims[0]), np.float32), side.present)
        for side in (source, target)
    ]
    return empty[0], empty[1]


def _read_vectors(path: Path, owners: Sequence[str]) -> NDArray[np.float32]:
    rows = load_array(path)
    if rows.dtype.kind not in "fiu" or rows.ndim != 2 or (len(rows) and not rows.shape[1]):
        raise DataError.at(path, "holds no table of numbers", "Save a float32 array [n, d].")
    if len(rows) != len(owners):
        problem = f"has {len(rows)} rows, the ids file has {len(owners)}"
        raise DataError.at(path, problem, "Copy both files again.")
    values = as_float32(rows)
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        problem = f"the vector of {owners[int(wrong[0])]!r} holds a value that is not finite"
        raise DataError.at(path, problem, "Repair that vector.")
    return values


def _read_table(path: Path, columns: Sequence[str], *, last_may_be_empty: bool = False) -> _Rows:
    """Rows below the header line; the value or label in the last column may be empty."""
    lines = text.read_lines(path)
    if lines[0].split("\t") != list(columns):
        raise text.malformed(path, 1, lines[0], " TAB ".join(columns))
    rows = [line.split("\t") for line in lines[1:]]
    needed = len(columns) - last_may_be_empty
    for number, row in enumerate(rows, 2):
        if len(row) != len(columns) or "" in row[:needed]:
            raise text.malformed(path, number, "\t".join(row), " TAB ".join(columns))
    return rows


def _check_known(
    path: Path, owners: Sequence[str], nodes: Mapping[str, int], first_line: int = 2
) -> None:
    for line, node in enumerate(owners, first_line):
        if node not in nodes:
            problem = f"{node!r} is no node of entities.tsv{spelling.hint(node, nodes)}"
            raise DataError.at(path, problem, _CORRECT, line)


class _Written(NamedTuple):
    """What a file says of a pair, and where it does so first."""

    kind: str
    line: int


def _distinct(path: Path, rows: _Rows) -> dict[tuple[str, str], _Written]:
    """The pairs of a file in the order of their first lines."""
    pairs: dict[tuple[str, str], _Written] = {}
    for line, (source, target, kind) in enumerate(rows, 2):
        first = pairs.setdefault((source, target), _Written(kind, line))
        if first.kind != kind:
            problem = (
                f"the pair of {source!r} and {target!r} is {kind!r} here and {first.kind!r} in "
                f"line {first.line}"
            )
            raise DataError.at(path, problem, "Remove one of the two lines.", line)
    return pairs


def _read_fold(folder: Path, fold: Path, pairs: Mapping[tuple[str, str], _Written]) -> Fold:
    position = {pair: row for row, pair in enumerate(pairs)}
    used: dict[tuple[str, str], str] = {}
    parts: list[NDArray[np.int64]] = []
    for part in PARTS:
        path = fold / f"{part}.tsv"
        own = _distinct(path, _read_table(path, PAIR_COLUMNS))
        for pair, (kind, line) in own.items():
            problem = ""
            if pair not in pairs or pairs[pair].kind != kind:
                problem = f"the {kind} pair of {pair[0]!r} and {pair[1]!r} is not in pairs.tsv"
            elif pair in used:
                problem = f"the pair of {pair[0]!r} and {pair[1]!r} already stands in {used[pair]}"
            if problem:
                raise DataError.at(path, problem, "Copy the split again.", line)
            used[pair] = part
        parts.append(np.array([position[pair] for pair in own], dtype=np.int64))
    if len(used) < len(pairs):
        pair = next(pair for pair in pairs if pair not in used)
        problem = (
            f"{len(pairs) - len(used)} pairs are in no part, such as {pair[0]!r} and {pair[1]!r}"
        )
        raise DataError.at(fold, problem, "Copy the split again.")
    return Fold(_fold_name(folder, fold), *parts)


def _order_notes(links: NDArray[np.int32], nodes: Sequence[Mapping[str, int]]) -> list[str]:
    """A sentence where partners stand at like places, which would give the answers away."""
    ranks = [_ranks(list(index)) for index in nodes]
    places = np.stack([ranks[side][links[:, side]] for side in range(2)])
    if len(links) < 2 or np.any(places.std(axis=1) == 0):
        return []
    found = float(np.asarray(np.corrcoef(places))[0, 1])
    if abs(found) <= max(MOST_ID_CORRELATION, 4 / np.sqrt(len(links))):
        return []
    return [
        f"pairs.tsv: ids of partners are in a similar order (correlation {found:.2f}); shuffle."
    ]


def _ranks(texts: Sequence[str]) -> NDArray[np.int64]:
    """Place of each text in sorted order; one very long text costs no more than itself."""
    ranks = np.empty(len(texts), dtype=np.int64)
    ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
    return ranks

"""Writes a dataset in the published layouts and that of N-MMKGs, to hand it to other code.

What a layout has no place for is left out: the raw MMKG and OpenEA layouts carry names inside the
URIs only, the DBP15K layout keeps attribute names without values and relation ids without names.
The raw MMKG layout holds no published split, the DBP15K layout one without validation links.
Images go where our readers find them, and what was made up or has no partner into ``meta.json``.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.folds import usable_folds
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text
from mmea_bench.datasets.core.model.nodes import pair_kinds, triple_kinds, visual_nodes
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers import dbp15k, meta, nmmea
from mmea_bench.datasets.core.readers.graphs import ids_as_in_files, is_id
from mmea_bench.datasets.core.readers.names import escaped, lexical_value

_CHUNK_ROWS = 1 << 16
_BLANK = re.compile(r"\s")
_NEWLINE = re.compile(r"[\r\n]")
_WHOLE = re.compile(r"^[+-]?\d+$")
_DECIMAL = re.compile(r"^[+-]?\d*\.\d+([eE][+-]?\d+)?$")
_TYPES = "http://www.w3.org/2001/XMLSchema#"


def write_mmkg_layout(pair: KGPair, folder: Path) -> None:
    """Writes the raw MMKG layout: triples, numerical triples, links, image index, ``images.npz``.

    The source KG is written as FB15K is (bare ids, tab-separated numerical triples), the target
    KG as DB15K is (bracketed URIs, typed literals).

    Args:
        pair: Dataset; its graph names become the prefixes of the files.
        folder: Where the files go; created if needed.

    Raises:
        DataError: If a text does not fit into the layout, or attribute values are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graphs = (pair.source, pair.target)
    entities = (pair.source.entities, _bracketed(pair.target.entities))
    names = ids_as_in_files(pair.source.relations, pair.target.relations)
    relations = (names[0], _bracketed(names[1]))
    attributes = ids_as_in_files(pair.source.attributes, pair.target.attributes)
    for side, graph in enumerate(graphs):
        _refuse(_BLANK, "a blank inside", graph.entities, names[side], attributes[side])
        if np.any(graph.attribute_values == ""):
            raise DataError(
                f"{graph.name} has attributes without a value, which the raw MMKG layout cannot "
                "hold. Write the DBP15K layout instead."
            )
    for side, graph in enumerate(graphs):
        triples = _triple_columns(graph, entities[side], relations[side])
        _write(
            folder / f"{graph.name}_EntityTriples.txt",
            (f"{head} {relation} {tail} ." for head, relation, tail in triples),
        )
        facts = _fact_columns(graph, entities[side], _bracketed(attributes[side]))
        form = "{} {} {} ." if side else "{}\t{}\t{}"
        written = _typed if side else _bare
        lines = (
            form.format(entity, attribute, written(value)) for entity, attribute, value in facts
        )
        _write(folder / f"{graph.name}_NumericalTriples.txt", lines)
    links = _rows(pair.anchor_links, entities)
    _write(
        folder / f"{pair.target.name}_SameAsLink.txt",
        (f"{source} <SameAs> {target} ." for source, target in links),
    )
    _write_image_index(pair, entities, folder)
    _write_npz(pair, folder / "images.npz")
    meta.write(pair, folder)


def write_dbp15k_layout(pair: KGPair, folder: Path) -> None:
    """Writes the layout of EVA, MCLEA and MEAformer.

    Target ids follow the source ids, for entities and for relations; relations that have ids of
    this layout keep them. Files: ``ent_ids_1/2``, ``triples_1/2``, ``ill_ent_ids``,
    ``sup_ent_ids`` and ``ref_ent_ids`` for a published split, if there is one and it has no
    validation links, ``training_attrs_1/2``, ``translated_ent_name/dbp_NAME.json``
    and ``pkls/NAME_GA_id_img_feature_dict.pkl``, where NAME is the name of the folder.

    Args:
        pair: Dataset.
        folder: Where the files go; created if needed.

    Raises:
        DataError: If a URI holds a tab or a line break.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first_entity = (0, pair.source.n_entities)
    relation_ids = _relation_ids(pair)
    for side, graph in enumerate((pair.source, pair.target)):
        _refuse(re.compile(r"[\t\r\n]"), "a tab or line break", graph.entities, graph.attributes)
        _write(
            folder / f"ent_ids_{side + 1}",
            (f"{number}\t{uri}" for number, uri in enumerate(graph.entities, first_entity[side])),
        )
        triples = graph.relation_triples.astype(np.int64)
        triples[:, 1] = relation_ids[side][triples[:, 1]]
        shift = np.array([first_entity[side], 0, first_entity[side]])
        _write_numbers(folder / f"triples_{side + 1}", triples, shift)
        if len(graph.attribute_triples):
            _write(folder / f"training_attrs_{side + 1}", _attribute_lines(graph))
    for name, links in _link_files(pair).items():
        _write_numbers(folder / name, links, np.array(first_entity))
    words = [
        [first_entity[side] + number, name.split(" ")]
        for side, graph in enumerate((pair.source, pair.target))
        for number, name in enumerate(graph.names)
        if name
    ]
    if words:
        names = folder / "translated_ent_name" / f"dbp_{folder.name}.json"
        names.parent.mkdir(exist_ok=True)
        names.write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    if "image" in pair.features:
        vectors = {
            # A plain copy: a row of a memory-mapped dataset would be pickled as its own type.
            int(first_entity[side] + row): np.array(features.values[row], subok=False)
            for side, features in enumerate(pair.features["image"])
            for row in np.flatnonzero(features.present)
        }
        path = folder / "pkls" / f"{folder.name}_GA_id_img_feature_dict.pkl"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            pickle.dump(vectors, stream, protocol=4)
    meta.write(pair, folder)


def _link_files(pair: KGPair) -> dict[str, Ids]:
    """All links, and the parts of a split where the DBP15K layout has a place for it."""
    files = {dbp15k.LINKS: pair.anchor_links}
    usable = usable_folds(pair)
    if len(pair.folds) == len(usable) == 1 and not len(usable[0].valid):
        parts = (pair.anchor_links[rows] for rows in (usable[0].train, usable[0].test))
        files |= dict(zip(dbp15k.SPLIT_LINKS, parts, strict=True))
    return files


def write_openea_layout(pair: KGPair, folder: Path) -> None:
    """Writes the OpenEA layout: ``rel_triples_1/2``, ``attr_triples_1/2``, ``ent_links``, folds.

    Args:
        pair: Dataset; each of its folds becomes a folder with three link files, one that cannot be
            used an empty folder, which keeps its place.
        folder: Where the files go; created if needed.

    Raises:
        DataError: If a URI holds a tab or a line break.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for side, graph in enumerate((pair.source, pair.target)):
        texts = (graph.entities, graph.relations, graph.attributes)
        _refuse(re.compile(r"[\t\r\n]"), "a tab or line break", *texts)
        triples = _triple_columns(graph, graph.entities, graph.relations)
        _write(folder / f"rel_triples_{side + 1}", map("\t".join, triples))
        if len(graph.attribute_triples):
            facts = _fact_columns(graph, graph.entities, graph.attributes)
            lines = ((entity, attribute, _bare(value)) for entity, attribute, value in facts)
            _write(folder / f"attr_triples_{side + 1}", map("\t".join, lines))
    entities = (pair.source.entities, pair.target.entities)
    _write(folder / "ent_links", map("\t".join, _rows(pair.anchor_links, entities)))
    for fold in pair.folds if usable_folds(pair) else ():
        (folder / fold.name).mkdir(parents=True, exist_ok=True)
        for part in () if fold.problem else ("train", "valid", "test"):
            links = pair.anchor_links[getattr(fold, part)]
            path = folder / fold.name / f"{part}_links"
            _write(path, map("\t".join, _rows(links, entities)))
    _write_npz(pair, folder / "images.npz")
    meta.write(pair, folder)


def write_nmmea_layout(pair: KGPair, folder: Path) -> None:
    """Writes the layout of N-MMKGs, which ``docs/nmmkg.md`` describes; nothing is left out.

    Args:
        pair: Dataset of the task ``n-mmkg``; each fold becomes a folder below ``splits``.
        folder: Where the files go; created if needed.

    Raises:
        DataError: If the dataset is no N-MMKG, or a text holds a tab or a line break.
    """
    if pair.task != "n-mmkg":
        raise DataError(f"{pair.dataset} is no N-MMKG. Choose another layout.")
    visual = visual_nodes(pair.features)
    graphs = (pair.source, pair.target)
    for graph in graphs:
        texts = (graph.entities, graph.relations, graph.attributes, graph.names)
        _refuse(re.compile(r"[\t\r\n]"), "a tab or line break", *texts)
    for side, graph in enumerate(graphs):
        place = folder / nmmea.GRAPH_FOLDERS[side]
        place.mkdir(parents=True, exist_ok=True)
        letters = np.where(visual[side], "v", "t").tolist()
        _write_table(
            place / "entities.tsv",
            nmmea.ENTITY_COLUMNS,
            zip(graph.entities, letters, graph.names, strict=True),
        )
        kinds = triple_kinds(graph.relation_triples, visual[side]).tolist()
        triples = _triple_columns(graph, graph.entities, graph.relations)
        _write_table(
            place / "rel_triples.tsv",
            nmmea.TRIPLE_COLUMNS,
            ((*triple, kind) for triple, kind in zip(triples, kinds, strict=True)),
        )
        facts = _fact_columns(graph, graph.entities, graph.attributes)
        lines = ((entity, attribute, _in_column(value)) for entity, attribute, value in facts)
        _write_table(place / "attr_triples.tsv", nmmea.FACT_COLUMNS, lines)
        for modality, stem in nmmea.FEATURE_FILES.items():
            features = pair.features[modality][side]
            _write(place / f"{stem}.ids", graph.entities[features.present])
            np.save(place / f"{stem}.npy", features.values[features.present])
    _write_pairs(pair, np.arange(len(pair.anchor_links)), folder / "pairs.tsv")
    for fold in usable_folds(pair):
        for part in nmmea.PARTS:
            _write_pairs(pair, getattr(fold, part), folder / "splits" / fold.name / f"{part}.tsv")
    meta.write(pair, folder, name=pair.dataset, version=pair.version)


def _write_pairs(pair: KGPair, rows: NDArray[np.int64], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    links = pair.anchor_links[rows]
    kinds = pair_kinds(links, *visual_nodes(pair.features)).tolist()
    nodes = _rows(links, (pair.source.entities, pair.target.entities))
    lines = ((*ends, kind) for ends, kind in zip(nodes, kinds, strict=True))
    _write_table(path, nmmea.PAIR_COLUMNS, lines)


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    _write(path, map("\t".join, [tuple(columns), *rows]))


LAYOUTS: Mapping[str, Callable[[KGPair, Path], None]] = {
    "mmkg": write_mmkg_layout,
    "dbp15k": write_dbp15k_layout,
    "openea": write_openea_layout,
    "nmmea": write_nmmea_layout,
}
"""Name of each layout to its writer."""


def _bracketed(texts: Text) -> Text:
    array = np.empty(len(texts), dtype=object)
    array[:] = [f"<{text}>" for text in texts]
    return array


def _typed(value: str) -> str:
    kind = "string"
    if _WHOLE.match(value):
        kind = "integer"
    elif _DECIMAL.match(value):
        kind = "double"
    return f'"{escaped(value)}"^^<{_TYPES}{kind}>'


def _bare(value: str) -> str:
    """The value as it is; a literal where it would break lines or be read as something else."""
    is_plain = lexical_value(value) == value == value.strip() and not _NEWLINE.search(value)
    return value if is_plain and not value.endswith((" .", "\t.")) else f'"{escaped(value)}"'


def _in_column(value: str) -> str:
    """As ``_bare``, where a tab would begin another column."""
    return f'"{escaped(value)}"' if "\t" in value else _bare(value)


def _refuse(pattern: re.Pattern[str], what: str, *columns: Text) -> None:
    for column in columns:
        found = next((text for text in column if pattern.search(text)), None)
        if found is not None:
            raise DataError(
                f"{found!r} has {what}, which this layout cannot hold. Choose another layout."
            )


def _rows(ids: Ids, texts: tuple[Text, ...]) -> Iterator[tuple[str, ...]]:
    """The texts that each row of ids stands for; a chunk at a time bounds the memory."""
    for start in range(0, len(ids), _CHUNK_ROWS):
        chunk = ids[start : start + _CHUNK_ROWS]
        columns = [text[chunk[:, place]].tolist() for place, text in enumerate(texts)]
        yield from zip(*columns, strict=True)


def _triple_columns(
    graph: KnowledgeGraph, entities: Text, relations: Text
) -> Iterator[tuple[str, ...]]:
    return _rows(graph.relation_triples, (entities, relations, entities))


def _fact_columns(
    graph: KnowledgeGraph, entities: Text, attributes: Text
) -> Iterator[tuple[str, ...]]:
    pairs = _rows(graph.attribute_triples, (entities, attributes))
    return ((*pair, value) for pair, value in zip(pairs, graph.attribute_values, strict=True))


def _attribute_lines(graph: KnowledgeGraph) -> Iterator[str]:
    entities, attributes = graph.attribute_triples[:, 0], graph.attribute_triples[:, 1]
    order = np.argsort(entities, kind="stable")
    owners, starts = np.unique(entities[order], return_index=True)
    for owner, own in zip(owners, np.split(attributes[order], starts[1:]), strict=True):
        yield "\t".join([graph.entities[owner], *graph.attributes[own]])


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def _relation_ids(pair: KGPair) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of the relations of both KGs: their own where they are ids of this layout, else new."""
    source, target = pair.source.relations, pair.target.relations
    both = [*source.tolist(), *target.tolist()]
    texts = [own.tolist() for own in ids_as_in_files(source, target)]
    if len(set(both)) == len(both) and all(
        is_id(text) and text == str(int(text)) for text in (*texts[0], *texts[1])
    ):
        return np.array(texts[0], dtype=np.int64), np.array(texts[1], dtype=np.int64)
    n_source = len(source)
    return np.arange(n_source), np.arange(n_source, len(both))


def _write_numbers(
    path: Path, ids: NDArray[np.integer], shift: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> None:
    _write(path, ("\t".join(map(str, row)) for row in (ids + shift).tolist()))


def _write_image_index(pair: KGPair, entities: tuple[Text, Text], folder: Path) -> None:
    if "image" not in pair.features:
        return
    graphs = (pair.source, pair.target)
    for graph, texts, features in zip(graphs, entities, pair.features["image"], strict=True):
        owners = texts[features.present]
        _write(
            folder / f"{graph.name}_ImageIndex.txt",
            (f"{owner}\t{graph.name}IMG{number:07d}" for number, owner in enumerate(owners, 1)),
        )


def _write_npz(pair: KGPair, path: Path) -> None:
    if "image" not in pair.features:
        return
    source, target = pair.features["image"]
    entities = [*pair.source.entities[source.present], *pair.target.entities[target.present]]
    if len(set(entities)) < len(entities):
        raise DataError(
            f"{pair.dataset}: a URI with an image stands in both KGs, and one archive cannot tell "
            "them apart. Write the DBP15K layout instead."
        )
    features = np.concatenate([source.values[source.present], target.values[target.present]])
    np.savez(path, entities=np.array(entities, dtype=np.str_), features=features)

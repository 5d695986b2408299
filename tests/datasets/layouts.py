"""One tiny dataset written in the three layouts, for tests of readers."""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from mmea_bench.datasets.core.model.canonical import text_order, with_entity_order
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import Fold, KGPair

SOURCE_TRIPLES = [
    ("/m/b", "/r/born", "/m/a"),
    ("/m/a", "/r/knows", "/m/c"),
    ("/m/c", "/r/knows", "/m/b"),
    ("/m/d", "/r/born", "/m/a"),
]
DBP = "http://dbpedia.org/resource/"
TARGET_TRIPLES = [
    (f"{DBP}Ärzte_(band)", "http://o/born", f"{DBP}AC/DC"),
    (f"{DBP}AC/DC", "http://o/near", f"{DBP}C"),
    (f"{DBP}C", "http://o/near", f"{DBP}Ärzte_(band)"),
]
SOURCE_ENTITIES = ["/m/a", "/m/b", "/m/c", "/m/d"]
TARGET_ENTITIES = [f"{DBP}AC/DC", f"{DBP}C", f"{DBP}Ärzte_(band)"]
LINKS = [("/m/b", f"{DBP}AC/DC"), ("/m/a", f"{DBP}C"), ("/m/d", f"{DBP}C")]
SOURCE_FACTS = [("/m/a", "http://f/lat", "54.2"), ("/m/b", "http://f/lat", "-1")]
TARGET_FACTS = [(f"{DBP}C", "http://o/year", "1982")]


def by_uri(pair: KGPair) -> KGPair:
    """The same content, version included, with rows in the order of URIs: easy to write down."""
    return dataclasses.replace(with_entity_order(pair, text_order), version=pair.version)


def lines(path: Path, rows: Iterable[str], *, shuffle: int | None = None) -> Path:
    """Writes lines, shuffled by a seed where one is given."""
    listed = list(rows)
    if shuffle is not None:
        random.Random(shuffle).shuffle(listed)  # noqa: S311
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(listed) + "\n").encode())
    return path


def write_raw(root: Path, *, shuffle: int | None = None) -> Path:
    """Raw MMKG layout with the graphs FB15K and DB15K, below ``root``."""
    source, target = root / "FB15K" / "FB15K", root / "DB15K" / "DB15K"

    def put(stem: Path, kind: str, rows: Iterable[str]) -> None:
        lines(stem.with_name(f"{stem.name}_{kind}.txt"), rows, shuffle=shuffle)

    put(source, "EntityTriples", (f"{h} {r} {t} ." for h, r, t in SOURCE_TRIPLES))
    put(target, "EntityTriples", (f"<{h}> <{r}> <{t}> ." for h, r, t in TARGET_TRIPLES))
    put(source, "NumericalTriples", (f"{e}\t<{a}>\t{v}" for e, a, v in SOURCE_FACTS))
    put(target, "NumericalTriples", (f'<{e}> <{a}> "{v}"^^<x#gYear> .' for e, a, v in TARGET_FACTS))
    put(target, "SameAsLink", (f"{s} <SameAs> <{t}> ." for s, t in LINKS))
    return root


def write_index(root: Path) -> None:
    """Image indices of both graphs; the target's first entity has two images."""
    lines(
        root / "FB15K" / "FB15K_ImageIndex.txt",
        (f"{entity}\tF{row}" for row, entity in enumerate(SOURCE_ENTITIES[:3])),
    )
    rows = [*enumerate(TARGET_ENTITIES), (3, TARGET_ENTITIES[0])]
    lines(root / "DB15K" / "DB15K_ImageIndex.txt", (f"<{entity}>\tD{row}" for row, entity in rows))


def write_h5(path: Path, vectors: dict[str, Sequence[float]], *, as_row: bool = False) -> Path:
    """An HDF5 file with one dataset per image."""
    with h5py.File(path, "w") as file:
        for name, vector in vectors.items():
            values = np.asarray(vector, dtype=np.float32)
            file[name] = values[None] if as_row else values
    return path


def write_eva(folder: Path, *, shuffle: int | None = None) -> Path:
    """Layout of EVA and MCLEA: source ids 0.., target ids 10.."""
    source = {entity: number for number, entity in enumerate(SOURCE_ENTITIES)}
    target = {entity: number + 10 for number, entity in enumerate(TARGET_ENTITIES)}
    relations: dict[str, int] = {}
    for side, ids, triples in (("1", source, SOURCE_TRIPLES), ("2", target, TARGET_TRIPLES)):
        rows = [(ids[h], relations.setdefault(r, len(relations)), ids[t]) for h, r, t in triples]
        lines(
            folder / f"triples_{side}", ("\t".join(map(str, row)) for row in rows), shuffle=shuffle
        )
        lines(folder / f"ent_ids_{side}", (f"{i}\t{e}" for e, i in ids.items()), shuffle=shuffle)
    lines(folder / "ill_ent_ids", (f"{source[s]}\t{target[t]}" for s, t in LINKS), shuffle=shuffle)
    return folder


def write_eva_extras(folder: Path, dim: int = 3) -> None:
    """Attributes, names and image features of the EVA layout."""
    lines(folder / "training_attrs_1", ["/m/a\thttp://f/lat\thttp://f/lon", "/m/zz\thttp://f/lat"])
    lines(folder / "training_attrs_2", [f"{DBP}C\thttp://o/year"])
    names = [[0, ["alpha", "one"]], [1, ["beta"]], [10, ["acdc"]], [12, []]]
    (folder / "translated_ent_name").mkdir()
    (folder / "translated_ent_name" / "dbp.json").write_text(json.dumps(names))
    features = {row: np.full(dim, row, dtype=np.float32) for row in (0, 2, 11)}
    (folder / f"{folder.name}_id_img_feature_dict.pkl").write_bytes(pickle.dumps(features))


def write_openea(folder: Path, *, shuffle: int | None = None) -> Path:
    """OpenEA layout, with one fold in ``721_5fold/1``."""
    for side, triples in (("1", SOURCE_TRIPLES), ("2", TARGET_TRIPLES)):
        lines(folder / f"rel_triples_{side}", map("\t".join, triples), shuffle=shuffle)
    for side, facts in (("1", SOURCE_FACTS), ("2", TARGET_FACTS)):
        lines(folder / f"attr_triples_{side}", map("\t".join, facts), shuffle=shuffle)
    lines(folder / "ent_links", map("\t".join, LINKS), shuffle=shuffle)
    for part, link in zip(("train_links", "valid_links", "test_links"), LINKS, strict=True):
        lines(folder / "721_5fold" / "1" / part, ["\t".join(link)])
    return folder


def tiny_nmmkg() -> KGPair:
    """An N-MMKG of two graphs with one text and one image each, and one fold."""

    def graph(name: str, *nodes: str) -> KnowledgeGraph:
        return KnowledgeGraph(
            name,
            text_array(nodes),
            text_array(["r"]),
            text_array(["a"]),
            np.array([[0, 0, 1]], dtype=np.int32),
            np.array([[0, 0]], dtype=np.int32),
            text_array([""]),
            text_array(["", "picture.jpg"]),
        )

    def rows(value: float, present: list[bool]) -> Features:
        return Features(np.array(present, np.float32)[:, None] * value, np.array(present))

    ends = np.array([[0, 0], [0, 1], [1, 1]], dtype=np.int32)
    text, image = [True, False], [False, True]
    return KGPair(
        "tiny",
        graph("NMMKG1", "p", "q"),
        graph("NMMKG2", "x", "y"),
        ends,
        {"text": (rows(1, text), rows(2, text)), "image": (rows(3, image), rows(4, image))},
        folds=(Fold("0.3/1", *(np.array([place]) for place in (1, 0, 2))),),
        task="n-mmkg",
    )


def assert_sentence(error: BaseException, path: Path, words: str, line: int | None = None) -> None:
    """The error names the file, the line and the problem, and ends with a remedy."""
    message = str(error)
    place = f"{path}, line {line}: " if line is not None else f"{path}: "
    assert message.startswith(place), message
    assert words in message, message
    problem, _, remedy = message.removeprefix(place).rpartition(". ")
    assert problem, message
    assert remedy.endswith("."), message
    assert "\n" not in message

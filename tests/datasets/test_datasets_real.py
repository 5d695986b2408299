from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.data import data_app
from mmea_bench.datasets.core.access import writers
from mmea_bench.datasets.core.access.cache import load_pair
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers.names import surface_forms

ROOT = Path(os.environ.get("MMEA_DATA") or Path(__file__).parents[3] / "shared" / "data")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not ROOT.is_dir(), reason="needs the real benchmark files; set MMEA_DATA to their folder"
    ),
]

FB15K = (14951, 1345, 592213, 116, 29395)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def counts(graph: KnowledgeGraph) -> tuple[int, ...]:
    return (
        graph.n_entities,
        graph.n_relations,
        len(graph.relation_triples),
        graph.n_attributes,
        len(graph.attribute_triples),
    )


def load(name: str, cache: Path) -> KGPair:
    dataset = open_dataset(name, ROOT)
    try:
        dataset.input_files()
    except Exception as error:
        pytest.skip(f"{name} is not there: {error}")
    return load_pair(dataset, cache)


@pytest.mark.parametrize(
    ("name", "target", "n_links", "images"),
    [
        ("fb15k-db15k", (12842, 279, 89197, 225, 48080), 12846, [13444, 12837]),
        ("fb15k-yago15k", (15404, 32, 122886, 7, 23532), 11199, [13444, 11194]),
    ],
)
def test_mmkg_counts(
    cache: Path, name: str, target: tuple[int, ...], n_links: int, images: list[int]
) -> None:
    pair = load(name, cache)
    assert counts(pair.source) == FB15K
    assert counts(pair.target) == target
    assert len(pair.anchor_links) == n_links
    assert [side.n_present for side in pair.features["image"]] == images
    assert pair.modalities == ("structure", "relation", "attribute", "image")
    if pair.features["image"][0].dim == 256:
        assert pair.simulated == ("image",)


def test_four_db15k_entities_have_two_partners(cache: Path) -> None:
    links = load("fb15k-db15k", cache).anchor_links
    assert len(set(links[:, 0].tolist())) == 12846
    assert len(set(links[:, 1].tolist())) == 12842


@pytest.mark.parametrize(
    ("name", "entities", "relations", "triples"),
    [
        ("dbp15k-zh-en", (19388, 19572), (1701, 1323), (70414, 95142)),
        ("dbp15k-ja-en", (19814, 19780), (1299, 1153), (77214, 93484)),
        ("dbp15k-fr-en", (19661, 19993), (903, 1208), (105998, 115722)),
    ],
)
def test_dbp15k_counts(
    cache: Path,
    name: str,
    entities: tuple[int, int],
    relations: tuple[int, int],
    triples: tuple[int, int],
) -> None:
    pair = load(name, cache)
    graphs = (pair.source, pair.target)
    assert tuple(graph.n_entities for graph in graphs) == entities
    assert tuple(graph.n_relations for graph in graphs) == relations
    assert tuple(len(graph.relation_triples) for graph in graphs) == triples
    assert len(pair.anchor_links) == 15000
    assert "name" in pair.modalities
    assert all((graph.names != "").sum() >= graph.n_entities - 1 for graph in graphs)


def test_a_cached_load_is_the_same_dataset(cache: Path) -> None:
    version = load("fb15k-db15k", cache).version
    assert load("fb15k-db15k", cache).version == version


MMKG = ("fb15k-db15k", "fb15k-yago15k")
DBP15K = ("dbp15k-zh-en", "dbp15k-ja-en", "dbp15k-fr-en")

DEVIATIONS: dict[str, dict[tuple[str, str], tuple[int, int]]] = {
    "fb15k-db15k": {},
    "fb15k-yago15k": {},
    "dbp15k-zh-en": {("ZH", "images"): (15912, 0), ("EN", "images"): (14125, 0)},
    "dbp15k-ja-en": {("JA", "images"): (12739, 0), ("EN", "images"): (13741, 0)},
    "dbp15k-fr-en": {("FR", "images"): (14174, 0), ("EN", "images"): (13858, 0)},
}
"""What a real copy lacks: the image vectors of DBP15K, nothing else."""


def test_the_real_datasets_deviate_exactly_as_known(cache: Path) -> None:
    for name in DEVIATIONS:
        load(name, cache)  # skips where a part of the data is lacking
    words = ("check", "--json", "--data-root", str(ROOT), "--cache-dir", str(cache), *DEVIATIONS)
    output = CliRunner().invoke(data_app, words, catch_exceptions=False).stdout
    checks = {check["address"]: check for check in json.loads(output)}
    for name, expected in DEVIATIONS.items():
        found = {
            (item["graph"], item["statistic"]): (item["published"], item["found"])
            for item in checks[name]["deviations"]
        }
        assert found == expected, name
        assert checks[name]["status"] == ("partial copy" if expected else "complete")
    assert checks["fb15k-db15k"]["repeated"] == {"DB15K": 4}
    # The index has 12,841 lines; as in the papers, an entity with two images counts once.
    note = "DB15K_ImageIndex.txt lists 12,841 images of 12,837 entities."
    assert note in checks["fb15k-db15k"]["notes"]
    assert checks["fb15k-db15k"]["simulated"] == ["image"]
    assert checks["dbp15k-zh-en"]["simulated"] == []


def copied(pair: KGPair, layout: str, folder: Path) -> KGPair:
    """The dataset written in a layout and read back under its own names."""
    writers.LAYOUTS[layout](pair, folder)
    return detect(folder).files.read(pair.dataset, (pair.source.name, pair.target.name))


def in_layout(pair: KGPair, layout: str) -> KGPair:
    """The dataset without what a layout has no place for, as the writers' docstring lists it."""
    features = {name: both for name, both in pair.features.items() if name == "image"}
    sides = []
    for graph in (pair.source, pair.target):
        changes = {}
        if layout != "dbp15k":
            changes["names"] = text_array(surface_forms(graph.entities.tolist()))
        sides.append(replace(graph, **changes))
    return canonical(replace(pair, source=sides[0], target=sides[1], features=features, version=""))


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *product(MMKG, ("openea", "mmkg")),
        *product(DBP15K, ("dbp15k", "openea")),
    ],
)
def test_a_copy_in_a_layout_has_the_same_content(
    cache: Path, tmp_path: Path, name: str, layout: str
) -> None:
    pair = load(name, cache)
    assert copied(pair, layout, tmp_path / "copy").version == in_layout(pair, layout).version


@pytest.mark.parametrize("name", MMKG)
def test_mmkg_datasets_in_the_layout_of_ids_keep_their_graph(
    cache: Path, tmp_path: Path, name: str
) -> None:
    """Relation names and attribute values have no place there; a copy of the copy is the same."""
    pair = load(name, cache)
    copy = copied(pair, "dbp15k", tmp_path / "copy")
    assert [counts(side)[:3] for side in (copy.source, copy.target)] == [
        counts(side)[:3] for side in (pair.source, pair.target)
    ]
    assert np.array_equal(copy.anchor_links, pair.anchor_links)
    assert np.array_equal(copy.features["image"][0].values, pair.features["image"][0].values)
    assert copied(copy, "dbp15k", tmp_path / "again").version == copy.version

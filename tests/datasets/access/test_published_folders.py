"""Small folders of the shapes in which SRPRS, DWY100K and OpenEA's datasets are published."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.folds import fold_series
from mmea_bench.datasets.core.model.pair import KGPair
from tests.datasets.layouts import lines

N = 60
WIKIDATA = "http://www.wikidata.org/entity/Q"


def triples(names: list[str], relations: list[str], seed: int) -> list[str]:
    rng = random.Random(seed)  # noqa: S311
    chain = [f"{a}\t{rng.choice(relations)}\t{b}" for a, b in pairwise(names)]
    return chain + [
        f"{rng.choice(names)}\t{rng.choice(relations)}\t{rng.choice(names)}" for _ in range(N)
    ]


def write_openea_v1(folder: Path) -> Path:
    """D-W-15K: DBpedia against Wikidata, whose ids say nothing, with five folds of 2 : 1 : 7."""
    sides = [
        [f"http://dbpedia.org/resource/Thing_{k}" for k in range(N)],
        [f"{WIKIDATA}{k}" for k in range(N)],
    ]
    for side, names in enumerate(sides, 1):
        relations = [f"http://ontology/{side}/r{k}" for k in range(4)]
        lines(folder / f"rel_triples_{side}", triples(names, relations, side))
        values = [
            f'{name}\thttp://ontology/{side}/label\t"Thing \\"{k}\\""@en'
            for k, name in enumerate(names[::2])
        ]
        lines(folder / f"attr_triples_{side}", values)
    links = ["\t".join(pair) for pair in zip(*sides, strict=True)]
    lines(folder / "ent_links", links)
    for fold in range(1, 6):
        random.Random(fold).shuffle(links)  # noqa: S311
        parts = {"train": links[: N // 5], "valid": links[N // 5 : 3 * N // 10]}
        parts["test"] = links[3 * N // 10 :]
        for part, own in parts.items():
            lines(folder / "721_5fold" / str(fold) / f"{part}_links", own)
    return folder


def write_srprs(folder: Path) -> Path:
    """EN-FR of SRPRS, as RREA and others publish it: ids of both KGs in one numbering.

    Link files begin with the training links, and the entities that they name have the first ids.
    """
    for side in (1, 2):
        first = (side - 1) * N
        names = [
            f"http://{'en' if side == 1 else 'fr'}.dbpedia.org/resource/T{k}" for k in range(N)
        ]
        lines(folder / f"ent_ids_{side}", (f"{first + k}\t{uri}" for k, uri in enumerate(names)))
        lines(folder / f"rel_ids_{side}", (f"{k}\thttp://dbpedia.org/r{k}" for k in range(4)))
        ids = [str(first + k) for k in range(N)]
        lines(folder / f"triples_{side}", triples(ids, [str(k) for k in range(4)], side))
    links = [f"{k}\t{N + k}" for k in range(N)]
    lines(folder / "sup_ent_ids", links[: 3 * N // 10])
    lines(folder / "ref_ent_ids", links[3 * N // 10 :])
    return folder


def opened(folder: Path) -> KGPair:
    return open_dataset(str(folder)).read()


def test_an_openea_dataset_has_five_folds_at_its_own_ratio(tmp_path: Path) -> None:
    pair = opened(write_openea_v1(tmp_path / "D_W_15K_V1"))
    assert (pair.source.n_entities, pair.target.n_entities, len(pair.anchor_links)) == (N, N, N)
    (series,) = fold_series(pair)
    assert (series.seed_ratio, len(series.folds)) == (0.2, 5)
    assert 'Thing "0"' in pair.source.attribute_values.tolist()
    # Wikidata's ids are no names, so the pair offers none.
    assert pair.modalities == ("structure", "relation", "attribute")
    assert [note for note in pair.notes if "images.npz" not in note] == []


def test_an_srprs_dataset_has_one_split_and_relations_of_each_kg(tmp_path: Path) -> None:
    pair = opened(write_srprs(tmp_path / "en_fr"))
    (series,) = fold_series(pair)
    assert (series.seed_ratio, len(series.folds)) == (0.3, 1)
    assert len(series.folds[0].train) == 3 * N // 10
    assert not set(pair.source.relations.tolist()) & set(pair.target.relations.tolist())
    assert any("4 relation ids stand in both KGs" in note for note in pair.notes)


@pytest.mark.parametrize("write", [write_openea_v1, write_srprs])
def test_conversion_between_layouts_keeps_graph_and_links(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    from mmea_bench.bench.cli.data_status import convert

    folder = write(tmp_path / "pair")
    pair = opened(folder)
    for layout in ("openea", "dbp15k"):
        sentence = convert(str(folder), layout, tmp_path / layout, tmp_path, None)
        copy = opened(tmp_path / layout)
        assert sentence.startswith(f"{tmp_path / layout}: ")
        assert copy.anchor_links.tolist() == pair.anchor_links.tolist()
        assert len(copy.source.relation_triples) == len(pair.source.relation_triples)
        again = convert(str(tmp_path / layout), layout, tmp_path / f"{layout}2", tmp_path, None)
        assert f"the same content as {tmp_path / layout}" in again

"""The writers: what they write, our readers read back as the same dataset."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.access.writers import (
    write_dbp15k_layout,
    write_mmkg_layout,
    write_openea_layout,
)
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.readers import dbp15k, openea
from mmea_bench.datasets.core.readers.mmkg import GraphFiles, MmkgFiles
from mmea_bench.datasets.core.synthesis.generate import generate_pair
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions

NAMES = ("Source", "Target")


@pytest.fixture(scope="module")
def pair():
    return generate_pair("synthetic[n=150]", SyntheticOptions(n=150, image_dim=8))


@pytest.fixture(scope="module")
def nameless():
    return generate_pair("synthetic[n=150]", SyntheticOptions(n=150, image_dim=8, text=False))


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def tiny_pair(value="1", entity="http://a/x"):
    def graph(name, *entities):
        return KnowledgeGraph(
            name,
            text_array(entities),
            text_array(["r"]),
            text_array(["a"]),
            np.array([[0, 0, 1], [1, 0, 2]], dtype=np.int32),
            np.array([[0, 0]], dtype=np.int32),
            text_array([value]),
            text_array(["", "", ""]),
        )

    links = np.array([[0, 0], [1, 1], [2, 2]], dtype=np.int32)
    rows = np.array([0, 1, 2])
    fold = Fold("split/1", rows[:1], rows[1:2], rows[2:])
    return KGPair(
        "tiny", graph("A", entity, "y", "e"), graph("B", "v", "w", "u"), links, folds=(fold,)
    )


def test_the_raw_mmkg_layout_reads_back_as_the_same_dataset(pair, nameless, tmp_path):
    write_mmkg_layout(pair, tmp_path)
    files = MmkgFiles(
        GraphFiles("Source", tmp_path), GraphFiles("Target", tmp_path), tmp_path / "images.npz"
    )
    # The layout has no place for names, so the copy equals the pair that never had any.
    assert files.read("copy", NAMES).version == nameless.version


def test_the_raw_mmkg_files_follow_the_published_dialects(pair, tmp_path):
    write_mmkg_layout(pair, tmp_path)
    head, relation, tail, dot = lines_of(tmp_path / "Source_EntityTriples.txt")[0].split(" ")
    assert head == pair.source.entities[0]
    assert relation.startswith("http://source.example/relation/R")
    assert tail.startswith("http://source.example/Q")
    assert dot == "."
    assert len(lines_of(tmp_path / "Source_EntityTriples.txt")) == len(pair.source.relation_triples)
    entity, attribute, value = lines_of(tmp_path / "Source_NumericalTriples.txt")[0].split("\t")
    assert entity.startswith("http://")
    assert attribute.startswith("<http://")
    assert float(value) >= 0
    typed = lines_of(tmp_path / "Target_NumericalTriples.txt")
    assert all(line.startswith("<http://target.example/Q") for line in typed)
    assert all(line.endswith(("#integer> .", "#double> .")) for line in typed)
    link = lines_of(tmp_path / "Target_SameAsLink.txt")[0].split(" ")
    assert link[1] == "<SameAs>"
    assert link[2].startswith("<http://target.example/Q")
    index = lines_of(tmp_path / "Target_ImageIndex.txt")
    assert len(index) == pair.features["image"][1].n_present
    assert index[0].split("\t")[1] == "TargetIMG0000001"


def test_the_openea_layout_reads_back_as_the_same_dataset(pair, nameless, tmp_path):
    write_openea_layout(pair, tmp_path)
    files = openea.locate(tmp_path)
    assert files.read("copy", NAMES).version == nameless.version


def test_openea_folds_survive(tmp_path):
    written = tiny_pair()
    write_openea_layout(written, tmp_path)
    (fold,) = openea.locate(tmp_path).read("copy", ("A", "B")).folds
    assert fold.name == "split/1"
    # Canonical order decides the positions, not the order of the lines.
    (expected,) = canonical(written).folds
    assert (fold.train.tolist(), fold.valid.tolist(), fold.test.tolist()) == (
        expected.train.tolist(),
        expected.valid.tolist(),
        expected.test.tolist(),
    )


def test_a_published_split_that_cannot_be_used_keeps_its_place_among_openea_folds(tmp_path):
    whole = tiny_pair()
    folds = [dataclasses.replace(whole.folds[0], name=f"split/{name}") for name in "13"]
    folds.insert(1, Fold.broken("split/2", "no file"))
    write_openea_layout(dataclasses.replace(whole, folds=tuple(folds)), tmp_path)
    copies = openea.locate(tmp_path).read("copy", ("A", "B")).folds
    assert [(fold.name, bool(fold.problem)) for fold in copies] == [
        *(("split/1", False), ("split/2", True), ("split/3", False))
    ]


def test_the_dbp15k_layout_holds_one_split_without_validation_links(tmp_path):
    whole = tiny_pair()
    rows = np.array([0, 1, 2])
    split = Fold("split/1", rows[:1], rows[:0], rows[1:])
    written = dataclasses.replace(whole, folds=(split,))
    write_dbp15k_layout(written, tmp_path / "one")
    (copy,) = dbp15k.locate(tmp_path / "one").read("copy", ("A", "B")).folds
    (expected,) = canonical(written).folds
    assert (copy.train.tolist(), copy.test.tolist()) == (
        expected.train.tolist(),
        expected.test.tolist(),
    )
    several = {"valid": whole.folds, "two": (split, dataclasses.replace(split, name="split/2"))}
    for name, folds in several.items():
        write_dbp15k_layout(dataclasses.replace(whole, folds=folds), tmp_path / name)
        assert dbp15k.locate(tmp_path / name).read("copy", ("A", "B")).folds == ()


def test_the_dbp15k_layout_reads_back_all_it_can_hold(pair, tmp_path):
    folder = tmp_path / "syn"
    write_dbp15k_layout(pair, folder)
    files = dbp15k.locate(folder)
    assert files.missing() == ()
    copy = files.read("copy", NAMES)
    for mine, theirs in ((pair.source, copy.source), (pair.target, copy.target)):
        assert np.array_equal(mine.entities, theirs.entities)
        assert np.array_equal(mine.names, theirs.names)
        assert np.array_equal(mine.attributes, theirs.attributes)
        assert np.array_equal(mine.attribute_triples, theirs.attribute_triples)
        assert mine.n_relations == theirs.n_relations
        ends = [
            np.unique(graph.relation_triples[:, [0, 2]], axis=0, return_counts=True)
            for graph in (mine, theirs)
        ]
        assert all(map(np.array_equal, ends[0], ends[1]))
    assert np.array_equal(pair.anchor_links, copy.anchor_links)
    for mine, theirs in zip(pair.features["image"], copy.features["image"], strict=True):
        assert np.array_equal(mine.values, theirs.values)
        assert np.array_equal(mine.present, theirs.present)


def test_the_dbp15k_files_number_target_after_source(pair, tmp_path):
    folder = tmp_path / "syn"
    write_dbp15k_layout(pair, folder)
    assert lines_of(folder / "ent_ids_1")[0] == f"0\t{pair.source.entities[0]}"
    assert lines_of(folder / "ent_ids_2")[0] == f"150\t{pair.target.entities[0]}"
    triples = np.loadtxt(folder / "triples_2", dtype=int)
    assert triples[:, [0, 2]].min() >= 150
    assert triples[:, 1].min() == pair.source.n_relations
    names = json.loads((folder / "translated_ent_name" / "dbp_syn.json").read_text("utf-8"))
    assert names[0] == [0, pair.source.names[0].split(" ")]
    raw = (folder / "pkls" / "syn_GA_id_img_feature_dict.pkl").read_bytes()
    vectors = pickle.loads(raw)  # noqa: S301 - just written
    assert np.array_equal(vectors[150], pair.features["image"][1].values[0])


def test_what_a_layout_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="blank"):
        write_mmkg_layout(tiny_pair(entity="http://a/x y"), tmp_path)
    with pytest.raises(DataError, match="without a value"):
        write_mmkg_layout(tiny_pair(value=""), tmp_path)
    with pytest.raises(DataError, match="line break"):
        write_openea_layout(tiny_pair(entity="a\nb"), tmp_path)
    with pytest.raises(DataError, match="tab"):
        write_dbp15k_layout(tiny_pair(entity="http://a/x\ty"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        *('say "hi"', "back\\slash", r"C:\new", "two\nlines", "a\tb", '"quoted"'),
        *(" edges ", "ends .", '"typed"^^<t>', "\u200b", "1e5"),
    ],
)
def test_every_literal_comes_back_as_it_was(tmp_path, value):
    written = canonical(tiny_pair(value=value))
    write_openea_layout(written, tmp_path / "openea")
    copies = [openea.locate(tmp_path / "openea").read("copy", ("A", "B"))]
    write_mmkg_layout(written, tmp_path / "raw")
    files = (GraphFiles(name, tmp_path / "raw") for name in ("A", "B"))
    copies.append(MmkgFiles(*files).read("copy", ("A", "B")))
    for copy in copies:
        for graph in (copy.source, copy.target):
            assert graph.attribute_values.tolist() == [value]


def test_a_memory_mapped_dataset_is_written_as_plain_arrays(tmp_path):
    """Rows of a cached dataset were once pickled as memory maps, which no reader admits."""
    dataset = open_dataset("synthetic[n=150]")
    load_pair(dataset, tmp_path / "cache")
    cached = load_pair(dataset, tmp_path / "cache")
    write_dbp15k_layout(cached, tmp_path / "copy")
    copy = open_dataset(str(tmp_path / "copy")).read()
    np.testing.assert_array_equal(
        copy.features["image"][0].values, cached.features["image"][0].values
    )


@pytest.mark.parametrize("write", [write_mmkg_layout, write_openea_layout, write_dbp15k_layout])
def test_numbers_that_were_kept_apart_come_back_apart(tmp_path, write):
    pair = tiny_pair()
    graphs = [
        dataclasses.replace(
            graph,
            relations=text_array([f"0 ({side})"]),
            attributes=text_array([f"0 ({side})"]),
        )
        for graph, side in ((pair.source, "source"), (pair.target, "target"))
    ]
    pair = dataclasses.replace(pair, source=graphs[0], target=graphs[1])
    write(pair, tmp_path / "copy")
    copy = open_dataset(str(tmp_path / "copy")).read()
    for graph, read in zip(graphs, (copy.source, copy.target), strict=True):
        assert read.relations.tolist() == graph.relations.tolist()
        assert read.attributes.tolist() == graph.attributes.tolist()

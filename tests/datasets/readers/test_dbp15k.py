from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers import dbp15k
from tests.datasets.layouts import (
    DBP,
    SOURCE_ENTITIES,
    TARGET_ENTITIES,
    assert_sentence,
    by_uri,
    write_eva,
    write_eva_extras,
    write_raw,
)


def read(folder: Path) -> KGPair:
    return by_uri(detect(folder).files.read("tiny", ("FB15K", "DB15K")))


def structure(pair: KGPair) -> list[object]:
    """Entities, links, and triples without the names of relations."""
    return [
        pair.source.entities.tolist(),
        pair.target.entities.tolist(),
        pair.anchor_links.tolist(),
        pair.source.relation_triples[:, [0, 2]].tolist(),
        pair.target.relation_triples[:, [0, 2]].tolist(),
    ]


def test_the_same_dataset_in_both_layouts_is_the_same(tmp_path: Path) -> None:
    raw = read(write_raw(tmp_path / "raw"))
    eva = read(write_eva(tmp_path / "eva"))
    assert structure(eva) == structure(raw)
    assert eva.source.entities.tolist() == SOURCE_ENTITIES
    assert eva.target.entities.tolist() == TARGET_ENTITIES
    assert eva.target.relations.tolist() == ["2", "3"]  # ids of the file
    assert eva.modalities == ("structure", "relation")


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    first, second = (read(write_eva(tmp_path / str(seed), shuffle=seed)) for seed in (1, 2))
    assert first.version == second.version


def test_optional_files_add_modalities(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "zh_en")
    write_eva_extras(folder)
    pair = read(folder)
    assert pair.modalities == ("structure", "relation", "attribute", "image", "name")
    assert pair.source.attributes.tolist() == ["http://f/lat", "http://f/lon"]
    assert pair.source.attribute_triples.tolist() == [[0, 0], [0, 1]]
    assert pair.source.attribute_values.tolist() == ["", ""]
    assert pair.source.names.tolist() == ["alpha one", "beta", "", ""]
    assert pair.target.names.tolist() == ["acdc", "", ""]
    source, target = pair.features["image"]
    assert source.values.tolist() == [[0] * 3, [0] * 3, [2] * 3, [0] * 3]
    assert source.present.tolist() == [True, False, True, False]
    assert target.present.tolist() == [False, True, False]
    assert any("training_attrs_1: 1 attribute triples" in note for note in pair.notes)


def test_shared_folders_beside_the_dataset_are_found(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "dbp15k" / "zh_en")
    names = tmp_path / "dbp15k" / "translated_ent_name"
    names.mkdir()
    for pair in ("zh_en", "ja_en"):
        (names / f"dbp_{pair}.json").write_text('[[0, ["x"]]]')
    pickles = tmp_path / "dbp15k" / "pkls"
    pickles.mkdir()
    for pair in ("zh_en", "ja_en"):
        (pickles / f"{pair}_GA_id_img_feature_dict.pkl").write_bytes(
            pickle.dumps({0: np.ones(2), 10: np.ones(2)})
        )
    files = dbp15k.locate(folder)
    assert files is not None
    assert files.names == names / "dbp_zh_en.json"
    assert files.vectors == pickles / "zh_en_GA_id_img_feature_dict.pkl"
    assert "image" in read(folder).modalities


@pytest.mark.parametrize("name", ["en", "zh", "h_en"])
def test_files_beside_the_dataset_belong_to_the_whole_name_alone(tmp_path: Path, name: str) -> None:
    folder = write_eva(tmp_path / name)
    for file in ("translated_ent_name/dbp_zh_en.json", "pkls/zh_en_GA_id_img_feature_dict.pkl"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(b"[]")
    files = dbp15k.locate(folder)
    assert files is not None
    assert (files.names, files.vectors) == (None, None)


def test_a_key_that_is_a_uri_is_no_id(tmp_path: Path) -> None:
    """The source KG has an entity that is called as the target KG numbers one."""
    folder = write_eva(tmp_path)
    path = folder / "ent_ids_1"
    path.write_text(path.read_text().replace("/m/a", "11"))
    keys = np.array(["11", TARGET_ENTITIES[0]])
    np.savez(folder / "images.npz", entities=keys, features=np.array([[1.0], [2.0]]))
    pair = read(folder)
    source, target = pair.features["image"]
    assert pair.source.entities[source.present].tolist() == ["11"]
    assert pair.target.entities[target.present].tolist() == [TARGET_ENTITIES[0]]
    assert target.values[target.present].tolist() == [[2.0]]


@pytest.mark.parametrize("keys", [["0", "11"], ["000", "0011"], ["/m/a", f"<{DBP}C>"]])
def test_an_archive_names_entities_by_id_or_uri(tmp_path: Path, keys: list[str]) -> None:
    folder = write_eva(tmp_path)
    np.savez(folder / "images.npz", entities=np.array(keys), features=np.ones((2, 2)))
    source, target = read(folder).features["image"]
    assert source.present.tolist() == [True, False, False, False]
    assert target.present.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("ent_ids_1", "0\t/m/new", "id 0 already stands in ent_ids_1, line 1"),
        ("ent_ids_2", "0\t/m/new", "id 0 already stands in ent_ids_1, line 1"),
        ("ent_ids_1", "5\t/m/a", "the URI '/m/a' already stands in line 1"),
        ("ent_ids_1", "5", "`id TAB URI`"),
        ("ent_ids_1", "5\t<>", "`id TAB URI`"),
        ("ent_ids_1", "x\t/m/new", "entity id 'x' is not a whole number"),
        ("ent_ids_1", "2147483648\t/m/new", "is not a whole number in 0..2147483647"),
        ("triples_1", "0\t0\t99", "entity id 99 is not in ent_ids_1"),
        ("triples_1", "0\t0\t10", "entity id 10 is not in ent_ids_1"),
        ("triples_2", "0\t0\t10", "entity id 0 is not in ent_ids_2"),
        ("triples_1", "0\tr\t1", "relation id 'r' is not a whole number"),
        ("triples_1", "0\t0", "`head id TAB relation id TAB tail id`"),
        ("ill_ent_ids", "0\t99", "'99', which is no entity of the target KG"),
        ("ill_ent_ids", "10\t0", "'10', which is no entity of the source KG"),
        ("ill_ent_ids", "-1\t10", "entity id '-1' is not a whole number"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, file: str, line: str, words: str) -> None:
    path = write_eva(tmp_path) / file
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    number = path.read_text(encoding="utf-8").count("\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, words, number)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({99: np.ones(2)}, "has a vector for id 99, which neither ent_ids file holds"),
        ({0: np.ones(2), 10: np.ones(3)}, "the vector of id 10 has 3 numbers"),
    ],
)
def test_a_bad_feature_pickle_is_refused(tmp_path: Path, content: object, words: str) -> None:
    path = write_eva(tmp_path) / "x_id_img_feature_dict.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, words)


def test_several_feature_pickles_are_ambiguous(tmp_path: Path) -> None:
    write_eva(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}_id_img_feature_dict.pkl").write_bytes(b"x")
    with pytest.raises(DataError, match="holds 2 feature pickles"):
        detect(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[[0, ["a"]]', "is no JSON"),
        ('[[0, "word"]]', "is not a list of [id, [word, ...]]"),
        ("[[0, [1]]]", "is not a list of [id, [word, ...]]"),
        ('{"a": 1}', "is not a list of [id, [word, ...]]"),
        ("7", "is not a list of [id, [word, ...]]"),
        ('[[99, ["a"]]]', "names id 99, which neither ent_ids file holds"),
        ('[[0, ["a"]], [0, ["b"]]]', "names an id twice"),
    ],
)
def test_a_bad_file_of_names_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = write_eva(tmp_path) / "translated_ent_name" / "x.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_compressed_file_of_names_is_read(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    path = folder / "translated_ent_name" / "x.json"
    path.parent.mkdir()
    path.write_text(json.dumps([[0, ["a", "name"]], [11, ["another"]]]))
    plain = read(folder)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    beside = read(folder)
    path.unlink()
    assert plain.version == beside.version == read(folder).version
    assert any(plain.source.names)


def test_names_keep_their_words(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([[3, ["über", "alles"]], [4, []]]))
    assert dbp15k.read_names(path, {"3", "4"}) == {"3": "über alles", "4": ""}


def test_training_and_test_links_in_two_files_are_the_published_split(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    whole = read(folder)
    rows = (folder / "ill_ent_ids").read_text().splitlines(keepends=True)
    (folder / "ill_ent_ids").unlink()
    (folder / "sup_ent_ids").write_text("".join(rows[:1]))
    (folder / "ref_ent_ids").write_text("".join(rows[1:]))
    pair = read(folder)
    assert pair.version == whole.version
    (fold,) = pair.folds
    parts = (fold.train, fold.valid, fold.test)
    assert [len(part) for part in parts] == [1, 0, len(rows) - 1]
    assert sorted([*fold.train.tolist(), *fold.test.tolist()]) == list(range(len(rows)))


def test_training_links_without_test_links_are_pointed_out(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    (folder / "sup_ent_ids").write_text((folder / "ill_ent_ids").read_text().partition("\n")[0])
    pair = read(folder)
    assert pair.folds == ()
    assert "sup_ent_ids is not read: a split needs sup_ent_ids and ref_ent_ids." in pair.notes


def test_a_link_in_both_files_is_refused(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    links = folder / "ill_ent_ids"
    for name in ("sup_ent_ids", "ref_ent_ids"):
        (folder / name).write_text(links.read_text())
    links.unlink()
    with pytest.raises(DataError, match="3 of its links stand in sup_ent_ids"):
        read(folder)


def test_repeated_links_count_once(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    whole = read(folder)
    path = folder / "ill_ent_ids"
    path.write_text(path.read_text() * 2)
    twice = read(folder)
    assert twice.version == whole.version
    assert twice.anchor_links.tolist() == whole.anchor_links.tolist()
    assert [note for note in twice.notes if "repeat" in note] == [
        "ill_ent_ids: 3 lines repeat a link; each counts once."
    ]


@pytest.mark.parametrize("with_all_links", [False, True])
@pytest.mark.parametrize("name", ["sup_ent_ids", "ref_ent_ids"])
def test_links_that_a_part_of_the_split_repeats_count_once(
    tmp_path: Path, name: str, with_all_links: bool
) -> None:
    folder = write_eva(tmp_path)
    rows = (folder / "ill_ent_ids").read_text().splitlines(keepends=True)
    if not with_all_links:
        (folder / "ill_ent_ids").unlink()
    (folder / "sup_ent_ids").write_text("".join(rows[:1]))
    (folder / "ref_ent_ids").write_text("".join(rows[1:]))
    whole = read(folder)
    path = folder / name
    n_rows = len(path.read_text().splitlines())
    path.write_text(path.read_text() * 2)
    twice = read(folder)
    assert twice.version == whole.version
    (fold,), (before,) = twice.folds, whole.folds
    assert fold.problem == ""
    assert (fold.train.tolist(), fold.test.tolist()) == (
        before.train.tolist(),
        before.test.tolist(),
    )
    assert [note for note in twice.notes if "repeat" in note] == [
        f"{name}: {n_rows} lines repeat a link; each counts once."
    ]


def test_an_empty_attribute_file_is_a_missing_one(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    write_eva_extras(folder)
    path = folder / "training_attrs_1"
    path.unlink()
    missing = read(folder)
    path.touch()
    empty = read(folder)
    assert empty.version == missing.version
    assert "training_attrs_1 is missing: that KG has no attributes." in missing.notes
    assert "training_attrs_1 is empty: that KG has no attributes." in empty.notes
    assert path not in detect(folder).files.input_files()


@pytest.mark.parametrize(
    "name",
    ["images.npz", "x_id_img_feature_dict.pkl", "pkls/x_id_img_feature_dict.pkl",
     "translated_ent_name/dbp.json"],
)  # fmt: skip
def test_an_empty_optional_file_is_a_missing_one(tmp_path: Path, name: str) -> None:
    missing = read(write_eva(tmp_path / "pair"))
    path = tmp_path / "pair" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    empty = read(tmp_path / "pair")
    assert empty.version == missing.version
    assert set(empty.notes) - set(missing.notes) == {f"{path.name} is empty and counts as missing."}
    assert path not in detect(tmp_path / "pair").files.input_files()


def test_relation_ids_of_both_kgs_may_not_overlap_by_chance(tmp_path: Path) -> None:
    """Where ids are all there is, equal ids of two KGs say nothing about the relations."""
    folder = write_eva(tmp_path)
    apart = read(folder)
    assert not set(apart.source.relations) & set(apart.target.relations)
    source_ids = {row.split("\t")[1] for row in (folder / "triples_1").read_text().splitlines()}
    target = (folder / "triples_2").read_text().splitlines()
    target_ids = sorted({row.split("\t")[1] for row in target})
    renamed = dict(zip(target_ids, sorted(source_ids), strict=True))
    rows = [row.split("\t") for row in target]
    (folder / "triples_2").write_text(
        "".join(f"{head}\t{renamed[relation]}\t{tail}\n" for head, relation, tail in rows)
    )
    pair = read(folder)
    assert not set(pair.source.relations) & set(pair.target.relations)
    assert any("relation ids" in note for note in pair.notes)


def test_files_that_name_the_relations_are_said_to_be_unread(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    (folder / "rel_ids_1").write_text("0\thttp://o/born\n")
    plain = read(write_eva(tmp_path / "plain"))
    pair = read(folder)
    assert "rel_ids_1 is not read: relations keep their ids, as in the triples." in pair.notes
    assert pair.version == plain.version


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"3": ["a"]}, "a dict is no list"),
        ([3], "3 is no [id, [word, ...]]"),
        ([["3", ["a"], 1]], "a list is no [id, [word, ...]]"),
        ([[3, "a"]], "the words of id 3 are not a list of text"),
    ],
)
def test_names_of_another_form_are_refused_in_words(
    tmp_path: Path, content: object, words: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        dbp15k.read_names(path, {"3"})
    assert_sentence(caught.value, path, words)


def test_a_kg_whose_entities_have_no_name_is_pointed_out(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    (folder / "translated_ent_name").mkdir()
    (folder / "translated_ent_name" / "dbp.json").write_text(json.dumps([[0, ["a"]]]))
    pair = read(folder)
    assert f"dbp.json names no entity of {pair.target.name}: there are no names." in pair.notes
    assert "name" not in pair.modalities


def test_attributes_of_ids_are_not_blamed_on_the_triples(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    (folder / "training_attrs_1").write_text("0\tborn\n")
    notes = read(folder).notes
    assert "training_attrs_1 names entities by ids, not by URIs: none of it was read." in notes


@pytest.mark.parametrize("names", [[], [[0, []], [10, [""]]]])
def test_a_file_of_names_without_any_is_pointed_out(tmp_path: Path, names: list[object]) -> None:
    folder = write_eva(tmp_path)
    (folder / "translated_ent_name").mkdir()
    (folder / "translated_ent_name" / "dbp.json").write_text(json.dumps(names))
    assert "dbp.json names no entity." in read(folder).notes

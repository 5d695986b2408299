from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import KGPair
from tests.datasets.layouts import (
    DBP,
    SOURCE_ENTITIES,
    TARGET_ENTITIES,
    assert_sentence,
    by_uri,
    lines,
    write_openea,
    write_raw,
)


def read(folder: Path) -> KGPair:
    return by_uri(detect(folder).files.read("tiny", ("FB15K", "DB15K")))


def test_an_openea_folder_equals_the_raw_one(tmp_path: Path) -> None:
    raw = read(write_raw(tmp_path / "raw"))
    pair = read(write_openea(tmp_path / "openea", shuffle=3))
    assert pair.version == raw.version
    assert pair.source.entities.tolist() == SOURCE_ENTITIES
    assert pair.target.entities.tolist() == TARGET_ENTITIES


def test_folds_point_at_canonical_links(tmp_path: Path) -> None:
    pair = read(write_openea(tmp_path, shuffle=4))
    (fold,) = pair.folds
    assert fold.name == "721_5fold/1"
    assert pair.anchor_links.tolist() == [[0, 1], [1, 0], [3, 1]]
    assert (fold.train.tolist(), fold.valid.tolist(), fold.test.tolist()) == ([1], [0], [2])


def test_literals_may_hold_tabs_and_entities_may_have_attributes_only(tmp_path: Path) -> None:
    write_openea(tmp_path)
    lines(tmp_path / "attr_triples_1", ['/m/only\tp\t"a\tb"@en', "/m/a\tp\tx\ty"])
    pair = read(tmp_path)
    assert pair.source.entities.tolist() == [*SOURCE_ENTITIES, "/m/only"]
    assert pair.source.attribute_values.tolist() == ["x\ty", "a\tb"]


def test_image_archive(tmp_path: Path) -> None:
    write_openea(tmp_path)
    keys = np.array(["/m/a", f"{DBP}C"])
    np.savez(tmp_path / "images.npz", entities=keys, features=np.eye(2))
    pair = read(tmp_path)
    assert pair.features["image"][1].values.tolist() == [[0, 0], [0, 1], [0, 0]]
    assert tmp_path / "images.npz" in detect(tmp_path).files.input_files()


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("rel_triples_1", "a\tb", "`head TAB relation TAB tail`"),
        ("rel_triples_1", "<>\tr\tb", "`head TAB relation TAB tail`"),
        ("attr_triples_1", "a\t<>\t1", "`entity TAB attribute TAB literal`"),
        ("attr_triples_2", "a\tb", "`entity TAB attribute TAB literal`"),
        ("ent_links", "/m/a\tnowhere", "'nowhere', which is no entity of the target KG"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, file: str, line: str, words: str) -> None:
    path = write_openea(tmp_path) / file
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    number = path.read_text(encoding="utf-8").count("\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, words, number)


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_fold_needs_no_validation_links(tmp_path: Path, how: str) -> None:
    path = write_openea(tmp_path) / "721_5fold" / "1" / "valid_links"
    path.unlink()
    if how == "empty":
        path.touch()
    pair = read(tmp_path)
    (fold,) = pair.folds
    assert (fold.train.tolist(), fold.valid.tolist(), fold.test.tolist()) == ([1], [], [2])
    note = f"721_5fold/1/valid_links is {how}: that fold has no validation links."
    assert note in pair.notes
    assert all(file.is_file() for file in detect(tmp_path).files.input_files())


@pytest.mark.parametrize(
    ("part", "line", "words"),
    [
        ("test_links", None, "the file is missing"),
        ("train_links", "", "the file is empty"),
        ("test_links", "x\ty", "is not in ent_links"),
        ("test_links", f"/m/b\t{DBP}AC/DC", "already stands in train_links"),
        ("valid_links", "one column", "`source entity TAB target entity`"),
    ],
)
def test_a_fold_that_cannot_be_used_keeps_its_place_and_refuses_nothing(
    tmp_path: Path, part: str, line: str | None, words: str
) -> None:
    path = write_openea(tmp_path) / "721_5fold" / "1" / part
    before = read(tmp_path)
    content = path.read_text(encoding="utf-8")
    path.unlink()
    if line is not None:
        path.write_text(f"{content}{line}\n" * bool(line), encoding="utf-8")
    pair = read(tmp_path)
    (fold,) = pair.folds
    assert (len(fold.train), len(fold.valid), len(fold.test)) == (0, 0, 0)
    assert (fold.name, words in fold.problem, str(path) in fold.problem) == (
        "721_5fold/1",
        True,
        True,
    )
    assert f"The published split 721_5fold/1 cannot be used: {fold.problem}" in pair.notes
    assert pair.version == before.version
    assert all(file.is_file() for file in detect(tmp_path).files.input_files())


def test_folds_are_counted_as_people_count(tmp_path: Path) -> None:
    folder = write_openea(tmp_path) / "721_5fold"
    for name in ("10", "2"):
        (folder / name).mkdir()
        for part in (folder / "1").iterdir():
            (folder / name / part.name).write_bytes(part.read_bytes())
    names = [fold.name for fold in read(tmp_path).folds]
    assert names == ["721_5fold/1", "721_5fold/2", "721_5fold/10"]


@pytest.mark.parametrize("how", ["missing", "a link to nothing", "in capitals"])
def test_a_fold_without_training_links_keeps_its_place(tmp_path: Path, how: str) -> None:
    folder = write_openea(tmp_path) / "721_5fold"
    for name in ("2", "3"):
        shutil.copytree(folder / "1", folder / name)
    path = folder / "2" / "train_links"
    content = path.read_bytes()
    path.unlink()
    if how == "a link to nothing":
        path.symlink_to("nothing")
    elif how == "in capitals":
        path.with_name("TRAIN_LINKS").write_bytes(content)
    pair = read(tmp_path)
    assert [fold.name for fold in pair.folds] == [f"721_5fold/{name}" for name in "123"]
    assert [bool(fold.problem) for fold in pair.folds] == [False, True, False]
    assert any("721_5fold/2 cannot be used" in note for note in pair.notes)


def test_an_empty_folder_among_folds_keeps_its_place(tmp_path: Path) -> None:
    folder = write_openea(tmp_path) / "721_5fold"
    shutil.copytree(folder / "1", folder / "3")
    (folder / "2").mkdir()
    (folder / "notes").mkdir()
    assert [bool(fold.problem) for fold in read(tmp_path).folds] == [False, True, False]


def test_a_link_that_a_fold_repeats_counts_once(tmp_path: Path) -> None:
    path = write_openea(tmp_path) / "721_5fold" / "1" / "train_links"
    path.write_bytes(path.read_bytes() * 2)
    (fold,) = read(tmp_path).folds
    assert (fold.problem, fold.train.tolist(), fold.test.tolist()) == ("", [1], [2])


def test_repeated_links_count_once(tmp_path: Path) -> None:
    write_openea(tmp_path)
    whole = read(tmp_path)
    path = tmp_path / "ent_links"
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    twice = read(tmp_path)
    assert twice.version == whole.version
    assert "ent_links: 3 lines repeat a link; each counts once." in twice.notes
    assert twice.folds[0].test.tolist() == whole.folds[0].test.tolist()


def test_an_empty_attribute_file_is_a_missing_one(tmp_path: Path) -> None:
    path = write_openea(tmp_path) / "attr_triples_2"
    path.unlink()
    missing = read(tmp_path)
    path.touch()
    empty = read(tmp_path)
    assert empty.version == missing.version
    assert "attr_triples_2 is empty: that KG has no attributes." in empty.notes


def test_an_empty_archive_of_images_is_a_missing_one(tmp_path: Path) -> None:
    missing = read(write_openea(tmp_path))
    (tmp_path / "images.npz").touch()
    empty = read(tmp_path)
    assert empty.version == missing.version
    assert "images.npz is missing: there are no images." in missing.notes
    assert "images.npz is empty: there are no images." in empty.notes


def test_parts_of_a_split_beside_all_links_are_said_to_be_unread(tmp_path: Path) -> None:
    folder = write_openea(tmp_path)
    for part in ("train_links", "test_links"):
        (folder / "721_5fold" / "1" / part).rename(folder / part)
    note = (
        "train_links, test_links is not read: a published split lies in a folder of its own, such "
        "as 721_5fold/1."
    )
    assert note in read(tmp_path).notes


def test_a_pickle_beside_the_files_gets_a_hint(tmp_path: Path) -> None:
    (write_openea(tmp_path) / "img_features.pkl").write_bytes(b"")
    assert any("img_features.pkl is not read in this layout" in n for n in read(tmp_path).notes)


def test_repeated_triples_are_kept_and_counted(tmp_path: Path) -> None:
    write_openea(tmp_path)
    for name, rows in (("rel_triples_1", 2), ("attr_triples_2", 1)):
        path = tmp_path / name
        content = path.read_text(encoding="utf-8")
        again = content.splitlines(keepends=True)[:rows]
        path.write_text("".join([content, *again]), encoding="utf-8")
    pair = read(tmp_path)
    assert (len(pair.source.relation_triples), len(pair.target.attribute_triples)) == (6, 2)
    again_notes = [note for note in pair.notes if "repeat another one" in note]
    assert [note.partition(" repeat")[0] for note in again_notes] == [
        "2 relation triples of FB15K",
        "1 attribute triples of DB15K",
    ]


def test_entities_that_only_the_attributes_know_are_counted(tmp_path: Path) -> None:
    write_openea(tmp_path)
    path = tmp_path / "attr_triples_2"
    path.write_text(path.read_text(encoding="utf-8").upper(), encoding="utf-8")
    pair = read(tmp_path)
    assert pair.target.n_entities == len(TARGET_ENTITIES) + 1
    note = "1 entities of DB15K have attributes, but no relation triple; they count as entities."
    assert note in pair.notes


@pytest.mark.parametrize("again", ["/m/a", "</m/a>"])
def test_two_vectors_of_one_entity_are_pointed_out(tmp_path: Path, again: str) -> None:
    write_openea(tmp_path)
    keys = ["/m/a", again, TARGET_ENTITIES[0]]
    features = np.array([[1.0], [3.0], [5.0]])
    np.savez(tmp_path / "images.npz", entities=np.array(keys), features=features)
    pair = read(tmp_path)
    assert pair.features["image"][0].values[0].tolist() == [2.0]
    note = "images.npz: 1 vectors belong to an entity that has another one; their mean is taken."
    assert note in pair.notes


def with_numbers(folder: Path, *, apart: bool = False) -> Path:
    """Relations and attributes of both KGs are numbers, from 0 on in each unless set apart."""
    first = 10 if apart else 0
    for side, start in (("1", 0), ("2", first)):
        for name in ("rel_triples", "attr_triples"):
            path = folder / f"{name}_{side}"
            rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]
            ids = {text: str(start + n) for n, text in enumerate(sorted({row[1] for row in rows}))}
            lines(path, ["\t".join([head, ids[text], *rest]) for head, text, *rest in rows])
    return folder


def test_numbers_of_both_kgs_are_kept_apart(tmp_path: Path) -> None:
    """Where both KGs count from 0, equal numbers are unrelated relations (attributes)."""
    pair = read(with_numbers(write_openea(tmp_path)))
    assert pair.source.relations.tolist() == ["0 (source)", "1 (source)"]
    assert pair.target.relations.tolist() == ["0 (target)", "1 (target)"]
    assert pair.source.attributes.tolist() == ["0 (source)"]
    assert pair.target.attributes.tolist() == ["0 (target)"]
    for note in (
        "2 relation ids stand in both KGs; they are kept apart, as ids of each KG.",
        "1 attribute ids stand in both KGs; they are kept apart, as ids of each KG.",
    ):
        assert note in pair.notes


def test_a_number_set_apart_may_not_become_another_relation(tmp_path: Path) -> None:
    path = with_numbers(write_openea(tmp_path)) / "rel_triples_1"
    path.write_text(f"{path.read_text(encoding='utf-8')}/m/a\t0 (source)\t/m/b\n")
    with pytest.raises(DataError, match=r"FB15K has relation '0 \(source\)' twice"):
        read(tmp_path)


def test_numbers_that_do_not_overlap_and_names_of_both_kgs_stay(tmp_path: Path) -> None:
    pair = read(with_numbers(write_openea(tmp_path / "a"), apart=True))
    assert pair.source.relations.tolist() == ["0", "1"]
    assert pair.target.relations.tolist() == ["10", "11"]
    assert not [note for note in pair.notes if "apart" in note]
    folder = write_openea(tmp_path / "b")
    for side in "12":
        path = folder / f"rel_triples_{side}"
        rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]
        lines(path, [f"{head}\thttp://o/P1\t{tail}" for head, _, tail in rows])
    pair = read(folder)
    assert pair.source.relations.tolist() == pair.target.relations.tolist() == ["http://o/P1"]
    assert not [note for note in pair.notes if "apart" in note]


def test_methods_share_no_relation_by_its_number(tmp_path: Path) -> None:
    whole = read(with_numbers(write_openea(tmp_path / "a")))
    apart = read(with_numbers(write_openea(tmp_path / "b"), apart=True))
    for one, other in ((whole.source, apart.source), (whole.target, apart.target)):
        assert one.relation_triples.tolist() == other.relation_triples.tolist()
    assert not set(whole.source.relations) & set(whole.target.relations)
    assert not set(whole.source.attributes) & set(whole.target.attributes)

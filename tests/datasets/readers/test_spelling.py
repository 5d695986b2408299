"""What differs in spelling alone is never passed over: it is read right, noted, or refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers.names import lexical_value, surface_forms
from mmea_bench.datasets.core.readers.spelling import folded
from tests.datasets.layouts import (
    DBP,
    SOURCE_ENTITIES,
    TARGET_ENTITIES,
    lines,
    write_eva,
    write_eva_extras,
    write_h5,
    write_index,
    write_openea,
    write_raw,
)

LOOK_ALIKES = {
    "byte order mark": "\ufeff",
    "zero-width space": "\u200b",
    "soft hyphen": "\xad",
    "trailing blank": " ",
    "no-break space": "\xa0",
}


def read(folder: Path) -> KGPair:
    return detect(folder).files.read("tiny", ("A", "B"))


def added(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("Ulm", f"Ulm{sign}") for sign in LOOK_ALIKES.values()),
        ("a b", "a\xa0b"),
        ("Caf\xe9", "Cafe\u0301"),
        ("Caf\xe9", "Caf%C3%A9"),
        ("Caf\xe9", r"Caf\u00e9"),
    ],
)
def test_what_looks_the_same_folds_to_the_same(first: str, second: str) -> None:
    assert first != second
    assert folded(first) == folded(second)


@pytest.mark.parametrize(
    ("first", "second"), [("Ulm", "ulm"), ("x2", "x\xb2"), ("a_b", "a b"), ("%ZZ", "%zz")]
)
def test_what_can_be_told_apart_does_not(first: str, second: str) -> None:
    assert folded(first) != folded(second)


@pytest.mark.parametrize("sign", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_entities_that_look_alike_are_counted_and_kept_apart(tmp_path: Path, sign: str) -> None:
    added(write_openea(tmp_path) / "rel_triples_1", f"/m/a{sign}\t/r/knows\t/m/b")
    pair = read(tmp_path)
    assert pair.source.n_entities == len(SOURCE_ENTITIES) + 1
    (note,) = (note for note in pair.notes if "look like" in note)
    assert note.startswith("2 entities of A look like another one")
    assert ascii(f"/m/a{sign}") in note


def test_look_alike_notes_in_the_other_layouts(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw") / "DB15K" / "DB15K_EntityTriples.txt"
    added(raw, f"<{DBP}%43> <http://o/near> <{DBP}C> .")
    eva = write_eva(tmp_path / "eva")
    added(eva / "ent_ids_2", f"99\t{DBP}C\u200b")
    for folder in (tmp_path / "raw", eva):
        assert any(n.startswith("2 entities of B look like") for n in read(folder).notes), folder


@pytest.mark.parametrize("write", [write_raw, write_eva, write_openea])
def test_files_without_look_alikes_have_no_such_note(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    assert not [note for note in read(write(tmp_path)).notes if "look like" in note]


def test_a_link_to_a_look_alike_is_refused_with_the_difference(tmp_path: Path) -> None:
    added(write_openea(tmp_path) / "ent_links", f"/m/c\t{DBP}C\u200b")
    with pytest.raises(DataError, match=r"no entity of the target KG .*differ in a blank"):
        read(tmp_path)


def test_names_that_are_left_out_say_how_many_look_like_an_entity(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "pair")
    write_eva_extras(folder)
    added(folder / "training_attrs_1", "/m/b\u200b\thttp://f/lat")
    (folder / "pair_id_img_feature_dict.pkl").unlink()
    keys = np.array(["/m/a", f"{DBP}C", "/m/b\u200b"])
    np.savez(folder / "images.npz", entities=keys, features=np.eye(3))
    notes = read(folder).notes
    left_out = [note for note in notes if "left out" in note]
    assert len(left_out) == 2
    assert all("1 of these names look like an entity" in note for note in left_out)


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("rel_triples_1", "head\trelation\ttail"),
        ("rel_triples_2", "subject\tpredicate\tobject"),
        ("attr_triples_1", "entity\tattribute\tvalue"),
    ],
)
def test_a_header_is_no_triple(tmp_path: Path, file: str, header: str) -> None:
    path = write_openea(tmp_path) / file
    path.write_text(f"{header}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(DataError, match=rf"{file}, line 1: .*names columns.* Remove the line"):
        read(tmp_path)


def test_a_header_of_the_raw_layout_is_no_triple(tmp_path: Path) -> None:
    path = write_raw(tmp_path) / "FB15K" / "FB15K_EntityTriples.txt"
    path.write_text(f"head relation tail .\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: .*names columns"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("write", "file", "header"),
    [
        (write_eva, "training_attrs_1", "entity\tattribute\tattribute"),
        (write_raw, "FB15K/FB15K_NumericalTriples.txt", "entity\tattribute\tvalue"),
        (write_raw, "DB15K/DB15K_NumericalTriples.txt", "<entity> <attribute> value ."),
    ],
)
def test_a_header_is_no_attribute(
    tmp_path: Path, write: Callable[[Path], Path], file: str, header: str
) -> None:
    path = write(tmp_path) / file
    content = path.read_text(encoding="utf-8") if path.is_file() else "/m/a\thttp://f/lat\n"
    path.write_text(f"{header}\n{content}", encoding="utf-8")
    with pytest.raises(DataError, match=rf"{path.name}, line 1: .*names columns.* Remove the line"):
        read(tmp_path)


def test_a_header_is_no_image(tmp_path: Path) -> None:
    write_index(write_raw(tmp_path))
    for name, letter in (("FB15K", "F"), ("DB15K", "D")):
        vectors = {f"{letter}{row}": [1.0, 2.0] for row in range(4)}
        write_h5(tmp_path / name / f"{name}_ImageData.h5", vectors)
    path = tmp_path / "FB15K" / "FB15K_ImageIndex.txt"
    path.write_text(f"entity\timage id\n{path.read_text()}")
    with pytest.raises(DataError, match=r"FB15K_ImageIndex.txt, line 1: .*names columns"):
        read(tmp_path)


@pytest.mark.parametrize("triple", ["e1\tr1\te2", "entity1\trelation1\tentity2", "t1\tr\tt2"])
def test_toy_data_are_no_header(tmp_path: Path, triple: str) -> None:
    path = write_openea(tmp_path) / "rel_triples_1"
    path.write_text(f"{triple}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert triple.split("\t")[0] in read(tmp_path).source.entities.tolist()


def test_an_entity_may_be_called_head(tmp_path: Path) -> None:
    """It then stands in other lines, too."""
    path = write_openea(tmp_path) / "rel_triples_1"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"head\trelation\ttail\nhead\t/r/knows\t/m/a\n{text}", encoding="utf-8")
    assert "head" in read(tmp_path).source.entities.tolist()


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"say \"hi\""@en', 'say "hi"'),
        (r'"caf\u00e9 \U0001F600"', "caf\xe9 \U0001f600"),
        (r'"a\\nb"', r"a\nb"),
        (r'"a\nb"^^<x>', "a\nb"),
        (r'"\q \uD800"', r"\q \uD800"),
        (r"bare \n", r"bare \n"),
    ],
)
def test_escapes_of_literals_are_undone(literal: str, value: str) -> None:
    assert lexical_value(literal) == value


def test_numbers_are_ids_and_no_names() -> None:
    assert surface_forms(["17", "http://x/18", "Ulm"]) == ["", "", "Ulm"]
    assert surface_forms(["1984", "Brazil"]) == ["1984", "Brazil"]


def test_entities_that_are_numbers_are_noted(tmp_path: Path) -> None:
    folder = tmp_path
    for side in "12":
        lines(folder / f"rel_triples_{side}", ["1\tr\t2", "2\tr\t3"])
    lines(folder / "ent_links", ["1\t1", "2\t2"])
    pair = read(folder)
    assert "name" not in pair.modalities
    assert "3 entities of A are numbers, not names." in pair.notes


def test_filler_vectors_are_counted(tmp_path: Path) -> None:
    write_openea(tmp_path)
    keys = np.array([*SOURCE_ENTITIES, *TARGET_ENTITIES])
    rows = np.ones((len(keys), 2), dtype=np.float32)
    rows[:2] = 0
    np.savez(tmp_path / "images.npz", entities=keys, features=rows)
    notes = read(tmp_path).notes
    assert "images.npz: 2 of 7 vectors are all zero." in notes
    assert any(n.startswith("images.npz: 5 of 7 vectors are one and the same") for n in notes)


@pytest.mark.parametrize("write", [write_raw, write_eva, write_openea])
def test_a_compressed_copy_that_is_not_read_is_named(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = next(p for p in detect(write(tmp_path)).files.input_files() if "riples" in p.name)
    with gzip.open(path.with_name(f"{path.name}.gz"), "wt") as stream:
        stream.write("another release")
    assert f"{path.name}.gz is not read: {path.name} stands beside it." in read(tmp_path).notes


def test_several_files_of_names_are_told_apart_by_the_folder_or_refused(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "zh_en")
    for name in ("dbp_fr_en", "dbp_zh_en"):
        (folder / "translated_ent_name").mkdir(exist_ok=True)
        word = f'[[0, ["{name}"]]]'
        (folder / "translated_ent_name" / f"{name}.json").write_text(word)
    assert "dbp_zh_en" in read(folder).source.names.tolist()
    other = folder.rename(tmp_path / "mine")
    with pytest.raises(DataError, match=r"holds 2 files of names \(dbp_fr_en.json, dbp_zh_en.json"):
        read(other)


def test_of_two_files_of_images_the_one_that_is_not_read_is_named(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "pair")
    write_eva_extras(folder)
    np.savez(folder / "images.npz", entities=np.array(["/m/a"]), features=np.eye(1))
    assert "images.npz is not read: pair_id_img_feature_dict.pkl is." in read(folder).notes


def test_all_links_beside_training_and_test_links_make_a_published_split(tmp_path: Path) -> None:
    folder = write_eva(tmp_path)
    links = (folder / "ill_ent_ids").read_text().splitlines()
    lines(folder / "sup_ent_ids", links[:1])
    lines(folder / "ref_ent_ids", links[1:])
    whole = read(folder)
    (fold,) = whole.folds
    assert (len(fold.train), len(fold.test), fold.problem) == (1, 2, "")
    lines(folder / "ref_ent_ids", ["77\t88"])
    broken = read(folder)
    assert broken.version == whole.version
    assert "the link of 77 and 88 is not among all links" in broken.folds[0].problem

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest

from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers.mmkg import GraphFiles, MmkgFiles, read_facts
from tests.datasets.layouts import (
    DBP,
    SOURCE_ENTITIES,
    TARGET_ENTITIES,
    assert_sentence,
    by_uri,
    lines,
    write_h5,
    write_index,
    write_raw,
)


def read(root: Path) -> KGPair:
    files = detect(root).files
    return by_uri(files.read("tiny", files.graph_names))


def append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def test_a_raw_folder_loads(tmp_path: Path) -> None:
    pair = read(write_raw(tmp_path))
    assert (pair.source.name, pair.target.name) == ("FB15K", "DB15K")
    assert pair.source.entities.tolist() == SOURCE_ENTITIES
    assert pair.target.entities.tolist() == TARGET_ENTITIES
    assert pair.source.relations.tolist() == ["/r/born", "/r/knows"]
    assert pair.source.relation_triples.tolist() == [[0, 1, 2], [1, 0, 0], [2, 1, 1], [3, 0, 0]]
    assert pair.target.relation_triples.tolist() == [[0, 1, 1], [1, 1, 2], [2, 0, 0]]
    assert pair.anchor_links.tolist() == [[0, 1], [1, 0], [3, 1]]
    assert pair.source.attribute_triples.tolist() == [[0, 0], [1, 0]]
    assert pair.source.attribute_values.tolist() == ["54.2", "-1"]
    assert pair.target.attribute_values.tolist() == ["1982"]
    assert pair.target.names.tolist() == ["AC/DC", "C", "Ärzte (band)"]
    assert not pair.source.has_names
    assert pair.modalities == ("structure", "relation", "attribute")


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    first = read(write_raw(tmp_path / "a"))
    second = read(write_raw(tmp_path / "b", shuffle=1))
    assert first.version == second.version
    assert first.anchor_links.tolist() == second.anchor_links.tolist()


def test_compressed_copies_load_as_they_are(tmp_path: Path) -> None:
    plain = read(write_raw(tmp_path / "a"))
    write_raw(tmp_path / "b")
    for path in (tmp_path / "b").glob("*/*.txt"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read(tmp_path / "b").version == plain.version


def test_blanks_and_carriage_returns_are_tolerated(tmp_path: Path) -> None:
    plain = read(write_raw(tmp_path / "a"))
    path = write_raw(tmp_path / "b") / "FB15K" / "FB15K_EntityTriples.txt"
    path.write_bytes(path.read_bytes().replace(b" ", b"\t", 3).replace(b"\n", b"\r\n"))
    assert read(tmp_path / "b").version == plain.version


def test_facts_of_the_three_dialects(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "x_NumericalTriples.txt",
        [
            "/m/a\t<http://f/lat>\t9.7",
            '<e> <p> "1905.0000"^^<http://www.w3.org/2001/XMLSchema#degrees> .',
            '<e>\t<p>\t"a b"^^<t> .',
            '<e> <p> "a\tb"^^<t> .',
        ],
    )
    assert read_facts(path) == [
        ("/m/a", "http://f/lat", "9.7"),
        ("e", "p", "1905.0000"),
        ("e", "p", "a b"),
        ("e", "p", "a\tb"),
    ]


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("FB15K/FB15K_EntityTriples.txt", "/m/a /r/x /m/b", "`head relation tail .`"),
        ("FB15K/FB15K_EntityTriples.txt", "/m/a /r/x /m/b !", "`head relation tail .`"),
        ("FB15K/FB15K_EntityTriples.txt", "<> /r/x /m/b .", "`head relation tail .`"),
        ("DB15K/DB15K_EntityTriples.txt", "", "`head relation tail .`"),
        ("FB15K/FB15K_NumericalTriples.txt", "/m/a\t<x>", "TAB attribute TAB value"),
        ("DB15K/DB15K_NumericalTriples.txt", '<e> <p> "1"', "TAB attribute TAB value"),
        ("DB15K/DB15K_SameAsLink.txt", "/m/a <x> <y> .", "<SameAs>"),
        ("DB15K/DB15K_SameAsLink.txt", "/m/zz <SameAs> <y> .", "'/m/zz', which is no entity of"),
        ("DB15K/DB15K_SameAsLink.txt", "/m/a <SameAs> <y> .", "'y', which is no entity of"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, file: str, line: str, words: str) -> None:
    path = write_raw(tmp_path) / file
    append(path, line)
    append(path, path.read_text(encoding="utf-8").splitlines()[0])
    number = len(path.read_text(encoding="utf-8").split("\n")) - 2
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, words, number)


def test_attributes_of_unknown_entities_are_counted_and_left_out(tmp_path: Path) -> None:
    write_raw(tmp_path)
    plain = read(tmp_path)
    append(tmp_path / "FB15K" / "FB15K_NumericalTriples.txt", "/m/zz\t<x>\t1")
    pair = read(tmp_path)
    assert pair.version == plain.version
    assert any("1 attribute triples belong to entities" in note for note in pair.notes)


VECTORS = {"F0": [1, 0], "F1": [2, 0], "F2": [3, 0]}
TARGET_VECTORS = {"D0": [1, 4], "D1": [5, 5], "D3": [3, 0]}


@pytest.mark.parametrize("as_row", [False, True])
def test_published_image_files(tmp_path: Path, as_row: bool) -> None:
    write_index(write_raw(tmp_path))
    write_h5(tmp_path / "FB15K" / "FB15K_ImageData.h5", VECTORS, as_row=as_row)
    write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", TARGET_VECTORS, as_row=as_row)
    pair = read(tmp_path)
    source, target = pair.features["image"]
    assert source.values.tolist() == [[1, 0], [2, 0], [3, 0], [0, 0]]
    assert source.present.tolist() == [True, True, True, False]
    assert target.values.tolist() == [[2, 2], [5, 5], [0, 0]]  # two images are averaged
    assert target.present.tolist() == [True, True, False]
    assert pair.simulated == ()
    assert any("1 images of the index have no vector" in note for note in pair.notes)


def test_nested_image_groups(tmp_path: Path) -> None:
    write_index(write_raw(tmp_path))
    write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", TARGET_VECTORS)
    with h5py.File(tmp_path / "FB15K" / "FB15K_ImageData.h5", "w") as file:
        file["images/F0"] = np.ones((1, 2))
        file["images/F1/feature"] = np.ones(2)
    assert read(tmp_path).features["image"][0].present.tolist() == [True, True, False, False]


def test_real_images_win_over_simulated_ones(tmp_path: Path) -> None:
    write_index(write_raw(tmp_path))
    archive = tmp_path / "simulated.npz"
    keys = np.array(["/m/a", f"<{DBP}C>", "/m/stranger"])
    np.savez(archive, entities=keys, features=np.ones((3, 4), dtype=np.float16))
    graphs = [GraphFiles(name, tmp_path / name) for name in ("FB15K", "DB15K")]
    files = MmkgFiles(graphs[0], graphs[1], archive, vectors_simulated=True)
    pair = files.read("tiny", files.graph_names)
    assert pair.simulated == ("image",)
    assert [side.n_present for side in pair.features["image"]] == [1, 1]
    assert pair.features["image"][0].dim == 4
    assert any("1 vectors belong to no entity" in note for note in pair.notes)
    write_h5(tmp_path / "FB15K" / "FB15K_ImageData.h5", VECTORS)
    write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", TARGET_VECTORS)
    pair = files.read("tiny", files.graph_names)
    assert pair.simulated == ()
    assert pair.features["image"][0].dim == 2
    assert archive not in files.input_files()


def test_different_dimensions_of_the_two_image_files(tmp_path: Path) -> None:
    write_index(write_raw(tmp_path))
    write_h5(tmp_path / "FB15K" / "FB15K_ImageData.h5", VECTORS)
    path = write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", {"D0": [1, 2, 3]})
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, "vectors have 3 numbers, those of FB15K have 2")


def test_an_image_id_that_stands_twice(tmp_path: Path) -> None:
    write_index(write_raw(tmp_path))
    write_h5(tmp_path / "FB15K" / "FB15K_ImageData.h5", VECTORS)
    write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", TARGET_VECTORS)
    path = tmp_path / "FB15K" / "FB15K_ImageIndex.txt"
    append(path, "/m/d\tF0")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert_sentence(caught.value, path, "image id 'F0' stands twice", 4)


def test_links_to_unknown_entities_are_named_together(tmp_path: Path) -> None:
    write_raw(tmp_path)
    links = tmp_path / "DB15K" / "DB15K_SameAsLink.txt"
    n_before = len(links.read_text(encoding="utf-8").splitlines())
    for number in range(9):
        append(links, f"/m/a <SameAs> <gone{number}> .")
    with pytest.raises(DataError) as raised:
        read(tmp_path)
    text = str(raised.value)
    assert f"DB15K_SameAsLink.txt, line {n_before + 1}: the link names 'gone0'" in text
    assert f"9 of {n_before + 9} links name 9 such entities" in text
    assert "'gone1' (target), 'gone2' (target)" in text
    assert text.count("gone") == 5


@pytest.mark.parametrize("folder", [".", "FB15K", "DB15K"])
def test_a_pickle_of_images_gets_a_hint(tmp_path: Path, folder: str) -> None:
    """A pickle is read in the layout of DBP15K alone."""
    write_raw(tmp_path)
    (tmp_path / folder / "FB15K_id_img_feature_dict.pkl").write_bytes(b"")
    missing = " ".join(detect(tmp_path).files.missing())
    assert "FB15K_id_img_feature_dict.pkl is not read in this layout" in missing
    assert "save them as images.npz" in missing


def test_images_of_entities_in_another_spelling_are_told(tmp_path: Path) -> None:
    write_raw(tmp_path)
    write_index(tmp_path)
    path = tmp_path / "DB15K" / "DB15K_ImageIndex.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("Ä", "%C3%84"), encoding="utf-8")
    for name, letter in (("FB15K", "F"), ("DB15K", "D")):
        vectors = {f"{letter}{row}": [1.0 + row, 2.0] for row in range(4)}
        write_h5(tmp_path / name / f"{name}_ImageData.h5", vectors)
    (note,) = (note for note in read(tmp_path).notes if "unknown entities" in note)
    assert "1 rows name unknown entities; left out. 1 of these names look like an entity" in note


def test_numbers_of_both_kgs_are_kept_apart(tmp_path: Path) -> None:
    write_raw(tmp_path)
    for name, form in (("FB15K", "{}"), ("DB15K", "<{}>")):
        for kind in ("EntityTriples", "NumericalTriples"):
            path = tmp_path / name / f"{name}_{kind}.txt"
            content = path.read_text(encoding="utf-8")
            # The attributes of FB15K are bracketed, too.
            own = "<{}>" if kind == "NumericalTriples" else form
            for text, number in (
                ("/r/born", 0),
                ("/r/knows", 1),
                ("http://o/born", 0),
                ("http://o/near", 1),
                ("http://f/lat", 0),
                ("http://o/year", 0),
            ):
                content = content.replace(own.format(text), own.format(number))
            path.write_text(content, encoding="utf-8")
    pair = read(tmp_path)
    assert pair.source.relations.tolist() == ["0 (source)", "1 (source)"]
    assert pair.target.relations.tolist() == ["0 (target)", "1 (target)"]
    assert (pair.source.attributes.tolist(), pair.target.attributes.tolist()) == (
        ["0 (source)"],
        ["0 (target)"],
    )
    for count, kind in ((2, "relation"), (1, "attribute")):
        assert f"{count} {kind} ids stand in both KGs; they are kept apart, as ids of each KG." in (
            pair.notes
        )


@pytest.mark.parametrize("name", ["FB15K", "DB15K"])
def test_an_empty_attribute_file_is_a_missing_one(tmp_path: Path, name: str) -> None:
    path = write_raw(tmp_path) / name / f"{name}_NumericalTriples.txt"
    path.unlink()
    missing = read(tmp_path)
    path.touch()
    empty = read(tmp_path)
    assert empty.version == missing.version
    assert f"{path.name} is missing: {name} has no attributes." in missing.notes
    assert f"{path.name} is empty: {name} has no attributes." in empty.notes
    assert path not in detect(tmp_path).files.input_files()


@pytest.mark.parametrize("name", ["FB15K/FB15K_ImageData.h5", "DB15K/images.npz", "images.npz"])
def test_an_empty_file_of_images_is_a_missing_one(tmp_path: Path, name: str) -> None:
    write_index(write_raw(tmp_path))
    write_h5(tmp_path / "DB15K" / "DB15K_ImageData.h5", TARGET_VECTORS)
    missing = read(tmp_path)
    (tmp_path / name).touch()
    empty = read(tmp_path)
    assert empty.version == missing.version
    note = f"{name.rpartition('/')[2]} is empty and counts as missing."
    assert set(empty.notes) - set(missing.notes) == {note}


def test_repeated_links_count_once(tmp_path: Path) -> None:
    path = write_raw(tmp_path) / "DB15K" / "DB15K_SameAsLink.txt"
    whole = read(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    twice = read(tmp_path)
    assert twice.version == whole.version
    assert twice.anchor_links.tolist() == whole.anchor_links.tolist()
    assert [note for note in twice.notes if "repeat" in note] == [
        "DB15K_SameAsLink.txt: 3 lines repeat a link; each counts once."
    ]

"""Arrays, HDF5 and text files of others: refused in one sentence, within bounds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.access.writers import write_nmmea_layout
from mmea_bench.datasets.core.errors import DataError, UserError, shown, unknown_name
from mmea_bench.datasets.core.readers import images, nmmea, text
from mmea_bench.datasets.core.readers.names import lexical_value
from mmea_bench.datasets.core.readers.pickles import read_feature_pickle
from tests.datasets.hostile import as_npy, refused, with_header
from tests.datasets.layouts import (
    assert_sentence,
    tiny_nmmkg,
    write_eva,
    write_eva_extras,
    write_h5,
    write_openea,
)
from tests.fuzz.limits import bounded


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/elsewhere.h5", "x", (2,))
    file.create_virtual_dataset("a", layout)


def packed(file: h5py.File) -> None:
    for name in "abcdefghijklmnopqrst":
        file.create_dataset(name, (2**20,), "f4", fillvalue=1, compression="gzip")


def entry(content: object) -> Callable[[h5py.File], None]:
    return lambda file: file.__setitem__("a", content)


HDF5: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "external link": (
        entry(h5py.ExternalLink("/etc/passwd", "/x")),
        "'a' is a link to another place, which is not followed",
    ),
    "soft link": (entry(h5py.SoftLink("/b")), "'a' is a link to another place"),
    "external storage": (
        lambda file: file.create_dataset("a", (8,), "u1", external=[("/etc/passwd", 0, 8)]),
        "is stored in another file",
    ),
    "virtual": (virtual, "is stored in another file"),
    "huge shape": (
        lambda file: file.create_dataset("a", (10**12,), "f4", chunks=(1024,)),
        "has 1000000000000 numbers",
    ),
    "huge and packed": (packed, "asks for a table of 20 rows"),
    "named type": (entry(np.dtype("f4")), "image 'a' is no dataset"),
    "empty": (entry(h5py.Empty("f4")), "has 0 numbers"),
    "text": (entry("touch EVIL"), "is object, not numbers"),
    "fields": (entry(np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f4")])), "not numbers"),
    "references": (
        lambda file: file.__setitem__("a", np.array([file.ref], dtype=h5py.ref_dtype)),
        "not numbers",
    ),
}


@pytest.mark.parametrize("kind", HDF5)
def test_hostile_hdf5_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.h5"
    write, words = HDF5[kind]
    with h5py.File(path, "w") as file:
        write(file)
    refused(lambda: images.read_h5(path, list("abcdefghijklmnopqrst")), path, words)


def test_groups_that_hold_themselves_are_walked_once(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("g")
        for number in range(300):
            group[f"again{number}"] = group
        group["a"] = [1.0, 2.0]
    with bounded():
        assert images.read_h5(path, ["a"]).keys == ["a"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (as_npy(np.array([[None]], dtype=object)), "Object arrays cannot be loaded"),
        (with_header("(1000000000000, 2)"), "is no array of numbers"),
        (with_header("(2, 3)", "'<U4'"), "is no array of numbers"),
        (b"PK\x03\x04", "is no array of numbers"),
        (b"", "is no array of numbers"),
    ],
)
def test_hostile_npy_files(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    refused(lambda: nmmea._read_vectors(path, ["a", "b"]), path, words)


def test_a_long_vector_for_many_nodes_does_not_fill_the_memory(tmp_path: Path) -> None:
    folder = write_openea(tmp_path / "data")
    lines = "".join(f"/m/{n}\t/r/x\t/m/a\n" for n in range(40_000))
    (folder / "rel_triples_1").write_text((folder / "rel_triples_1").read_text() + lines)
    np.savez(
        folder / "images.npz", entities=np.array(["/m/a"]), features=np.ones((1, 20_000), "f4")
    )
    files = detect(folder).files
    refused(lambda: files.read("x", ("S", "T")), folder / "images.npz", "asks for a table of 40")


def test_a_long_node_name_does_not_fill_the_memory(tmp_path: Path) -> None:
    write_nmmea_layout(tiny_nmmkg(), tmp_path)
    path = tmp_path / "kg1" / "entities.tsv"
    lines = "".join(f"n{n}\tt\t\n" for n in range(400))
    path.write_text(f"{path.read_text()}{'x' * 300_000}\tt\t\n{lines}")
    with bounded(), pytest.raises(DataError):  # the vectors of the new nodes are lacking
        detect(tmp_path).files.read("x", ("S", "T"))


TEXT_DAMAGE = {
    "NUL": (b"1\ta\n2\tb\0\n", 2, "holds a NUL character"),
    "UTF-16": ("1\ta\n".encode("utf-16"), 1, "is not UTF-8"),
    "UTF-16 without mark": ("1\ta\n".encode("utf-16-le"), 1, "holds a NUL character"),
    "surrogate": (b"1\t\xed\xa0\x80\n", 1, "byte 0xed is not UTF-8"),
    "overlong": (b"1\ta\n2\t\xc0\x80\n", 2, "byte 0xc0 is not UTF-8"),
    "missing column": (b"1\ta\n2\n", 2, "cannot read '2'"),
    "extra column": (b"1\ta\tb\n", 1, r"cannot read '1\ta\tb'"),
    "empty column": (b"\ta\n", 1, "cannot read"),
    "negative id": (b"-1\ta\n", 1, "id '-1' is not a whole number"),
    "overflowing id": (b"2147483648\ta\n", 1, "id '2147483648' is not a whole number"),
    "endless id": (b"9" * 100_000 + b"\ta\n", 1, "is not a whole number"),
    "not a number": (b"nan\ta\n", 1, "id 'nan' is not a whole number"),
    "underscore": (b"1_0\ta\n", 1, "id '1_0' is not a whole number"),
    "other digits": ("１２\ta\n".encode(), 1, "id '１２' is not a whole number"),
    "huge line": (b"x" * 10**6 + b"\n", 1, "cannot read 'xxx"),
    "control characters": (b"\x1b[2J\n", 1, r"cannot read '\x1b[2J'"),
    "direction": ("\u202e1\ta\n".encode(), 1, r"id '\u202e1' is not"),
}


@pytest.mark.parametrize("name", TEXT_DAMAGE)
def test_damaged_columns_are_named_with_their_line(tmp_path: Path, name: str) -> None:
    content, line, words = TEXT_DAMAGE[name]
    path = tmp_path / "rows"
    path.write_bytes(content)

    def read() -> object:
        rows = text.read_rows(path, ("id", "name"))
        return text.id_column(path, [row[0] for row in rows], "id")

    with pytest.raises(DataError) as caught:
        read()
    assert_sentence(caught.value, path, words, line)
    assert len(str(caught.value)) < 600 + len(str(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf1\ta\r\n2\tb\r\n", b"1\ta\n2\tb\n\n \n"])
def test_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows").write_bytes(content)
    assert text.read_rows(tmp_path / "rows", ("id", "name")) == [["1", "a"], ["2", "b"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 100_000, "is not a list of [id, [word, ...]]"),
        ("[[Infinity, []]]", "inf is no id"),
        ("[[1.5, []]]", "1.5 is no id"),
        ("[[true, []]]", "True is no id"),
        (f"[[{'9' * 5000}, []]]", "is not a list of"),
        (f'[["{"9" * 5000}", []]]', "names id 9999"),
        ('[["１", []]]', "is no id"),
        ('[[0, ["\\ud800"]]]', "is not a list of"),
        ('{"12": 1}', "is not a list of"),
        ("5", "is not a list of"),
        ('[[0, "word"]]', "are not a list of text"),
        ("[[0, [], 1]]", "is not a list of"),
    ],
)
def test_hostile_names(tmp_path: Path, content: str, words: str) -> None:
    folder = write_eva(tmp_path / "data")
    write_eva_extras(folder)
    path = folder / "translated_ent_name" / "dbp.json"
    path.write_text(content)
    refused(lambda: detect(folder).files.read("x", ("S", "T")), path, words)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"simulated": 5}', '{"simulated": ["\\u001b"]}', "[]", "\0"]
)
def test_hostile_meta_files(tmp_path: Path, content: str) -> None:
    write_nmmea_layout(tiny_nmmkg(), tmp_path)
    path = tmp_path / "meta.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"meta\.json"):
        detect(tmp_path).files.read("x", ("S", "T"))


@pytest.mark.parametrize("end", ["", " x", '"', "@en"])
def test_literals_made_to_match_for_ever_end_at_once(end: str) -> None:
    with bounded(0.5):
        lexical_value('"' + '"^^' * 200_000 + end)


def test_literals_lose_their_type_and_language() -> None:
    assert lexical_value('"1982"^^<http://x#gYear>') == "1982"
    assert lexical_value('"a "quoted" word"@en-GB') == 'a "quoted" word'
    assert [lexical_value(bare) for bare in ("", '"', "a", '"a', 'a"', '"a" b')] == [
        *("", '"', "a", '"a', 'a"', '"a" b')
    ]


@pytest.mark.parametrize(
    "address",
    ["./\0", "~nobody-of-this-name/x", "./" + "x" * 5000, "\0", "x" * 5000, "./\ud800", "a/\x1b[2J",
     "synthetic[n=1e999]", "synthetic[overlap=" + "9" * 5000 + "]", "synthetic[\x1b=1]",
     "synthetic[n=１００,n=1]", "synthetic[[n=1]]", "synthetic[n=]", "synthetic[n=nan]"],
)  # fmt: skip
def test_hostile_addresses(address: str) -> None:
    with pytest.raises(UserError) as caught:
        open_dataset(address).input_files()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500


def test_a_folder_full_of_odd_names_is_listed_in_a_line(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"\x1b[3{number}m{'x' * 100}\n").touch()
    with pytest.raises(DataError) as caught:
        detect(tmp_path)
    assert str(caught.value).isprintable()


def test_pipes_and_devices_are_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows")
    (tmp_path / "x.pkl").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="the file is missing"):
        text.read_rows(tmp_path / "rows", ("a", "b"))
    with pytest.raises(DataError, match="the file is missing"):
        read_feature_pickle(tmp_path / "x.pkl")


def test_words_of_files_are_shown_short_and_printable() -> None:
    assert shown("a\nb\x1b[0m") == r"'a\nb\x1b[0m'"
    assert shown("x" * 500) == f"'{'x' * 77}...'"
    assert shown([["deep"]]) == "a list"
    assert shown(10**5000) == "a int"
    assert shown(ValueError("")) == "'ValueError'"
    assert len(unknown_name("method", "x" * 10**6, ["a"])) < 200


def test_a_valid_hdf5_file_is_read(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "x.h5", {"a": [1, 2], "b": [3, 4]})
    assert images.read_h5(path, ["b", "a"]).values.tolist() == [[3, 4], [1, 2]]


def test_json_names_of_published_form_are_read(tmp_path: Path) -> None:
    folder = write_eva(tmp_path / "data")
    write_eva_extras(folder)
    path = folder / "translated_ent_name" / "dbp.json"
    path.write_text(json.dumps([[0, ["alpha", "one"]], ["007", []]]).replace("007", "3"))
    pair = detect(folder).files.read("x", ("S", "T"))
    assert "alpha one" in pair.source.names.tolist()

"""Archives and packed files of others: refused in one sentence, within bounds."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers import images, text, word_vectors
from tests.datasets.hostile import as_npy, refused, with_header, zipped
from tests.fuzz.limits import bounded

ZEROS = bytes(2**25)
BOTH = {"entities.npy": np.array(["a"]), "features.npy": np.ones((1, 2), np.float32)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"features.npy": as_npy(np.array([{}, []], dtype=object))}, "holds Python objects"),
        ({"entities.npy": as_npy(np.array([None], dtype=object))}, "holds Python objects"),
        ({"features.npy": ZEROS}, "unpacks to more than 100 times its size"),
        ({"more.npy": ZEROS}, "unpacks to more than 100 times its size"),
        ({"features.npy": with_header("(10**12, 2)")}, "truncated or damaged"),
        ({"features.npy": with_header("(1000000000000, 2)")}, "truncated or damaged"),
        ({"features.npy": with_header("(-1, 2)")}, "truncated or damaged"),
        ({"features.npy": with_header("(4611686018427387904,)*3")}, "truncated or damaged"),
        ({"features.npy": with_header("(1, 0)")}, "The shapes must be [n] and [n, d]"),
        ({"features.npy": with_header("(1, 2)", "'|O'")}, "holds Python objects"),
        ({"features.npy": with_header("(1, 2)", "[('a', 'O')]")}, "holds Python objects"),
        ({"features.npy": with_header("(1, 2)", "'<c8'")}, "complex64, not numbers"),
        ({"features.npy": b"cos\nsystem\n(S'touch EVIL'\ntR."}, "truncated or damaged"),
        ({"features.npy": b""}, "truncated or damaged"),
        ({"features.npy": as_npy(np.full((1, 2), np.nan))}, "is not finite"),
        ({"features.npy": as_npy(np.full((1, 2), 1e300))}, "is not finite"),
        ({"entities.npy": np.array([0x110000], "<u4").tobytes()}, "truncated or damaged"),
    ],
)
def test_hostile_npz_archives(tmp_path: Path, changed: dict[str, bytes], words: str) -> None:
    members = {name: as_npy(array) for name, array in BOTH.items()} | changed
    path = zipped(tmp_path / "images.npz", members)
    if "Shapes" in words or "shapes" in words:
        with pytest.raises(DataError, match="with d of 1 or more"):
            images.read_npz(path)
        return
    refused(lambda: images.read_npz(path), path, words)
    assert not (tmp_path / "EVIL").exists()


def test_text_that_is_no_character_is_refused(tmp_path: Path) -> None:
    names = np.array([0x110000], "<u4").view("<U1")
    path = tmp_path / "images.npz"
    np.savez(path, entities=names, features=np.ones((1, 2)))
    refused(lambda: images.read_npz(path), path, "an entity is not UTF-8")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_point_elsewhere_are_never_written(tmp_path: Path, method: int) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ("../EVIL", "/EVIL", "C:\\EVIL", "a/../../EVIL", "\x1b[2J", "x/")
    path = zipped(folder / "images.npz", dict.fromkeys(names, b"x"), method)
    with zipfile.ZipFile(path, "a") as archive:
        for name, kind in (("link", 0o120777), ("device", 0o060666), ("pipe", 0o010666)):
            info = zipfile.ZipInfo(name)
            info.external_attr = kind << 16
            archive.writestr(info, "/etc/passwd")
    refused(lambda: images.read_npz(path), path, "has no array 'entities'")
    assert sorted(tmp_path.rglob("*")) == [folder, path]


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.npz", {"features.npy": ZEROS}).read_bytes()
    members = {"entities.npy": as_npy(BOTH["entities.npy"]), "features.npy": inner}
    path = zipped(tmp_path / "images.npz", members)
    refused(lambda: images.read_npz(path), path, "truncated or damaged")


def test_many_members_are_passed_over_quickly(tmp_path: Path) -> None:
    members = {name: as_npy(array) for name, array in BOTH.items()}
    path = zipped(tmp_path / "images.npz", {**{str(n): b"" for n in range(5000)}, **members})
    with bounded():
        assert images.read_npz(path).keys == ["a"]


def test_an_encrypted_archive_is_a_sentence(tmp_path: Path) -> None:
    path = zipped(tmp_path / "images.npz", {"entities.npy": b"x", "features.npy": b"x"})
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := raw.find(mark, start + 1)) >= 0:
            raw[start + place] |= 1
    path.write_bytes(raw)
    refused(lambda: images.read_npz(path), path, "truncated or damaged (File 'entities.npy' is enc")


@pytest.mark.parametrize("name", ["glove.6B.zip", f"{word_vectors.FILE}.gz"])
def test_word_vectors_that_unpack_without_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = b"red 1 0\n" * 2**20
    if name.endswith(".zip"):
        zipped(path, {word_vectors.FILE: content})
    else:
        path.write_bytes(gzip.compress(content, 1))
    refused(lambda: word_vectors.read_word_vectors(path, {"red"}), path, "unpacks to more than 40")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"red 1 nan", "a number that is not finite"),
        (b"red 1 1e999", "a number that is not finite"),
        (b"red", "a line has no numbers"),
        (b"red ", "0 numbers where the lines before have some"),
        (b"red \xff", "not GloVe's text format"),
        (b"x " * 200_000, "a line has 262144 bytes or more"),
    ],
)
def test_hostile_lines_of_word_vectors(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / word_vectors.FILE
    path.write_bytes(line + b"\n")
    with pytest.raises(DataError) as caught:
        word_vectors.read_word_vectors(path, {"red"})
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(ZEROS), "unpacks to more than 40 times its size"),
        (gzip.compress(b"a\tb\n")[:-6], "truncated or damaged"),
        (gzip.compress(b"a\0b\n"), "line 1: holds a NUL character"),
        (b"a\tb\n", "truncated or damaged"),
    ],
    ids=["zeros", "cut short", "NUL", "no gzip"],  # the bytes hold the time of day
)
def test_hostile_gzip_copies(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        text.read_rows(tmp_path / "rows", ("a", "b"))
    assert words in str(caught.value)


def test_a_long_text_of_repetitions_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    lines = (f"http://dbpedia.org/resource/E{n}\thttp://x/{n}\n" for n in range(60_000))
    path.write_bytes(gzip.compress("".join(lines).encode()))
    assert len(text.read_rows(tmp_path / "rows", ("a", "b"))) == 60_000

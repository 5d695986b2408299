from __future__ import annotations

import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers.pickles import load_pickle, read_feature_pickle
from tests.datasets.layouts import assert_sentence

PROTOCOLS = range(6)


class Runs:
    """Pickles to a call, as an attacker's object does."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def write(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "<i8", "|u1", "?"])
def test_published_feature_dicts_load(tmp_path: Path, protocol: int, dtype: str) -> None:
    rows = {0: np.array([0, 1, 1], dtype=dtype), 7: np.array([1, 0, 1], dtype=dtype)}
    vectors = read_feature_pickle(write(tmp_path / "x.pkl", rows, protocol))
    assert vectors.keys == ["0", "7"]
    assert vectors.values.dtype == np.float32
    assert vectors.values.tolist() == [[0, 1, 1], [1, 0, 1]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_content_loads(tmp_path: Path, protocol: int) -> None:
    content = {"a": [1, 2.5, None, True], b"raw\xff": ("x", b""), "s": np.float64(2.5)}
    assert load_pickle(write(tmp_path / "x.pkl", content, protocol)) == content


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_matrices_keep_their_shape(tmp_path: Path, protocol: int, order: str) -> None:
    matrix = np.array(np.arange(6).reshape(2, 3), order=order)
    loaded = load_pickle(write(tmp_path / "x.pkl", matrix, protocol))
    assert isinstance(loaded, np.ndarray)
    assert loaded.tolist() == matrix.tolist()


def test_names_of_older_numpy_and_python_2_are_admitted(tmp_path: Path) -> None:
    raw = pickle.dumps({3: np.ones(2, np.float32)}, 2)
    (tmp_path / "x.pkl").write_bytes(raw.replace(b"numpy._core.", b"numpy.core."))
    assert read_feature_pickle(tmp_path / "x.pkl").values.tolist() == [[1, 1]]
    # Python 2 wrote array bytes as text (opcode SHORT_BINSTRING).
    array = (
        b"\x80\x02}q\x00K\x05cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        b"U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff"
        b"\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tbs."
    )
    (tmp_path / "y.pkl").write_bytes(array)
    assert read_feature_pickle(tmp_path / "y.pkl").values.tolist() == [[1, 2]]


MALICIOUS = {
    "system": (Runs(os.system, "touch EVIL"), f"`{os.system.__module__}.system`"),
    "popen": (Runs(subprocess.Popen, ["touch", "EVIL"]), "`subprocess.Popen`"),
    "eval": (Runs(eval, "open('EVIL', 'w')"), "`builtins.eval`"),
    "getattr": (Runs(getattr, "x", "upper"), "`builtins.getattr`"),
    "bytearray": (Runs(bytearray, 10), "`builtins.bytearray`"),
    "ordered": (OrderedDict(a=1), "`collections.OrderedDict`"),
    "path": (Path("x"), "`pathlib."),
    "load": (Runs(np.load, "EVIL"), "`numpy.load`"),
}


@pytest.mark.parametrize("protocol", [3, 4, 5])  # protocol 2 uses the names of Python 2
@pytest.mark.parametrize("name", MALICIOUS)
def test_everything_else_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    content, named = MALICIOUS[name]
    path = write(tmp_path / "x.pkl", {0: np.ones(2), 1: content}, protocol)
    with pytest.raises(DataError) as caught:
        load_pickle(path)
    assert named in str(caught.value)
    assert_sentence(caught.value, path, "; refused, nothing of it was executed")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.pkl"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, Runs(os.system, "touch EVIL")], dtype=object),
        np.array(["text"]),
        np.array([b"bytes"]),
        np.zeros(2, dtype=[("a", "f4"), ("b", "O")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.zeros(1, dtype=np.complex128),
    ],
)
def test_only_numeric_arrays_are_admitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        load_pickle(write(tmp_path / "x.pkl", {0: array}, protocol))
    assert not Path("EVIL").exists()


def test_an_object_type_is_refused_in_words(tmp_path: Path) -> None:
    array = np.array([{}], dtype=object)
    with pytest.raises(DataError, match="array of type 'O8'; only numbers are admitted"):
        load_pickle(write(tmp_path / "x.pkl", array))


HANDWRITTEN = {
    "attributes set on a function": b"\x80\x02cnumpy\ndtype\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
    "state of the array class": b"\x80\x02cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.",
    "instance of a stand-in": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "huge empty array": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftR.",
    "huge bytes": b"\x80\x02cbuiltins\nbytes\nJ\xff\xff\xff\x7f\x85R.",
    "huge announced text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\x00\x00\x00abc.",
    "outside object": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
    "huge memory position": b"\x80\x02}r\xff\xff\xff\x7f.",
    "huge memory position in words": b"}p2147483647\n.",
    "extension registry": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_opcodes_of_hand_written_pickles_come_to_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(HANDWRITTEN[name])
    with pytest.raises(DataError):
        read_feature_pickle(path)


@pytest.mark.parametrize("keep", [0, 1, 20, 60, -1])
def test_a_truncated_pickle_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({row: np.ones(9) for row in range(9)})[:keep])
    with pytest.raises(DataError) as caught:
        load_pickle(path)
    assert_sentence(caught.value, path, "truncated or damaged")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds a list, not a filled dict"),
        ({}, "holds a dict, not a filled dict"),
        ({"a": [1.0]}, "the key 'a' is no entity id"),
        ({True: [1.0]}, "the key True is no entity id"),
        ({1: [1.0, 2.0], 2: [1.0]}, "the vector of id 2 has 1 numbers, the first one has 2"),
        ({1: []}, "the vector of id 1 has 0 numbers"),
        ({1: "text"}, "the value of id 1 is no vector of numbers"),
        ({1: [np.inf]}, "the vector of id 1 is not finite"),
    ],
)
def test_content_that_is_no_feature_dict(tmp_path: Path, content: object, words: str) -> None:
    path = write(tmp_path / "x.pkl", content)
    with pytest.raises(DataError) as caught:
        read_feature_pickle(path)
    assert_sentence(caught.value, path, words)


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_pickle(tmp_path / "x.pkl")
    assert_sentence(caught.value, tmp_path / "x.pkl", "the file is missing")

"""Nothing that a pickle asks for is executed, and no pickle takes the machine down."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers.pickles import load_pickle, read_feature_pickle
from tests.datasets.layouts import assert_sentence
from tests.datasets.malicious_pickles import BOMBS, OPCODES, corpus
from tests.fuzz.limits import bounded

CORPUS = corpus()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, in which nothing but the pickle may stand afterwards."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["x.pkl"]


def refuse(folder: Path, content: bytes) -> str:
    path = folder / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_feature_pickle(path)
    assert_sentence(caught.value, path, "")
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CORPUS) + len(BOMBS) > 500


def test_every_malicious_pickle_is_refused(folder: Path) -> None:
    for name, content in CORPUS.items():
        with bounded(what=name):
            sentence = refuse(folder, content)
        assert "Traceback" not in sentence, name


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_bounded_time_and_memory(folder: Path, name: str) -> None:
    content = BOMBS[name]()
    with bounded():
        refuse(folder, content)


def test_the_extension_registry_of_the_process_is_not_consulted(folder: Path) -> None:
    copyreg.add_extension("os", "system", 0xF0)
    try:
        for name in ("EXT1", "EXT2", "EXT4"):
            assert f"uses the opcode {name}" in refuse(folder, OPCODES[name])
    finally:
        copyreg.remove_extension("os", "system", 0xF0)


def test_calls_are_refused_by_their_name(folder: Path) -> None:
    module = os.system.__module__
    assert f"`{module}.system`" in refuse(folder, CORPUS["call: os.system, protocol 4, alone"])
    assert "`builtins.eval`" in refuse(folder, CORPUS["call: eval, protocol 4, in a dict"])
    assert "`__builtin__.eval`" in refuse(folder, CORPUS["call: eval, protocol 0, in a dict"])


def test_a_name_in_the_file_cannot_steer_the_terminal(folder: Path) -> None:
    sentence = refuse(folder, OPCODES["name with control characters"])
    assert sentence.isprintable()
    assert r"\x1b[2" in sentence


def test_what_follows_the_end_of_a_pickle_is_not_read(folder: Path) -> None:
    path = folder / "x.pkl"
    path.write_bytes(b"K\x05." + OPCODES["GLOBAL"])
    assert load_pickle(path) == 5

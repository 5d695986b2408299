"""GloVe vectors of entity names, from every form in which the file is kept."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.writers import write_dbp15k_layout
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.datasets.core.readers.word_vectors import (
    FILE,
    locate,
    mean_vectors,
    read_word_vectors,
)
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import word_vectors

TEXT = "red 1 0\nhouse 0 1\nblue -1 0\n"


def write(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    if kind == "zip":
        with zipfile.ZipFile(folder / "glove.6B.zip", "w") as archive:
            archive.writestr(FILE, TEXT)
    elif kind == "gz":
        (folder / f"{FILE}.gz").write_bytes(gzip.compress(TEXT.encode()))
    else:
        (folder / FILE).write_text(TEXT)
    return folder.parent


@pytest.mark.parametrize("kind", ["txt", "gz", "zip"])
def test_only_the_words_asked_for_are_read(kind: str, tmp_path: Path) -> None:
    path = locate(write(tmp_path / "data" / "embedding", kind))
    assert path is not None
    table = read_word_vectors(path, {"red", "house", "unknown"})
    assert {word: vector.tolist() for word, vector in table.items()} == {
        "red": [1, 0],
        "house": [0, 1],
    }


def test_a_name_is_the_mean_of_its_known_words() -> None:
    table = {"red": np.array([1, 0], np.float32), "house": np.array([0, 1], np.float32)}
    means = mean_vectors(text_array(["Red House", "red tower", "tower", ""]), table)
    assert means.values.tolist() == [[0.5, 0.5], [1, 0], [0, 0], [0, 0]]
    assert means.present.tolist() == [True, True, False, False]


def test_the_widest_file_is_read(tmp_path: Path) -> None:
    for name in ("glove.6B.50d.txt", "glove.6B.100d.txt.gz"):
        (tmp_path / name).touch()
    assert locate(tmp_path) == tmp_path / "glove.6B.100d.txt.gz"


def test_a_line_of_another_length_is_named(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text("red 1 0\nhouse 0 1 2\n")
    with pytest.raises(DataError, match="line 2: 3 numbers where the lines before have 2"):
        read_word_vectors(path, {"red", "house"})


def test_the_header_of_fasttexts_files_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "wiki.vec"
    path.write_text("3 2\n" + TEXT)
    table = read_word_vectors(path, {"3", "red"})
    assert {word: vector.tolist() for word, vector in table.items()} == {"red": [1, 0]}


def test_a_byte_order_mark_and_blank_lines_are_no_words(tmp_path: Path) -> None:
    path = tmp_path / "own.vec"
    path.write_text("\ufeffred 1 0\n\nhouse 0 1\n\n", encoding="utf-8")
    table = read_word_vectors(path, {"red", "house", ""})
    assert {word: vector.tolist() for word, vector in table.items()} == {
        "red": [1, 0],
        "house": [0, 1],
    }


def test_a_blank_line_counts_among_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "own.vec"
    path.write_text("red 1 0\n\nhouse 0 1 2\n")
    with pytest.raises(DataError, match="line 3: 3 numbers"):
        read_word_vectors(path, {"red", "house"})


def test_a_number_below_the_first_line_is_a_word(tmp_path: Path) -> None:
    path = tmp_path / "narrow.vec"
    path.write_text("2 1\n3 4\n")
    table = read_word_vectors(path, {"2", "3"})
    assert {word: vector.tolist() for word, vector in table.items()} == {"3": [4]}


def test_a_damaged_archive_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "glove.6B.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_word_vectors(path, {"red"})


@pytest.mark.parametrize("dim", [300, 100])
def test_dbp15k_with_glove_beside_it_says_if_it_is_not_as_wide_as_that_of_papers(
    tmp_path: Path, dim: int
) -> None:
    pair = open_dataset("synthetic[n=120]").read()
    write_dbp15k_layout(pair, tmp_path / "dbp15k" / "zh_en")
    plain = open_dataset("dbp15k-zh-en", tmp_path).read()
    words = sorted({word for name in plain.source.names for word in name.lower().split()})
    lines = [f"{word} {index}{' 1' * (dim - 1)}" for index, word in enumerate(words[:-1])]
    (tmp_path / "embedding").mkdir()
    (tmp_path / "embedding" / f"glove.6B.{dim}d.txt").write_text("\n".join(lines))
    rich = open_dataset("dbp15k-zh-en", tmp_path).read()
    assert rich.version != plain.version
    assert "word" in rich.modalities
    ctx = RunContext(rng_seed=1)
    vectors = word_vectors(train_view(rich, rich.anchor_links[:5]), ctx)
    said = "word vectors of 100 dimensions stand in for those of 300"
    assert ctx.log.simulated == ({} if dim == 300 else {"word_vectors": said})
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))

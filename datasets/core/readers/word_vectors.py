"""Word vectors in GloVe's text format, and the mean vector of each entity name."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.features import Features
from mmea_bench.datasets.core.graph import Text

FILE = "glove.6B.300d.txt"
ARCHIVE = "glove.6B.zip"
PLACES = ("embedding", "word_vectors", "")

WordTable = dict[str, NDArray[np.float32]]


def locate(data_root: Path) -> Path | None:
    """The GloVe file below a data root: as text, as its ``.gz`` copy, or in its archive."""
    candidates = (
        data_root / place / name for place in PLACES for name in (FILE, f"{FILE}.gz", ARCHIVE)
    )
    return next((path for path in candidates if path.is_file()), None)


def read_word_vectors(path: Path, words: set[str]) -> WordTable:
    """Vectors of the words that are asked for; the others are passed over unparsed.

    Args:
        path: A file found by ``locate``.
        words: Lower-case words.

    Raises:
        DataError: If the file is damaged or its lines have different lengths.
    """
    table: WordTable = {}
    n_columns = 0
    remedy = "Copy the file again from its source."
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, start=1):
                word, _, rest = line.partition(" ")
                if word not in words:
                    continue
                vector = np.array(rest.split(), dtype=np.float32)
                n_columns = n_columns or len(vector)
                if len(vector) != n_columns:
                    problem = f"{len(vector)} numbers where the lines before have {n_columns}"
                    raise DataError.at(path, problem, remedy, number)
                table[word] = vector
    except ValueError as error:
        raise DataError.at(path, f"not GloVe's text format: {error}", remedy) from None
    except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError.at(path, f"cannot be read: {error}", remedy) from None
    return table


def words_of(names: Iterable[str]) -> set[str]:
    """Lower-case words of all names."""
    return {word for name in names for word in name.lower().split()}


def mean_vectors(names: Text, table: WordTable) -> Features:
    """Mean of the vectors of each name's words, [n_ent, d]; names without a known word lack it."""
    dim = len(next(iter(table.values()))) if table else 1
    values = np.zeros((len(names), dim), dtype=np.float32)
    present = np.zeros(len(names), dtype=np.bool_)
    for row, name in enumerate(names):
        vectors = [table[word] for word in name.lower().split() if word in table]
        if vectors:
            values[row], present[row] = np.mean(vectors, axis=0), True
    return Features(values, present)


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(FILE) as member:
            yield io.TextIOWrapper(member, encoding="utf-8")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield iter(file)
    else:
        with path.open(encoding="utf-8") as file:
            yield iter(file)

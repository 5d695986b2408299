"""Word vectors in GloVe's or fastText's text format, and the mean vector of each entity name."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Text
from mmea_bench.datasets.core.readers.bounded.sizes import most_unpacked, packed_too_well
from mmea_bench.datasets.core.regular_files import open_regular

FILE = "glove.6B.300d.txt"
FILES = (FILE, "glove.6B.200d.txt", "glove.6B.100d.txt", "glove.6B.50d.txt")
ARCHIVE = "glove.6B.zip"
PLACES = ("embedding", "word_vectors", "")

_LONGEST_LINE = 2**18

WordTable = dict[str, NDArray[np.float32]]


def locate(data_root: Path) -> Path | None:
    """The widest GloVe file below a data root: as text, as its ``.gz`` copy, or in its archive."""
    copies = [FILE, f"{FILE}.gz", ARCHIVE]
    copies += [name for file in FILES[1:] for name in (file, f"{file}.gz")]
    candidates = (data_root / place / name for name in copies for place in PLACES)
    return next((path for path in candidates if path.is_file()), None)


def read_word_vectors(path: Path, words: set[str]) -> WordTable:
    """Vectors of the words that are asked for; the others are passed over unparsed.

    Args:
        path: A file found by ``locate``, or one whose first line says how many words it holds and
            how wide they are, as fastText's do.
        words: Lower-case words.

    Raises:
        DataError: If the file is damaged or its lines have different lengths.
    """
    table: WordTable = {}
    wanted = {word.encode("utf-8", "surrogatepass") for word in words}
    remedy = "Copy the file again from its source."
    try:
        with _opened(path) as stream:
            for number, line in enumerate(_bounded_lines(path, stream), start=1):
                if not line or (number == 1 and _is_header(line)):
                    continue
                word, _, rest = line.partition(b" ")
                # A word that stands again is passed over: a file of them would take long.
                if word in wanted and (text := word.decode("utf-8")) not in table:
                    table[text] = _vector(path, number, rest, table)
    except DataError:
        raise
    except ValueError as error:
        problem = f"not GloVe's text format: {shown(error, quote='')}"
        raise DataError.at(path, problem, remedy) from None
    except Exception as error:  # a damaged archive can raise nearly every type
        raise DataError.at(path, f"cannot be read: {shown(error, quote='')}", remedy) from None
    return table


def _is_header(line: bytes) -> bool:
    """Whether a first line counts words and columns; it reads like a word of one column."""
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _vector(path: Path, line: int, numbers: bytes, table: WordTable) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        vector = np.array(numbers.split(), dtype=np.float32)
    wanted = len(next(iter(table.values()))) if table else len(vector)
    problem = ""
    if len(vector) != wanted or not wanted:
        problem = f"{len(vector)} numbers where the lines before have {wanted or 'some'}"
    elif not np.isfinite(vector).all():
        problem = "a number that is not finite as float32"
    if problem:
        raise DataError.at(path, problem, "Copy the file again from its source.", line)
    return vector


def _bounded_lines(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Lines of the text, one at a time, blank ones as b""; none may be out of proportion."""
    n_bytes = path.stat().st_size
    n_left = most_unpacked(n_bytes) if path.suffix in (".zip", ".gz") else n_bytes
    is_first = True
    while line := stream.readline(_LONGEST_LINE):
        n_left -= len(line)
        if n_left < 0:
            raise packed_too_well(path)
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"a line has {_LONGEST_LINE} bytes or more")
        if is_first:
            line, is_first = line.removeprefix(codecs.BOM_UTF8), False
        is_blank = line.isspace()
        if b" " not in line and not is_blank:
            raise ValueError("a line has no numbers")
        yield b"" if is_blank else line


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
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(FILE) as member:
            yield io.BufferedReader(cast("io.RawIOBase", member))
    elif path.suffix == ".gz":
        with gzip.open(path) as packed:
            yield io.BufferedReader(cast("io.RawIOBase", packed))
    else:
        with open_regular(path) as file:
            yield file

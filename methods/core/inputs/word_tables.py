"""A vector for every word of the names, for methods that read names word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.readers.word_vectors import read_word_vectors
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.names import hashed_word_table


@dataclass(frozen=True, eq=False)
class WordTable:
    """Vectors of words and the words of texts.

    Attributes:
        values: [n_words, dim] float32; zeros where no vector is known.
        known: Whether a word has a vector, [n_words].
        starts: Where the words of a text begin in ``words``, [n_texts + 1] int64.
        words: Rows of the words of all texts, one text behind the other.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    starts: NDArray[np.int64]
    words: NDArray[np.int64]


def word_table(texts: Sequence[str], file: str, dim: int, ctx: RunContext) -> WordTable:
    """Lower-case words of texts, which blanks separate, with their vectors.

    Args:
        texts: Such as ``joint_names``.
        file: Word vectors in GloVe's text format, plain or as ``.gz``; "" gives every word a fixed
            random vector made from its letters, which the log calls simulated.
        dim: Columns where there is no file.
        ctx: Its log.

    Raises:
        UserError: If the file is not there, or knows none of the words.
    """
    split = [text.lower().split() for text in texts]
    rows = {word: row for row, word in enumerate(dict.fromkeys(w for each in split for w in each))}
    starts = np.cumsum([0, *(len(words) for words in split)], dtype=np.int64)
    words = np.array([rows[word] for each in split for word in each], dtype=np.int64)
    if not file:
        ctx.log.simulated["word_vectors"] = "hashed words stand in for pretrained word vectors"
        values = hashed_word_table(list(rows), dim)[: len(rows)]
        return WordTable(values, np.ones(len(rows), dtype=bool), starts, words)
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"{path} is not there; give a file of word vectors in GloVe's text format.")
    found = read_word_vectors(path, set(rows))
    if not found:
        raise UserError(f"{path} has a vector for none of the {len(rows)} words of the names.")
    values = np.zeros((len(rows), len(next(iter(found.values())))), dtype=np.float32)
    known = np.zeros(len(rows), dtype=bool)
    for word, vector in found.items():
        values[rows[word]], known[rows[word]] = vector, True
    return WordTable(values, known, starts, words)

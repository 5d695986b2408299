"""A vector for every word of the names, for methods that read names word by word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.readers.word_vectors import read_word_vectors
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import say_dimension
from mmea_bench.methods.core.inputs.names import hashed_word_table

_TOLERANCE = 1e-4
"""Share of a mean's largest component by which its parts may miss it: of rounding, not of words."""

WordVectors = dict[str, NDArray[np.float32]]


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


def word_table(
    texts: Sequence[str], file: str, dim: int, ctx: RunContext, means: Features | None = None
) -> WordTable:
    """Lower-case words of texts, which blanks separate, with their vectors.

    Args:
        texts: Such as ``joint_names``.
        file: Word vectors in GloVe's text format, plain or as ``.gz``; "" takes those that
            ``means`` tell. Without either every word has a fixed random vector made from its
            letters, which the log calls simulated.
        dim: Columns of random vectors.
        ctx: Its log.
        means: Of the vectors of each text's words, as a dataset carries them.

    Raises:
        UserError: If the file is not there, or knows none of the words.
    """
    split = [text.lower().split() for text in texts]
    rows = {word: row for row, word in enumerate(dict.fromkeys(w for each in split for w in each))}
    starts = np.cumsum([0, *(len(words) for words in split)], dtype=np.int64)
    words = np.array([rows[word] for each in split for word in each], dtype=np.int64)
    found: WordVectors = {}
    if file:
        found = _of_file(Path(file).expanduser(), rows)
    elif means is not None:
        found = words_of_means(split, means)
        say_dimension(means.dim, ctx)
    if not found:
        ctx.log.simulated["word_vectors"] = "hashed words stand in for pretrained word vectors"
        values = hashed_word_table(list(rows), dim)[: len(rows)]
        return WordTable(values, np.ones(len(rows), dtype=bool), starts, words)
    values = np.zeros((len(rows), len(next(iter(found.values())))), dtype=np.float32)
    known = np.zeros(len(rows), dtype=bool)
    for word, vector in found.items():
        values[rows[word]], known[rows[word]] = vector, True
    return WordTable(values, known, starts, words)


def _of_file(path: Path, words: Collection[str]) -> WordVectors:
    if not path.is_file():
        raise UserError(f"{path} is not there; give a file of word vectors in GloVe's text format.")
    found = read_word_vectors(path, set(words))
    if not found:
        raise UserError(f"{path} has a vector for none of the {len(words)} words of the names.")
    return found


def words_of_means(texts: Sequence[Sequence[str]], means: Features) -> WordVectors:
    """Vectors of single words, told from the means of texts, which are all that a view holds.

    A text of one word has that word's vector, and where one word of a text is left, the mean tells
    it apart from the others. Words without a vector, which are no part of the means, are left out,
    and so are words that stand nowhere but beside others of which nothing is known either.

    Args:
        texts: Words of each text.
        means: Mean of the vectors of each text's words; lacking where none has one.
    """
    known: WordVectors = {}
    lacking = {word for row in np.flatnonzero(~means.present).tolist() for word in texts[row]}
    rows = np.flatnonzero(means.present).tolist()
    n_before = -1
    while len(known) + len(lacking) > n_before:
        n_before, left = len(known) + len(lacking), []
        for row in rows:
            new = {word for word in texts[row] if word not in known and word not in lacking}
            if len(new) > 1:
                left.append(row)
            elif new:
                word = new.pop()
                vector = _last_word(word, texts[row], means.values[row], known)
                if vector is None:
                    lacking.add(word)
                else:
                    known[word] = vector
        rows = left
    return known


def _last_word(
    word: str, text: Sequence[str], mean: NDArray[np.float32], known: WordVectors
) -> NDArray[np.float32] | None:
    """The vector of a word beside known ones; None where they are the mean without it."""
    others = [known[other] for other in text if other in known]
    n_own, total = text.count(word), np.sum(others, axis=0, dtype=np.float64)
    if others and np.abs(total / len(others) - mean).max() <= _TOLERANCE * np.abs(mean).max():
        return None
    return np.asarray((mean * (len(others) + n_own) - total) / n_own, dtype=np.float32)

"""Vectors of entity names: averaged words, hashed character n-grams, or a local text encoder.

Rows are joint ids: source entities first, then target entities.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.readers.names import surface_forms
from mmea_bench.datasets.core.readers.word_vectors import read_word_vectors
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.text_encoders import text_vectors

WORDS, NGRAMS = "words", "ngrams"
NameForm = Literal["original", "given"]
"""Names as URIs spell them, or as the dataset gives them, which may be translations."""

_HASHED_DIM = 300


def joint_names(view: TrainView) -> list[str]:
    """Name of every entity of both graphs, [n_entities]; "" where it has none."""
    return [*view.source.names, *view.target.names]


def original_names(view: TrainView) -> list[str]:
    """The name inside each entity's URI, [n_entities], as the KG itself spells it.

    Names that a dataset carries may be translations (DBP15K); they stand in where a URI says
    nothing: an opaque id, a number in a KG that numbers its entities, the URI of an entity that
    ``name_noise`` renamed.
    """
    return [*_original_names(view.source), *_original_names(view.target)]


def _original_names(graph: KnowledgeGraph) -> list[str]:
    # Opaque URIs have no vote on what numbers are: name noise would else turn ids into names.
    telling = [uri for uri in graph.entities if surface_form(uri)]
    spelt = dict(zip(telling, surface_forms(telling), strict=True))
    return [spelt.get(uri) or name for uri, name in zip(graph.entities, graph.names, strict=True)]


def entity_names(view: TrainView, form: NameForm) -> list[str]:
    """Name of every entity of both graphs in one of its forms, [n_entities]."""
    return original_names(view) if form == "original" else joint_names(view)


def name_vectors(view: TrainView, kind: str, ctx: RunContext, dim: int = 300) -> Tensor:
    """L2-normalised vectors of all names, [n_entities, dim] float32; zero rows without a name.

    Args:
        view: Dataset.
        kind: ``words`` is the mean of the words' vectors: those that the dataset carries (modality
            ``word``, of its own dimension), else fixed random ones, which the log calls simulated;
            ``ngrams`` are hashed counts of character 2- and 3-grams; anything else is an encoder
            of ``text_vectors`` (of its own dimension), pooled over tokens by their mean.
        ctx: Device, cache folder and log of the encoder.
        dim: Columns, where the kind leaves them open.
    """
    texts = [name.lower() for name in joint_names(view)]
    if kind == NGRAMS:
        counts = ngram_counts(texts, n_columns=dim)
        return normalize(torch.from_numpy(counts.toarray()), dim=1)
    if kind == WORDS and "word" in view.features:
        return normalize(torch.from_numpy(np.array(view.joint_features("word").values)), dim=1)
    if kind == WORDS:
        ctx.log.simulated["word_vectors"] = "hashed words stand in for pretrained word vectors"
        words = list(dict.fromkeys(word for text in texts for word in text.split()))
        rows = {word: row for row, word in enumerate(words)}
        means = averaged_word_vectors(texts, rows, hashed_word_table(words, dim))
        return normalize(torch.from_numpy(means), dim=1)
    named = torch.tensor([bool(text.strip()) for text in texts])
    vectors = text_vectors(joint_names(view), kind, "mean tokens", ctx)
    return normalize(vectors * named.unsqueeze(1), dim=1)


def averaged_word_vectors(
    texts: Sequence[str], rows: Mapping[str, int], table: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean of the vectors of each text's words, [n_texts, dim]; zeros where none is known.

    Args:
        texts: Words are what blanks separate, as they are written.
        rows: Row of each known word; the others are left out of the mean.
        table: Word vectors of any dimension, [n_words, dim].
    """
    known = [[rows[word] for word in text.split() if word in rows] for text in texts]
    counts = np.array([len(words) for words in known], dtype=np.int64)
    incidence = _incidence(counts, [row for words in known for row in words], len(table))
    sums: NDArray[np.float32] = incidence @ table
    return np.asarray(sums / np.maximum(counts, 1)[:, None], dtype=np.float32)


def word_table(
    words: Sequence[str], word_file: str, wanted: str, ctx: RunContext
) -> NDArray[np.float32]:
    """Vectors of words from a file in GloVe's or fastText's text format, [max(1, n_words), dim].

    A word that the file lacks as it is written has the vector of its lower-case form (fastText's
    files are cased, GloVe's are not), or the mean of fixed random vectors of the letters of that
    form. Without a file every word is hashed. The log says what stands in for what was wanted, and
    its dimension.

    Args:
        words: Distinct.
        word_file: Path; "" hashes all words.
        wanted: What the method's authors used, for the log.
        ctx: Its log.

    Raises:
        UserError: If the file cannot be read.
    """
    if not word_file:
        ctx.log.simulated["word_vectors"] = f"hashed words stand in for {wanted}"
        return hashed_word_table(words, _HASHED_DIM)
    path = Path(word_file).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file of word vectors at {path}; name one, or none at all.")
    lower = [word.lower() for word in words]
    known = read_word_vectors(path, {*words, *lower})
    dim = len(next(iter(known.values()))) if known else _HASHED_DIM
    ctx.log.simulated["word_vectors"] = (
        f"word vectors of {dim} dimensions ({path.name}) stand in for {wanted}"
    )
    letters = sorted({letter for word in lower for letter in word})
    rows = {letter: row for row, letter in enumerate(letters)}
    spelt = [" ".join(word) for word in lower]
    table = averaged_word_vectors(spelt, rows, hashed_word_table(letters, dim))
    for row, forms in enumerate(zip(words, lower, strict=True)):
        table[row] = next((known[form] for form in forms if form in known), table[row])
    return table


def hashed_word_table(words: Sequence[str], dim: int) -> NDArray[np.float32]:
    """A fixed random vector of each word, from a hash of its letters, [max(1, n_words), dim].

    Keeps only the identity of words; components lie evenly in [-1, 1).
    """
    table = np.zeros((max(1, len(words)), dim), dtype=np.float32)
    for row, word in enumerate(words):
        digest = hashlib.shake_128(word.encode("utf-8", "surrogatepass")).digest(2 * dim)
        table[row] = np.frombuffer(digest, dtype=np.int16)
    return table / np.float32(2**15)


def ngram_counts(
    texts: Sequence[str], smallest: int = 2, largest: int = 3, n_columns: int = 2048
) -> csr_matrix:
    """Hashed counts of the character n-grams of each text's words, [n_texts, n_columns] float32.

    Words are marked at both ends, so that ``^a`` is another n-gram than ``a`` inside a word.

    Args:
        texts: As they are to be compared, in lower case for instance.
        smallest: Shortest n-gram in characters.
        largest: Longest n-gram in characters.
        n_columns: An n-gram counts in the column that its CRC-32 gives.
    """
    words = [text.split() for text in texts]
    rows = {word: row for row, word in enumerate(dict.fromkeys(w for each in words for w in each))}
    # Each distinct word is cut once; names share most of their words.
    cut = [_columns_of(word, smallest, largest, n_columns) for word in rows]
    sizes = np.array([len(columns) for columns in cut], dtype=np.int64)
    by_word = _incidence(sizes, [column for columns in cut for column in columns], n_columns)
    lengths = np.array([len(each) for each in words], dtype=np.int64)
    of_text = _incidence(lengths, [rows[word] for each in words for word in each], len(rows))
    counts: csr_matrix = of_text @ by_word
    return counts


def _columns_of(word: str, smallest: int, largest: int, n_columns: int) -> list[int]:
    marked = f"^{word}$"
    return [
        zlib.crc32(marked[start : start + size].encode("utf-8", "surrogatepass")) % n_columns
        for size in range(smallest, largest + 1)
        for start in range(len(marked) - size + 1)
    ]


def _incidence(lengths: NDArray[np.int64], columns: Sequence[int], n_columns: int) -> csr_matrix:
    """How often each column stands in each row, whose columns lie one row behind the other."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = (rows, np.array(columns, dtype=np.int64))
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, places), shape=(len(lengths), n_columns))

"""Names as weighted tokens, and the score of two names: their tokens' weights and likeness."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, identity
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.similarity import (
    DEFAULT_BLOCK_ROWS,
    ScoreBlock,
    ScoreMatrix,
    top_candidates,
)

IDENTITY = "identity"
"""In place of an encoder: a token is like itself alone."""

_TOKEN = re.compile(r"\w+")


def tokens_of(names: Sequence[str], text_encoder: str) -> list[list[str]]:
    """Words of each name: as written for a language model, which may tell cases apart.

    Args:
        names: Of one KG.
        text_encoder: ``IDENTITY`` takes words in lower case.
    """
    lowered = text_encoder == IDENTITY
    return [_TOKEN.findall(name.lower() if lowered else name) for name in names]


def weighted_tokens(tokens: Sequence[Sequence[str]]) -> tuple[csr_matrix, list[str]]:
    """TF-IDF of one KG's names, rows of unit length.

    A token weighs ``count * (1 + ln((1 + n) / (1 + names that have it)))``.

    Args:
        tokens: Of each name.

    Returns:
        [n_names, n_tokens] float64, and the tokens of the columns.
    """
    columns = {
        token: at for at, token in enumerate(dict.fromkeys(t for each in tokens for t in each))
    }
    rows, ids, counts = [], [], []
    for row, each in enumerate(tokens):
        for token, count in Counter(each).items():
            rows.append(row)
            ids.append(columns[token])
            counts.append(float(count))
    having = np.bincount(np.array(ids, dtype=np.int64), minlength=len(columns))
    rarity = 1 + np.log((1 + len(tokens)) / (1 + having))
    values = np.array(counts) * rarity[np.array(ids, dtype=np.int64)]
    shape = len(tokens), len(columns)
    lengths = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(tokens)))
    scaled = values / lengths[np.array(rows, dtype=np.int64)]
    return csr_matrix((scaled, (rows, ids)), shape=shape), list(columns)


def token_matches(
    source: Sequence[str], target: Sequence[str], encoder: str, ctx: RunContext
) -> csr_matrix:
    """Cosine of each source token and the target token that is most like it; zero elsewhere.

    Args:
        source: Distinct tokens.
        target: Distinct tokens.
        encoder: Of ``text_vectors``, by the mean of a token's own pieces in its first layer; or
            ``identity``, which the log calls simulated.
        ctx: Device, cache folder and log.

    Returns:
        [n_source_tokens, n_target_tokens].
    """
    shape = len(source), len(target)
    if encoder == IDENTITY:
        ctx.log.simulated["text_encoder"] = "equality of tokens stands in for a text encoder"
        at = {token: column for column, token in enumerate(target)}
        shared = [(row, at[token]) for row, token in enumerate(source) if token in at]
        cells = np.array(shared, dtype=np.int64).reshape(-1, 2).T
        return csr_matrix((np.ones(len(shared)), (cells[0], cells[1])), shape=shape)
    vectors = text_vectors([*source, *target], encoder, "mean layer 1", ctx)
    matrix = ScoreMatrix(vectors[: shape[0]], vectors[shape[0] :])
    best, columns = top_candidates(matrix, 1)
    rows = np.arange(shape[0])
    return csr_matrix((best[:, 0].double().numpy(), (rows, columns[:, 0].numpy())), shape=shape)


class NameScores:
    """``F C F'^T`` over names, scaled so that the smallest is 0 and the largest 1, in row blocks.

    Args:
        tokens: Of the source names and of the target names.
        encoder: As in ``token_matches``.
        ctx: Device and log.

    Raises:
        UserError: If no two names have anything in common.

    Reference: Ge et al. (EASY), SIGIR 2021, section on NEAP, as the released code computes it.
    """

    def __init__(
        self,
        tokens: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]],
        encoder: str,
        ctx: RunContext,
    ) -> None:
        (source, source_tokens), (target, target_tokens) = (
            weighted_tokens(each) for each in tokens
        )
        self.n_source, self.n_target = source.shape[0], target.shape[0]
        self.device, self.dtype = ctx.device, torch.float32
        self._source = source
        if source_tokens and target_tokens:
            self._source = source @ token_matches(source_tokens, target_tokens, encoder, ctx)
            self._target = target.T.tocsc()
        else:
            self._target = identity(source.shape[1], format="csc")[:, :0]
        lowest, highest = self._limits()
        if highest <= lowest:
            raise UserError(
                "No name of one KG has a word in common with a name of the other, so that EASY "
                "has nothing to start from. Choose a dataset with names in one language, or "
                "another token encoder."
            )
        self._lowest, self._range = lowest, highest - lowest

    def _products(self) -> Iterator[tuple[int, csr_matrix]]:
        for start in range(0, self.n_source, DEFAULT_BLOCK_ROWS):
            yield start, self._source[start : start + DEFAULT_BLOCK_ROWS] @ self._target

    def _limits(self) -> tuple[float, float]:
        if not self._target.shape[1]:
            return 0.0, 0.0
        blocks = [(product.min(), product.max()) for _, product in self._products()]
        return min(low for low, _ in blocks), max(high for _, high in blocks)

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row."""
        for start, product in self._products():
            scores: Tensor = torch.from_numpy(product.toarray()).float().to(self.device)
            scores.sub_(self._lowest).div_(self._range)
            yield ScoreBlock(start, start + len(scores), scores)

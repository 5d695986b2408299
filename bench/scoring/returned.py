"""Checks what a method's ``fit`` returned before anything is scored."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError, shown, unknown_name
from mmea_bench.methods.core.base import Alignment, Embeddings, Similarity
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.score_blocks import check_scores, check_vectors
from mmea_bench.methods.core.single_precision import HALF_PRECISION

_WANTED = (
    "Embeddings(source, target) with one row per entity of each KG, or PairScores(score_block, "
    "n_source, n_target)"
)


def checked(returned: object, sizes: tuple[int, int]) -> Alignment:
    """What was returned, with vectors in single precision, or in half as they came.

    Args:
        returned: Result of ``Method.fit``.
        sizes: Numbers of source and target entities.

    Raises:
        UserError: If it is nothing that can be scored; the text says what ``fit`` must return.
        DivergedError: If a vector, or a score of the first source entities, is not finite or so
            large that others would not be.
    """
    if isinstance(returned, PairScores):
        _check_pair_scores(returned, sizes)
        return returned
    if not isinstance(returned, Embeddings):
        raise UserError(f"fit returned {type(returned).__name__}; it must return {_WANTED}.")
    source, target = _vectors(returned.source, "source"), _vectors(returned.target, "target")
    _check_sizes((len(source), len(target)), sizes)
    if source.shape[1] != target.shape[1]:
        raise UserError(
            f"fit returned source vectors of {source.shape[1]} columns and target vectors of "
            f"{target.shape[1]}; both need the same, or they cannot be compared."
        )
    if source.device != target.device:
        raise UserError(
            f"fit returned source vectors on {source.device} and target vectors on "
            f"{target.device}; both must lie on one device."
        )
    known = get_args(Similarity)
    if returned.similarity not in known:
        raise UserError(unknown_name("similarity", str(returned.similarity), known))
    return replace(returned, source=source, target=target)


def _check_pair_scores(returned: PairScores, sizes: tuple[int, int]) -> None:
    _check_sizes((returned.n_source, returned.n_target), sizes)
    word = returned.similarity
    if not (isinstance(word, str) and word and word.isprintable() and " " not in word):
        raise UserError(
            f"The similarity of PairScores is {shown(word)}; it must be one word, such as "
            "'classifier'."
        )
    # Two rows, because a function that forgets its rows gives a shape that broadcasts from one.
    rows = torch.arange(min(2, sizes[0]), device=returned.device)
    with torch.no_grad():
        first = returned.score_block(rows)
    wanted = [len(rows), sizes[1]]
    if not isinstance(first, Tensor) or list(first.shape) != wanted or first.is_complex():
        found = list(first.shape) if isinstance(first, Tensor) else type(first).__name__
        raise UserError(
            f"score_block gave {found} for {len(rows)} source entities; it must give a tensor "
            f"{wanted} of real numbers, one score for every target entity."
        )
    check_scores(first)
    if not torch.allclose(returned.rows(rows), first.float(), rtol=1e-3, atol=1e-5):
        raise UserError(
            "score_block gave two different scores for one pair; ranks are counted in several "
            "passes and need equal ones. Switch dropout off (module.eval()) and draw nothing."
        )


def _vectors(vectors: object, side: str) -> Tensor:
    if not isinstance(vectors, Tensor) or vectors.ndim != 2:
        found = list(vectors.shape) if isinstance(vectors, Tensor) else shown(vectors)
        raise UserError(f"The {side} vectors must be a tensor [n_{side}, dim], not {found}.")
    if vectors.is_complex():
        raise UserError(f"The {side} vectors are complex numbers; return real ones.")
    dense = vectors.to_dense() if vectors.layout != torch.strided else vectors
    check_vectors(dense)
    # Half precision keeps its memory; ``score_blocks`` compares it in single precision.
    is_half = dense.dtype in HALF_PRECISION
    return dense.detach() if is_half else dense.detach().float()


def _check_sizes(found: tuple[int, int], sizes: tuple[int, int]) -> None:
    if found != sizes:
        raise UserError(
            f"fit returned rows for {found[0]:,} source and {found[1]:,} target entities; the KGs "
            f"have {sizes[0]:,} and {sizes[1]:,}. It must return {_WANTED}."
        )

"""Checks what a method's ``fit`` returned before anything is scored."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError, shown, unknown_name
from mmea_bench.methods.core.base import Alignment, DivergedError, Embeddings, Similarity
from mmea_bench.methods.core.pair_scores import PairScores

_WANTED = (
    "Embeddings(source, target) with one row per entity of each KG, or PairScores(score_block, "
    "n_source, n_target)"
)


def checked(returned: object, sizes: tuple[int, int]) -> Alignment:
    """What was returned, with vectors in single precision.

    Args:
        returned: Result of ``Method.fit``.
        sizes: Numbers of source and target entities.

    Raises:
        UserError: If it is nothing that can be scored; the text says what ``fit`` must return.
        DivergedError: If a vector is not finite.
    """
    if isinstance(returned, PairScores):
        _check_sizes((returned.n_source, returned.n_target), sizes)
        first = returned.rows(torch.arange(min(1, sizes[0])))
        if first.shape != (min(1, sizes[0]), sizes[1]):
            raise UserError(
                f"score_block gave scores of shape {list(first.shape)} for one source entity; it "
                f"must give [1, {sizes[1]}], one score for every target entity."
            )
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
    known = get_args(Similarity)
    if returned.similarity not in known:
        raise UserError(unknown_name("similarity", str(returned.similarity), known))
    return replace(returned, source=source, target=target)


def _vectors(vectors: object, side: str) -> Tensor:
    if not isinstance(vectors, Tensor) or vectors.ndim != 2:
        found = list(vectors.shape) if isinstance(vectors, Tensor) else shown(vectors)
        raise UserError(f"The {side} vectors must be a tensor [n_{side}, dim], not {found}.")
    if vectors.is_complex():
        raise UserError(f"The {side} vectors are complex numbers; return real ones.")
    # Half precision would round scores to a few digits, and ties would decide the ranks.
    dense = vectors.to_dense() if vectors.layout != torch.strided else vectors
    if not bool(torch.isfinite(dense).all()):
        raise DivergedError("the embeddings hold values that are not finite")
    return dense.detach().float()


def _check_sizes(found: tuple[int, int], sizes: tuple[int, int]) -> None:
    if found != sizes:
        raise UserError(
            f"fit returned rows for {found[0]:,} source and {found[1]:,} target entities; the KGs "
            f"have {sizes[0]:,} and {sizes[1]:,}. It must return {_WANTED}."
        )

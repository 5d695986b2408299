"""Exact ranks and metrics of anybody's own vectors, by the rules of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.bench.scoring.evaluate import (
    LinkRanks,
    RankingTask,
    TieRule,
    rank_links,
    ranking_task,
)
from mmea_bench.bench.scoring.metrics import by_direction
from mmea_bench.datasets.core.errors import UserError, shown, unknown_name
from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.base import DivergedError, Embeddings, Similarity

Candidates = Literal["test", "unseeded", "all"]
Vectors = Tensor | NDArray[Any]
Links = Tensor | NDArray[Any] | Sequence[Sequence[int]]

_INTEGERS = "iu"
_NUMBERS = "fiu"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What ``evaluate`` found.

    Attributes:
        metrics: Direction (``src2tgt``, ``tgt2src``, ``mean``) to metric (``hits@1``, ``mrr``,
            ``mean_rank``, ...) to value; Hits@k and MRR are fractions.
        ranks: Rank of each link's true partner in both directions, [n_links] each, in the order of
            the links, counted from 1; a tie may give halves.
        n_candidates: Number of source and of target candidates.
    """

    metrics: Mapping[str, Mapping[str, float]]
    ranks: LinkRanks
    n_candidates: tuple[int, int]

    def __getitem__(self, metric: str) -> float:
        """A metric of the direction from source to target, as papers print it."""
        return self.metrics["src2tgt"][metric]


def evaluate(  # noqa: PLR0913 - every rule of the protocol is the caller's to choose
    source_vectors: Vectors,
    target_vectors: Vectors,
    links: Links,
    *,
    similarity: Similarity = "cosine",
    csls: int = 0,
    ks: Sequence[int] = (1, 10),
    candidates: Candidates = "test",
    seed_links: Links | None = None,
    known_links: Links | None = None,
    ties: TieRule = "realistic",
) -> Evaluation:
    """Exact ranks of the true partners by vectors of your own, and their metrics.

    The code is the one that scores every method of the benchmark: no full matrix of scores is
    held, a tie never wins, and another true partner of an entity is not counted against a link.

    Args:
        source_vectors: Vector of each source entity, [n_source, dim]; NumPy or torch, any device.
        target_vectors: Vector of each target entity, [n_target, dim].
        links: True pairs to rank as (source row, target row), [n_links, 2], integers.
        similarity: ``cosine``, ``abs-cosine``, ``inner``, or negated ``manhattan`` or
            ``euclidean`` distance.
        csls: Neighbours of cross-domain similarity local scaling; 0 is the plain similarity.
        ks: Which Hits@k.
        candidates: ``test`` ranks among the entities of ``links``, as the papers do; ``unseeded``
            among all entities that stand in no seed link; ``all`` among all.
        seed_links: Links that the vectors were trained on, [n_seeds, 2]; needed for ``unseeded``.
        known_links: Every true pair that is known, [n, 2]; None takes ``links`` and ``seed_links``.
        ties: Rank among equal scores: ``realistic`` (mean of best and worst), ``optimistic`` or
            ``pessimistic``.

    Raises:
        UserError: If shapes, types or ranges do not fit, a vector is not finite, a link is named
            twice, or a rule does not exist.
    """
    _check_rules(similarity, csls, ks, candidates, ties)
    source, target = _both(source_vectors, target_vectors)
    sizes = (len(source), len(target))
    ranked, seeds = _links("links", links, sizes), _links("seed_links", seed_links, sizes)
    if not len(ranked):
        raise UserError("links is empty; there is nothing to rank.")
    known = np.concatenate([ranked, seeds, _links("known_links", known_links, sizes)])
    task = _task(ranked, distinct_rows(known), sizes, candidates, seeds)
    try:
        ranks = rank_links(Embeddings(source, target, similarity), task, (csls,), ties)[csls]
    except DivergedError as error:
        raise UserError(f"These vectors cannot be compared: {error}.") from error
    return Evaluation(by_direction(ranks.src2tgt, ranks.tgt2src, ks), ranks, _n_candidates(task))


def _check_rules(similarity: str, csls: int, ks: Sequence[int], candidates: str, ties: str) -> None:
    for kind, given, known in (
        ("similarity", similarity, get_args(Similarity)),
        ("candidates", candidates, get_args(Candidates)),
        ("tie rule", ties, get_args(TieRule)),
    ):
        if given not in known:
            raise UserError(unknown_name(kind, str(given), known))
    if not isinstance(csls, int) or csls < 0:
        raise UserError(f"csls takes a number of neighbours from 0 on, not {shown(csls)}.")
    if not isinstance(ks, Sequence) or not ks or any(not isinstance(k, int) or k < 1 for k in ks):
        raise UserError(f"ks takes numbers from 1 on, such as (1, 10), not {shown(str(ks))}.")


def _both(source_vectors: Vectors, target_vectors: Vectors) -> tuple[Tensor, Tensor]:
    source, target = _vectors("source", source_vectors), _vectors("target", target_vectors)
    if source.shape[1] != target.shape[1]:
        raise UserError(
            f"Source vectors have {source.shape[1]} columns and target vectors {target.shape[1]}; "
            "both need the same."
        )
    return source, target


def _n_candidates(task: RankingTask) -> tuple[int, int]:
    sources, targets = (len(np.unique(task.links[:, side])) for side in (0, 1))
    return sources + len(task.other_source), targets + len(task.other_target)


def _vectors(side: str, given: Vectors) -> Tensor:
    """Checked vectors in single precision, or half precision as they came."""
    array = given.detach() if isinstance(given, Tensor) else _array(f"The {side} vectors", given)
    if isinstance(array, Tensor) and array.layout != torch.strided:
        raise UserError(f"The {side} vectors are sparse; give them as `vectors.to_dense()`.")
    if array.ndim != 2 or not len(array):
        raise UserError(
            f"The {side} vectors need the shape [n_{side}, dim], not {tuple(array.shape)}."
        )
    if isinstance(array, Tensor):
        is_number = not (array.is_complex() or array.dtype == torch.bool)
    else:
        is_number = array.dtype.kind in _NUMBERS
    if not is_number:
        raise UserError(f"The {side} vectors need numbers, not {array.dtype}.")
    if isinstance(array, Tensor):
        halves = (torch.float16, torch.bfloat16)
        return array if array.dtype in halves else array.float()
    return torch.from_numpy(np.array(array, dtype=np.float32))  # a copy: it may be read-only


def _array(what: str, given: object) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (ValueError, TypeError):
        raise UserError(f"{what} need rows of equal length, as an array has them.") from None


def _links(name: str, given: Links | None, sizes: tuple[int, int]) -> NDArray[np.int64]:
    """Checked links, [n, 2]; none where none are given."""
    if given is None:
        return np.empty((0, 2), dtype=np.int64)
    array = given.detach().cpu().numpy() if isinstance(given, Tensor) else _array(name, given)
    if array.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise UserError(
            f"{name} needs the shape [n, 2] (source row, target row), not {array.shape}."
        )
    if array.dtype.kind not in _INTEGERS:
        raise UserError(f"{name} needs integers (rows of the vectors), not {array.dtype}.")
    for column, (side, size) in enumerate(zip(("source", "target"), sizes, strict=True)):
        low, high = int(array[:, column].min()), int(array[:, column].max())
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise UserError(
                f"{name} names {side} row {wrong}; there are {size} {side} vectors, rows 0 to "
                f"{size - 1}."
            )
    if len(distinct_rows(array)) < len(array):
        raise UserError(f"{name} names a pair twice; give each pair once.")
    return array.astype(np.int64)


def _task(
    links: NDArray[np.int64],
    known: NDArray[np.int64],
    sizes: tuple[int, int],
    candidates: Candidates,
    seeds: NDArray[np.int64],
) -> RankingTask:
    if candidates == "test":
        return ranking_task(links, known)
    if candidates == "all":
        return ranking_task(links, known, sizes)
    if not len(seeds):
        raise UserError("candidates='unseeded' needs seed_links, whose entities are left out.")
    return ranking_task(links, known, sizes, seeds)

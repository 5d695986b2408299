"""Relations (attributes) of both KGs whose names nearly agree: soft alignment of predicates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.similarity import mutual_nearest


@dataclass(frozen=True, eq=False)
class AlignedPredicates:
    """Pairs of predicates and how alike they are.

    Attributes:
        pairs: (source, target) ids, [n, 2] int64.
        name_similarity: Levenshtein ratio of their names, [n].
        similarity: Current similarity, [n].
    """

    pairs: Tensor
    name_similarity: Tensor
    similarity: Tensor

    def updated(
        self, source: Tensor, target: Tensor, name_weight: float, threshold: float
    ) -> AlignedPredicates:
        """The similarities once vectors agree or do not.

        A pair that is also mutually nearest by its vectors gets ``name_weight * name + (1 -
        name_weight) * cosine``, and is left out where that is at most the threshold. Other pairs
        keep the similarity of their names.

        Args:
            source: Vectors of the source KG's predicates, [n_source, dim].
            target: Of the target KG's, [n_target, dim].
            name_weight: Of the names; 0.7 in the released code.
            threshold: 0.85 there.
        """
        source, target = normalize(source, dim=1), normalize(target, dim=1)
        nearest = mutual_nearest(source, target).cpu()
        width = len(target)
        is_nearest = torch.isin(
            self.pairs[:, 0] * width + self.pairs[:, 1], nearest[:, 0] * width + nearest[:, 1]
        )
        rows, columns = self.pairs.to(source.device).T
        cosines = (source[rows] * target[columns]).sum(dim=1).cpu()
        mixed = name_weight * self.name_similarity + (1 - name_weight) * cosines
        similarity = torch.where(is_nearest, mixed, self.name_similarity)
        kept = similarity > threshold
        return AlignedPredicates(self.pairs[kept], self.name_similarity[kept], similarity[kept])


def local_name(uri: str) -> str:
    """What follows the last ``/`` or ``#``, in lower case; underscores are blanks."""
    return re.split(r"[/#]", uri.rstrip("/#>"))[-1].replace("_", " ").lower()


def aligned_by_name(
    source: Sequence[str], target: Sequence[str], threshold: float
) -> AlignedPredicates:
    """Pairs that are each other's best Levenshtein ratio, where it is above a threshold.

    Of equally good partners the first counts.

    Args:
        source: Names of the source KG's predicates.
        target: Of the target KG's.
        threshold: Not below one half.
    """
    bags = _letter_counts([*source, *target])
    of_source, of_target = bags[: len(source)], bags[len(source) :]
    lengths = of_target.sum(axis=1)
    best_of_row: dict[int, tuple[float, int]] = {}
    best_of_column: dict[int, tuple[float, int]] = {}
    for row, bag in enumerate(of_source):
        # No more letters can agree than both names hold.
        bound = 2 * np.minimum(bag, of_target).sum(axis=1) / np.maximum(bag.sum() + lengths, 1)
        for column in np.nonzero(bound > threshold)[0].tolist():
            ratio = levenshtein_ratio(source[row], target[column])
            if ratio > best_of_row.get(row, (threshold, 0))[0]:
                best_of_row[row] = (ratio, column)
            if ratio > best_of_column.get(column, (threshold, 0))[0]:
                best_of_column[column] = (ratio, row)
    found = [
        (row, column, ratio)
        for row, (ratio, column) in best_of_row.items()
        if best_of_column[column][1] == row
    ]
    pairs = torch.tensor([pair[:2] for pair in found], dtype=torch.int64).reshape(-1, 2)
    ratios = torch.tensor([pair[2] for pair in found], dtype=torch.float32)
    return AlignedPredicates(pairs, ratios, ratios)


def levenshtein_ratio(first: str, second: str) -> float:
    """``(l - d) / l`` of the summed lengths ``l`` and the edit distance ``d``.

    An exchanged letter counts as one that goes and one that comes, so that the ratio is twice the
    longest common subsequence through ``l``, as the usual library has it.
    """
    if first == second:
        return 1.0
    row = [0] * (len(second) + 1)
    for letter in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = diagonal + 1 if letter == other else max(above, row[place - 1])
            diagonal = above
    return 2 * row[-1] / (len(first) + len(second))


def value_weights(
    aligned: AlignedPredicates, n_source: int, n_target: int, alone: float, threshold: float
) -> Tensor:
    """Weight of each attribute's triples, source attributes first, [n_source + n_target].

    ``1 - (1 - s) * 0.5 / (1 - threshold)`` of an attribute with a counterpart.

    Args:
        aligned: Attributes with a counterpart.
        n_source: Attributes of the source KG.
        n_target: Of the target KG.
        alone: Weight of the others; 0.2 in the released code.
        threshold: 0.85 there.
    """
    weights = torch.full((n_source + n_target,), alone)
    of_pairs = 1 - (1 - aligned.similarity) * 0.5 / (1 - threshold)
    weights[aligned.pairs[:, 0]] = of_pairs
    weights[aligned.pairs[:, 1] + n_source] = of_pairs
    return weights


def _letter_counts(names: Sequence[str]) -> NDArray[np.int16]:
    columns = {letter: place for place, letter in enumerate(sorted(set("".join(names))))}
    counts = np.zeros((len(names), max(1, len(columns))), dtype=np.int16)
    for row, name in enumerate(names):
        for letter in name:
            counts[row, columns[letter]] += 1
    return counts

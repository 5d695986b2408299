"""How similar, modality by modality, an entity is to the counterparts that a method predicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mmea_bench.bench.scoring.evaluate import Ids, Scored
from mmea_bench.methods.core.base import Alignment, DivergedError, Embeddings
from mmea_bench.methods.core.score_blocks import check_vectors
from mmea_bench.methods.core.similarity import ScoreBlocks, ScoreMatrix
from mmea_bench.results.core.schema import is_word

JOINT = "joint"
N_COUNTERPARTS = 10
NO_WORD = "a modality's name must be a word of printable letters"


def counterpart_cosines(scored: Scored, links: Ids) -> dict[str, list[float]]:
    """Mean cosine of the test entities to their first ten predicted counterparts.

    Each set of vectors predicts for itself: the ten nearest candidates of an entity are the ones
    that lie nearest by that modality (Figure 3 of MCLEA, COLING 2022).

    Args:
        scored: What the method returned; scores of pairs have no joint vectors.
        links: Test links, [n_links, 2]; candidates are their targets.

    Returns:
        Modality (and ``joint``) to the mean cosine at rank 1, 2, ... 10; fewer for few candidates.
        Empty if the method exposes no vectors by modality; without those that cannot be compared,
        of which ``counterpart_notes`` tells.
    """
    return {name: _mean_top(scores) for name, scores in _cosines(scored, links)}


def counterpart_notes(alignment: Alignment) -> tuple[str, ...]:
    """A sentence on each modality whose vectors cannot be compared.

    They are for analyses alone, so a cell keeps its other numbers.
    """
    faults = {name: _fault(alignment, name) for name in alignment.by_modality}
    return tuple(f"no cosines of {name}: {fault}" for name, fault in faults.items() if fault)


def _fault(alignment: Alignment, modality: str) -> str:
    """Why the vectors of a modality cannot be compared; "" where they can."""
    if isinstance(alignment, Embeddings):
        sizes = len(alignment.source), len(alignment.target)
    else:
        sizes = alignment.n_source, alignment.n_target
    if not is_word(modality):
        return NO_WORD
    source, target = alignment.by_modality[modality]
    shapes = tuple(source.shape), tuple(target.shape)
    if shapes != tuple((n, *source.shape[-1:]) for n in sizes):
        return f"its vectors {shapes[0]} and {shapes[1]} are not one row for each entity"
    try:
        for vectors in (source, target):
            check_vectors(vectors)
    except DivergedError as error:
        return str(error)
    return ""


def _cosines(scored: Scored, links: Ids) -> Iterator[tuple[str, ScoreBlocks]]:
    """Cosines of the links' sources with their targets, one set of vectors after the other."""
    alignment = scored.alignment
    if not alignment.by_modality:
        return
    sources, targets = (
        torch.from_numpy(np.unique(links[:, side]).astype(np.int64)) for side in (0, 1)
    )

    def cosines(source: Tensor, target: Tensor) -> ScoreBlocks:
        return ScoreMatrix(source[sources.to(source.device)], target[targets.to(target.device)])

    for name, vectors in alignment.by_modality.items():
        if not _fault(alignment, name):
            yield name, cosines(*vectors)
    if isinstance(alignment, Embeddings):
        same_pairs = scored.shape == (len(sources), len(targets))
        is_ranked = alignment.similarity == "cosine" and same_pairs
        yield JOINT, scored.blocks if is_ranked else cosines(alignment.source, alignment.target)


def _mean_top(scores: ScoreBlocks) -> list[float]:
    size = min(N_COUNTERPARTS, scores.n_target)
    total = torch.zeros(size, dtype=torch.float64)
    for block in scores:
        total += block.scores.topk(size, dim=1).values.double().sum(dim=0).cpu()
    # Rounding can push the cosine of equal vectors past 1.
    return [float(value) for value in (total / scores.n_source).clamp(-1.0, 1.0)]

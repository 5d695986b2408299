"""Entity alignment scored among the candidates of an index: for very many test links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mmea_bench.bench.scoring.approximate.lists import Lists, Sides, candidate_lists, recall_of
from mmea_bench.bench.scoring.approximate.options import Approximate, parse_ranking
from mmea_bench.bench.scoring.approximate.ranks import Asked, neighbourhood_means, ranks_among
from mmea_bench.bench.scoring.decoders import Decoding
from mmea_bench.bench.scoring.evaluate import Layout, LinkRanks, RankingTask, Scored
from mmea_bench.bench.scoring.metrics import by_direction, certain_notes
from mmea_bench.bench.scoring.protocol import EXACT, Protocol
from mmea_bench.bench.scoring.scorers import (
    FinalScores,
    Number,
    RankingScorer,
)
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Alignment, Embeddings
from mmea_bench.methods.core.similarity import mean_in_order

SAMPLED = 1000
"""Test entities of each side whose exact candidates are computed, to tell the recall."""
_SEED = 0


def scorer_kind(protocol: Protocol) -> type[RankingScorer]:
    """What ranks links under a protocol."""
    return RankingScorer if protocol.ranking == EXACT else ApproximateScorer


class ApproximateScorer(RankingScorer):
    """Ranks among the candidates of an index; its numbers say so in their word ``candidates``.

    What reads all scores is left out: decoders other than CSLS, counterparts of single modalities,
    and, with a note, entities without a partner.
    """

    def _words(self, csls_size: int, **further: object) -> Mapping[str, object]:
        words = super()._words(csls_size, **further)
        return {**words, "candidates": f"{words['candidates']}-{self._protocol.ranking}"}

    def _curve_ranks(
        self, alignment: Alignment, task: RankingTask, sizes: tuple[int, ...]
    ) -> Mapping[int, LinkRanks]:
        looked_up = self._looked_up(alignment, Layout(task))
        return {size: looked_up.ranks(size, self._protocol.tie_rule) for size in sizes}

    def final(self, alignment: Alignment) -> FinalScores:
        """All metrics of the test links for every CSLS size, and the recall of the candidates."""
        numbers: list[Number] = []
        notes: list[str] = []
        for candidates, task in {"": self._tasks["test"], **self._further}.items():
            scored = Scored(alignment, task)
            looked_up = self._looked_up(alignment, scored.layout)
            further = {"candidates": candidates} if candidates else {}
            numbers += self._of(looked_up, scored, self._sizes, **further)
            notes.append(f"{candidates or self._protocol.candidate_sets[0]}: {looked_up.note}")
            notes += [] if candidates else certain_notes(*scored.shape)
        if self._published is not None:
            numbers += self._as_published(Scored(alignment, self._tasks["test"]))
        if self._dangling is not None:
            notes.append("entities without a partner are judged under exact ranking only")
        return FinalScores(tuple(numbers), tuple(notes))

    def _looked_up(self, alignment: Alignment, layout: Layout) -> LookedUp:
        ranking = parse_ranking(self._protocol.ranking)
        if not isinstance(alignment, Embeddings) or alignment.similarity == "abs-cosine":
            raise UserError(
                f"Approximate ranking is of vectors under cosine, inner product or a distance, not "
                f"of {alignment.similarity}; rank exactly."
            )
        assert ranking is not None  # noqa: S101 - the kind of scorer was chosen by it
        return LookedUp(alignment, layout, ranking)

    def _ranked(
        self, scored: Scored, sizes: tuple[int, ...], **further: object
    ) -> Iterator[Number]:
        looked_up = self._looked_up(scored.alignment, scored.layout)
        return self._of(looked_up, scored, sizes, **further)

    def _of(
        self, looked_up: LookedUp, scored: Scored, sizes: tuple[int, ...], **further: object
    ) -> Iterator[Number]:
        for size in sizes:
            found = looked_up.ranks(size, self._protocol.tie_rule)
            words = self._words(size, similarity=scored.alignment.similarity, **further)
            for direction, values in by_direction(found.src2tgt, found.tgt2src).items():
                for metric, value in values.items():
                    yield Number(words, metric, direction, value, scored.layout.n_links)

    def _decoded(
        self,
        scored: Scored,  # noqa: ARG002
        decoder: Decoding,  # noqa: ARG002
        **further: object,  # noqa: ARG002
    ) -> Iterator[Number]:
        """Nothing: a decoder reads all scores."""
        return iter(())


class LookedUp:
    """Candidates in both directions, and what is made of them.

    Args:
        found: Vectors of all entities.
        layout: Links and candidates.
        ranking: How candidates are looked up.
    """

    def __init__(self, found: Embeddings, layout: Layout, ranking: Approximate) -> None:
        ids = [torch.from_numpy(part) for part in (layout.sources, layout.targets)]
        self._sides = Sides.of(found, *ids)
        self._layout = layout
        self._to_target = candidate_lists(self._sides, ranking)
        self._to_source = candidate_lists(self._sides.turned, ranking)
        self._ranking = ranking
        self._parts = Sides.of_parts(found, *ids)

    def ranks(self, csls_size: int, tie_rule: str) -> LinkRanks:
        """Ranks of all links in both directions."""
        forward, backward = self._asked
        of_rows = of_columns = None
        if csls_size:
            rows, columns = (
                mean_in_order([neighbourhood_means(lists, csls_size) for lists in of_parts])
                for of_parts in self._neighbours
            )
            of_rows, of_columns = (rows, columns), (columns, rows)
        n_rows, n_columns = len(self._layout.sources), len(self._layout.targets)
        return LinkRanks(
            ranks_among(forward, self._to_target, of_rows, tie_rule, n_columns),
            ranks_among(backward, self._to_source, of_columns, tie_rule, n_rows),
        )

    @cached_property
    def _neighbours(self) -> tuple[list[Lists], list[Lists]]:
        """Lists of neighbours for CSLS, both ways: of each part where vectors have some."""
        if not self._parts:
            return [self._to_target], [self._to_source]
        sides = self._parts, [part.turned for part in self._parts]
        forward, backward = (
            [candidate_lists(part, self._ranking) for part in way] for way in sides
        )
        return forward, backward

    @cached_property
    def _asked(self) -> tuple[Asked, Asked]:
        layout = self._layout
        forward, backward = (layout.rivals[way] for way in ("src2tgt", "tgt2src"))
        return (
            Asked(layout.rows, layout.columns, forward[:, [0, 2]]),
            Asked(layout.columns, layout.rows, backward[:, [0, 1]]),
        )

    @property
    def note(self) -> str:
        """What the candidates are worth, in a sentence."""
        forward, backward = self._asked
        told = []
        for asked, lists, sides, words in (
            (forward, self._to_target, self._sides, "source to target"),
            (backward, self._to_source, self._sides.turned, "target to source"),
        ):
            sampled = _sample(asked.rows)
            of_all, of_best = recall_of(lists, sides, sampled)
            told.append(f"{words} {of_all:.4f} and {of_best:.4f}")
        k = max(lists.columns.shape[1] for lists in (self._to_target, self._to_source))
        n_sampled = len(_sample(forward.rows))
        return (
            f"share of the exact best {k}, and of the exact best one, among the approximate "
            f"candidates of {n_sampled} test entities each way: {', '.join(told)}; partners that "
            "are no candidates have the last rank"
        )


def _sample(rows: Tensor) -> Tensor:
    entities = np.unique(rows.numpy())
    chosen = np.random.default_rng(_SEED).permutation(entities)[:SAMPLED]
    return torch.from_numpy(np.sort(chosen))

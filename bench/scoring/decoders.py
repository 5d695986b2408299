"""Decoders: what turns the scores of a method into ranks or into a one-to-one matching.

A decoder is addressed as datasets are: ``sinkhorn[sweeps=5,temperature=0.05]``. ``none`` and
``csls`` leave links ranked by (rescaled) scores, ``csls_again`` and ``sinkhorn`` rank them by new
ones; ``hungarian``, ``stable`` and ``mutual`` predict pairs, which have no ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mmea_bench.bench.scoring.evaluate import Layout, Scored, TieRule, rank_in
from mmea_bench.bench.scoring.matching import (
    LARGEST_DENSE_CELLS,
    Pairs,
    mutual_pairs,
    optimal_pairs,
    optimal_pairs_among,
    stable_pairs,
)
from mmea_bench.bench.scoring.metrics import by_direction
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.options import (
    build_options,
    changed_options,
    format_address,
    parse_address,
)
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.similarity import CslsBlocks, ScoreBlocks
from mmea_bench.methods.core.sinkhorn import SinkhornAmong, SinkhornBlocks, check_temperature

_SHUFFLE_SEED = 0

Measured = Mapping[tuple[str, str], tuple[float, int]]
"""(direction, metric) to value and number of links behind it."""


@dataclass(frozen=True)
class NoDecoder:
    """Links are ranked by the scores as they are."""

    @property
    def csls_size(self) -> int:
        """Neighbourhood size of the ranking."""
        return 0


@dataclass(frozen=True)
class Csls:
    """Links are ranked by scores that CSLS has rescaled.

    Attributes:
        k: Neighbourhood size.

    Reference: Conneau et al. 2017, arXiv:1710.04087.
    """

    k: int = 3

    def __post_init__(self) -> None:
        _at_least("k", self.k, 1)

    @property
    def csls_size(self) -> int:
        """Neighbourhood size of the ranking."""
        return self.k


@dataclass(frozen=True)
class Decoding:
    """What is made of all scores of a method, which CSLS may rescale before.

    Attributes:
        csls: Neighbourhood size of that rescaling; 0 is none.
    """

    csls: int = 0

    def __post_init__(self) -> None:
        _at_least("csls", self.csls, 0)

    def measured(self, scored: Scored, tie_rule: TieRule) -> Measured:
        """The numbers of a cell."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rescored(Decoding):
    """A decoder that makes new scores of those of a method and ranks links by them."""

    def plan(self, scores: ScoreBlocks) -> ScoreBlocks:
        """The new scores, of scores that were rescaled already."""
        raise NotImplementedError

    def measured(self, scored: Scored, tie_rule: TieRule) -> Measured:
        """Metrics of ranks in both directions and their mean."""
        layout = scored.layout
        plan = self.plan(rescaled(scored.blocks, self.csls))
        ranks = rank_in(plan, layout, (0,), tie_rule)[0]
        return {
            (direction, metric): (value, layout.n_links)
            for direction, values in by_direction(ranks.src2tgt, ranks.tgt2src).items()
            for metric, value in values.items()
        }


@dataclass(frozen=True)
class CslsAgain(Rescored):
    """Links are ranked by scores that CSLS has rescaled once more, as PMF's release does.

    Attributes:
        k: Neighbourhood size of the second rescaling.
    """

    k: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least("k", self.k, 1)

    def plan(self, scores: ScoreBlocks) -> ScoreBlocks:
        """The scores, rescaled by their own neighbourhoods."""
        return CslsBlocks(scores, self.k)


@dataclass(frozen=True)
class Sinkhorn(Rescored):
    """Links are ranked by the transport plan of the scores.

    Attributes:
        temperature: What scores are divided by; the smaller, the harder the assignment.
        sweeps: Normalisations of all rows and then all columns.
        candidates: Best targets of a source that the plan is made of, 0 for all; the others have
            the last rank.
    """

    temperature: float = 0.02
    sweeps: int = 10
    candidates: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.temperature < math.inf:
            raise ValueError("temperature must be above 0, and finite")
        check_temperature(self.temperature)
        _at_least("sweeps", self.sweeps, 1)
        _at_least("candidates", self.candidates, 0)

    def plan(self, scores: ScoreBlocks) -> ScoreBlocks:
        """Logarithm of the plan."""
        if self.candidates:
            return SinkhornAmong(scores, self.candidates, self.temperature, self.sweeps)
        return SinkhornBlocks(scores, self.temperature, self.sweeps)


@dataclass(frozen=True)
class OneToOne(Decoding):
    """A decoder that predicts pairs in which no entity stands twice."""

    def pairs(self, blocks: ScoreBlocks) -> Pairs:
        """Predicted (row, column) pairs, [n, 2]."""
        raise NotImplementedError

    def measured(self, scored: Scored, tie_rule: TieRule) -> Measured:  # noqa: ARG002
        """Precision, recall, F1 and Hits@1 of the predicted pairs.

        Candidates are shuffled first. A layout has the true pairs on its diagonal, and what decides
        between equal scores by position would give all of them to scores that are constant.
        """
        alignment, layout = scored.alignment, scored.layout
        shuffle = np.random.default_rng(_SHUFFLE_SEED)
        rows, columns = (shuffle.permutation(len(ids)) for ids in (layout.sources, layout.targets))
        plain = score_blocks(alignment, layout.sources[rows], layout.targets[columns])
        pairs = self.pairs(rescaled(plain, self.csls))
        return pair_numbers(np.stack([rows[pairs[:, 0]], columns[pairs[:, 1]]], axis=1), layout)


@dataclass(frozen=True)
class Hungarian(OneToOne):
    """The matching with the largest sum of scores.

    Attributes:
        candidates: Best targets of a source that it may be matched with; 0 is all of them, or
            ``LARGE_CANDIDATES`` where all scores at once would take more than 2 GiB.
    """

    LARGE_CANDIDATES: ClassVar[int] = 100
    candidates: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least("candidates", self.candidates, 0)

    def fitted(self, n_rows: int, n_columns: int) -> Hungarian:
        """The decoder as it runs on so many rows and columns."""
        if self.candidates or n_rows * n_columns <= LARGEST_DENSE_CELLS:
            return self
        return Hungarian(self.csls, self.LARGE_CANDIDATES)

    def pairs(self, blocks: ScoreBlocks) -> Pairs:
        """Predicted (row, column) pairs, [n, 2]."""
        chosen = self.fitted(blocks.n_source, blocks.n_target)
        if chosen.candidates:
            return optimal_pairs_among(blocks, chosen.candidates)
        return optimal_pairs(blocks)


@dataclass(frozen=True)
class Stable(OneToOne):
    """The matching in which no two entities prefer each other to their partners."""

    def pairs(self, blocks: ScoreBlocks) -> Pairs:
        """Predicted (row, column) pairs, [n, 2]."""
        return stable_pairs(blocks)


@dataclass(frozen=True)
class Mutual(OneToOne):
    """Entities that are each other's nearest neighbour; the others get no partner."""

    def pairs(self, blocks: ScoreBlocks) -> Pairs:
        """Predicted (row, column) pairs, [n, 2]."""
        return mutual_pairs(blocks)


Decoder = NoDecoder | Csls | Decoding
DECODERS: Mapping[str, type[Decoder]] = MappingProxyType(
    {
        "none": NoDecoder,
        "csls": Csls,
        "csls_again": CslsAgain,
        "sinkhorn": Sinkhorn,
        "hungarian": Hungarian,
        "stable": Stable,
        "mutual": Mutual,
    }
)


def parse_decoder(address: str) -> Decoder:
    """The decoder behind an address.

    Raises:
        UserError: If there is no such decoder, or a parameter does not fit.
    """
    name, options = parse_address(address)
    if name not in DECODERS:
        raise UserError(unknown_name("decoder", name, DECODERS, "bench list decoders"))
    return build_options(f"parameter of decoder {name}", DECODERS[name], options)


def decoder_address(decoder: Decoder) -> str:
    """Canonical address; parameters at their defaults are left out."""
    name = next(name for name, kind in DECODERS.items() if type(decoder) is kind)
    return format_address(name, changed_options(decoder))


def rescaled(blocks: ScoreBlocks, csls_size: int) -> ScoreBlocks:
    """The scores, rescaled by CSLS where a size is given."""
    return CslsBlocks(blocks, csls_size) if csls_size else blocks


def pair_numbers(pairs: Pairs, layout: Layout) -> Measured:
    """How good predicted pairs are.

    A predicted pair that is a known link, but no test link, is neither right nor wrong: a second
    partner, or a validation link among the candidates.

    Args:
        pairs: Predicted (row, column) pairs, [n, 2].
        layout: Which cells are test links, and which are other known links.

    Returns:
        Precision (of the pairs predicted for candidates), recall (of the test links) and F1, each
        with the number of test links; Hits@1 is the share of the test sources whose predicted
        partner is that of a test link, so that there a second partner is a miss.
    """
    links = set(zip(layout.rows.tolist(), layout.columns.tolist(), strict=True))
    others = layout.other_cells()
    predicted = [(row, column) for row, column in pairs.tolist() if (row, column) not in others]
    asked = np.unique(layout.rows.numpy())
    n_right = len(links.intersection(predicted))
    precision = n_right / len(predicted) if predicted else 0.0
    recall = n_right / len(links)
    f1 = 2 * precision * recall / (precision + recall) if n_right else 0.0
    n = len(links)
    return {
        ("pairs", "precision"): (precision, n),
        ("pairs", "recall"): (recall, n),
        ("pairs", "f1"): (f1, n),
        ("pairs", "hits@1"): (n_right / len(asked), len(asked)),
    }


def _at_least(name: str, value: int, smallest: int) -> None:
    if value < smallest:
        raise ValueError(f"{name} must be {smallest} or more")

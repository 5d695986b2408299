"""Values of a suite that are fine one by one and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mmea_bench.bench.scoring.approximate.options import parse_ranking
from mmea_bench.bench.scoring.protocol import EXACT, Protocol
from mmea_bench.methods.core.base import Method

MOST_CELLS = 100_000
"""Planning as many takes some seconds; each is a process and a record of its own."""


def contradictions(
    protocol: Protocol,
    seed_ratios: Sequence[float],
    partitions: int,
    types: Mapping[str, type[Method]],
) -> list[str]:
    """What cannot be run of a suite whose values are right one by one.

    Args:
        protocol: Its rules of scoring.
        seed_ratios: Shares of the anchor links that are seeds.
        partitions: Parts of the KGs.
        types: Methods by name.
    """
    partitioned = (
        ["Scores of partitions are ranked exactly; leave out `partitions` or `ranking`."]
        if partitions > 1 and protocol.ranking != EXACT
        else []
    )
    if partitions > 1 and 0.0 in seed_ratios:
        partitioned.append("Seed links keep partitions together; leave out the seed ratio of 0.")
    untested = _without_test_links(protocol, seed_ratios)
    return [*partitioned, *untested, *_few_candidates(protocol, types)]


def too_many(n_cells: int) -> list[str]:
    """What is wrong with the size of a suite, if anything is."""
    if n_cells <= MOST_CELLS:
        return []
    return [
        f"This suite has {n_cells:,} cells, more than {MOST_CELLS:,}. Split it, or "
        "shorten its `grid`, `seed_ratios` or `repeats`."
    ]


def _without_test_links(protocol: Protocol, seed_ratios: Sequence[float]) -> Iterator[str]:
    share = protocol.valid_share
    if protocol.valid_from == "others":
        for ratio in seed_ratios:
            if ratio + share >= 1.0:
                yield (
                    f"`seed_ratios` of {ratio:g} and a `valid_share` of {share:g} of all links "
                    "leave none to test. Make one of them smaller."
                )


def _few_candidates(protocol: Protocol, types: Mapping[str, type[Method]]) -> Iterator[str]:
    """CSLS sizes of a suite are held against its ranking where the protocol is built."""
    ranking = parse_ranking(protocol.ranking)
    if ranking is None or protocol.name != "paper":
        return
    for name, method in types.items():
        own = method.published_scoring, method.paper_stop_score
        size = max((scoring.csls or 0 for scoring in own if scoring), default=0)
        if size > ranking.k:
            yield (
                f"Numbers of {name} are published with CSLS of {size} neighbours, and ranking "
                f"among {ranking.k} candidates has fewer; ask for a larger k."
            )

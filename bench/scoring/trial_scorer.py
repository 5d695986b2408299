"""How a tuning's trial is scored: on validation links, with no test link at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mmea_bench.bench.scoring.evaluate import LinkRanks, RankingTask, rank_links, valid_task
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import FinalScores, RankingScorer, Scorer
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Alignment

_NOBODY: Ids = np.empty(0, dtype=np.int32)


def make_trial_scorer(protocol: Protocol, pair: KGPair, split: Split) -> Scorer:
    """The scorer of a tuning's trial: it ranks validation links and is given no test links.

    Args:
        protocol: Rules of scoring; ``strict``, which holds validation links out.
        pair: The dataset.
        split: Its test links are not read.

    Raises:
        UserError: If there are no validation links, or the task has none of its own.
    """
    if pair.task == "n-mmkg":
        raise UserError(
            "An N-MMKG is not tuned: its validation pairs choose the thresholds already."
        )
    if not len(split.valid_links):
        raise UserError(
            "There are no validation links to tune on. A larger seed ratio leaves some."
        )
    known = np.concatenate([split.seed_links, split.valid_links])
    return TrialScorer(protocol, {"valid": valid_task(pair, split, known)})


class TrialScorer(RankingScorer):
    """A trial of a tuning: its curve is all that it has, and is of validation links alone."""

    def _curve_ranks(
        self, alignment: Alignment, task: RankingTask, sizes: tuple[int, ...]
    ) -> Mapping[int, LinkRanks]:
        """As of any training; by the plain similarity without scores that no rank depends on.

        CSLS needs the neighbours of every candidate, plain ranks only rows and columns of links.
        """
        if any(sizes):
            return super()._curve_ranks(alignment, task, sizes)
        rule = self._protocol.tie_rule
        rows = rank_links(alignment, replace(task, other_source=_NOBODY), (0,), rule)[0]
        columns = rank_links(alignment, replace(task, other_target=_NOBODY), (0,), rule)[0]
        return {0: LinkRanks(rows.src2tgt, columns.tgt2src)}

    def final(self, alignment: Alignment) -> FinalScores:  # noqa: ARG002 - there is nothing to score
        """Nothing: final numbers are those of the test links."""
        return FinalScores(())

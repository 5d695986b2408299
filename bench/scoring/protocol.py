"""How a method is trained, stopped and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mmea_bench.datasets.core.model.folds import fold_split
from mmea_bench.datasets.core.model.pair import KGPair, Task
from mmea_bench.datasets.core.model.split import Split, split_links, split_pairs, with_dangling
from mmea_bench.methods.core.base import StopRule, StopScore

EXACT = "exact"
"""The way of ranking in which every candidate is counted."""

SplitKind = Literal["random", "published"]
"""Where the parts of the anchor links come from: a seed, or files that the dataset came with."""

_LATER_RULES = ("ranking", "valid_from")
"""Rules that joined after the first results: at their defaults they leave no trace in a cell."""


@dataclass(frozen=True)
class Protocol:
    """Rules of one evaluation; equal rules make numbers comparable.

    Attributes:
        name: ``strict`` holds part of the seeds out and stops on them; ``paper`` trains on all
            seeds and stops as the method's released code does.
        candidates: ``test`` ranks among the entities of the test links (as the papers do),
            ``unseeded`` among all entities that stand in no seed link, ``both`` gives the numbers
            of either from one training; curves are then of ``test``.
        csls: Neighbourhood sizes to score with; 0 is the plain similarity.
        decoders: Addresses of decoders that the final scores are given to besides, such as
            ``hungarian`` or ``sinkhorn[sweeps=10]``.
        ranking: ``exact``, or ``approximate[k=100]`` among the candidates of an index.
        tie_rule: Rank of the true partner among equal scores.
        valid_share: Share of the seeds that ``strict`` holds out, or of all links.
        valid_from: ``seeds`` holds validation links out of the seeds; ``others`` takes
            ``valid_share`` of all links from those that are no seeds, under either name, which
            leaves fewer to test (20 % train, 10 % validate, 70 % test: TMEA).
        eval_every: Epochs between two evaluations; 0 leaves it to the method.
        patience: Evaluations without improvement after which ``strict`` stops, but never within a
            warm-up, nor before a tenth of the schedule has passed without one; 0 is never.
        stop_metric: Metric of the checkpoint choice, mean of both directions; under ``paper`` a
            method's declared ``paper_stop_score`` goes before it.
    """

    name: Literal["strict", "paper"] = "strict"
    candidates: Literal["test", "unseeded", "both"] = "test"
    csls: tuple[int, ...] = (0, 3)
    decoders: tuple[str, ...] = ()
    ranking: str = EXACT
    tie_rule: Literal["realistic", "optimistic", "pessimistic"] = "realistic"
    valid_share: float = 0.1
    valid_from: Literal["seeds", "others"] = "seeds"
    eval_every: int = 0
    patience: int = 5
    stop_metric: Literal["mrr", "hits@1", "hits@10"] = "mrr"

    def __post_init__(self) -> None:
        if any(k < 0 for k in self.csls) or not self.csls:
            raise ValueError("csls needs neighbourhood sizes of 0 or more")
        if len(set(self.csls)) < len(self.csls):
            raise ValueError("csls names a neighbourhood size twice")
        if not 0.0 < self.valid_share < 1.0:
            raise ValueError("valid_share must lie between 0 and 1")

    @property
    def settings(self) -> Mapping[str, Any]:
        """What stands behind the name: every rule that this protocol follows, by field."""
        no_part = {"name"} if self.name == "strict" else {"name", "patience"}
        if self.name == "paper" and self.valid_from == "seeds":
            no_part.add("valid_share")
        no_part |= self.unset_rules
        return {name: value for name, value in asdict(self).items() if name not in no_part}

    @property
    def unset_rules(self) -> set[str]:
        """Rules that joined later and are at their defaults: no key or folder may name them."""
        return {name for name in _LATER_RULES if getattr(self, name) == getattr(Protocol, name)}

    @property
    def candidate_sets(self) -> tuple[str, ...]:
        """What links are ranked among; curves show the first."""
        return ("test", "unseeded") if self.candidates == "both" else (self.candidates,)

    @property
    def held_out_share(self) -> float:
        """Share of the seeds that do not train."""
        takes_seeds = self.name == "strict" and self.valid_from == "seeds"
        return self.valid_share if takes_seeds else 0.0

    def stop_rule(self, paper_stop: StopRule, n_valid: int) -> StopRule:
        """On what the checkpoint is chosen.

        Args:
            paper_stop: Rule of the method's released code.
            n_valid: Validation links; without any there is nothing but the last epoch to take, and
                a row must not say otherwise.
        """
        rule: StopRule = "valid" if self.name == "strict" else paper_stop
        return "last" if rule == "valid" and not n_valid else rule

    def stop_score(self, paper_stop_score: StopScore | None) -> StopScore:
        """By which number the checkpoint is chosen, given that of the method's released code."""
        if self.name == "paper" and paper_stop_score is not None:
            return paper_stop_score
        return StopScore(self.stop_metric)


def stop_number(scores: Mapping[str, Mapping[str, float]], stop: StopScore) -> float:
    """The number by which a checkpoint is chosen, of one point's numbers by direction."""
    if stop.direction == "max":
        return max(scores[each][stop.metric] for each in ("src2tgt", "tgt2src"))
    return scores[stop.direction][stop.metric]


def holds_out(protocol: Protocol, task: Task) -> bool:
    """Whether links are held out where a published split has no validation links."""
    return protocol.name == "strict" or task == "n-mmkg"


def make_split(
    protocol: Protocol, pair: KGPair, seed_ratio: float, split_seed: int, fold: str = ""
) -> Split:
    """The split of a repeat: drawn, or the published one of this name.

    N-MMKG pairs have validation pairs under every protocol, under ``paper`` the usual share: they
    choose the thresholds. A published split keeps its parts, wherever the protocol takes validation
    links from.
    """
    share = protocol.valid_share if protocol.name == "strict" else Protocol.valid_share
    if fold:
        split = fold_split(pair, fold, share * holds_out(protocol, pair.task), split_seed)
    elif protocol.valid_from == "others":
        split = split_pairs(pair.anchor_links, seed_ratio, split_seed, protocol.valid_share)
    elif pair.task == "n-mmkg":
        split = split_pairs(pair.anchor_links, seed_ratio, split_seed, share)
    else:
        split = split_links(pair.anchor_links, seed_ratio, split_seed, protocol.held_out_share)
    return with_dangling(split, pair.dangling, split_seed)

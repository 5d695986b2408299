"""How a method is trained, stopped and scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmea_bench.methods.core.base import StopRule

SplitKind = Literal["random", "published"]
"""Where the parts of the anchor links come from: a seed, or files that the dataset came with."""


@dataclass(frozen=True)
class Protocol:
    """Rules of one evaluation; equal rules make numbers comparable.

    Attributes:
        name: ``strict`` holds part of the seeds out and stops on them; ``paper`` trains on all
            seeds and stops as the method's released code does.
        candidates: ``test`` ranks among the entities of the test links (as the papers do),
            ``unseeded`` among all entities that stand in no seed link.
        csls: Neighbourhood sizes to score with; 0 is the plain similarity.
        decoders: Addresses of decoders that the final scores are given to besides, such as
            ``hungarian`` or ``sinkhorn[sweeps=10]``.
        tie_rule: Rank of the true partner among equal scores.
        valid_share: Share of the seeds that ``strict`` holds out.
        eval_every: Epochs between two evaluations; 0 leaves it to the method.
        patience: Evaluations without improvement after which ``strict`` stops; 0 is never.
        stop_metric: Metric of the checkpoint choice, mean of both directions.
    """

    name: Literal["strict", "paper"] = "strict"
    candidates: Literal["test", "unseeded"] = "test"
    csls: tuple[int, ...] = (0, 3)
    decoders: tuple[str, ...] = ()
    tie_rule: Literal["realistic", "optimistic", "pessimistic"] = "realistic"
    valid_share: float = 0.1
    eval_every: int = 0
    patience: int = 5
    stop_metric: Literal["mrr", "hits@1", "hits@10"] = "mrr"

    def __post_init__(self) -> None:
        if any(k < 0 for k in self.csls) or not self.csls:
            raise ValueError("csls needs neighbourhood sizes of 0 or more")
        if not 0.0 < self.valid_share < 1.0:
            raise ValueError("valid_share must lie between 0 and 1")

    @property
    def held_out_share(self) -> float:
        """Share of the seeds that do not train."""
        return self.valid_share if self.name == "strict" else 0.0

    def stop_rule(self, paper_stop: StopRule) -> StopRule:
        """On what the checkpoint is chosen, given the rule of the method's released code."""
        return "valid" if self.name == "strict" else paper_stop

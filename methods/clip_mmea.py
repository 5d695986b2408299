"""CLIP-MMEA: CLIP's encoders and similarity, used to align the nodes of two N-MMKGs.

A baseline of the CrossEA paper, which describes it in one sentence and published no code: this is
an interpretation. A frozen tower per modality is followed by a trained linear head; training pairs
of all kinds are contrasted in both directions, and pairs are scored by the cosine of the heads'
outputs. Without a CLIP model on disk the dataset's own vectors stand in for the tower outputs, and
the row says so.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.parts.clip.clip_heads import (
    CROSSEA_PAPER,
    DIMS,
    ClipHeads,
    ClipParams,
    PairEncoder,
    train_contrastively,
)


class ClipMMEA(Method):
    """CLIP's towers with trained heads; ``constant temperature`` keeps CLIP's starting value."""

    paper = CROSSEA_PAPER
    tasks: ClassVar = ("n-mmkg",)
    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    requires: ClassVar[tuple[str, ...]] = ("text", "image")
    Params = ClipParams
    # CrossEA's paper: one threshold over cosines; it states no setting of any dataset.
    published_scoring = Scoring("cosine", csls=0)
    paper_stop = "valid"  # CrossEA's paper holds a tenth of the pairs out
    grid: ClassVar = {"dim": DIMS}
    variants: ClassVar = {"constant temperature": {"learn_temperature": False}}
    test_params: ClassVar = {"epochs": 40, "dim": 32, "learning_rate": 3e-3}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains the heads on the seed pairs and returns the vectors of all nodes."""
        encoder = _Encoder(view, self.params, ctx).to(ctx.device)
        return train_contrastively(encoder, view, self.params, ctx)


class _Encoder(PairEncoder):
    """The heads alone: only rows of training pairs are projected in an epoch."""

    def __init__(self, view: TrainView, params: ClipParams, ctx: RunContext) -> None:
        super().__init__()
        self.graph = JointGraph.of(view)
        self.heads = ClipHeads(view, params, ctx)

    def prepare(self, rows: Tensor) -> None:
        self.heads.prepare(rows)

    def encode(self, *, all_rows: bool) -> dict[str, Tensor]:
        return {"clip": self.heads(all_rows=all_rows)}

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        return self.graph.split(self.encode(all_rows=True)["clip"])

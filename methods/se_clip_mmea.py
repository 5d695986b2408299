"""SE-CLIP-MMEA: CLIP-MMEA with a second, structural similarity.

A baseline of the CrossEA paper, which describes it in one sentence and published no code: this is
an interpretation. Structure vectors come from graph attention over a trained node table that knows
nothing of texts and images. The final similarity is ``mu S_CLIP + (1 - mu) S_struct``; as both are
cosines of unit vectors u and s, it is the cosine of ``[sqrt(mu) u ; sqrt(1 - mu) s]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.core.layers.gat_structure import GATStructure
from mmea_bench.methods.parts.clip.clip_heads import (
    CROSSEA_PAPER,
    DIMS,
    ClipHeads,
    PairEncoder,
    StructureParams,
    structure_network,
    train_contrastively,
)

_UNCHOSEN = 0.5


@dataclass(frozen=True)
class SEClipParams(StructureParams):
    """Hyper-parameters of SE-CLIP-MMEA; the paper states none, all are ours."""

    mu: float = 0.0  # weight of S_CLIP; 0 chooses it on validation pairs, without these it is 0.5
    mu_grid: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

    def __post_init__(self) -> None:
        if not 0 <= self.mu <= 1:
            raise ValueError("mu must lie between 0 and 1")


class SEClipMMEA(Method):
    """Two similarities, trained apart and added; the weight is chosen on validation pairs.

    The choice is made once, after training: each weight of the grid is offered to the monitor as
    one further epoch. Where no score is seen, both weigh the same.
    """

    paper = CROSSEA_PAPER
    tasks: ClassVar = ("n-mmkg",)
    modalities: ClassVar[tuple[str, ...]] = ("structure", "text", "image")
    requires: ClassVar[tuple[str, ...]] = ("structure", "text", "image")
    Params = SEClipParams
    # CrossEA's paper: one threshold over cosines; it states no setting of any dataset.
    published_scoring = Scoring("cosine", csls=0)
    paper_stop = "valid"  # CrossEA's paper holds a tenth of the pairs out
    grid: ClassVar = {"dim": DIMS}
    variants: ClassVar = {"mu=0.5": {"mu": 0.5}}
    no_op_variants: ClassVar = {
        "mu=0.5": "it is what full takes where it is shown no scores of validation pairs"
    }
    test_params: ClassVar = {"epochs": 40, "dim": 32, "learning_rate": 3e-3}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the seed pairs and returns the joined vectors of all nodes."""
        params: SEClipParams = self.params
        encoder = _Encoder(view, params, ctx).to(ctx.device)
        embeddings = train_contrastively(encoder, view, params, ctx)
        return embeddings if params.mu else _best_mixture(embeddings, params, ctx)


class _Encoder(PairEncoder):
    """Heads for the rows of training pairs, graph attention over all nodes."""

    def __init__(self, view: TrainView, params: SEClipParams, ctx: RunContext) -> None:
        super().__init__()
        self.graph = JointGraph.of(view)
        self.heads = ClipHeads(view, params, ctx)
        generator = ctx.generator("structure")
        std = 1 / math.sqrt(params.dim)
        self.table = normal_parameter((self.graph.n_entities, params.dim), std, generator)
        network = structure_network(params, generator)
        self.structure = GATStructure(self.graph, network, ctx.device)
        self._mu = params.mu or _UNCHOSEN

    def prepare(self, rows: Tensor) -> None:
        self.heads.prepare(rows)
        self.structure.prepare(rows)

    def encode(self, *, all_rows: bool) -> dict[str, Tensor]:
        structure = normalize(self.structure(self.table, all_rows=all_rows), dim=1)
        return {"clip": self.heads(all_rows=all_rows), "structure": structure}

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        n_source = self.graph.n_source
        parts = {
            name: (vectors[:n_source], vectors[n_source:])
            for name, vectors in self.encode(all_rows=True).items()
        }
        return mixed_embeddings(parts["clip"], parts["structure"], self._mu)


def mixed_embeddings(
    clip: tuple[Tensor, Tensor], structure: tuple[Tensor, Tensor], mu: float
) -> Embeddings:
    """Vectors whose cosine is ``mu`` times one cosine plus ``1 - mu`` times the other.

    Args:
        clip: Unit vectors of source and target, [n_source, dim] and [n_target, dim].
        structure: Unit vectors, [n_source, dim'] and [n_target, dim'].
        mu: Weight of the first.
    """
    weights = math.sqrt(mu), math.sqrt(1 - mu)
    source, target = (
        torch.cat([weights[0] * clip[side], weights[1] * structure[side]], dim=1) for side in (0, 1)
    )
    return Embeddings(
        source,
        target,
        by_modality={"clip": clip, "structure": structure},
        modality_weights={"clip": mu, "structure": 1 - mu},
    )


def _best_mixture(embeddings: Embeddings, params: SEClipParams, ctx: RunContext) -> Embeddings:
    """The weight of the grid that scores best; the given embeddings where nothing is scored."""
    if ctx.monitor is None:
        return embeddings
    clip, structure = (embeddings.by_modality[name] for name in ("clip", "structure"))
    best, best_score = embeddings, -math.inf
    for step, mu in enumerate(params.mu_grid, start=1):
        ctx.check_deadline()
        mixture = mixed_embeddings(clip, structure, mu)
        score = ctx.monitor(ctx.log.epochs + step, math.nan, mixture)
        if score is None:
            break
        if score > best_score:
            best, best_score = mixture, score
    return best

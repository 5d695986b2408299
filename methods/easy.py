"""EASY: names give a first matching, and the graphs refine it; no seed link is read.

Names are matched by their rare tokens, by Sinkhorn's plan of that, and by edit similarity (NEAP). A
refinement (SRS) then goes in rounds: pairs whose surroundings agree under the present matching
become the seeds of RREA's encoder, in place of those of the round before; the graphs lend each
other triples; and cosines of the encoder join the name scores.

Tokens are words, each encoded by itself by the first layer of BERT, where the released code has
word pieces and averages a piece's states over all names. The plan has shares for the best
candidates of every name alone unless ``n_candidates`` is 0, and so has the edit similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.layers.reflection_encoder import ReflectionEncoder
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.rounds.steps import TiledMarginGradients
from mmea_bench.methods.core.similarity import CslsBlocks
from mmea_bench.methods.core.sinkhorn import SinkhornAmong, SinkhornBlocks
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.optimisers import rmsprop
from mmea_bench.methods.parts.easy.edit_distance import edit_ratios
from mmea_bench.methods.parts.easy.refinement import (
    FusedBlocks,
    Matching,
    NameEvidence,
    adjacencies,
    completed,
    reliable_pairs,
)
from mmea_bench.methods.parts.easy.tokens import IDENTITY, NameScores, tokens_of


@dataclass(frozen=True)
class EASYParams:
    """Hyper-parameters of EASY; defaults are those of its released code unless marked as ours."""

    text_encoder: str = "bert-cased"  # first layer, code; ``identity`` tells equal tokens alone
    n_candidates: int = 100  # of a name, ours; 0 makes the plan of all pairs, as the code does
    temperature: float = 1e-3  # of Sinkhorn, code
    sweeps: int = 300  # of Sinkhorn, code
    name_weight: float = 0.2  # of the plan, code
    edit_weight: float = 0.2  # of the edit similarity, code
    csls_k: int = 10  # of what is matched, code
    checks: bool = True  # whether surroundings must agree; code
    completes: bool = True  # whether the graphs lend each other triples; code
    completion_gap: float = 0.15  # between best and second best by CSLS, code
    dim: int = 100  # of RREA's tables, code
    depth: int = 2  # code
    dropout: float = 0.3  # code
    margin: float = 3.0  # code
    refresh_every: int = 30  # steps of a round, code
    epochs: int = 600  # steps of all twenty rounds, code
    learning_rate: float = 5e-3  # RMSprop, as RREA's
    eval_every: int = 30


class EASY(TextMethod):
    """EASY with RREA's encoder, as its released code trains it."""

    paper = Paper(
        authors="Ge, Liu, Chen, Zheng, Gao",
        title="Make It Easy: An Effective End-to-End Entity Alignment Framework",
        venue="SIGIR",
        year=2021,
        url="https://doi.org/10.1145/3404835.3462870",
        code_url="https://github.com/ZJU-DAILY/EASY",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("structure", "name")
    Params = EASYParams
    # Candidates are all entities of the other KG there and all links are tested; which round is
    # reported is not stated.
    published_scoring = Scoring(None, csls=10, candidates="all")
    variants: ClassVar = {
        "token identity": {"text_encoder": IDENTITY},
        "offline encoder": {"text_encoder": "minilm"},
        "w/o edit similarity": {"edit_weight": 0.0},
        "w/o matching distance": {"checks": False},
        "w/o graph completion": {"completes": False},
        "whole plan": {"n_candidates": 0},
    }
    test_params: ClassVar = {
        "text_encoder": "hashed",
        "n_candidates": 20,
        "sweeps": 30,
        "dim": 24,
        "refresh_every": 8,
        "epochs": 24,
        "eval_every": 8,
    }

    @property
    def is_iterative(self) -> bool:
        """Always: what it trains on are its own matches."""
        return True

    @property
    def text_encoder(self) -> str | None:
        """Encoder of the names' tokens; None where only equal tokens are alike."""
        encoder: str = self.params.text_encoder
        return None if encoder == IDENTITY else encoder

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> PairScores:
        """Matches names, refines the matching in rounds and returns the fused scores.

        Raises:
            UserError: If names match nothing.
        """
        params: EASYParams = self.params
        graph = JointGraph.of(view)
        evidence = name_evidence(([*view.source.names], [*view.target.names]), params, ctx)
        generator = ctx.generator("initial values")
        encoder = ReflectionEncoder(graph, params.dim, params.depth, generator, ctx.device)
        encoder.to(ctx.device)
        rounds = Rounds(graph, evidence, encoder, params, ctx)
        gradients = TiledMarginGradients(
            encoder, graph.n_entities, params.margin, params.dropout, ctx
        )

        def step(epoch: int) -> float:
            if (epoch - 1) % params.refresh_every == 0:
                rounds.begin(is_first=epoch == 1)
            return gradients(rounds.pairs)

        @torch.no_grad()
        def embed() -> PairScores:
            source, target = rounds.vectors()

            def score_block(rows: Tensor) -> Tensor:
                return evidence.added(source[rows] @ target.T, rows)

            return PairScores(score_block, len(source), len(target), ctx.device, "fused")

        schedule = Schedule(
            params.epochs, rmsprop(params.learning_rate), eval_every=params.eval_every
        )
        ctx.log.pseudo_labels_from(1)
        return train(encoder.parameters(), step, embed, schedule, ctx)


class Rounds:
    """Seeds and triples of the present round.

    Args:
        graph: Union graph as the dataset has it.
        evidence: Of names.
        encoder: Whose triples are exchanged.
        params: What counts as reliable.
        ctx: Device.

    Attributes:
        pairs: Seeds of the round, joint ids, [n_pairs, 2].
    """

    def __init__(
        self,
        graph: JointGraph,
        evidence: NameEvidence,
        encoder: ReflectionEncoder,
        params: EASYParams,
        ctx: RunContext,
    ) -> None:
        self._graph, self._evidence, self._encoder = graph, evidence, encoder
        self._params, self._device = params, ctx.device
        self._adjacencies = adjacencies(graph)
        self.pairs = torch.empty(0, 2, dtype=torch.int64)

    @torch.no_grad()
    def vectors(self) -> tuple[Tensor, Tensor]:
        """Unit vectors of the source and of the target entities."""
        found = normalize(self._encoder(), dim=1)
        return found[: self._graph.n_source], found[self._graph.n_source :]

    def begin(self, *, is_first: bool) -> None:
        """Replaces the seeds and, after the first round, the triples of the encoder.

        Raises:
            UserError: If no two entities are each other's best.
        """
        params = self._params
        vectors = None if is_first else self.vectors()
        matching = Matching.of(CslsBlocks(FusedBlocks(self._evidence, vectors), params.csls_k))
        pairs = reliable_pairs(matching, *self._adjacencies) if params.checks else None
        if pairs is None or not len(pairs):
            pairs = matching.pairs()
        if not len(pairs):
            raise UserError("EASY found no two entities that are each other's best match.")
        seeds = torch.from_numpy(pairs) + torch.tensor([0, self._graph.n_source])
        self.pairs = seeds.to(self._device)
        if params.completes and not is_first:
            larger = completed(self._graph, matching, params.completion_gap)
            self._encoder.look_at(larger, self._device)


def name_evidence(
    names: tuple[Sequence[str], Sequence[str]], params: EASYParams, ctx: RunContext
) -> NameEvidence:
    """Weighted shares of the plan and weighted edit similarity of every name's candidates.

    Args:
        names: Of the source and of the target entities.
        params: Encoder, Sinkhorn and weights.
        ctx: Device and log.
    """
    source, target = names
    encoder = params.text_encoder
    tokens = tokens_of(source, encoder), tokens_of(target, encoder)
    scores = NameScores(tokens, encoder, ctx)
    if params.n_candidates:
        among = SinkhornAmong(scores, params.n_candidates, params.temperature, params.sweeps)
        columns, shares = among.shares()
    else:
        plan = SinkhornBlocks(scores, params.temperature, params.sweeps)
        columns, shares = all_shares(plan)
    values = params.name_weight * shares.float()
    if params.edit_weight:
        ratios = edit_ratios(source, target, columns.cpu().numpy())
        values += params.edit_weight * torch.from_numpy(ratios).to(values.device)
    return NameEvidence(columns, values, len(target))


def all_shares(plan: SinkhornBlocks) -> tuple[Tensor, Tensor]:
    """All targets as candidates of every row, and their shares, [n_source, n_target] each."""
    shape = plan.n_source, plan.n_target
    shares = torch.empty(shape, device=plan.device)
    for block in plan:
        shares[block.start : block.stop] = block.scores.exp()
    return torch.arange(plan.n_target, device=plan.device).expand(shape), shares

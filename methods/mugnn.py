"""MuGNN: two graph networks per KG, relation partners, and rules that complete the triples.

One channel attends to neighbours, the other weighs an edge by how similar its relation is to one of
the other KG; their mean is trained by links of entities, pairs of relations of equal name, triples
and groundings of Horn rules. AMIE+ mined the rules of the paper; here they are mined on the way, or
brought as files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring, StopScore
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.margins import pair_margin_loss
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    TypedCandidates,
    UniformCandidates,
    nearest_pair_negatives,
)
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.parts.mugnn.encoder import TwoChannels
from mmea_bench.methods.parts.mugnn.inputs import (
    JointGroundings,
    SeparateRelations,
    groundings_of,
)
from mmea_bench.methods.parts.mugnn.rule_mining import RuleLimits
from mmea_bench.methods.parts.mugnn.truth import RuleBatch, rule_loss, triple_losses


@dataclass(frozen=True)
class MuGNNParams:
    """Hyper-parameters of MuGNN; defaults are those of its released script for FR-EN."""

    dim: int = 128  # script
    n_layers: int = 2  # of one head each, script
    dropout: float = 0.2  # of the input of every layer; script, which does not say where
    margin: float = 1.0  # of entities and of relations, script
    truth_margin: float = 0.12  # of triples and rules, script
    n_negatives: int = 25  # per end of a seed link, script
    n_relation_negatives: int = 2  # per end of a pair of relations, script
    n_triple_negatives: int = 2  # heads, and as many tails; code
    relation_names: bool = True  # whether relations of equal local name are partners
    rules: bool = True  # whether groundings of rules train
    target_premises: Literal["corrupted", "true"] = "corrupted"  # a mistake of the code
    source_rules: str = ""  # file of rules about the source KG; mined if empty
    target_rules: str = ""  # file of rules about the target KG; mined if empty
    min_confidence: float = 0.8  # PCA confidence, paper
    min_head_coverage: float = 0.01  # AMIE+'s own default
    min_support: int = 5  # gives about as many rules of DBP15K ZH-EN as the paper's files hold
    max_paths: int = 1_000_000  # of the premises of a rule; ours, bounds memory
    max_groundings: int = 100_000  # drawn once of more; ours, bounds the time of an epoch
    refresh_every: int = 5  # epochs between two draws of all negatives, script
    epochs: int = 500  # script
    learning_rate: float = 0.001  # Adagrad, script
    weight_decay: float = 0.01  # script
    eval_every: int = 5  # script


class MuGNN(Method):
    """MuGNN as its released code trains it, with rules mined here."""

    paper = Paper(
        authors="Cao, Liu, Li, Liu, Li, Chua",
        title="Multi-Channel Graph Neural Network for Entity Alignment",
        venue="ACL",
        year=2019,
        url="https://aclanthology.org/P19-1140/",
        code_url="https://github.com/thunlp/MuGNN",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = MuGNNParams
    paper_stop = "test"
    paper_stop_score = StopScore("hits@1", "mean", csls=0)
    published_scoring = Scoring("cosine", csls=0)
    variants: ClassVar = {
        "true premises": {"target_premises": "true"},
        "w/o rules": {"rules": False},
        "w/o relation names": {"relation_names": False},
        "w/o rules and relation names": {"rules": False, "relation_names": False},
    }
    test_params: ClassVar = {
        "epochs": 36,
        "dim": 32,
        "learning_rate": 0.05,
        "min_confidence": 0.5,
        "min_support": 3,
        "max_paths": 2000,
        "max_groundings": 500,
        "eval_every": 12,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Unit vectors of all entities, [n_entities, dim] on each side."""
        params: MuGNNParams = self.params
        training = _Training(params, view, ctx)
        optimiser = adagrad(params.learning_rate, params.weight_decay)
        schedule = Schedule(params.epochs, optimiser, None, params.eval_every)
        parameters = training.encoder.parameters()
        return train(parameters, training.step, training.embeddings, schedule, ctx)


class _Training:
    """Encoder, inputs and negatives."""

    def __init__(self, params: MuGNNParams, view: TrainView, ctx: RunContext) -> None:
        self._params, self._graph = params, JointGraph.of(view)
        self._inputs = inputs = SeparateRelations.of(view, by_name=params.relation_names)
        generator, draws = ctx.generator("initial values"), ctx.generator("drop-out")
        sizes = (params.dim, params.n_layers, params.dropout)
        self.encoder = TwoChannels(inputs, *sizes, generator, draws, ctx.device)
        self._pairs = self._graph.seed_pairs(view).to(ctx.device)
        self._relation_pairs = inputs.relation_pairs.to(ctx.device)
        self._groundings = groundings(params, view, inputs, ctx) if params.rules else None
        self._corruption = corruption(inputs)
        self._draws = ctx.generator("negatives")
        self._drawn: CorruptedTriples | None = None
        self._rules: RuleBatch | None = None
        self._negatives = self._relation_negatives = torch.empty(0)

    def step(self, epoch: int) -> float:
        """Gradients of all losses."""
        self.encoder.train()
        encoded = {"entities": self.encoder(), "relations": self.encoder.relations * 1}
        if (epoch - 1) % self._params.refresh_every == 0:
            self._refresh(encoded["entities"].detach(), encoded["relations"].detach())
        return backward_in_batches(encoded, self._losses)

    def _losses(self, leaves: dict[str, Tensor]) -> Iterator[Tensor]:
        params, entities, relations = self._params, leaves["entities"], leaves["relations"]
        # Each is a mean over the negatives of an end, summed over the two ends.
        yield 2 * pair_margin_loss(entities, self._pairs, self._negatives, params.margin, "l2")
        if len(self._relation_pairs):
            sides = (self._relation_pairs, self._relation_negatives)
            yield 2 * pair_margin_loss(relations, *sides, params.margin, "l2")
        if self._drawn is not None:
            yield from triple_losses(entities, relations, self._drawn, params.truth_margin)
        if self._rules is not None:
            yield rule_loss(entities, relations, self._rules, params.truth_margin)

    def _refresh(self, entities: Tensor, relations: Tensor) -> None:
        """Draws the negatives of everything anew."""
        params, inputs = self._params, self._inputs
        self._negatives = near_own_kg(entities, self._pairs, params.n_negatives)
        if len(self._relation_pairs):
            n_negatives = params.n_relation_negatives
            near = near_own_kg(relations, self._relation_pairs, n_negatives)
            self._relation_negatives = near
        self._drawn = self._corruption.draw(params.n_triple_negatives, self._draws)
        if self._groundings is not None and len(self._groundings):
            corrupted = params.target_premises == "corrupted"
            drawn = (inputs, self._groundings, self._drawn)
            self._rules = rule_batch(*drawn, self._draws, corrupted=corrupted)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Current vectors, without drop-out."""
        self.encoder.eval()
        return self._graph.split(self.encoder())


def groundings(
    params: MuGNNParams, view: TrainView, inputs: SeparateRelations, ctx: RunContext
) -> JointGroundings:
    """What mined rules, or those of files, say about both KGs."""
    limits = RuleLimits(
        params.min_support, params.min_head_coverage, params.min_confidence, params.max_paths
    )
    found = groundings_of(view, inputs, (params.source_rules, params.target_rules), limits)
    order = torch.randperm(len(found), generator=ctx.generator("groundings"))
    return found.rows(order[: params.max_groundings])


def near_own_kg(vectors: Tensor, pairs: Tensor, k: int) -> Tensor:
    """The members of pairs nearest to each end by cosine, of its own KG, [2, n_pairs, k]."""
    among = (torch.unique(pairs[:, 1]), torch.unique(pairs[:, 0]))
    return nearest_pair_negatives(
        vectors, pairs, among, k, "cosine", near_partner=True, skip_partner=True
    )


def corruption(inputs: SeparateRelations) -> FilteredCorruption:
    """Negatives of all triples: heads and tails seen with the relation, no known triples."""
    side = inputs.triples[:, 0] >= inputs.n_source
    everyone = UniformCandidates.of_graphs(inputs.n_source, inputs.n_entities)
    typed = TypedCandidates(inputs.triples, everyone)
    return FilteredCorruption(inputs.triples, side, inputs.n_entities, everyone, typed, ends="both")


def rule_batch(
    inputs: SeparateRelations,
    found: JointGroundings,
    drawn: CorruptedTriples,
    generator: torch.Generator,
    *,
    corrupted: bool,
) -> RuleBatch:
    """Groundings with another relation of the own KG in their negatives' conclusions.

    Args:
        inputs: Triples of both KGs.
        found: All groundings.
        drawn: Current negatives of all triples.
        generator: On the CPU.
        corrupted: Whether premises about the target KG are negatives of the triples that they
            are, as in the released code.
    """
    premises = inputs.triples[found.premises]
    in_target = found.conclusions[:, 0] >= inputs.n_source
    if corrupted and drawn.stand_ins.shape[1]:
        first = CorruptedTriples(drawn.triples, drawn.stand_ins[:, :1], drawn.replaces_head[:, :1])
        others = first.negatives()[:, 0][found.premises]
        premises = torch.where(in_target[:, None, None], others, premises)
    n_first = inputs.n_source_relations
    sizes = torch.where(in_target, inputs.n_relations - n_first, n_first)
    shares = torch.rand(len(found), generator=generator, dtype=torch.float64)
    negatives = found.conclusions.clone()
    negatives[:, 1] = (shares * sizes).long() + n_first * in_target
    return RuleBatch.of(premises, found.has_second, found.conclusions, negatives)

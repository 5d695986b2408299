"""The product of experts: logits of ordinary triples and of ``(e, sameAs, e')``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.parts.poe.experts import ExpertVectors, products
from mmea_bench.methods.parts.poe.rules import RuleLogits

LATENT = "latent"


def relations_apart(graph: JointGraph) -> JointGraph:
    """The graph with relations of either KG's own, also where both KGs have one of equal name.

    Ids are consecutive, those of the source KG first; the triples keep their order.
    """
    heads, relations, tails = graph.triples.T
    codes = relations + graph.n_relations * (heads >= graph.n_source)
    used, own = np.unique(codes, return_inverse=True)
    triples = np.stack([heads, own, tails], axis=1)
    return replace(graph, triples=triples, n_relations=len(used))


class ProductOfExperts(nn.Module):
    """Logits of ``(e, sameAs, e')`` and of ordinary triples, each expert with a weight.

    Args:
        graph: Union graph; without triples the latent expert has the seed links alone.
        experts: Fixed evidence by name, as vectors or as a matrix.
        latent_dim: Columns of the latent expert; 0 leaves it out.
        expert_weight: Of every fixed expert at the start; that of the latent one is 1.
        ctx: Device and generator.
    """

    def __init__(
        self,
        graph: JointGraph,
        experts: Mapping[str, ExpertVectors | RuleLogits],
        latent_dim: int,
        expert_weight: float,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self.n_source, self.same_as = graph.n_source, graph.n_relations
        self._experts = {name: expert.to(ctx.device) for name, expert in experts.items()}
        self.has_latent = latent_dim > 0
        std = 1 / math.sqrt(max(1, latent_dim))
        # Without the latent expert both tables are there with no columns, so that nothing else
        # need ask for them.
        self.entities = normal_parameter((graph.n_entities, latent_dim), std, generator)
        # Weights near one make a relation start as an inner product, which keeps gradients alive.
        self.relations = nn.Parameter(
            1 + 0.1 * torch.randn(graph.n_relations + 1, latent_dim, generator=generator)
        )
        self.entities.requires_grad_(self.has_latent)
        self.relations.requires_grad_(self.has_latent)
        # Weights stay positive: more evidence never speaks against a pair.
        # That of the only expert would change no rank.
        starts = {LATENT: 1.0} if self.has_latent and self._experts else {}
        starts |= dict.fromkeys(self._experts, expert_weight)
        self.log_weights = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(math.log(start))) for name, start in starts.items()}
        )

    def latent_logits(self, head: Tensor, tail: Tensor, *, paired: bool) -> Tensor:
        """Logits of sameAs by the latent expert alone.

        Args:
            head: Rows of the latent table of source entities, [n_heads, latent_dim].
            tail: Of target entities, [n_tails, latent_dim].
            paired: Whether row i is asked for with row i alone.

        Returns:
            [n_heads, n_tails], or [n_heads] where paired.
        """
        return products(head * self.relations[self.same_as], tail, paired=paired)

    def link_logits(self, heads: Tensor, tails: Tensor, *, paired: bool) -> Tensor:
        """Logits of sameAs by all experts, for which the weights alone get a gradient.

        That is far cheaper than products of the joined ``vectors``.

        Args:
            heads: Joint ids of source entities, [n_heads].
            tails: Joint ids of target entities, [n_tails].
            paired: Whether row i is asked for with row i alone.

        Returns:
            [n_heads, n_tails], or [n_heads] where paired.
        """
        shape = (len(heads),) if paired else (len(heads), len(tails))
        logits = torch.zeros(shape, device=heads.device)
        if self.has_latent:
            with torch.no_grad():
                rows = (embedding(ids, self.entities) for ids in (heads, tails))
                latent = self.latent_logits(*rows, paired=paired)
            logits = logits + self._weight(LATENT) * latent
        for name, expert in self._experts.items():
            found = expert.logits(heads, tails - self.n_source, paired=paired)
            logits = logits + self._weight(name) * found
        return logits

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Vectors of all source and all target entities; their inner products are the logits.

        A matrix of logits has none: ``pair_scores`` adds it.
        """
        device = self.relations.device
        source = [torch.zeros(self.n_source, 0, device=device)]
        target = [torch.zeros(len(self.entities) - self.n_source, 0, device=device)]
        if self.has_latent:
            root = self._weight(LATENT).sqrt()
            source.append(root * self.entities[: self.n_source] * self.relations[self.same_as])
            target.append(root * self.entities[self.n_source :])
        for name, expert in self._experts.items():
            if isinstance(expert, RuleLogits):
                continue
            root = self._weight(name).sqrt()
            source.append(root * expert.source)
            target.append(root * expert.target)
        return torch.cat(source, dim=1), torch.cat(target, dim=1)

    def pair_scores(self) -> PairScores:
        """Logits of all pairs, of copies that further training leaves as they are."""
        source, target = self.vectors()
        matrices = [
            (float(self._weight(name).detach()), expert)
            for name, expert in self._experts.items()
            if isinstance(expert, RuleLogits)
        ]

        def score_block(rows: Tensor) -> Tensor:
            scores = source[rows] @ target.T
            for weight, expert in matrices:
                scores = scores + weight * expert.rows(rows)
            return scores

        sizes = len(source), len(target)
        weights = self.weights()
        return PairScores(score_block, *sizes, source.device, "logits", modality_weights=weights)

    def _weight(self, name: str) -> Tensor:
        known = self.log_weights[name] if name in self.log_weights else torch.zeros(())
        return known.exp()

    def weights(self) -> dict[str, float]:
        """Current weight of each expert."""
        return {name: float(log.detach().exp()) for name, log in self.log_weights.items()}

"""The product of experts: logits of ordinary triples and of ``(e, sameAs, e')``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.parts.poe.experts import ExpertVectors


class ProductOfExperts(nn.Module):
    """Logits of ``(e, sameAs, e')`` and of ordinary triples.

    Args:
        graph: Union graph; without triples the latent expert has the seed links alone.
        experts: Fixed vectors by name.
        latent_dim: Columns of the latent expert; 0 leaves it out.
        expert_weight: Of every fixed expert at the start.
        ctx: Device and generator.
    """

    def __init__(
        self,
        graph: JointGraph,
        experts: dict[str, ExpertVectors],
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
        start = torch.tensor(math.log(expert_weight))
        self.log_weights = nn.ParameterDict(
            {name: nn.Parameter(start.clone()) for name in self._experts}
        )

    def link_logits(
        self,
        heads: Tensor,
        tails: Tensor,
        *,
        paired: bool,
        rows: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Logits of sameAs.

        No gradient is sought for the experts' vectors, which makes this far cheaper than products
        of the joined ``vectors``.

        Args:
            heads: Joint ids of source entities, [n_heads].
            tails: Joint ids of target entities, [n_tails].
            paired: Whether row i is asked for with row i alone.
            rows: Rows of the latent table of both, where they are gathered already.

        Returns:
            [n_heads, n_tails], or [n_heads] where paired.
        """

        def products(source: Tensor, target: Tensor) -> Tensor:
            return (source * target).sum(dim=1) if paired else source @ target.T

        head, tail = rows or (embedding(heads, self.entities), embedding(tails, self.entities))
        logits = products(head * self.relations[self.same_as], tail)
        for name, expert in self._experts.items():
            source = expert.source.index_select(0, heads)
            target = expert.target.index_select(0, tails - self.n_source)
            logits = logits + self.log_weights[name].exp() * products(source, target)
        return logits

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Vectors of all source and all target entities; their inner products are the logits."""
        source = [self.entities[: self.n_source] * self.relations[self.same_as]]
        target = [self.entities[self.n_source :]]
        for name, expert in self._experts.items():
            root = (self.log_weights[name] / 2).exp()
            source.append(root * expert.source)
            target.append(root * expert.target)
        return torch.cat(source, dim=1), torch.cat(target, dim=1)

    def weights(self) -> dict[str, float]:
        """Current weight of each fixed expert."""
        return {name: float(log.detach().exp()) for name, log in self.log_weights.items()}

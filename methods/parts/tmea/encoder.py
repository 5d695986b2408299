"""TMEA's encoder: one vector per modality, completed, associated and concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import n_own_relations
from mmea_bench.methods.core.layers.encoders import Linear, xavier_linear, xavier_normal
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.tmea.associations import Association, Pair
from mmea_bench.methods.parts.tmea.completion import Completion

ORDER = ("structure", "image", "attribute")
"""Order of the joint vector."""

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class EncoderParams:
    """Sizes and parts of the encoder; see ``TMEAParams``."""

    dim: int
    latent: int
    n_heads: int
    completion: bool
    association: str
    sample_at_test: bool


@dataclass(frozen=True, eq=False)
class Encoded:
    """Vectors of some entities, [n, dim] by modality.

    Attributes:
        single: L2-normalised, that of the layer's bias where an entity lacks the modality.
        present: Who has the modality, [n] bool.
        whole: With generated vectors in the place of lacking ones.
        attended: What each modality's attentions give, by (modality, other one).
        enriched: With that added.
        joint: Side by side, not normalised, [n, modalities x dim].
    """

    single: Mapping[str, Tensor]
    present: Mapping[str, Tensor]
    whole: Mapping[str, Tensor]
    attended: Mapping[Pair, Tensor]
    enriched: Mapping[str, Tensor]
    joint: Tensor


class TokenEncoder(nn.Module):
    """Entity and relation tables, a linear layer for images and attributes, and what joins them.

    Args:
        graph: Union graph; relations of equal name in both KGs are two.
        inputs: Feature rows, [n_entities, dim], and who has them, by modality.
        params: Sizes and parts.
        ctx: Device and generators.
    """

    def __init__(
        self,
        graph: JointGraph,
        inputs: Mapping[str, tuple[Tensor, Tensor]],
        params: EncoderParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self.graph, self._ctx = graph, ctx
        self.entities = nn.Parameter(xavier_normal((graph.n_entities, params.dim), generator))
        self.relations = nn.Parameter(
            xavier_normal((n_own_relations(graph), params.dim), generator)
        )
        self._features = {name: rows.to(ctx.device) for name, (rows, _) in inputs.items()}
        self._present = {name: has.to(ctx.device) for name, (_, has) in inputs.items()}
        self.linear = nn.ModuleDict(
            {
                name: xavier_linear(rows.shape[1], params.dim, generator)
                for name, rows in self._features.items()
            }
        )
        self.names = tuple(name for name in ORDER if name == "structure" or name in inputs)
        # Without images or without attributes nothing tells what the other one lacks.
        whole = len(self.names) == len(ORDER)
        self.completion: Completion | None = None
        if params.completion and whole:
            self.completion = Completion(params.dim, params.latent, generator)
        self.association: Association | None = None
        if params.association != "none" and len(self.names) > 1:
            self.association = Association(
                self.names,
                params.dim,
                params.n_heads,
                generator,
                over_others=params.association == "others",
            )
        self._sample_at_test = params.sample_at_test

    def encode(self, rows: Tensor, base: Tensor, noise: torch.Generator | None) -> Encoded:
        """All vectors of some entities.

        Args:
            rows: Joint ids, [n].
            base: Their L2-normalised rows of the entity table, [n, dim].
            noise: CPU generator of the latents' noise; None uses the means.
        """
        single = {"structure": base}
        for name, layer in self.linear.items():
            features, affine = self._features[name].index_select(0, rows), cast(Linear, layer)
            single[name] = unit_rows(torch.addmm(affine.bias, features, affine.weight))
        single = {name: single[name] for name in self.names}
        present = {name: has[rows] for name, has in self._present.items()}
        whole: Mapping[str, Tensor] = single
        if self.completion is not None:
            whole = self.completion.complete(single, present, noise)
        attended: dict[Pair, Tensor] = {}
        enriched = whole
        if self.association is not None:
            attended = self.association.attended(whole)
            enriched = self.association(whole, attended)
        joint = torch.cat([enriched[name] for name in self.names], dim=1)
        return Encoded(single, present, whole, attended, enriched, joint)

    def pairs_with(self, _pairs: Tensor) -> Mapping[str, int]:
        """Nothing: every seed counts in every modality, whatever it lacks."""
        return {}

    @torch.no_grad()
    def all_entities(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Joint vectors, L2-normalised, and enriched ones by modality, of all entities."""
        table = normalize(self.entities, dim=1)
        everyone = torch.arange(len(table), device=table.device)
        noise = self._ctx.generator("latents at test") if self._sample_at_test else None
        parts = [
            self.encode(rows, table[rows], noise) for rows in torch.split(everyone, _ROWS_AT_ONCE)
        ]
        by_modality = {
            name: torch.cat([part.enriched[name] for part in parts]) for name in self.names
        }
        return normalize(torch.cat([part.joint for part in parts]), dim=1), by_modality

    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, L2-normalised, without gradients."""
        return self.all_entities()[0]

    def embeddings(self) -> Embeddings:
        """Current vectors of all entities."""
        joint, by_modality = self.all_entities()
        return self.graph.split(joint, "inner", by_modality)

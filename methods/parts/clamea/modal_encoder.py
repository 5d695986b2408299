"""CLAMEA's encoder: tables, input layers and interactions, from entities to joint vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.attribute_texts import attribute_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, xavier_linear, xavier_normal
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.clamea.modal_generation import BASE
from mmea_bench.methods.parts.clamea.modal_interactions import (
    ORDER,
    InteractionParams,
    ModalInteractions,
)

_ROWS_AT_ONCE = 8192


def modality_inputs(
    view: TrainView, modalities: Iterable[str], text_encoder: str, max_tokens: int, ctx: RunContext
) -> dict[str, tuple[Tensor, Tensor]]:
    """Feature rows (zero where lacking, [n_entities, dim]) and who has them, by modality."""
    inputs = {}
    if "attribute" in modalities:
        inputs["attribute"] = attribute_vectors(view, text_encoder, max_tokens, ctx)
    if "image" in modalities:
        images = view.joint_features("image")
        inputs["image"] = (torch.tensor(images.values), torch.tensor(images.present))
    return inputs


class ModalEncoder(nn.Module):
    """Entity and relation tables, one linear layer per feature modality, and their interactions.

    Args:
        graph: Union graph.
        inputs: As ``modality_inputs`` makes them.
        params: Sizes and parts of the network.
        ctx: Device and generator.
    """

    def __init__(
        self,
        graph: JointGraph,
        inputs: Mapping[str, tuple[Tensor, Tensor]],
        params: InteractionParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self.graph = graph
        self.entities, self.relations = (
            nn.Parameter(xavier_normal((size, params.dim), generator))
            for size in (graph.n_entities, graph.n_relations)
        )
        self._features = {name: rows.to(ctx.device) for name, (rows, _) in inputs.items()}
        self._present = {name: has.to(ctx.device) for name, (_, has) in inputs.items()}
        self._present[BASE] = torch.ones(graph.n_entities, dtype=torch.bool, device=ctx.device)
        self.linear = nn.ModuleDict(
            {
                name: xavier_linear(rows.shape[1], params.dim, generator)
                for name, rows in self._features.items()
            }
        )
        names = tuple(name for name in ORDER if name in self._present)
        self.interactions = ModalInteractions(names, params, generator)

    def single(self, rows: Tensor, base: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Vectors by modality before generation, [n_rows, dim] each, and who has the modality.

        Args:
            rows: Joint ids, [n_rows].
            base: Their L2-normalised rows of the entity table, [n_rows, dim].
        """
        inputs = {BASE: base}
        for name, layer in self.linear.items():
            features, affine = self._features[name].index_select(0, rows), cast(Linear, layer)
            inputs[name] = unit_rows(torch.addmm(affine.bias, features, affine.weight))
        inputs = {name: inputs[name] for name in self.interactions.names}
        present = {name: has[rows] for name, has in self._present.items()}
        return self.interactions.sharpen(inputs, present), present

    def with_others(
        self,
        single: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        n_others: int,
        generator: torch.Generator,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What ``single`` made, detached, with that of entities drawn at random below.

        Args:
            single: Vectors by modality, [n_rows, dim] each.
            present: Modality to who has it, [n_rows].
            n_others: Entities to draw; all of them where there are fewer.
            generator: On the CPU.
        """
        vectors = {name: rows.detach() for name, rows in single.items()}
        table = self.entities.detach()
        n_others = min(n_others, len(table))
        if not n_others:
            return vectors, dict(present)
        drawn = torch.randperm(len(table), generator=generator)[:n_others].to(table.device)
        with torch.no_grad():
            others, have = self.single(drawn, unit_rows(table.index_select(0, drawn)))
        return (
            {name: torch.cat([rows, others[name]]) for name, rows in vectors.items()},
            {name: torch.cat([has, have[name]]) for name, has in present.items()},
        )

    def pairs_with(self, pairs: Tensor) -> dict[str, int]:
        """Number of pairs, [n_pairs, 2] joint ids, that have a modality on both sides."""
        return {name: int(has[pairs].all(dim=1).sum()) for name, has in self._present.items()}

    @torch.no_grad()
    def all_entities(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Joint vectors, [n_entities, joint dim], and enriched ones by modality."""
        table = normalize(self.entities, dim=1)
        everyone = torch.arange(len(table), device=table.device)
        parts = [
            self.interactions.encode(*self.single(rows, table[rows]), None)
            for rows in torch.split(everyone, _ROWS_AT_ONCE)
        ]
        by_modality = {
            name: torch.cat([part.enriched[name] for part in parts])
            for name in self.interactions.output
        }
        return torch.cat([part.joint for part in parts]), by_modality

    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, without gradients, [n_entities, joint dim]."""
        return self.all_entities()[0]

    def embeddings(self) -> Embeddings:
        """Current vectors of all entities."""
        joint, by_modality = self.all_entities()
        return self.graph.split(joint, by_modality=by_modality)

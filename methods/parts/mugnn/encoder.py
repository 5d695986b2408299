"""MuGNN's two channels: attention over neighbours, and edges weighed by the other KG."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import elu, normalize

from mmea_bench.methods.core.layers.encoders import DiagonalGATLayer
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.parts.mugnn.inputs import SeparateRelations


class TwoChannels(nn.Module):
    """Tables of both KGs and the mean of two graph networks, whose weights the KGs share.

    Args:
        relations: Triples of both KGs.
        dim: Columns of all vectors.
        n_layers: Of each channel.
        rate: Drop-out of the input of every layer.
        generator: CPU generator of the initial values.
        draws: CPU generator of the drop-out.
        device: Where it runs.
    """

    def __init__(
        self,
        relations: SeparateRelations,
        dim: int,
        n_layers: int,
        rate: float,
        generator: torch.Generator,
        draws: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        sizes = [relations.n_source, relations.n_entities - relations.n_source]
        rows = [torch.randn(n, dim, generator=generator) / math.sqrt(max(1, n)) for n in sizes]
        self.entities = nn.Parameter(torch.cat(rows))
        n_first = relations.n_source_relations
        tables = [
            glorot_uniform(n, dim, generator).detach()
            for n in (n_first, relations.n_relations - n_first)
        ]
        self.relations = nn.Parameter(torch.cat(tables))
        self.attention = nn.ModuleList(
            DiagonalGATLayer(dim, 1, 1, "mean", generator) for _ in range(n_layers)
        )
        self.weights = nn.ParameterList(torch.ones(dim) for _ in range(n_layers))
        self._rate, self._draws, self._n_first = rate, draws, n_first
        self.to(device)
        self._pattern, self._relation_of = labelled_pattern(relations, device)

    def forward(self) -> Tensor:
        """Unit vectors of all entities, [n_entities, dim]."""
        return normalize((self.own_channel() + self.cross_channel()) / 2, dim=1)

    def own_channel(self) -> Tensor:
        """Graph attention with diagonal weights, ELU after all layers but the last."""
        vectors: Tensor = self.entities
        for position, layer in enumerate(self.attention):
            vectors = layer(self._dropped(vectors), self._pattern)
            vectors = elu(vectors) if position + 1 < len(self.attention) else vectors
        return vectors

    def cross_channel(self) -> Tensor:
        """Neighbours by how similar their relation is to one of the other KG, ELU after each."""
        scores = torch.cat([self.relation_scores(), self.relations.new_ones(1)])
        shares = self._pattern.row_softmax(scores.index_select(0, self._relation_of))
        vectors: Tensor = self.entities
        for weight in self.weights:
            # The weights are diagonal, so that they may follow the sum.
            vectors = elu(self._pattern.product(shares, self._dropped(vectors)) * weight)
        return vectors

    def relation_scores(self) -> Tensor:
        """Largest cosine of each relation with one of the other KG, at most 1, [n_relations]."""
        unit = normalize(self.relations, dim=1)
        first, second = unit[: self._n_first], unit[self._n_first :]
        if not len(first) or not len(second):
            return unit.new_zeros(len(unit))
        cosines = first @ second.T
        return torch.cat([cosines.amax(dim=1), cosines.amax(dim=0)]).clamp_max(1)

    def _dropped(self, vectors: Tensor) -> Tensor:
        if not self.training or not self._rate:
            return vectors
        kept = torch.rand(vectors.shape, generator=self._draws) >= self._rate
        return vectors * (kept.to(vectors.device) / (1 - self._rate))


def labelled_pattern(
    relations: SeparateRelations, device: torch.device
) -> tuple[SparsePattern, Tensor]:
    """Undirected edges with loops, and the relation of each.

    Of parallel triples the last counts, in either direction; a loop has the number of relations,
    which stands for the weight one.

    Returns:
        Pattern [n_entities, n_entities] and relations [n_edges].
    """
    triples, size = relations.triples.numpy(), relations.n_entities
    heads, names, tails = triples[triples[:, 0] != triples[:, 2]].T
    everyone = np.arange(size)
    # Triple by triple in both directions, so that the last of parallel ones is the last here.
    keys = np.stack([heads * size + tails, tails * size + heads], axis=1).ravel()
    keys = np.concatenate([keys, everyone * (size + 1)])
    labels = np.concatenate([np.repeat(names, 2), np.full(size, relations.n_relations)])
    cells, lasts = np.unique(keys[::-1], return_index=True)
    pattern = SparsePattern(cells // size, cells % size, (size, size), device)
    return pattern, torch.from_numpy(labels[::-1][lasts].copy()).to(device)

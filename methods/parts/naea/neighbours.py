"""Entities as attended means of what their edges say."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.layers.sparse import SparsePattern

_LEAKY_SLOPE = 0.2


class NeighbourAttention(nn.Module):
    """``n_i = unit(tanh(sum_j a_ij m_ij))`` with ``m_ij = W2 [e_j || r_ij]``.

    ``a_ij`` is the softmax over the edges of ``i`` of ``LeakyReLU(a . [W1 e_i || m_ij])``. A triple
    is an edge at both ends: with its relation at the tail and with the inverse at the head. An
    entity without any keeps its vector. ``W2`` is linear, so it is applied to the means of
    ``e_j`` and of ``r_ij``: no message of an edge is ever made.

    Args:
        triples: (head, relation, tail) of both KGs, [n, 3].
        n_entities: Of both KGs.
        n_relations: The inverse of ``r`` is ``r + n_relations``.
        dim: Columns of entities and relations.
        generator: CPU generator of the initial values.
        device: Where the products run.
    """

    def __init__(
        self,
        triples: IntArray,
        n_entities: int,
        n_relations: int,
        dim: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        heads, relations, tails = triples.T
        at_tail = np.stack([tails, heads, relations], axis=1)
        at_head = np.stack([heads, tails, relations + n_relations], axis=1)
        owners, others, kinds = distinct_rows(np.concatenate([at_tail, at_head])).T
        self._entities = SparsePattern(owners, others, (n_entities, n_entities), device)
        by_kind = np.lexsort((kinds, owners))
        shape = n_entities, 2 * n_relations
        self._relations = SparsePattern(owners, kinds[by_kind], shape, device)
        self._by_kind = torch.from_numpy(by_kind).to(device)
        self._kinds = torch.from_numpy(kinds.copy()).to(device)
        alone = np.bincount(owners, minlength=n_entities) == 0
        self._alone = torch.from_numpy(alone).unsqueeze(1).to(device)
        self.own = nn.Parameter(xavier_normal((dim, dim), generator).to(device))
        self.message = nn.Parameter(xavier_normal((2 * dim, dim), generator).to(device))
        # One vector for both ends, whose fan its initial scale goes by.
        attention = xavier_normal((2 * dim, 1), generator).view(2, dim)
        self.attention = nn.Parameter(attention.to(device))

    def forward(self, entities: Tensor, relations: Tensor) -> Tensor:
        """Neighbour vectors of all entities, [n_entities, dim].

        Args:
            entities: [n_entities, dim].
            relations: And their inverses, [2 n_relations, dim].
        """
        of_entity, of_relation = self.message.chunk(2)
        towards, message = self.attention
        here = entities @ (self.own @ towards)
        there, along = entities @ (of_entity @ message), relations @ (of_relation @ message)
        pattern = self._entities
        logits = (
            here.index_select(0, pattern.rows)
            + there.index_select(0, pattern.columns)
            + along.index_select(0, self._kinds)
        )
        shares = pattern.row_softmax(leaky_relu(logits, _LEAKY_SLOPE))
        seen = pattern.product(shares, entities) @ of_entity
        said = self._relations.product(shares[self._by_kind], relations) @ of_relation
        return torch.where(self._alone, entities, normalize(torch.tanh(seen + said), dim=1))

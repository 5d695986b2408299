"""NAEA's neighbour vectors and pair loss, against plain computations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.methods.naea import pair_loss
from mmea_bench.methods.parts.naea.neighbours import NeighbourAttention

TRIPLES = torch.tensor([[0, 0, 1], [0, 1, 1], [2, 0, 0], [1, 1, 0], [2, 1, 2]]).numpy()


def test_neighbour_vectors_are_those_of_messages_edge_by_edge() -> None:
    generator, dim = torch.Generator().manual_seed(0), 3
    layer = NeighbourAttention(TRIPLES, 4, 2, dim, generator, torch.device("cpu"))
    entities = normalize(torch.randn(4, dim, generator=generator), dim=1).requires_grad_()
    relations = normalize(torch.randn(4, dim, generator=generator), dim=1).requires_grad_()
    rows = []
    for owner in range(4):
        edges = [(head, relation) for head, relation, tail in TRIPLES.tolist() if tail == owner]
        edges += [
            (tail, relation + 2) for head, relation, tail in TRIPLES.tolist() if head == owner
        ]
        if not edges:
            rows.append(entities[owner])
            continue
        messages = torch.stack(
            [torch.cat([entities[other], relations[kind]]) @ layer.message for other, kind in edges]
        )
        start = (entities[owner] @ layer.own).expand(len(edges), -1)
        logits = torch.cat([start, messages], dim=1) @ layer.attention.flatten()
        shares = torch.softmax(leaky_relu(logits, 0.2), dim=0)
        rows.append(normalize(torch.tanh(shares @ messages), dim=0))
    expected, found = torch.stack(rows), layer(entities, relations)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(4, dim, generator=generator)
    wanted = [entities, relations, *layer.parameters()]
    gradients = [torch.autograd.grad((part * weights).sum(), wanted) for part in (found, expected)]
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


def test_the_pair_loss_by_hand() -> None:
    own = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    near = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    # Cosine 1 at the neighbour level and 0 at the own one.
    expected = -math.log(0.8 / (1 + math.exp(-1)) + 0.2 * 0.5)
    assert pair_loss(own, near, torch.tensor([[0, 1]]), 0.8).item() == pytest.approx(expected)

"""KECG's attention, scores, negatives and turns against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.kecg import KECG, KECGModel, KECGParams, SeedNegatives
from mmea_bench.methods.parts.kecg.knowledge import (
    TripleNegatives,
    knowledge_losses,
    signed_sums,
)
from tests.methods.small_graphs import small_view


def triples_with_negatives(n: int = 7) -> tuple[Tensor, Tensor, CorruptedTriples]:
    generator = torch.Generator().manual_seed(1)
    entities, relations = (torch.randn(size, 3, generator=generator) for size in (5, 2))
    triples = torch.stack(
        [torch.randint(size, (n,), generator=generator) for size in (5, 2, 5)], dim=1
    )
    stand_ins = torch.randint(5, (n, 2), generator=generator)
    heads = torch.rand(n, 2, generator=generator) < 0.5
    return entities, relations, CorruptedTriples(triples, stand_ins, heads)


def test_a_triple_scores_the_signed_sum_of_its_unit_gap() -> None:
    # h + r - t = (3, -4): a length of 5 and a sum of -1. The stand-in head gives (0, 2).
    entities = torch.tensor([[1.0, 0.0], [0.0, 4.0], [-2.0, 6.0]])
    batch = CorruptedTriples(torch.tensor([[0, 0, 1]]), torch.tensor([[2]]), torch.tensor([[True]]))
    own, others = signed_sums(entities, torch.tensor([[2.0, 0.0]]), batch)
    assert own.tolist() == pytest.approx([-1 / 5])
    assert others.tolist() == [[pytest.approx(1.0)]]


def test_negatives_score_as_the_triples_that_they_are() -> None:
    entities, relations, batch = triples_with_negatives()
    _, others = signed_sums(entities, relations, batch)
    for row, column in np.ndindex(7, 2):
        head, relation, tail = batch.negatives()[row, column].tolist()
        gap = entities[head] + relations[relation] - entities[tail]
        expected = float((gap / gap.norm()).sum())
        assert float(others[row, column]) == pytest.approx(expected, abs=1e-5)


def test_a_triple_has_to_score_higher_than_its_negatives() -> None:
    entities, relations, batch = triples_with_negatives()
    own, others = signed_sums(entities, relations, batch)
    expected = np.mean([max(0.0, 3 - float(own[i] - others[i, j])) for i, j in np.ndindex(7, 2)])
    parts = list(knowledge_losses(entities, relations, batch, 3.0, "signed sum", chunk=3))
    assert len(parts) == 3
    assert float(sum(parts)) == pytest.approx(expected)


def test_plain_norm_wants_triples_to_be_shorter_than_their_negatives() -> None:
    entities, relations, batch = triples_with_negatives()
    (loss,) = knowledge_losses(entities, relations, batch, 3.0, "norm")
    gaps = [
        (entities[h] + relations[r] - entities[t]).norm(dim=-1)
        for h, r, t in (batch.triples.T, batch.negatives().permute(2, 0, 1))
    ]
    expected = (3 + gaps[0].unsqueeze(1) - gaps[1]).clamp_min(0).mean()
    assert float(loss) == pytest.approx(float(expected))


def test_neighbours_with_high_logits_weigh_less() -> None:
    graph = JointGraph.of(small_view())
    model = KECGModel(graph, KECGParams(dim=2, n_heads=(1,)), RunContext(1))
    x, a = model.entities.detach(), model.gat.layers[0].attention.detach()[0]
    # Entity 1 of the source KG has the neighbours 0 and itself.
    logits = torch.stack([a[0] @ x[1] + a[1] @ x[j] for j in (0, 1)])
    weights = torch.exp(-torch.where(logits > 0, logits, 0.2 * logits))
    expected = (weights.unsqueeze(1) * x[:2]).sum(dim=0) / weights.sum()
    assert torch.allclose(model.vectors()[1], expected)


def test_initial_scales_are_those_of_the_released_code() -> None:
    graph = JointGraph.of(small_view())
    model = KECGModel(graph, KECGParams(dim=512), RunContext(1))
    assert float(model.entities.detach().std()) == pytest.approx(1 / math.sqrt(5), rel=0.05)
    assert float(model.gat.layers[0].attention.detach().abs().max()) <= 1 / math.sqrt(1024)
    bound = math.sqrt(6 / (graph.n_relations + 512))
    assert float(model.relations.detach().abs().max()) == pytest.approx(bound, rel=0.05)
    assert all(bool((layer.weight == 1).all()) for layer in model.gat.layers)


# Source entities 0-3 and target entities 4-7; entities 3 and 7 stand in no seed link.
PAIRS = torch.tensor([[0, 4], [1, 5], [2, 6]])
LINE = torch.tensor([0.0, 1.0, 3.0, 0.1, 10.0, 13.0, 12.0, 10.1]).unsqueeze(1)


def test_hard_negatives_are_the_nearest_seed_entities_of_the_own_kg() -> None:
    params, negatives = KECGParams(n_negatives=1), SeedNegatives(PAIRS, 8, 4, RunContext(1))
    assert negatives.at(0, LINE, params).shape == (2, 3, 1)
    targets, sources = negatives.at(5, LINE, params).squeeze(2).tolist()
    assert targets == [6, 6, 5]  # nearest to 4, 5 and 6
    assert sources == [1, 0, 1]  # nearest to 0, 1 and 2


def test_the_first_negatives_are_any_entities_and_stay_for_five_epochs() -> None:
    params, negatives = KECGParams(n_negatives=200), SeedNegatives(PAIRS, 8, 4, RunContext(1))
    first = negatives.at(0, LINE, params)
    assert first.unique().tolist() == list(range(8))
    assert all(negatives.at(epoch, LINE, params) is first for epoch in range(1, 5))
    assert negatives.at(5, LINE, params) is not first


def test_without_nearest_neighbours_negatives_stay_random() -> None:
    params = KECGParams(n_negatives=200, nearest_negatives=False)
    negatives = SeedNegatives(PAIRS, 8, 4, RunContext(1))
    negatives.at(0, LINE, params)
    assert negatives.at(5, LINE, params).unique().tolist() == list(range(8))


def test_each_triple_has_a_uniform_and_a_typed_negative() -> None:
    relations = 30 * [[0, 0, 1], [2, 0, 3]]
    triples = np.array([*relations, *([4, 1, 5] for _ in range(40))])
    graph = JointGraph(8, 12, 2, triples, 0, np.empty((0, 2), dtype=np.int64))
    drawn = TripleNegatives(graph, 5, RunContext(1)).at(0)
    first, second = drawn.negatives()[:60].unbind(1)
    assert set(first[:, [0, 2]].flatten().tolist()) == set(range(8))
    # Heads of relation 0 are 0 and 2, its tails 1 and 3.
    assert set(second[:, 0].tolist()) == {0, 2}
    assert set(second[:, 2].tolist()) == {1, 3}


def test_negative_triples_are_redrawn_every_five_epochs_of_their_model() -> None:
    negatives = TripleNegatives(JointGraph.of(small_view()), 5, RunContext(1))
    first = negatives.at(0)
    assert negatives.at(4) is first
    assert negatives.at(5) is not first


def test_graph_and_knowledge_model_take_turns() -> None:
    losses: list[float] = []
    ctx = RunContext(1, tick=lambda _epoch, _n, loss: losses.append(loss))
    KECG(KECGParams(dim=4, epochs=4)).fit(small_view(), ctx)
    # The means of the two margins: CG sums over both ends of a link, KE does not.
    assert losses[0] > 4 > losses[1]
    assert losses[2] > 4 > losses[3]

"""IPTransE's path loss and soft labels, against values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.bootstrapping import ScoredPairs
from mmea_bench.methods.iptranse import IPTransE, IPTransETraining, path_loss, without_seed
from mmea_bench.methods.parts.iptranse.itranse import (
    BallSGD,
    ITransERule,
    ITransETraining,
    SoftPartners,
    exchanged,
    nearest_first,
)
from mmea_bench.methods.parts.iptranse.path_gaps import path_gaps
from tests.methods.small_graphs import knowledge_graph


def training(**overrides: object) -> IPTransETraining:
    """Two chains 0-r->1-r->2 with 0-s->2, of which the first ends are seeds."""
    triples = [(0, 0, 1), (1, 0, 2), (0, 1, 2)]
    graphs = [knowledge_graph(name, 3, triples, ["r", "s"]) for name in ("a", "b")]
    view = TrainView(*graphs, {}, ("structure",), np.array([[0, 0]], dtype=np.int32))
    method = IPTransE.configure("iptranse", overrides={"dim": 2, "label_every": 1, **overrides})
    return IPTransETraining(JointGraph.of(view), view, method.params, RunContext(rng_seed=1))


def test_the_path_loss_by_hand() -> None:
    relations = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 1.0]])
    items, others = torch.tensor([[0, 1, 2], [0, 0, 1]]), torch.tensor([3, 2])
    # 1 + 1 leads to (1, 1): 0 + 1.5 - .25; 0 + 0 to (2, 0): 5 + 1.5 - 2.
    loss = path_loss(relations, items, others, torch.tensor([2.0, 4.0]), margin=1.5)
    assert loss.item() == pytest.approx(1.25 / 2 + 4.5 / 4)


def test_gaps_of_paths_equal_the_plain_formula_with_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    relations = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    items, others = (torch.randint(5, size, generator=generator) for size in ((40, 3), (40,)))
    first, second, direct = (relations[column] for column in items.T)
    walked = first + second
    plain = (walked - direct).square().sum(1) - (walked - relations[others]).square().sum(1)
    gaps = path_gaps(relations, items, others)
    assert torch.allclose(gaps, plain)
    # Some paths are within the margin and have no gradient.
    found, expected = (
        torch.autograd.grad(torch.relu(each + 1).square().sum(), relations)
        for each in (gaps, plain)
    )
    assert torch.allclose(found[0], expected[0])


def test_paths_of_either_kg_and_none_where_they_weigh_nothing() -> None:
    assert training().paths.relations.tolist() == [[0, 0, 1], [0, 0, 1]]
    assert training().paths.weights.tolist() == [1, 1]
    assert not len(training(path_weight=0.0).paths.weights)


def test_soft_labels_copy_the_triples_of_near_pairs_with_their_similarity() -> None:
    trained = training()
    ids = trained._shared.ids.tolist()
    assert ids[0] == ids[3]
    vectors = {1: (1.0, 0.0), 2: (0.0, 1.0), 4: (4.0, 3.0), 5: (-1.0, 0.0)}
    with torch.no_grad():
        for entity, vector in vectors.items():
            trained.tables[0][ids[entity]] = torch.tensor(vector)
    trained.after_epoch(1)
    # 1 is near 4 by .8; 2, nearest to 4 as well, by .6 only.
    triples, weights = trained.soft
    expected = [(0, 0, 4), (4, 0, 2), (0, 0, 1), (1, 0, 5)]
    named = sorted([ids[head], relation, ids[tail]] for head, relation, tail in expected)
    assert sorted(triples.tolist()) == named
    assert weights.tolist() == pytest.approx([0.8] * 4)


def test_soft_triples_weigh_as_much_as_their_pair_is_similar() -> None:
    trained = training()
    trained.soft = torch.tensor([[0, 0, 1], [1, 0, 2]]), torch.tensor([1.0, 0.0])
    (alone,) = trained._soft_losses()
    entities = normalize(trained.tables[0].detach(), dim=1)
    relation = normalize(trained.tables[1].detach(), dim=1)[0]
    own = (entities[0] + relation - entities[1]).square().sum()
    wrong = [(entities[0] + relation - other).square().sum() for other in entities]
    wrong += [(other + relation - entities[1]).square().sum() for other in entities]
    possible = [max(0.0, float(1.5 + own - each)) for each in wrong]
    assert min(abs(alone.item() - value) for value in possible) < 1e-5


@pytest.mark.parametrize(("label_epochs", "expected"), [(1, [5, 9]), (2, [5, 6, 9, 10])])
def test_copies_train_in_the_first_epochs_behind_each_look(
    label_epochs: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = training(label_every=4, label_epochs=label_epochs)
    trained.soft = torch.tensor([[0, 0, 1]]), torch.tensor([1.0])
    asked: list[int] = []
    real = trained._soft_losses
    for epoch in range(5, 11):
        monkeypatch.setattr(
            trained, "_soft_losses", lambda epoch=epoch: (asked.append(epoch), real())[1]
        )
        trained.step(epoch)
    assert asked == expected


def test_triples_are_corrupted_within_their_kg() -> None:
    trained = training()
    ids = trained._shared.ids
    for _ in range(20):
        stand_ins = trained._of_kg.draw(trained._side, 1, trained._draws).squeeze(1)
        assert set(stand_ins[trained._side == 0].tolist()) <= set(ids[:3].tolist())
        assert set(stand_ins[trained._side == 1].tolist()) <= set(ids[3:].tolist())


def test_rows_move_against_their_gradient_and_stay_in_the_ball() -> None:
    table = nn.Parameter(torch.tensor([[0.5, 0.0], [0.9, 0.0], [0.3, 0.3]]))
    steps = BallSGD([table], learning_rate=0.1)
    (rows,) = steps.gather([torch.tensor([1, 0])])
    (rows @ torch.tensor([-3.0, -4.0])).sum().backward()
    steps.step()
    far = torch.tensor([1.2, 0.4])
    expected = torch.stack([torch.tensor([0.8, 0.4]), far / far.norm(), torch.tensor([0.3, 0.3])])
    assert torch.allclose(table, expected)


def test_a_soft_partner_stands_in_with_a_probability_of_the_whole_distance() -> None:
    pairs, distances = torch.tensor([[0, 3], [1, 4]]), torch.tensor([1.9, 3.2])
    soft = SoftPartners.of(5, pairs, distances, largest=3)
    assert soft.partner.tolist() == [3, 4, 2, 0, 1]
    near, far = torch.sigmoid(torch.tensor([2.0, 0.0])).tolist()
    assert soft.probability.tolist() == pytest.approx([near, far, 0.0, near, far])


def test_every_end_is_exchanged_alone() -> None:
    soft = SoftPartners(torch.tensor([4, 5, 2, 6]), torch.tensor([1.0, 1.0, 0.0, 1.0]))
    triple, negative = torch.tensor([[0, 9, 1]]), torch.tensor([[0, 9, 3]])
    own, others = exchanged(triple, negative, soft, torch.Generator())
    assert own.tolist() == [[4, 9, 1], [0, 9, 5], [0, 9, 1], [0, 9, 1]]
    assert others.tolist() == [[0, 9, 3], [0, 9, 3], [4, 9, 3], [0, 9, 6]]


def test_soft_pairs_are_one_to_one_nearest_first_and_so_many_at_most() -> None:
    rows, columns = np.array([0, 0, 1, 2]), np.array([0, 1, 0, 2])
    found = ScoredPairs(rows, columns, np.array([-0.5, -2.0, -1.0, -3.0]))
    assert nearest_first(found, 5).rows.tolist() == [0, 2]
    assert nearest_first(found, 1).columns.tolist() == [0]


def itranse(**overrides: object) -> ITransETraining:
    """Of two triples a KG whose first ends are seeds."""
    triples = [(0, 0, 1), (1, 0, 2)]
    graphs = [knowledge_graph(name, 3, triples, ["r"]) for name in ("a", "b")]
    view = TrainView(*graphs, {}, ("structure",), np.array([[0, 0]], dtype=np.int32))
    rule = ITransERule(**{**RULE, **overrides})
    graph = JointGraph.of(view)
    return ITransETraining(graph, view, without_seed(graph, view), rule, RunContext(rng_seed=1))


RULE: dict[str, Any] = {
    **{"dim": 2, "margin": 1.0, "learning_rate": 0.1, "batch_size": 4},
    **{"soft_labels": True, "label_start": 4, "label_every": 2},
    **{"max_distance": 0, "first_labels": 1, "further_labels": 1},
}


def test_a_batch_costs_its_margins_in_manhattan_distances() -> None:
    trained = itranse()
    with torch.no_grad():
        trained.tables[0].copy_(torch.arange(10.0).view(5, 2) / 10)
        trained.tables[1].zero_()
    # 0 to 1 is .4 away and 0 to 2 .8; 1 to 2 .4 and 3 to 2 .4.
    triples, negatives = torch.tensor([[0, 0, 1], [1, 0, 2]]), torch.tensor([[0, 0, 2], [3, 0, 2]])
    assert trained._loss(triples, negatives).item() == pytest.approx(0.6 + 1.0)


def test_labels_are_listed_from_their_epoch_on_and_grow() -> None:
    trained = itranse()
    ids = trained._shared.ids.tolist()
    with torch.no_grad():
        for entity, place in {1: 0.0, 4: 0.1, 2: 0.5, 5: 0.9}.items():
            trained.tables[0][ids[entity]] = torch.tensor([place, 0.0])
    for epoch in (2, 3, 5):
        trained.after_epoch(epoch)
    assert not trained.soft.probability.any()
    trained.after_epoch(4)
    assert trained.soft.partner[ids[1]] == ids[4]
    assert trained.soft.probability[ids[2]] == 0
    trained.after_epoch(6)
    assert trained.soft.partner[ids[2]] == ids[5]
    assert trained.soft.probability[ids[5]] == 0.5


def test_no_labels_without_a_rule() -> None:
    trained = itranse(soft_labels=False)
    trained.after_epoch(4)
    assert not trained.soft.probability.any()

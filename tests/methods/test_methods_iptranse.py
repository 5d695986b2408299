"""IPTransE's path loss and soft labels, against values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.iptranse import IPTransE, IPTransETraining, path_loss
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


def test_triples_are_corrupted_within_their_kg() -> None:
    trained = training()
    ids = trained._shared.ids
    for _ in range(20):
        stand_ins = trained._of_kg.draw(trained._side, 1, trained._draws).squeeze(1)
        assert set(stand_ins[trained._side == 0].tolist()) <= set(ids[:3].tolist())
        assert set(stand_ins[trained._side == 1].tolist()) <= set(ids[3:].tolist())

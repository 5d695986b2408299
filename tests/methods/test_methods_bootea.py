"""BootEA's negatives, label triples and likelihood step, against values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid, normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.bootea import BootEA, BootEATraining
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.truncated_batches import TruncatedBatches, TruncatedSampling
from tests.methods.small_graphs import knowledge_graph, small_view

N_EACH = 20


def ring_view() -> TrainView:
    """Two rings of 20 entities; the first two of either are seeds."""
    triples = [(entity, 0, (entity + 1) % N_EACH) for entity in range(N_EACH)]
    graphs = [knowledge_graph(name, N_EACH, triples, ["next"]) for name in ("s", "t")]
    seeds = np.array([[0, 0], [1, 1]], dtype=np.int32)
    return TrainView(*graphs, {}, ("structure",), seeds)


def training(view: TrainView, **overrides: object) -> BootEATraining:
    method = BootEA.configure("bootea", overrides={"dim": 4, "batch_size": 8, **overrides})
    params = method.params
    return BootEATraining(JointGraph.of(view), view, params, RunContext(rng_seed=1))


def test_stand_ins_are_near_and_differ_and_foreign_entities_are_replaced_by_anyone() -> None:
    view = ring_view()
    graph = JointGraph.of(view)
    # On a circle the nearest quarter of 20 entities are those up to two places away.
    angles = torch.arange(2 * N_EACH) * 2 * torch.pi / N_EACH
    circle = torch.stack([torch.cos(angles), torch.sin(angles)], dim=1)
    sampling = TruncatedSampling(batch_size=7, n_negatives=2, epsilon=0.75, refresh_every=5)
    seeds, ctx = graph.seed_pairs(view), RunContext(rng_seed=1)
    batches = TruncatedBatches(graph, seeds, sampling, lambda: circle, ctx)
    drawn = list(batches.epoch(1))
    assert max(len(batch.triples) for batch in drawn) == 7
    foreign = 0
    for batch in drawn:
        replaced = torch.where(batch.replaces_head, batch.triples[:, :1], batch.triples[:, 2:])
        of_target = batch.triples[:, 1:2] == graph.n_relations
        own = (replaced >= N_EACH) == of_target
        apart = (replaced - batch.stand_ins).abs() % N_EACH
        assert int(torch.minimum(apart, N_EACH - apart)[own].max()) <= 2
        assert bool((batch.stand_ins[:, 0] != batch.stand_ins[:, 1]).all())
        foreign += int((~own).sum())
    assert foreign
    # 20 triples each; a KG's three at its two seeds give four copies, the middle one two of them.
    assert sum(len(batch.triples) for batch in drawn) == 2 * (20 + 4)


def test_label_losses_by_hand() -> None:
    trained = training(ring_view())
    trained._bootstrapping.labels = torch.tensor([[5, 25]])
    (loss,) = trained._label_losses()
    entities, relations = (normalize(table.detach(), dim=1) for table in trained.tables)
    expected = torch.zeros(())
    for head, relation, tail in ((25, 0, 6), (4, 0, 25), (5, 1, 26), (24, 1, 5)):
        gap = entities[head] + relations[relation] - entities[tail]
        expected = expected - logsigmoid(-(gap @ gap))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("labels", [[], [[5, 25], [7, 30]]])
def test_the_likelihood_step_in_blocks_is_that_of_the_whole_matrix(
    labels: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.methods.bootea._LIKELIHOOD_ROWS", 3)
    trained = training(ring_view())
    trained._bootstrapping.labels = torch.tensor(labels, dtype=torch.int64).reshape(-1, 2)
    table = trained.tables[0].detach().clone().requires_grad_()
    vectors = normalize(table, dim=1)
    wanted = torch.zeros(N_EACH, N_EACH)
    if labels:
        wanted += 1 / N_EACH
    for source, target in [[0, 20], [1, 21], *labels]:
        wanted[source] = 0
        wanted[source, target - N_EACH] = 1
    loss = -(wanted * logsigmoid(vectors[:N_EACH] @ vectors[N_EACH:].T)).sum()
    (gradient,) = torch.autograd.grad(loss, table)
    # Adagrad's first step from a sum of .1.
    expected = table - 0.01 * gradient / (gradient.square() + 0.1).sqrt()
    trained._likelihood_step()
    torch.testing.assert_close(trained.tables[0].detach(), expected.detach())


def test_rows_are_cut_normal_values_of_spread_one_over_root_dim() -> None:
    entities, relations = training(ring_view(), dim=400).tables
    assert relations.shape == (2, 400)
    assert float(entities.detach().abs().max()) <= 2 / 20
    assert float(entities.detach().std()) == pytest.approx(0.88 / 20, rel=0.02)


def test_only_bootstrapping_makes_labels() -> None:
    for bootstrap in (True, False):
        view, ctx = small_view(), RunContext(rng_seed=1)
        overrides = {"epochs": 2, "bootstrap_every": 1, "threshold": -1.0, "bootstrap": bootstrap}
        method = BootEA.configure("bootea", overrides=overrides)
        trained = BootEATraining(JointGraph.of(view), view, method.params, ctx)
        trained._bootstrapping._seed_pairs = torch.empty(0, 2, dtype=torch.int64)
        trained.after_epoch(1)
        assert bool(len(trained._bootstrapping.labels)) is bootstrap

"""HGCN-JE's layers, joint vectors, negatives and stages against plain computations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods import gcn_je
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import word_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.relation_matrices import underweighted_adjacency
from mmea_bench.methods.gcn_je import GCNJE, GCNJEParams, JointModel, _Stages, relation_roles
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")


def model(params: GCNJEParams | None = None) -> JointModel:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(5, 4, generator=generator)
    sizes = params or GCNJEParams(relation_dim=3)
    return JointModel(JointGraph.of(small_view()), start, sizes, generator, CPU)


def test_a_relation_counts_once_for_each_role_of_an_entity() -> None:
    # Relation r (0): 0 -> 1, 1 -> 0 and 3 -> 4; relation s (1): 0 -> 2 and 2 -> 2.
    roles = relation_roles(JointGraph.of(small_view())).forward_matrix.to_dense()
    assert roles.tolist() == [[2, 1], [2, 0], [0, 2], [1, 0], [1, 0]]


def test_entities_pass_gated_convolutions() -> None:
    made = model()
    adjacency = underweighted_adjacency(JointGraph.of(small_view())).forward_matrix.to_dense()
    x = normalize(made.inputs, dim=1)
    for layer, gate in zip(made.layers, made.gates, strict=True):
        passed = torch.sigmoid(x @ gate.kernel + gate.bias)
        x = passed * (adjacency @ (x * layer.weight)).clamp_min(0) + (1 - passed) * x
    assert torch.allclose(made.entities(), x, atol=1e-6)
    assert all(bool((layer.weight == 1).all()) for layer in made.layers)


def test_the_table_is_normalised_in_the_graph_so_that_its_length_only_slows_it() -> None:
    made = model()
    before = made.entities()
    (gradient,) = torch.autograd.grad(before.sum(), made.inputs)
    with torch.no_grad():
        made.inputs *= 5
    after = made.entities()
    torch.testing.assert_close(after, before)
    (slower,) = torch.autograd.grad(after.sum(), made.inputs)
    torch.testing.assert_close(5 * slower, gradient)


def test_the_table_starts_as_the_means_of_words_are(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []

    def kept(_graph: JointGraph, start: torch.Tensor, *_rest: object) -> JointModel:
        starts.append(start)
        return model()

    monkeypatch.setattr(gcn_je, "JointModel", kept)
    GCNJE(GCNJEParams(epochs=0)).fit(small_view(), RunContext(1))
    torch.testing.assert_close(starts[0], word_vectors(small_view(), RunContext(1), unit=False))


def test_without_gates_layers_are_plain_convolutions() -> None:
    made = model(GCNJEParams(gates=False))
    adjacency = underweighted_adjacency(JointGraph.of(small_view())).forward_matrix.to_dense()
    x = normalize(made.inputs, dim=1)
    for _ in made.layers:
        x = (adjacency @ x).clamp_min(0)
    assert torch.allclose(made.entities(), x, atol=1e-6)


def test_joint_vectors_end_in_the_sum_of_an_entitys_relations() -> None:
    made = model()
    e = made.entities()
    heads = torch.stack([e[[0, 1, 3]].mean(dim=0), e[[0, 2]].mean(dim=0)])
    tails = torch.stack([e[[0, 1, 4]].mean(dim=0), e[2]])
    relations = torch.cat([heads, tails], dim=1) @ made.relation_weight
    joint = made.joint()
    assert torch.allclose(joint[:, :4], e)
    assert torch.allclose(joint[0, 4:], 2 * relations[0] + relations[1], atol=1e-5)
    assert torch.allclose(joint[4, 4:], relations[0], atol=1e-5)


def stages(params: GCNJEParams) -> _Stages:
    return _Stages(model(params), torch.tensor([[0, 3], [1, 4]]), params)


SHORT = GCNJEParams(relation_dim=3, joint_start=3, refresh_every=2, n_negatives=2)


def test_negatives_are_the_nearest_of_both_kgs_and_the_entity_itself() -> None:
    training = stages(SHORT)
    vectors = training.vectors().detach()
    training.step(1)
    distances = torch.cdist(vectors, vectors, p=1)
    for side, anchors in enumerate([[0, 1], [3, 4]]):
        for row, anchor in enumerate(anchors):
            expected = distances[anchor].argsort()[:2].tolist()
            assert sorted(training._negatives[side, row].tolist()) == sorted(expected)
            assert anchor in expected


def test_the_second_stage_begins_with_old_negatives_and_a_fresh_optimiser() -> None:
    training = stages(SHORT)
    for epoch in (1, 2, 3):
        training.step(epoch)
    assert training.vectors().shape == (5, 4)
    before, negatives = training._updates, training._negatives
    training.step(4)
    assert training.vectors().shape == (5, 7)
    assert training._updates is not before
    assert training._negatives is negatives
    training.step(5)
    assert training._negatives is not negatives


def test_relations_learn_in_the_second_stage_alone() -> None:
    training = stages(SHORT)
    weight = training._model.relation_weight.detach().clone()
    for epoch in (1, 2, 3):
        training.step(epoch)
    assert torch.equal(training._model.relation_weight, weight)
    training.step(4)
    assert not torch.equal(training._model.relation_weight, weight)


@pytest.mark.parametrize(("joint", "columns"), [(True, 308), (False, 300)])
def test_vectors_have_relations_where_there_is_a_second_stage(joint: bool, columns: int) -> None:
    params = GCNJEParams(epochs=2, joint_start=1, relation_dim=8, joint=joint)
    assert GCNJE(params).fit(small_view(), RunContext(1)).source.shape == (3, columns)


def test_names_start_the_vectors_and_random_rows_stand_in_for_them() -> None:
    params = GCNJEParams(epochs=0, relation_dim=8)
    named, random = RunContext(1), RunContext(1)
    GCNJE(params).fit(small_view(), named)
    GCNJE(replace(params, modalities=("structure",))).fit(small_view(), random)
    assert "word_vectors" in named.log.simulated  # hashed words, as the view has no vectors
    assert not random.log.simulated

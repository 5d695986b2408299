"""RKDEA's teacher, student and distillation against plain computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity, huber_loss, normalize

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.parts.rkdea.distillation import (
    angle_term,
    distance_term,
    distillation_loss,
    same_relation_pairs,
)
from mmea_bench.methods.parts.rkdea.teacher import Teacher, TeacherSizes, teacher_batches
from mmea_bench.methods.rkdea import RKDEA, Lessons, RKDEAParams, Student
from tests.methods.small_graphs import small_view

SMALL = RKDEAParams(
    teacher_dim=4,
    teacher_epochs=2,
    teacher_negatives=2,
    dim=6,
    n_negatives=1,
    distilled_triples=4,
    refresh_every=2,
    epochs=3,
)
GRAPH = JointGraph.of(small_view())
SEEDS = GRAPH.seed_pairs(small_view())


def student(params: RKDEAParams = SMALL) -> Student:
    return Student(GRAPH.n_entities, adjacency_matrix(GRAPH), params, RunContext(1))


def teacher(params: RKDEAParams = SMALL) -> Teacher:
    sizes = taken_from(params, TeacherSizes)
    return Teacher(GRAPH, SEEDS, adjacency_matrix(GRAPH), sizes, RunContext(1))


def test_lengths_are_compared_in_units_of_their_batch_mean() -> None:
    # Lengths 1 and 3 have mean 2, so 0.5 and 1.5; lengths 4 and 4 are 1 and 1.
    of_teacher = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    of_student = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    assert distance_term(of_teacher, of_student).item() == pytest.approx(0.5 * 0.25)


def test_a_triple_is_compared_with_the_next_of_its_relation() -> None:
    first, second = same_relation_pairs(torch.tensor([1, 0, 1, 2, 1]))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 2), (2, 4)]


def test_angles_are_those_between_triples_of_one_relation() -> None:
    generator = torch.Generator().manual_seed(1)
    of_teacher = torch.randn(4, 3, generator=generator)
    of_student = torch.randn(4, 5, generator=generator)
    relations = torch.tensor([0, 1, 0, 0])
    expected = torch.stack(
        [
            huber_loss(
                cosine_similarity(of_student[a], of_student[b], dim=0),
                cosine_similarity(of_teacher[a], of_teacher[b], dim=0),
            )
            for a, b in [(0, 2), (2, 3)]
        ]
    ).mean()
    assert torch.allclose(angle_term(of_teacher, of_student, relations), expected)


def test_without_two_triples_of_a_relation_there_is_no_angle() -> None:
    assert angle_term(torch.ones(2, 3), torch.ones(2, 2), torch.tensor([0, 1])).item() == 0


def test_a_student_like_its_teacher_up_to_scale_and_rotation_loses_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(5, 3, generator=generator)
    turned = 7 * vectors @ torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    triples = torch.from_numpy(GRAPH.triples)
    assert distillation_loss(vectors, turned, triples, 2.0).item() == pytest.approx(0, abs=1e-9)


def test_the_loss_is_distances_and_twice_the_angles() -> None:
    generator = torch.Generator().manual_seed(1)
    taught, vectors = (torch.randn(5, dim, generator=generator) for dim in (3, 4))
    triples = torch.tensor([[0, 0, 1], [3, 0, 4], [0, 1, 2]])
    gaps = [each[triples[:, 2]] - each[triples[:, 0]] for each in (taught, vectors)]
    expected = distance_term(*gaps) + 2 * angle_term(*gaps, triples[:, 1])
    assert torch.allclose(distillation_loss(taught, vectors, triples, 2.0), expected)


def test_the_student_is_its_table_beside_two_gated_layers_with_unit_rows() -> None:
    made = student()
    adjacency = np.zeros((5, 5))
    for one, other in [(0, 1), (0, 2), (3, 4)]:
        adjacency[one, other] = adjacency[other, one] = 1
    adjacency += np.eye(5)
    degrees = adjacency.sum(axis=1)
    matrix = torch.from_numpy(adjacency / np.sqrt(np.outer(degrees, degrees))).float()
    with torch.no_grad():
        made.table.mul_(3)  # in the graph it counts by its direction alone
    x = normalize(made.table, dim=1)
    blocks = [x]
    for layer, gate in zip(made.convolutions.layers, made.convolutions.gates, strict=True):
        passed = torch.sigmoid(x @ gate.kernel + gate.bias)
        x = passed * (matrix @ (x * layer.weight)).clamp_min(0) + (1 - passed) * x
        blocks.append(x)
    expected = torch.cat([normalize(block, dim=1) for block in blocks], dim=1)
    assert torch.allclose(made.vectors(), expected, atol=1e-6)


def test_the_weight_of_the_distillation_is_learned_as_an_uncertainty() -> None:
    made = student()
    with torch.no_grad():
        made.log_variance.fill_(0.5)
    expected = 3.0 * np.exp(-0.5) + 0.5
    assert made.weighted(torch.tensor(3.0)).item() == pytest.approx(expected)
    fixed = student(replace(SMALL, adaptive=False))
    assert fixed.weighted(torch.tensor(3.0)).item() == 3


def test_the_teacher_sees_copies_of_triples_along_seed_links() -> None:
    sizes = taken_from(SMALL, TeacherSizes)
    batches = teacher_batches(GRAPH, SEEDS, sizes, RunContext(1))
    seen = {tuple(row) for batch in batches.epoch(1) for row in batch.triples.tolist()}
    # Seeds 0 - 3 and 1 - 4; the relation of the target KG is one of its own (2).
    plain = {(0, 0, 1), (1, 0, 0), (0, 1, 2), (2, 1, 2), (3, 2, 4)}
    copies = {(3, 0, 1), (0, 0, 4), (4, 0, 0), (1, 0, 3), (3, 1, 2), (0, 2, 4), (3, 2, 1)}
    assert seen == plain | copies


@pytest.mark.parametrize("encoder", ["table", "gcn"])
def test_the_teachers_loss_falls_and_its_vectors_keep_unit_length(encoder: str) -> None:
    made = teacher(replace(SMALL, teacher_encoder=encoder, learning_rate=0.02))  # type: ignore[arg-type]
    losses = [made.epoch(epoch) for epoch in range(1, 40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert torch.allclose(made.vectors().norm(dim=1), torch.ones(5))


def test_the_teacher_comes_first_and_is_frozen_then() -> None:
    pupil, master = student(), teacher()
    lessons = Lessons(GRAPH, SEEDS, pupil, master, SMALL, RunContext(1))
    before = pupil.table.detach().clone()
    for epoch in (1, 2):
        lessons.step(epoch)
    assert torch.equal(pupil.table, before)
    taught = master.entities.detach().clone()
    lessons.step(3)
    assert not torch.equal(pupil.table, before)
    assert torch.equal(master.entities, taught)
    assert master.entities.grad is not None  # of its own last step, which nothing reads


def test_negatives_are_of_the_partners_kg_without_the_partner_and_renewed() -> None:
    lessons = Lessons(GRAPH, SEEDS, student(), None, SMALL, RunContext(1))
    lessons.step(1)
    first = lessons._negatives
    assert first.tolist()[0] == [[4], [3]]  # the only other target of 0 - 3 and of 1 - 4
    assert set(first[1].flatten().tolist()) <= {0, 1, 2}
    assert first[1, 0].item() != 0
    assert first[1, 1].item() != 1
    lessons.step(2)
    assert lessons._negatives is first
    lessons.step(3)
    assert lessons._negatives is not first


def test_without_distillation_there_is_no_teacher() -> None:
    found = RKDEA(replace(SMALL, distils=False)).fit(small_view(), RunContext(1))
    assert found.source.shape == (3, 18)
    assert found.similarity == "manhattan"

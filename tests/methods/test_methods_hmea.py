"""HMEA: maps and distances of the hyperboloid by hand, layers and losses against their formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.hmea import HMEA, HMEAParams, alignment, losses, points_of
from mmea_bench.methods.parts.hmea.branches import Branches, HyperbolicGCN
from mmea_bench.methods.parts.hmea.hyperboloid import (
    LONGEST_TANGENT,
    all_distances,
    lifted,
    listed_distances,
    pattern_of_lists,
    shortened,
    tangent_of,
)
from tests.methods.small_graphs import small_view


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def to_others(points: Tensor, others: Tensor) -> Tensor:
    """Distances from every point to all others, [n, n_others]."""
    everyone = torch.arange(len(others)).repeat(len(points), 1)
    lists = pattern_of_lists(everyone, len(others))
    return listed_distances(points, others, lists).view(everyone.shape)


def lorentz(first: Tensor, second: Tensor) -> float:
    return float(first[1:] @ second[1:] - first[0] * second[0])


def test_a_tangent_vector_of_length_one_is_lifted_by_hand() -> None:
    found = lifted(torch.tensor([[0.6, 0.8]], dtype=torch.float64))
    expected = [math.cosh(1), 0.6 * math.sinh(1), 0.8 * math.sinh(1)]
    assert found[0].tolist() == pytest.approx(expected)


def test_curvature_scales_the_point_by_hand() -> None:
    found = lifted(torch.tensor([[2.0]], dtype=torch.float64), k=4.0)
    assert found[0].tolist() == pytest.approx([2 * math.cosh(1), 2 * math.sinh(1)])


@pytest.mark.parametrize("k", [1.0, 2.5])
def test_points_lie_on_the_hyperboloid_and_return_to_their_tangent_vectors(k: float) -> None:
    tangent = draw(5, 3)
    points = lifted(tangent, k)
    assert [lorentz(point, point) for point in points] == pytest.approx([-k] * 5)
    torch.testing.assert_close(tangent_of(points, k), tangent)


def test_the_origin_is_lifted_to_the_origin_and_has_a_gradient() -> None:
    tangent = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    points = lifted(tangent)
    assert points[0].tolist() == [1.0, 0.0, 0.0]
    points.sum().backward()
    assert tangent.grad is not None
    assert bool(torch.isfinite(tangent.grad).all())


@pytest.mark.parametrize("k", [1.0, 2.5])
@pytest.mark.parametrize("length", [1e-3, 2.0, 30.0])
def test_gradients_of_a_point_are_those_of_its_formula(length: float, k: float) -> None:
    tangent = draw(6, 3)
    tangent = (length * tangent / tangent.norm(dim=1, keepdim=True)).requires_grad_()
    plain = tangent.detach().clone().requires_grad_()
    weights = draw(6, 4)
    points = lifted(tangent, k)
    (points * weights).sum().backward()
    root, short = k**0.5, shortened(plain, k)
    lengths = short.norm(dim=1, keepdim=True)
    space = root * torch.sinh(lengths / root) * short / lengths
    expected = torch.cat([root * torch.cosh(lengths / root), space], dim=1)
    (expected * weights).sum().backward()
    torch.testing.assert_close(points, expected)
    torch.testing.assert_close(tangent.grad, plain.grad)


def test_gradients_of_listed_distances_are_those_of_gathered_members() -> None:
    points = lifted(draw(7, 3)).requires_grad_()
    plain = points.detach().clone().requires_grad_()
    anchors, listed = torch.tensor([0, 4]), torch.tensor([[1, 2, 2], [6, 0, 3]])
    found = listed_distances(points[anchors], points, pattern_of_lists(listed, 7))
    found.square().sum().backward()
    signs = torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64)
    products = torch.einsum("nd,nmd->nm", plain[anchors] * signs, plain[listed])
    expected = torch.acosh(-products)
    expected.square().sum().backward()
    torch.testing.assert_close(found.view(2, 3), expected)
    torch.testing.assert_close(points.grad, plain.grad)


def test_long_tangent_vectors_keep_their_direction_and_lose_their_length() -> None:
    found = shortened(torch.tensor([[30.0, 40.0], [0.3, 0.4]]))
    assert found[0].tolist() == pytest.approx([0.6 * LONGEST_TANGENT, 0.8 * LONGEST_TANGENT])
    assert found[1].tolist() == pytest.approx([0.3, 0.4])


def test_distances_along_a_geodesic_through_the_origin_are_those_of_the_line() -> None:
    points = lifted(torch.tensor([[1.5], [-0.5], [0.25]], dtype=torch.float64))
    found = to_others(points[:1], points[1:])
    assert found[0].tolist() == pytest.approx([2.0, 1.25])


def test_distance_of_right_angles_is_that_of_the_hyperbolic_pythagoras() -> None:
    points = lifted(torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64))
    found = to_others(points[:1], points[1:])
    assert float(found) == pytest.approx(math.acosh(math.cosh(1) * math.cosh(2)))


def test_a_point_is_next_to_nothing_away_from_itself_and_the_slope_is_finite() -> None:
    tangent = draw(1, 4).requires_grad_()
    points = lifted(tangent)
    found = to_others(points, points)
    assert found.item() < 1e-3
    found.sum().backward()
    assert tangent.grad is not None
    assert bool(torch.isfinite(tangent.grad).all())


def test_layers_in_the_tangent_space_are_those_of_the_hyperboloid() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    adjacency = adjacency_matrix(graph)
    network = HyperbolicGCN(3, 2, torch.Generator().manual_seed(0), 1.0)
    tangent = draw(graph.n_entities, 3).float()
    dense = adjacency @ torch.eye(graph.n_entities)
    points = lifted(tangent)
    weights = [layer.weight for layer in network.layers]
    points = lifted(torch.relu(dense @ tangent_of(points) @ weights[0]))
    points = lifted(dense @ tangent_of(points) @ weights[1])
    torch.testing.assert_close(network(tangent, adjacency), tangent_of(points), atol=1e-5, rtol=0)


def both_branches() -> tuple[Branches, JointGraph]:
    view = small_view()
    graph = JointGraph.of(view)
    params = HMEAParams(structure_dim=4, image_dim=2)
    return HMEA(params).branches(graph, view, RunContext(rng_seed=1)), graph


def test_fusion_puts_the_weighted_branches_side_by_side() -> None:
    branches, _ = both_branches()
    tangents = branches()
    fused = branches.fused(tangents)
    expected = torch.cat([0.8 * tangents["structure"], 0.2 * tangents["image"]], dim=1)
    torch.testing.assert_close(fused, expected)
    assert branches.fused({"image": tangents["image"]}) is tangents["image"]


def test_entities_without_an_image_get_the_mean_one() -> None:
    images = modality_features(small_view(), "image", RunContext(rng_seed=1), fill="mean")
    mean = torch.tensor([3.0, 5.0])  # of (2, 0), (0, 4), (1, 1), times three
    for row in (1, 4):
        torch.testing.assert_close(images[row], mean / mean.norm())


@pytest.mark.parametrize("space", ["hyperbolic", "euclidean"])
def test_loss_is_that_of_pairs_one_by_one(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmea_bench.methods.hmea._PAIRS_AT_ONCE", 2)
    params = HMEAParams(space=space, margin=0.7)  # type: ignore[arg-type]
    tangents = {"structure": draw(9, 3), "image": draw(9, 2)}
    points = {name: points_of(each, params) for name, each in tangents.items()}
    pairs = torch.tensor([[0, 5], [1, 6], [2, 7]])
    stand_ins = torch.tensor([[[6, 8], [5, 3], [8, 8]], [[1, 4], [0, 2], [3, 0]]])
    expected = 0.0
    for each in points.values():

        def distance(first: int, second: int, each: Tensor = each) -> float:
            if space == "euclidean":
                return float((each[first] - each[second]).norm())
            return math.acosh(max(1.0, -lorentz(each[first], each[second])))

        for row, (source, target) in enumerate(pairs.tolist()):
            own = distance(source, target)
            for other in stand_ins[0, row].tolist():
                expected += max(0.0, own + 0.7 - distance(source, other))
            for other in stand_ins[1, row].tolist():
                expected += max(0.0, own + 0.7 - distance(target, other))
    parts = list(losses(points, pairs, stand_ins, params))
    assert len(parts) == 2
    assert float(sum(parts)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("k", [1.0, 2.5])
def test_distances_between_all_points_are_those_one_by_one(k: float) -> None:
    points = lifted(draw(7, 3), k)
    found = all_distances(points[:3], points[3:], k)
    for row in range(3):
        for column in range(4):
            expected = k**0.5 * math.acosh(-lorentz(points[row], points[3 + column]) / k)
            assert float(found[row, column]) == pytest.approx(expected)


def scores_of(tangent: Tensor, graph: JointGraph, params: HMEAParams) -> Tensor:
    ids = [torch.arange(n).numpy() for n in (graph.n_source, graph.n_entities - graph.n_source)]
    found = alignment(tangent, graph, params)
    return torch.cat([block.scores for block in score_blocks(found, *ids)])


@pytest.mark.parametrize("k", [1.0, 2.5])
def test_scores_are_negative_distances(k: float) -> None:
    _, graph = both_branches()
    tangent = draw(graph.n_entities, 4)
    points = lifted(tangent, k)
    scores = scores_of(tangent, graph, HMEAParams(k=k))
    expected = all_distances(points[: graph.n_source], points[graph.n_source :], k)
    torch.testing.assert_close(scores.double(), -expected, atol=1e-5, rtol=0)


def test_far_points_rank_as_in_double_precision() -> None:
    n, length = 40, 9.0
    # All within three of each other: products differ by about ten, single precision is off by one.
    source = normalize(torch.ones(6).double() + 0.001 * draw(n, 6), dim=1)
    target = normalize(source + 5e-5 * draw(n, 6).flip(0), dim=1)
    tangent = (length * torch.cat([source, target])).float()
    graph = replace(both_branches()[1], n_source=n, n_entities=2 * n)
    found = scores_of(tangent, graph, HMEAParams())
    points = lifted(tangent.double())
    products = points[:n, 1:] @ points[n:, 1:].T - points[:n, :1] @ points[n:, :1].T
    expected = -torch.acosh(-products)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert torch.equal(found.argsort(dim=1), expected.argsort(dim=1))
    assert found.argmax(dim=1).tolist() == list(range(n))
    rough = points.float()
    products = rough[:n, 1:] @ rough[n:, 1:].T - rough[:n, :1] @ rough[n:, :1].T
    assert not torch.equal(products.argsort(dim=1), expected.argsort(dim=1))


def test_euclidean_space_keeps_its_vectors() -> None:
    _, graph = both_branches()
    found = alignment(draw(graph.n_entities, 4), graph, HMEAParams(space="euclidean"))
    assert isinstance(found, Embeddings)
    assert found.similarity == "euclidean"

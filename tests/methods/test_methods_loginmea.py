"""LoginMEA's fusion, weights, loss and inputs against hand-computed values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.battery.fits import fit
from mmea_bench.bench.battery.small_pairs import easy_pair
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import neighbour_mean_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.losses.batch import one_way_contrastive_loss
from mmea_bench.methods.loginmea import LoginMEA
from mmea_bench.methods.parts.loginmea.low_rank import (
    AdaptiveWeights,
    LocalFusion,
    LowRankFusion,
    SparseRows,
)
from tests.methods.small_graphs import knowledge_graph

AXES = "abc"


def random_vectors(names: str, n: int, dim: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(n, dim, generator=generator) for name in names}


@pytest.mark.parametrize("modalities", ["xy", "xyz"])
def test_low_rank_fusion_equals_the_full_tensor_product(modalities: str) -> None:
    generator = torch.Generator().manual_seed(1)
    fusion = LowRankFusion(dict.fromkeys(modalities, 3), 4, 2, generator)
    fusion.bias.data = torch.randn(4, generator=generator)
    axes = AXES[: len(modalities)]
    # W[a, b, (c,) o] = sum_i w_i W_x[i, a, o] W_y[i, b, o] (W_z[i, c, o])
    factors = [fusion.factors[name] for name in modalities]
    spec = ",".join(f"r{axis}o" for axis in axes)
    weight = torch.einsum(f"r,{spec}->{axes}o", fusion.rank_weights, *factors)
    vectors = random_vectors(modalities, 5, 3)
    extended = [torch.cat([torch.ones(5, 1), vectors[name]], dim=1) for name in modalities]
    outer = torch.einsum(",".join(f"n{axis}" for axis in axes) + f"->n{axes}", *extended)
    plain = torch.einsum(f"n{axes},{axes}o->no", outer, weight) + fusion.bias
    torch.testing.assert_close(fusion(vectors), plain)


def test_high_ranks_are_recomputed_without_changing_gradients() -> None:
    fusion = LowRankFusion({"x": 3, "y": 3}, 4, 17, torch.Generator().manual_seed(2))
    vectors = random_vectors("xy", 5, 3)
    parameters = list(fusion.parameters())
    gradients = torch.autograd.grad(fusion(vectors).square().sum(), parameters)
    x, y = (torch.cat([torch.ones(5, 1), vectors[name]], dim=1) for name in "xy")
    products = (x @ fusion.factors["x"]) * (y @ fusion.factors["y"])  # [17, 5, 4]
    plain = torch.einsum("r,rno->no", fusion.rank_weights, products) + fusion.bias
    expected = torch.autograd.grad(plain.square().sum(), parameters)
    for gradient, plain_gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, plain_gradient)


def test_initial_factors_have_the_released_codes_spread() -> None:
    fusion = LowRankFusion({"x": 300}, 300, 8, torch.Generator().manual_seed(3))
    assert float(fusion.factors["x"].detach().std()) == pytest.approx(0.00464, rel=0.01)


def test_the_printed_fusion_is_the_plain_sum_of_products() -> None:
    generator = torch.Generator().manual_seed(1)
    choices = {"rank": 2, "adaptive": False, "normalised": False, "released": False}
    fusion = LocalFusion(("x", "y"), (3, 4), generator, **choices)
    vectors = random_vectors("xy", 5, 3)
    x, y = (torch.cat([torch.ones(5, 1), vectors[name]], dim=1) for name in "xy")
    factors = fusion.low_rank.factors
    # Equation 8 up to the sum of products: no weights of the ranks, and no tanh.
    expected = sum((x @ factors["x"][rank]) * (y @ factors["y"][rank]) for rank in range(2))
    torch.testing.assert_close(fusion(vectors), expected)


def test_adaptive_weights_by_hand() -> None:
    weights = AdaptiveWeights(("x", "y"), 2, torch.Generator(), shared=True)
    weights.queries.data = torch.tensor([[1.0, -2.0]])
    found = weights({"x": torch.tensor([[0.5, 0.0]]), "y": torch.tensor([[0.0, 1.0]])})
    x, y = math.exp(math.tanh(0.5)), math.exp(-2 * math.tanh(1.0))
    torch.testing.assert_close(found["x"], torch.tensor([[x / (x + y)]]))
    torch.testing.assert_close(found["y"], torch.tensor([[y / (x + y)]]))


def test_each_modality_may_have_its_own_query() -> None:
    weights = AdaptiveWeights(("x", "y"), 1, torch.Generator(), shared=False)
    weights.queries.data = torch.tensor([[1.0], [3.0]])
    found = weights({"x": torch.tensor([[1.0]]), "y": torch.tensor([[1.0]])})
    odds = math.exp(-2 * math.tanh(1.0))
    torch.testing.assert_close(found["x"], torch.tensor([[odds / (1 + odds)]]))


def test_local_fusion_weighs_normalised_vectors() -> None:
    fusion = LocalFusion(("x", "y"), (3, 3), torch.Generator().manual_seed(4), kind="sum")
    vectors = random_vectors("xy", 5, 3)
    assert fusion.weights is not None
    weights = fusion.weights(vectors)
    plain = sum(weights[name] * normalize(vectors[name], dim=1) for name in "xy")
    assert isinstance(plain, Tensor)
    torch.testing.assert_close(fusion(vectors), torch.tanh(plain))


@pytest.mark.parametrize("normalised", [True, False])
def test_sparse_features_change_neither_value_nor_gradients(normalised: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    fusion = LocalFusion(("x", "y"), (3, 4), generator, rank=2, normalised=normalised)
    for factor in fusion.parameters():
        factor.data = torch.randn(factor.shape, generator=generator)
    encoder = Linear(6, 3, generator)
    features = torch.relu(torch.randn(5, 6, generator=generator))
    features[2] = 0
    other = torch.randn(5, 3, generator=generator)
    matrix = FixedMatrix.of(features)
    sparse = fusion({"x": encoder(matrix), "y": other}, {"x": (SparseRows(matrix), encoder)})
    plain = fusion({"x": encoder(features), "y": other})
    torch.testing.assert_close(sparse, plain)
    parameters = [*fusion.parameters(), *encoder.parameters()]
    gradients = torch.autograd.grad(sparse.square().sum(), parameters)
    expected = torch.autograd.grad(plain.square().sum(), parameters)
    for gradient, plain_gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, plain_gradient, rtol=1e-4, atol=1e-5)


def test_one_way_loss_by_hand() -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    target = torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    # Cosines: row 0 is (0.6, 0.8), row 1 is (0.8, 0.6); both partners are the less similar ones.
    expected = -math.log(math.exp(6) / (math.exp(6) + math.exp(8)))
    loss = one_way_contrastive_loss(source, target, 0.1)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_lacking_images_are_means_over_neighbours() -> None:
    # Entity 0 sees 1 twice and 2 once, all with images; 3 sees only 0; 4 and 5 see nothing.
    source = knowledge_graph("s", 4, [(0, 0, 1), (1, 0, 0), (2, 0, 0), (3, 0, 0)], ["r"])
    target = knowledge_graph("t", 2, [], ["r"])
    values = np.array([[0, 0], [3, 0], [0, 3], [0, 0]], dtype=np.float32)
    image = (
        Features(values, np.array([False, True, True, False])),
        Features(np.zeros((2, 2), dtype=np.float32), np.array([False, False])),
    )
    seeds = np.empty((0, 2), dtype=np.int32)
    view = TrainView(source, target, {"image": image}, ("structure", "image"), seeds)
    found = neighbour_mean_features(view, "image", JointGraph.of(view), RunContext(rng_seed=1))
    torch.testing.assert_close(found[0], normalize(torch.tensor([2.0, 1.0]), dim=0))
    torch.testing.assert_close(found[1:3], torch.eye(2))
    torch.testing.assert_close(found[3], found[4])
    torch.testing.assert_close(found[4], found[5])
    torch.testing.assert_close(found.norm(dim=1), torch.ones(6))


@pytest.mark.parametrize(
    ("variant", "n_blocks"),
    [
        ("full", 3 + 3 + 2),
        ("w/o Visual", 3 + 2 + 2),
        ("repl. GAT", 3 + 3 + 2),
        ("repl. Concat Fusion", 3 + 1 + 2),
        ("LoginMEA-GAM", 4 + 1),
        ("LoginMEA-GUM", 3 + 3 * 3),
        ("as described", 1 + 3),
    ],
)
def test_final_vectors_hold_the_blocks_of_the_variant(variant: str, n_blocks: int) -> None:
    overrides = {**LoginMEA.test_params, **LoginMEA.variants.get(variant, {})}
    overrides |= {"epochs": 1, "modality_dim": 24}
    method = LoginMEA.configure("loginmea", variant, overrides)
    assert fit(method, easy_pair()).source.shape[1] == n_blocks * 24

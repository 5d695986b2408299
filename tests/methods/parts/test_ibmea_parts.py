"""IBMEA's latents and losses, each against its formula."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import elu, layer_norm, normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.batch import one_way_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.ibmea import IBMEA, IBMEAParams, _encoder
from mmea_bench.methods.parts.ibmea import losses as parts
from mmea_bench.methods.parts.ibmea.encoder import BottleneckEncoder, FeatureLatents
from mmea_bench.methods.parts.ibmea.losses import (
    PRIOR_DEVIATION,
    BottleneckLosses,
    LossSettings,
    bottleneck_divergence,
    multi_similarity_loss,
    regularised_deviation,
)

PARAMS = dataclasses.replace(IBMEAParams(), structure_dim=12, modality_dim=8, tau=0.1)


def drawn(*shape: int, rng_seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng_seed))


def random_units(*shape: int, rng_seed: int) -> Tensor:
    return normalize(drawn(*shape, rng_seed=rng_seed), dim=1)


def plain_multi_similarity(
    source: Tensor, target: Tensor, alpha: float, beta: float, base: float
) -> Tensor:
    vectors, size = torch.cat([source, target]), len(source)
    total = torch.zeros(())
    for anchor in range(2 * size):
        partner = (anchor + size) % (2 * size)
        negatives = torch.zeros(())
        for other in range(2 * size):
            if other not in (anchor, partner):
                negatives = negatives + torch.exp(beta * (vectors[anchor] @ vectors[other] - base))
        own = vectors[anchor] @ vectors[partner]
        total = total + torch.log(1 + torch.exp(-alpha * (own - base))) / alpha
        total = total + torch.log(1 + negatives) / beta
    return total / (2 * size)


@pytest.mark.parametrize("alpha", [0.1, 5.0])
def test_multi_similarity_and_its_gradient_by_brute_force(
    alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_BLOCK_ROWS", 4)  # several blocks, the last one smaller
    found = []
    for loss_of in (multi_similarity_loss, plain_multi_similarity):
        source, target = (random_units(5, 6, rng_seed=seed).requires_grad_() for seed in (1, 2))
        loss = 3 * loss_of(source, target, alpha, 40.0, 0.5)
        gradients = torch.autograd.grad(loss, (source, target))
        found.append((loss.detach(), *gradients))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_the_prior_is_no_unit_gaussian_and_the_widest_latent() -> None:
    assert pytest.approx(2.514, abs=5e-4) == PRIOR_DEVIATION
    spreads = torch.tensor([-1.0, 0.0, 0.4, 3.0])
    expected = [math.exp(0.1 + 0.9 * math.log(1 + math.exp(min(s, 0.4)))) for s in spreads.tolist()]
    torch.testing.assert_close(regularised_deviation(spreads), torch.tensor(expected))
    assert expected[2] == pytest.approx(PRIOR_DEVIATION)


def test_the_divergence_is_that_of_two_gaussians() -> None:
    means, spreads = drawn(7, 5, rng_seed=1), drawn(7, 5, rng_seed=2)
    latents = Normal(means, regularised_deviation(spreads))
    prior = Normal(torch.zeros(()), torch.tensor(PRIOR_DEVIATION))
    whole = kl_divergence(latents, prior).sum(dim=1).mean()
    torch.testing.assert_close(bottleneck_divergence(means, spreads), whole)


def test_features_become_a_mean_and_the_root_of_a_variance() -> None:
    module = FeatureLatents(6, 4, torch.Generator().manual_seed(1))
    features = drawn(3, 6, rng_seed=3)
    hidden = (features @ module.hidden.weight + module.hidden.bias).clamp_min(0)
    means, spreads = module(features)
    torch.testing.assert_close(means, hidden @ module.mean.weight + module.mean.bias)
    logs = hidden @ module.log_variance.weight + module.log_variance.bias
    torch.testing.assert_close(spreads, logs.exp().sqrt())


def small_encoder(params: IBMEAParams = PARAMS) -> BottleneckEncoder:
    view = tiny_view(easy_pair("entity-alignment"))
    used = IBMEA(params).used_modalities(view.modalities)
    return _encoder(view, JointGraph.of(view), used, params, RunContext(rng_seed=1))


def test_structure_has_a_normalised_mean_and_an_elu_as_spread() -> None:
    encoder = small_encoder()
    structure = encoder.structure
    assert structure is not None
    with torch.no_grad():
        means, spreads = structure(None)
        plain = structure.mean(structure.table, all_rows=True)
        torch.testing.assert_close(means, layer_norm(plain, (12,)))
        torch.testing.assert_close(spreads, elu(structure.spread(structure.table, all_rows=True)))


def test_noise_of_features_is_uniform_and_that_of_structure_normal() -> None:
    with torch.no_grad():
        latents = small_encoder().latents(torch.Generator().manual_seed(5))
    noise = {name: (each.drawn - each.means) / each.spreads for name, each in latents.items()}
    for name in ("image", "relation", "attribute"):
        assert noise[name].min() > -1e-3
        assert noise[name].max() < 1 + 1e-3
        assert noise[name].mean() == pytest.approx(0.5, abs=0.03)
    assert noise["structure"].median() == pytest.approx(0, abs=0.1)
    assert noise["structure"].abs().median() == pytest.approx(0.674, abs=0.1)


def test_testing_draws_too_unless_means_are_asked_for() -> None:
    noisy = small_encoder()
    assert not torch.equal(noisy.embeddings().source, noisy.embeddings().source)
    plain = small_encoder(dataclasses.replace(PARAMS, test_noise=False))
    torch.testing.assert_close(plain.embeddings().source, plain.embeddings().source)


def test_dropout_differs_between_the_two_networks() -> None:
    structure = small_encoder().structure
    assert structure is not None
    structure.spread.load_state_dict(structure.mean.state_dict())
    seen: list[Tensor] = []
    for network in (structure.mean, structure.spread):
        network.register_forward_hook(lambda _module, given, _out: seen.append(given[0] == 0))
    structure(Dropout(0.45, torch.Generator().manual_seed(1)))
    assert not torch.equal(seen[0], seen[1])
    assert seen[0].float().mean() == pytest.approx(0.45, abs=0.03)


def test_the_loss_of_a_batch_is_the_sum_of_its_parts() -> None:
    encoder = small_encoder()
    params = dataclasses.replace(PARAMS, joint_weight=3.0)
    batch = torch.tensor([[0, 200], [5, 210], [9, 220]])
    with torch.no_grad():
        latents = encoder.latents(torch.Generator().manual_seed(5))
        (found,) = BottleneckLosses(encoder, taken_from(params, LossSettings))(
            latents, iter([batch])
        )
        total = 0.0
        ends: list[dict[str, Tensor]] = [{}, {}]
        for name, each in latents.items():
            for side in (0, 1):
                ends[side][name] = normalize(each.drawn[batch[:, side]], dim=1)
            total += float(one_way_contrastive_loss(ends[0][name], ends[1][name], 0.1))
            weight = 0.01 if name == "relation" else 0.001
            total += weight * float(bottleneck_divergence(each.means, each.spreads))
        joint = [normalize(encoder.fusion(end), dim=1) for end in ends]
        total += 3 * float(multi_similarity_loss(joint[0], joint[1], 0.1, 40.0, 0.5))
    assert float(found) == pytest.approx(total, rel=1e-5)


def test_the_learning_rate_still_rises_at_four_fifths_of_the_training() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rate = IBMEAParams().rate(optimiser)
    seen = []
    for _ in range(500):
        seen.append(rate.get_last_lr()[0])
        optimiser.step()
        rate.step()
    assert seen[0] == 0
    assert seen[200] == pytest.approx(0.5)
    assert seen[400] == 1
    assert seen[499] == pytest.approx(0.934, abs=0.002)


def test_the_first_pairs_are_promoted_at_epoch_100() -> None:
    growth = dataclasses.replace(PARAMS, iterative=True).growth
    assert growth.renews(55)
    assert not growth.is_reached(100)
    assert growth.is_reached(101)

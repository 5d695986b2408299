"""UMAEA's losses, joint vectors and optimiser, each against its formula."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.building import EncoderShape, hybrid_encoder
from mmea_bench.methods.core.hybrid.confident_losses import (
    BalancedSum,
    ConfidentLosses,
    confident_contrastive_loss,
)
from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridEncoder
from mmea_bench.methods.core.hybrid.staged_training import StagedTraining
from mmea_bench.methods.core.hybrid.training import TrainingSettings
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.umaea import UMAEA, UMAEAParams

PARAMS = dataclasses.replace(UMAEAParams(), dim=16, feed_forward_dim=8)
CTX = RunContext(rng_seed=1)


def random_units(*shape: int, rng_seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(rng_seed)
    return normalize(torch.randn(shape, generator=generator), dim=1)


def small_view() -> TrainView:
    return tiny_view(easy_pair("entity-alignment"))


def encoder_of(view: TrainView) -> GlobalHybridEncoder:
    used = UMAEA(PARAMS).used_modalities(view.modalities)
    shape = taken_from(PARAMS, EncoderShape)
    return hybrid_encoder(GlobalHybridEncoder, view, JointGraph.of(view), used, shape, CTX)


def test_gradients_of_confident_pairs_are_those_of_the_plain_softmax() -> None:
    generator = torch.Generator().manual_seed(8)
    source, target = (
        torch.nn.functional.normalize(torch.randn(6, 4, generator=generator), dim=1)
        for _ in range(2)
    )
    factors = torch.rand(6, generator=generator)
    trained = [each.requires_grad_() for each in (source, target, factors)]
    plain = torch.zeros(())
    for own, other in ((source, target), (target, source)):
        within = (own @ own.T / 0.1).masked_fill(torch.eye(6, dtype=torch.bool), -torch.inf)
        logits = torch.cat([own @ other.T / 0.1, within], dim=1)
        plain = plain - (factors * torch.log_softmax(logits, dim=1).diagonal()).mean() / 2
    found = confident_contrastive_loss(source, target, factors, 0.1)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(
        torch.autograd.grad(found, trained),
        torch.autograd.grad(plain, trained),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_confident_pair_counts_as_often_as_its_factor_says() -> None:
    source, target = (random_units(4, 6, rng_seed=seed) for seed in (1, 2))
    factors = torch.tensor([0.5, 2.0, 0.0, 1.0])
    total = 0.0
    for own, other in ((source, target), (target, source)):
        for row in range(4):
            scores = [float(own[row] @ other[column]) / 0.1 for column in range(4)]
            scores += [float(own[row] @ own[column]) / 0.1 for column in range(4) if column != row]
            log_sum = float(torch.logsumexp(torch.tensor(scores), dim=0))
            total += float(factors[row]) * (log_sum - scores[row])
    loss = confident_contrastive_loss(source, target, factors, 0.1)
    assert float(loss) == pytest.approx(total / (2 * 4), rel=1e-5)


def test_equal_factors_of_one_give_the_plain_contrastive_loss() -> None:
    source, target = (random_units(7, 6, rng_seed=seed) for seed in (1, 2))
    weighted = confident_contrastive_loss(source, target, torch.ones(7), 0.1)
    torch.testing.assert_close(weighted, intra_modal_contrastive_loss(source, target, 0.1))


def test_confidence_gets_a_gradient() -> None:
    factors = torch.ones(5, requires_grad=True)
    source, target = (random_units(5, 6, rng_seed=seed) for seed in (1, 2))
    confident_contrastive_loss(source, target, factors, 0.1).backward()  # type: ignore[no-untyped-call]
    assert factors.grad is not None
    assert factors.grad.all()


def test_balanced_sum_by_hand() -> None:
    balance = BalancedSum(2, learned=True)
    assert balance.scales is not None
    with torch.no_grad():
        balance.scales.copy_(torch.tensor([1.0, 2.0]))
    # 3 / 2 + log 2 + 8 / 8 + log 5
    assert balance(torch.tensor([3.0, 8.0])).item() == pytest.approx(2.5 + 0.693147 + 1.609438)
    balance.reset()
    torch.testing.assert_close(balance.scales.detach(), torch.ones(2))
    assert float(BalancedSum(2, learned=False)(torch.tensor([3.0, 8.0]))) == 11


def test_joint_vectors_have_global_weights_and_dynamic_ones_the_transformers() -> None:
    encoder = encoder_of(small_view())
    with torch.no_grad():
        encoder.fusion.logits.copy_(torch.arange(len(encoder.modalities)))
        encoded = encoder.hybrid(None)
    fixed = torch.softmax(torch.arange(len(encoder.modalities)).float(), dim=0)
    for weights, joint in ((fixed, encoded.joint), (encoded.weights[17], encoded.dynamic)):
        parts = [w * encoded.early[m][17] for w, m in zip(weights, encoder.modalities, strict=True)]
        torch.testing.assert_close(joint[17], normalize(torch.cat(parts), dim=0))


@pytest.mark.parametrize("balanced", [True, False])
def test_total_loss_is_the_sum_of_its_three_parts(*, balanced: bool) -> None:
    encoder = encoder_of(small_view())
    losses = ConfidentLosses(encoder.modalities, 0.1, balanced=balanced)
    positions = torch.tensor([[0, 200], [5, 210], [9, 220]])
    with torch.no_grad():
        encoded = encoder.hybrid(None)
        total = losses(encoded, positions)
    source, target = positions.T
    parts = [0.0, 0.0, 0.0]
    for joint in (encoded.joint, encoded.dynamic):
        parts[0] += float(intra_modal_contrastive_loss(joint[source], joint[target], 0.1))
    for column, name in enumerate(encoder.modalities):
        weights = encoded.weights[:, column]
        factor = len(encoder.modalities) * torch.minimum(weights[source], weights[target])
        early, late = encoded.early[name], encoded.late[name]
        parts[1] += float(confident_contrastive_loss(early[source], early[target], factor, 0.1))
        parts[2] += float(intra_modal_contrastive_loss(late[source], late[target], 0.1))
    halves = sum(part / 2 for part in parts) + 3 * 0.693147
    assert float(total) == pytest.approx(halves if balanced else sum(parts), rel=1e-5)


def training_of(encoder: GlobalHybridEncoder, view: TrainView) -> StagedTraining:
    losses = ConfidentLosses(encoder.modalities, 0.1, balanced=True)
    settings = taken_from(PARAMS, TrainingSettings)
    return StagedTraining(encoder, losses, encoder.graph.seed_pairs(view), settings, CTX)


def test_loss_weights_learn_five_times_as_fast_and_only_weights_decay() -> None:
    view = small_view()
    encoder = encoder_of(view)
    training = training_of(encoder, view)
    decayed, free, loss_weights = training._groups(0.01)
    names = {id(parameter): name for name, parameter in encoder.named_parameters()}
    assert loss_weights["lr"] == pytest.approx(0.05)
    assert free["weight_decay"] == loss_weights["weight_decay"] == 0
    assert {names[id(each)].split(".")[-1] for each in free["params"]} == {"bias", "logits"}
    assert "table" in {names[id(each)] for each in decayed["params"]}
    n_grouped = sum(len(group["params"]) for group in (decayed, free, loss_weights))
    assert n_grouped == len(training.parameters)


def test_scales_of_the_sum_are_not_clipped_and_restart_with_the_second_part() -> None:
    view = small_view()
    training = training_of(encoder_of(view), view)
    scales = training._confident_losses.balance.scales
    assert scales is not None
    assert all(each is not scales for each in training._clipped())
    with torch.no_grad():
        scales.fill_(3)
    training._second_updates(1e-4, 10)
    torch.testing.assert_close(scales.detach(), torch.ones(3))

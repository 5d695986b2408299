"""SimDiff's denoisers and losses against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, relu, silu

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.parts.simdiff.denoisers import OneStepDenoiser, StepDenoiser
from mmea_bench.methods.parts.simdiff.losses import LossParams, RawEncoder, SimDiffLosses
from mmea_bench.methods.simdiff import MODALITIES, SimDiffParams, _encoder
from tests.methods.small_graphs import small_view

DIM = 4


def seeded(seed: int = 4) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder_of() -> RawEncoder:
    view, params = small_view(), SimDiffParams(dim=DIM)
    return _encoder(view, JointGraph.of(view), MODALITIES, params, RunContext(rng_seed=1))


def losses_of(encoder: RawEncoder, **overrides: object) -> SimDiffLosses:
    params = SimDiffParams(dim=DIM, **overrides)  # type: ignore[arg-type]
    generators = (seeded(1), seeded(2), seeded(3))
    return SimDiffLosses(encoder, taken_from(params, LossParams), generators)


def pairs_of() -> dict[str, Tensor]:
    generator = seeded(5)
    return {name: torch.randn(6, DIM, generator=generator) for name in MODALITIES}


def contrast(rows: Tensor) -> Tensor:
    unit = normalize(rows, dim=1)
    return intra_modal_contrastive_loss(unit[:3], unit[3:], 0.1)


@torch.no_grad()
def test_the_one_step_denoiser_draws_noise_and_both_outer_layers_anew() -> None:
    module = OneStepDenoiser(5, 2, 0.1, seeded())
    vectors, drawn = torch.randn(3, DIM, generator=seeded(5)), seeded(6)
    found = module(vectors, module.drawn(vectors, drawn))
    again = seeded(6)
    noisy = vectors + 0.1 * torch.randn(3, DIM, generator=again)
    into, out = Linear(DIM, 5, again), Linear(5, DIM, again)
    first, second = module.layers
    torch.testing.assert_close(found, out(second(relu(first(into(noisy))))))
    assert not torch.equal(module(vectors, module.drawn(vectors, drawn)), found)


def test_outer_layers_of_the_one_step_denoiser_get_no_gradient() -> None:
    module = OneStepDenoiser(5, 2, 0.1, seeded())
    vectors = torch.randn(3, DIM, requires_grad=True)
    module(vectors, module.drawn(vectors, seeded(6))).sum().backward()
    assert vectors.grad is not None
    assert all(each.grad is not None for each in module.parameters())
    assert len(list(module.parameters())) == 4


def test_the_schedule_keeps_the_product_of_what_its_steps_keep() -> None:
    kept = StepDenoiser((DIM, 2), 3, (0.1, 0.3), seeded()).kept
    assert kept == pytest.approx([0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7])


@torch.no_grad()
def test_rows_are_noised_at_unit_variance_and_cleaned_by_the_true_noise() -> None:
    module = StepDenoiser((DIM, 2), 3, (0.1, 0.3), seeded())
    vectors = torch.randn(5, DIM, generator=seeded(5))
    noisy, steps, noise, share = module.noised(vectors, 2, seeded(6))
    assert int(steps.max()) < 2
    kept = torch.tensor(module.kept)[steps].unsqueeze(1)
    torch.testing.assert_close(share, kept)
    clean = (noisy - (1 - kept).sqrt() * noise) / kept.sqrt()
    torch.testing.assert_close(clean, normalize(vectors, dim=1) * math.sqrt(DIM))


@torch.no_grad()
def test_the_denoiser_reads_step_and_modality() -> None:
    module = StepDenoiser((DIM, 2), 3, (0.1, 0.3), seeded())
    noisy, steps = torch.randn(2, DIM, generator=seeded(5)), torch.tensor([0, 2])
    found = module.predicted(noisy, steps, 1)
    for row in range(2):
        hidden = torch.cat([noisy[row], module.steps[steps[row]], module.modalities[1]])
        first, second, third = module.layers
        torch.testing.assert_close(found[row], third(silu(second(silu(first(hidden))))))


@torch.no_grad()
def test_the_denoisers_loss_and_its_one_shot_estimates() -> None:
    module, vectors = StepDenoiser((DIM, 2), 3, (0.1, 0.3), seeded()), torch.randn(5, DIM)
    noisy, steps, noise, _ = module.noised(vectors, 3, seeded(6))
    error = (module.predicted(noisy, steps, 0) - noise).square().mean()
    torch.testing.assert_close(module.loss(vectors, 0, seeded(6)), error)
    noisy, steps, _, share = module.noised(vectors, 2, seeded(6))
    guess = (noisy - (1 - share).sqrt() * module.predicted(noisy, steps, 0)) / share.sqrt()
    found = module.cleaned(vectors, 0, 2, seeded(6))
    torch.testing.assert_close(found, normalize(guess, dim=1))


@torch.no_grad()
def test_the_released_loss_by_its_formula() -> None:
    encoder, scale = encoder_of(), 0.3
    losses, pairs = losses_of(encoder, scale=scale), pairs_of()
    found = losses.released(pairs, losses.epoch_noise(pairs))
    noise = seeded(3)

    def with_noise(rows: Tensor) -> Tensor:
        return rows + scale * torch.randn(rows.shape, generator=noise)

    def joint_terms() -> Tensor:
        total = contrast(with_noise(encoder.fusion(pairs)))
        for members in (("structure", "relation"), ("image", "attribute")):
            parts = [normalize(pairs[name], dim=1) / 2 for name in members]
            total = total + scale * contrast(with_noise(torch.cat(parts, dim=1)))
        return total

    assert losses.one_step is not None
    one_step = losses.one_step
    denoised = {name: one_step(rows, one_step.drawn(rows, noise)) for name, rows in pairs.items()}
    first = joint_terms()
    for name, rows in denoised.items():
        first = first + contrast(rows) + (rows - pairs[name]).square().mean()
    noise.manual_seed(1)
    noisy = {name: with_noise(rows) for name, rows in pairs.items()}
    second = joint_terms() + torch.stack([contrast(rows) for rows in noisy.values()]).sum()
    torch.testing.assert_close(found, scale * first + second)


@torch.no_grad()
def test_joint_vectors_are_as_short_as_six_weights_make_them() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    joint = encoder.fusion(pairs)
    parts = [normalize(pairs[name], dim=1) / 6 for name in MODALITIES]
    torch.testing.assert_close(joint, torch.cat(parts, dim=1))
    encoder.fusion.logits[2] = math.log(3) + 1  # three times as much as any other of the six
    torch.testing.assert_close(encoder.fusion(pairs)[:, 8:12].norm(dim=1), torch.full((6,), 3 / 8))
    assert encoder.fusion.weights() == pytest.approx(
        {"image": 1 / 6, "attribute": 1 / 6, "relation": 1 / 2, "structure": 1 / 6}
    )


@torch.no_grad()
def test_cosines_of_joint_vectors_come_from_those_of_the_used_slots() -> None:
    fusion, pairs = encoder_of().fusion, pairs_of()
    fusion.logits[1] = 2.0
    rows = {name: normalize(pairs[name], dim=1) for name in MODALITIES}
    joint = normalize(fusion(pairs), dim=1)
    cosines = {name: values @ values.T for name, values in rows.items()}
    torch.testing.assert_close(fusion.joint_cosines(rows, rows, cosines), joint @ joint.T)


@torch.no_grad()
def test_noise_repeats_itself_in_every_epoch_unless_it_is_fresh() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    for reseeds in (True, False):
        losses = losses_of(encoder, scale=0.3, reseeds=reseeds)
        values = [float(losses.released(pairs, losses.epoch_noise(pairs))) for _ in range(3)]
        assert (values[1] == values[2]) is reseeds
        assert values[0] != values[1]


@torch.no_grad()
def test_an_entity_has_its_noise_in_whatever_batch_it_stands() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    positions = torch.tensor([[0, 3], [1, 4], [2, 5]])
    losses = losses_of(encoder, scale=0.3, batch_size=2)
    list(losses(pairs, positions))
    noise_state, shuffles_state = losses._noise.get_state(), losses._shuffles.get_state()
    found = list(losses(pairs, positions))
    losses._noise.set_state(noise_state)
    noise = losses.epoch_noise(pairs)
    losses._shuffles.set_state(shuffles_state)
    order = torch.randperm(3, generator=losses._shuffles)
    batches = [positions[part].T.flatten() for part in order.split(2)]
    for rows, loss in zip(batches, found, strict=True):
        batch = {name: vectors[rows] for name, vectors in pairs.items()}
        torch.testing.assert_close(loss, losses.released(batch, noise.of(rows)))
    torch.testing.assert_close(
        noise.of(torch.tensor([4])).modal["image"], noise.modal["image"][4:5]
    )


@torch.no_grad()
def test_without_scale_the_backbone_is_left() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    expected = contrast(encoder.fusion(pairs))
    for rows in pairs.values():
        expected = expected + contrast(rows)
    losses = losses_of(encoder, scale=0.0)
    torch.testing.assert_close(losses.released(pairs, losses.epoch_noise(pairs)), expected)


@torch.no_grad()
def test_one_augmentation_is_the_first_alone() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    one, two = (losses_of(encoder, scale=0.3, n_augmentations=n) for n in (1, 2))
    found = one.released(pairs, one.epoch_noise(pairs))
    noise = two.epoch_noise(pairs)
    rest = two.joint_terms(pairs, noise.second_joint) + two.modal_terms(
        {name: rows + 0.3 * noise.modal[name] for name, rows in pairs.items()}
    )
    torch.testing.assert_close(two.released(pairs, noise) - found, rest)


@torch.no_grad()
def test_the_loss_of_the_diffusion_by_its_formula() -> None:
    encoder, pairs = encoder_of(), pairs_of()
    losses = losses_of(encoder, form="diffusion")
    denoiser = losses.by_steps
    assert denoiser is not None
    found = losses.diffused(pairs, denoiser)
    noise, errors, cleaned = seeded(3), [], {}
    for place, (name, rows) in enumerate(pairs.items()):
        errors.append(denoiser.loss(rows, place, noise))
        cleaned[name] = denoiser.cleaned(rows, place, 10, noise)
    expected = 0.1 * sum(errors, torch.zeros(()))
    for vectors, weight in ((pairs, 1.0), (cleaned, 0.5)):
        each = [contrast(rows) for rows in (encoder.fusion(vectors), *vectors.values())]
        expected = expected + weight * sum(each, torch.zeros(()))
    torch.testing.assert_close(found, expected)


def test_gradients_of_estimates_reach_encoder_and_denoiser() -> None:
    losses = losses_of(encoder_of(), form="diffusion", noise_weight=0.0)
    denoiser = losses.by_steps
    assert denoiser is not None
    pairs = {name: rows.requires_grad_() for name, rows in pairs_of().items()}
    losses.diffused(pairs, denoiser).backward()  # type: ignore[no-untyped-call]
    assert all(rows.grad is not None for rows in pairs.values())
    assert all(float(each.grad.abs().sum()) > 0 for each in denoiser.layers.parameters())  # type: ignore[union-attr]


def test_training_sees_vectors_as_they_are_and_scoring_unit_ones() -> None:
    encoder = encoder_of()
    rows = torch.arange(5)
    encoder.prepare(rows)
    raw, unit = encoder.encode(rows), encoder.encode(None)
    for name in MODALITIES:
        torch.testing.assert_close(normalize(raw[name], dim=1), unit[name])
    assert not torch.equal(raw["image"], unit["image"])

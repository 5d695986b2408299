"""PMF's freezing, losses and schedule, each against its formula."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.parts.pmf.freezing import Freezing, has_similar
from mmea_bench.methods.parts.pmf.losses import (
    CrossGraphLosses,
    CrossModalLosses,
    cross_modal_loss,
    masked_contrastive_loss,
)
from mmea_bench.methods.parts.pmf.training import (
    StagedTraining,
    TrainingSettings,
)
from mmea_bench.methods.pmf import PMFParams, _encoder

PARAMS = dataclasses.replace(PMFParams(), dim=16)
CPU = torch.device("cpu")


def random_units(*shape: int, rng_seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(rng_seed)
    return normalize(torch.randn(shape, generator=generator), dim=1)


def bools(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


def test_a_frozen_anchor_is_left_out_and_stays_a_negative() -> None:
    source, target = (random_units(4, 6, rng_seed=seed) for seed in (1, 2))
    counts = bools(1, 0, 1, 1), bools(0, 1, 0, 1)
    total = 0.0
    for own, other, counted in ((source, target, counts[0]), (target, source, counts[1])):
        for row in torch.nonzero(counted).flatten().tolist():
            scores = [float(own[row] @ other[column]) / 0.05 for column in range(4)]
            scores += [float(own[row] @ own[column]) / 0.05 for column in range(4) if column != row]
            log_sum = float(torch.logsumexp(torch.tensor(scores), dim=0))
            total += log_sum - float(own[row] @ other[row]) / 0.05
    loss = masked_contrastive_loss(source, target, counts, 0.05)
    assert float(loss) == pytest.approx(total / (2 * 4), rel=1e-5)


def test_without_frozen_anchors_it_is_icl() -> None:
    source, target = (random_units(7, 6, rng_seed=seed) for seed in (1, 2))
    everyone = torch.ones(7, dtype=torch.bool)
    torch.testing.assert_close(
        masked_contrastive_loss(source, target, (everyone, everyone), 0.05),
        intra_modal_contrastive_loss(source, target, 0.05),
    )


def test_cross_modal_loss_by_hand() -> None:
    first, second = (random_units(4, 6, rng_seed=seed) for seed in (1, 2))
    total = 0.0
    for row in (0, 3):
        scores = torch.stack([first[row] @ second[column] / 0.05 for column in range(4)])
        total += float(torch.logsumexp(scores, dim=0) - scores[row])
    loss = cross_modal_loss(first, second, bools(1, 0, 0, 1), 0.05)
    assert float(loss) == pytest.approx(total / 4, rel=1e-5)


def test_gradients_of_the_losses_are_those_of_the_plain_cross_entropies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmea_bench.methods.parts.pmf.losses._BLOCK_ROWS", 2)
    vectors = [random_units(7, 6, rng_seed=seed).requires_grad_() for seed in (1, 2)]
    first, second = vectors
    counts = bools(1, 0, 1, 1, 0, 1, 1), bools(0, 1, 0, 1, 1, 1, 1)
    rows = torch.nonzero(counts[0]).flatten()
    plain = cross_entropy(first[rows] @ second.T / 0.05, rows, reduction="sum") / 7
    found = torch.autograd.grad(cross_modal_loss(first, second, counts[0], 0.05), vectors)
    torch.testing.assert_close(found, torch.autograd.grad(plain, vectors), atol=1e-6, rtol=1e-4)
    plain = torch.zeros(())
    for own, other, counted in ((first, second, counts[0]), (second, first, counts[1])):
        within = (own @ own.T / 0.05).masked_fill(torch.eye(7, dtype=torch.bool), -torch.inf)
        logits = torch.cat([own @ other.T / 0.05, within], dim=1)
        plain = plain + cross_entropy(logits, torch.arange(7), reduction="none")[counted].sum() / 14
    found = torch.autograd.grad(masked_contrastive_loss(first, second, counts, 0.05), vectors)
    torch.testing.assert_close(found, torch.autograd.grad(plain, vectors), atol=1e-6, rtol=1e-4)


def test_without_an_anchor_nothing_gets_a_gradient() -> None:
    vectors = [random_units(3, 6, rng_seed=seed).requires_grad_() for seed in (1, 2)]
    nobody = bools(0, 0, 0)
    for loss in (
        cross_modal_loss(*vectors, nobody, 0.05),
        masked_contrastive_loss(*vectors, (nobody, nobody), 0.05),
    ):
        assert float(loss.detach()) == 0
        found = torch.autograd.grad(loss, vectors)
        assert not any(bool(each.any()) for each in found)


def test_pairs_of_modalities_weigh_by_both_and_start_from_the_image() -> None:
    weights = {"image": 10.0, "structure": 0.1, "relation": 0.1, "attribute": 0.1}
    losses = CrossModalLosses(tuple(weights), 0.05, weights, masked=True)
    sides = tuple(
        {name: random_units(3, 6, rng_seed=10 * side + k) for k, name in enumerate(weights)}
        for side in range(2)
    )
    counts = tuple({name: bools(1, int(name != "image"), 1) for name in weights} for _ in range(2))
    total = 0.0
    for first, second in losses.pairs:
        kept = bools(1, int(first != "image"), 1)
        for side in sides:
            loss = float(cross_modal_loss(side[first], side[second], kept, 0.05))
            total += weights[first] * weights[second] * loss
    assert losses.pairs[0] == ("image", "structure")
    assert len(losses.pairs) == 6
    found = losses((sides[0], sides[1]), (counts[0], counts[1]))
    assert float(found.detach()) == pytest.approx(total, rel=1e-5)


def test_a_modality_of_frozen_anchors_alone_is_dropped_with_its_log_variance() -> None:
    losses = CrossGraphLosses(("structure", "relation"), 0.05, masked=True)
    with torch.no_grad():
        losses.weighting.log_variances.copy_(torch.tensor([1.0, 5.0]))
    vectors = {name: random_units(3, 6, rng_seed=k) for k, name in enumerate(losses._names)}
    others = {name: random_units(3, 6, rng_seed=9 + k) for k, name in enumerate(losses._names)}
    counts = {"structure": (bools(0, 0, 0),) * 2, "relation": (bools(1, 1, 1),) * 2}
    alone = intra_modal_contrastive_loss(vectors["relation"], others["relation"], 0.05)
    found = losses.of_modalities(vectors, others, counts)
    # The later modality takes the first log-variance.
    assert float(found.detach()) == pytest.approx(math.exp(-1.0) * float(alone) + 1.0, rel=1e-5)


@pytest.mark.parametrize("threshold", [-1.0, 0.1, 0.4, 0.9])
def test_similar_anchors_are_those_of_the_whole_matrix(threshold: float) -> None:
    anchors, others = random_units(50, 8, rng_seed=1), random_units(1300, 8, rng_seed=2)
    whole = (anchors @ others.T).amax(dim=1) > threshold
    torch.testing.assert_close(has_similar(anchors, others, threshold), whole)


def freezing_of(**further: float) -> Freezing:
    """Source 0-2, target 3-5; the seed is 0-3."""
    named = {"start": 0.5, "growth": 1.2, **further}
    seeds = torch.tensor([[0, 3]])
    return Freezing(seeds, 3, 6, named["start"], named["growth"], {"image": 0.9}, CPU)


def on_circle(*degrees: float) -> Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_freezing_follows_the_cosines_of_seeds_and_the_nearest_of_others() -> None:
    # Cosines: seed cos 10; source 1 and target 4 cos 20; source 2 opposes both targets.
    vectors = on_circle(0, 90, 250, 10, 70, 60)
    alive = {"image": torch.ones(6, dtype=torch.bool)}
    freezing_of()({"image": vectors}, alive)
    assert alive["image"].tolist() == [True, True, False, True, True, True]


def test_what_is_frozen_stays_frozen() -> None:
    alive = {"image": torch.ones(6, dtype=torch.bool)}
    freezing = freezing_of()
    freezing({"image": on_circle(0, 90, 250, 10, 70, 60)}, alive)
    freezing({"image": on_circle(0, 90, 65, 10, 70, 60)}, alive)
    assert alive["image"].tolist() == [True, True, False, True, True, True]


def test_a_group_that_stays_below_the_threshold_loses_nothing() -> None:
    # The seed's cosine is cos 90; no free source has a cosine above 0.5 with a free target.
    alive = {"image": torch.ones(6, dtype=torch.bool)}
    freezing_of()({"image": on_circle(0, 90, 100, 90, 270, 250)}, alive)
    assert alive["image"].all()


def test_a_frozen_entity_above_the_threshold_keeps_its_group_above_it() -> None:
    # Source 1 is lacking and similar to target 4; source 2 resembles nothing.
    alive = {"image": bools(1, 0, 1, 1, 1, 1)}
    freezing_of()({"image": on_circle(0, 90, 250, 10, 90, 90)}, alive)
    assert alive["image"].tolist() == [True, False, False, True, True, True]


def test_thresholds_grow_up_to_their_cap() -> None:
    freezing = freezing_of(start=0.1)
    seen = []
    alive = {"image": torch.ones(6, dtype=torch.bool)}
    for _ in range(15):
        seen.append(freezing.thresholds["image"])
        freezing({"image": on_circle(0, 90, 90, 0, 90, 90)}, alive)
    assert seen[1] == pytest.approx(0.12)
    assert seen[12] == pytest.approx(0.1 * 1.2**12)
    assert seen[13] == seen[14] == 0.9


def test_joint_vectors_hold_unit_parts_or_zeros_and_are_compared_by_inner_product() -> None:
    view = tiny_view(easy_pair("entity-alignment"))
    names = ("structure", "relation", "attribute", "image")
    encoder = _encoder(view, JointGraph.of(view), names, PARAMS, RunContext(rng_seed=1))
    present = torch.tensor(view.joint_features("image").present)
    torch.testing.assert_close(encoder.alive["image"], present)
    encoder.alive["relation"][7] = False
    found = encoder.embeddings()
    parts = found.source[7].reshape(4, 16).norm(dim=1)
    torch.testing.assert_close(parts, torch.tensor([1.0, 0.0, 1.0, float(present[7])]))
    assert found.similarity == "inner"


def test_the_learning_rate_rises_again_after_its_end() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rate = warmed_up_cosine(optimiser, 20, 0.25)
    seen = []
    for _ in range(36):
        seen.append(rate.get_last_lr()[0])
        optimiser.step()
        rate.step()
    assert seen[0] == 0
    assert seen[4] == pytest.approx(0.8)
    assert seen[5] == 1
    assert seen[20] == pytest.approx(0)
    assert seen[35] == pytest.approx(1)


def test_the_second_schedule_spans_the_third_stage_less_the_first() -> None:
    for iterative in (True, False):
        params = dataclasses.replace(PMFParams(), iterative=iterative)
        assert taken_from(params, TrainingSettings).planned_second == 350


def test_an_entity_of_two_links_is_contrasted_twice() -> None:
    view = tiny_view(easy_pair("entity-alignment"))
    names, ctx = ("structure", "relation"), RunContext(rng_seed=1)
    encoder = _encoder(view, JointGraph.of(view), names, PARAMS, ctx)
    crossed = CrossModalLosses(names, 0.05, dict.fromkeys(names, 0.1), masked=True)
    losses = CrossGraphLosses(names, 0.05, masked=True)
    pairs = torch.tensor([[0, 200], [5, 200], [0, 220]])
    settings = taken_from(PARAMS, TrainingSettings)
    training = StagedTraining(encoder, losses, crossed, None, pairs, settings, ctx)
    source, target = pairs.T
    with torch.no_grad():
        encoded = encoder.encode(None)
        total = 0.0
        for ids in (source, target):
            first, second = (encoded[name][ids] for name in names)
            total += 0.01 * float(cross_modal_loss(first, second, bools(1, 1, 1), 0.05))
        found = training._crossed_loss(crossed, source, target)
    assert float(found) == pytest.approx(total, rel=1e-4)


def test_the_contrast_between_modalities_takes_at_most_so_many_entities_without_a_seed() -> None:
    view = tiny_view(easy_pair("entity-alignment"))
    names, ctx = ("structure", "relation"), RunContext(rng_seed=1)
    encoder = _encoder(view, JointGraph.of(view), names, PARAMS, ctx)
    losses = CrossGraphLosses(names, 0.05, masked=True)
    pairs = torch.tensor([[0, 200], [5, 201]])
    params = dataclasses.replace(PARAMS, cross_entities=7)
    settings = taken_from(params, TrainingSettings)
    training = StagedTraining(encoder, losses, None, None, pairs, settings, ctx)
    seeds, free = training._entity_batches()
    assert [len(each) for each in (*seeds, *free)] == [2, 2, 7, 7]

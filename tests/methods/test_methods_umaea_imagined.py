"""UMAEA's imagined images: the generator, its losses by hand, the stages and what each trains."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.battery.fits import brief, fit, fit_anew, is_same
from mmea_bench.bench.battery.interruption import MemoryStates, _fit
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view, with_few_images
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext, StoppedError
from mmea_bench.methods.core.hybrid.building import EncoderShape, hybrid_encoder
from mmea_bench.methods.core.hybrid.confident_losses import confident_contrastive_loss
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.parts.umaea.encoder import ImaginingEncoder
from mmea_bench.methods.parts.umaea.generator import ImageGenerator, Imagined, latent_code
from mmea_bench.methods.parts.umaea.losses import (
    ImaginationLosses,
    ImaginationWeights,
    imagination_losses,
    prior_divergence,
    row_divergence,
)
from mmea_bench.methods.parts.umaea.stages import StageLengths, stages_of
from mmea_bench.methods.parts.umaea.training import ImaginingTraining
from mmea_bench.methods.umaea import UMAEA, UMAEAParams

PARAMS = dataclasses.replace(UMAEAParams(), dim=16, feed_forward_dim=8, imagines=True)
CTX = RunContext(rng_seed=1)
FEW = with_few_images(easy_pair("entity-alignment"))
WEIGHTS = ImaginationWeights(6000, 6000, 3000, 6000, 0.1, 1.0)


def few_images() -> TrainView:
    return tiny_view(FEW)


def training_of(params: UMAEAParams = PARAMS) -> tuple[ImaginingTraining, ImaginingEncoder]:
    view = few_images()
    used = UMAEA(params).used_modalities(view.modalities)
    training, encoder = UMAEA(params)._training(view, JointGraph.of(view), used, CTX)
    assert isinstance(training, ImaginingTraining)
    assert isinstance(encoder, ImaginingEncoder)
    return training, encoder


def numbers(*shape: int, rng_seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng_seed))


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(each) for each in row)
    return [math.exp(each) / total for each in row]


def test_the_mean_is_scaled_and_the_noise_is_not() -> None:
    mean, log_variance = torch.tensor([[3.0, -1.0]]), torch.tensor([[0.0, 2 * math.log(2)]])
    noise = torch.tensor([[0.25, 0.5]])
    torch.testing.assert_close(latent_code(mean, log_variance, noise), torch.tensor([[3.25, -1.5]]))
    torch.testing.assert_close(latent_code(mean, log_variance, None), torch.tensor([[3.0, -2.0]]))


def test_generator_by_hand_has_a_relu_in_the_encoder_and_two_in_the_decoder() -> None:
    generator = ImageGenerator(5, 3, torch.Generator().manual_seed(1))
    given = numbers(4, 5, rng_seed=2)
    hidden = (given @ generator.hidden.weight + generator.hidden.bias).clamp_min(0)
    moments = hidden @ generator.moments.weight + generator.moments.bias
    mean, log_variance = generator.encoded(given)
    torch.testing.assert_close(torch.cat([mean, log_variance], dim=1), moments)
    decoded = (mean @ generator.decoded.weight + generator.decoded.bias).clamp_min(0)
    output = (decoded @ generator.output.weight + generator.output.bias).clamp_min(0)
    torch.testing.assert_close(generator.rebuilt(mean), normalize(output, dim=1))


def test_row_divergence_by_hand() -> None:
    wanted, found = [[1.0, 2.0, 0.5], [0.0, -1.0, 1.0]], [[0.3, 0.1, 0.2], [1.0, 1.0, -2.0]]
    total = 0.0
    for teacher, student in zip(wanted, found, strict=True):
        for p, q in zip(softmax(teacher), softmax(student), strict=True):
            total += p * math.log(p / q)
    value = row_divergence(torch.tensor(wanted), torch.tensor(found))
    assert float(value) == pytest.approx(total / 2, rel=1e-5)


def test_a_batch_without_any_image_diverges_from_nothing() -> None:
    assert float(row_divergence(torch.empty(0, 4), torch.empty(0, 4))) == 0


def test_prior_divergence_by_hand() -> None:
    mean, log_variance = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, math.log(3)]])
    # 1 + 4 - 1 - 0 and 3 + 0 - 1 - log 3, over 2 * 1 row * 10 columns given
    expected = (4 + 2 - math.log(3)) / 20
    assert float(prior_divergence(mean, log_variance, 10)) == pytest.approx(expected)


def brute_force_ial(teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor]) -> float:
    """Mean over the 2 n n entries of ``q (log q - log p)``, both directions, temperature 1."""
    total, n = 0.0, len(teacher[0])
    for own, other in ((0, 1), (1, 0)):
        for row in range(n):
            scores = []
            for vectors in (teacher, student):
                across = [float(vectors[own][row] @ each) for each in vectors[other]]
                same = [float(vectors[own][row] @ each) for each in vectors[own]]
                scores.append(softmax([*across, *(same[:row] + same[row + 1 :])]))
            total += sum(q * math.log(q / p) for q, p in zip(*scores, strict=True))
    return total / (2 * n * 2 * n)


def test_the_generators_four_losses_have_their_weights() -> None:
    generator = ImageGenerator(6, 4, torch.Generator().manual_seed(1))
    given = normalize(numbers(7, 6, rng_seed=2), dim=1)
    mean, log_variance = (each.detach() for each in generator.encoded(given))
    code, images = numbers(7, 4, rng_seed=3), numbers(7, 4, rng_seed=4)
    imagined = Imagined(given, mean, log_variance, code, images)
    pictured, seeds = torch.tensor([0, 3, 6]), torch.tensor([[0, 1], [2, 3], [4, 6]])
    everyone = normalize(numbers(11, 6, rng_seed=5), dim=1)
    losses = imagination_losses(generator, imagined, pictured, everyone, seeds, WEIGHTS)
    units = normalize(code, dim=1)
    ends = seeds.T
    expected = [
        6000 * row_divergence(images[pictured], units[pictured]),
        6000 * row_divergence(given[pictured], generator.rebuilt(code[pictured])),
        3000 * prior_divergence(*generator.encoded(everyone), 6),
        600 * brute_force_ial((given[ends[0]], given[ends[1]]), (units[ends[0]], units[ends[1]])),
    ]
    torch.testing.assert_close(
        losses, torch.tensor([float(torch.as_tensor(each).detach()) for each in expected])
    )


@pytest.mark.parametrize("balanced", [True, False])
def test_imagined_images_of_all_pairs_join_the_second_loss(*, balanced: bool) -> None:
    training, encoder = training_of(dataclasses.replace(PARAMS, balanced=balanced))
    losses = training._imagination
    training._set_trained("imagining")
    rows, positions = training._pairs.rows, training._pairs.positions[:5]
    with torch.no_grad():
        if losses.balance.scales is not None:
            losses.balance.scales.copy_(torch.tensor([1.0, 2.0, 3.0]))
        encoded = encoder.hybrid(rows)
        assert encoded.imagined is not None
        plain = losses(dataclasses.replace(encoded, imagined=None), positions)
        total = losses(encoded, positions)
    source, target = positions.T
    column, images = encoder.modalities.index("image"), normalize(encoded.imagined.code, dim=1)
    weights = encoded.weights[:, column] * len(encoder.modalities)
    factor = torch.minimum(weights[source], weights[target])
    term = confident_contrastive_loss(images[source], images[target], factor, 0.1)
    share = 1 / (2 * 2.0**2) if balanced else 1.0
    assert float(total - plain) == pytest.approx(share * float(term), rel=1e-4)


def test_further_losses_are_halved_as_their_scales_stay_at_one() -> None:
    given = torch.tensor([3.0, 5.0])
    assert float(ImaginationLosses(("image",), 0.1, balanced=True).beside(given)) == pytest.approx(
        4 + 2 * math.log(2)
    )
    assert float(ImaginationLosses(("image",), 0.1, balanced=False).beside(given)) == 8


def test_lacking_images_alone_are_replaced_and_testing_has_no_noise() -> None:
    _, encoder = training_of()
    rows = torch.arange(0, encoder.graph.n_entities, 7)
    encoder.prepare(rows)
    with torch.no_grad():
        plain, everyone = encoder.vectors(rows), encoder.vectors(None)
        encoder.is_imagining = True
        noisy, tested = encoder.hybrid(rows), encoder.vectors(None)
        assert noisy.imagined is not None
        given = encoder.given_of_all()
        code = latent_code(*encoder.generator.encoded(given), None)
    has = encoder.has_image[rows]
    torch.testing.assert_close(noisy.early["image"][has], normalize(plain["image"][has], dim=1))
    imagined = normalize(noisy.imagined.code, dim=1)
    torch.testing.assert_close(noisy.early["image"][~has], imagined[~has])
    torch.testing.assert_close(noisy.imagined.given, given[rows])
    lacks = ~encoder.has_image
    torch.testing.assert_close(tested["image"][lacks], normalize(code[lacks], dim=1))
    torch.testing.assert_close(tested["image"][~lacks], everyone["image"][~lacks])
    torch.testing.assert_close(tested["structure"], everyone["structure"])


def test_nodes_of_an_n_mmkg_are_never_given_an_image() -> None:
    view = tiny_view(easy_pair("n-mmkg"))
    used = UMAEA(PARAMS).used_modalities(view.modalities)
    shape = taken_from(PARAMS, EncoderShape)
    encoder = hybrid_encoder(ImaginingEncoder, view, JointGraph.of(view), used, shape, CTX)
    present = torch.tensor(view.joint_features("image").present)
    encoder.add_generator(present, CTX.generator("a"), CTX.generator("b"))
    encoder.is_imagining = True
    with torch.no_grad():
        images = encoder.vectors(None)["image"]
    assert not images[~present].any()


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [
        ("joint", set()),
        ("imagining", {"table", "structure", "linear", "fusion", "transformer", "losses"}),
        ("tuning", {"table", "structure", "linear.relation", "linear.attribute", "generator"}),
    ],
)
def test_what_a_stage_leaves_frozen(kind: str, frozen: set[str]) -> None:
    training, encoder = training_of()
    training._set_trained(kind)  # type: ignore[arg-type]
    parts = [*encoder.named_parameters()]
    parts += [(f"losses.{name}", each) for name, each in training._losses.named_parameters()]
    for name, parameter in parts:
        is_frozen = any(name == part or name.startswith(f"{part}.") for part in frozen)
        assert parameter.requires_grad != is_frozen, name


def lengths(**changes: object) -> StageLengths:
    return taken_from(dataclasses.replace(PARAMS, **changes), StageLengths)  # type: ignore[arg-type]


def test_stages_follow_the_released_scripts() -> None:
    stages = stages_of(lengths(iterative=True), 800)
    found = [(each.kind, each.start, each.planned, each.weight_decay) for each in stages]
    assert found == [
        ("joint", 0, 250, 1e-4),
        ("imagining", 250, 50, 3.0),
        ("tuning", 300, 100, 1e-4),
        ("joint", 400, 750, 1e-4),
        ("imagining", 650, 50, 3.0),
        ("tuning", 700, 100, 1e-4),
    ]
    rates = [each.learning_rate for each in stages]
    assert rates == pytest.approx([5e-4, 4e-3, 2e-4, 1e-4, 8e-4, 4e-5])
    assert stages_of(lengths(), 400) == stages[:3]
    assert stages_of(lengths(), 300) == stages[:2]


def test_a_later_stage_starts_from_the_best_weights_with_scales_of_one_and_no_clipping() -> None:
    short = dataclasses.replace(PARAMS, first_epochs=2, imagining_epochs=1, tuning_epochs=1)
    training, encoder = training_of(dataclasses.replace(short, epochs=4))
    assert training._updates._clip_norm == 1.0
    training.epoch(1)
    best = {name: each.clone() for name, each in encoder.state_dict().items()}
    training.best._ctx.monitor = lambda *_: 1.0
    training.best.monitor(1, 0.0, encoder.embeddings())
    training.best._ctx.monitor = None
    training.epoch(2)
    scales = training._imagination.balance.scales
    assert scales is not None
    with torch.no_grad():
        scales.fill_(3)
    training.epoch(3)
    assert training._updates._clip_norm is None
    torch.testing.assert_close(scales.detach(), torch.ones(3))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, best[name]) != name.startswith("generator."), name


def test_pairs_are_promoted_in_first_stages_alone() -> None:
    method = UMAEA(dataclasses.replace(PARAMS, iterative=True, epochs=800))
    assert method.params.iterative_start == 400
    assert method.is_iterative
    late = dataclasses.replace(PARAMS, iterative=True, epochs=800, first_epochs=40)
    # Stages of 40 epochs from epoch 190 on: the look at 200 promotes, within the first stage.
    assert UMAEA(late).is_iterative
    assert not UMAEA(dataclasses.replace(late, first_epochs=5)).is_iterative


def test_the_first_stage_is_that_without_imagined_images() -> None:
    first = brief(UMAEA, "CMMI").params
    only_first = dataclasses.replace(first, epochs=2, first_epochs=2)
    plain = dataclasses.replace(only_first, imagines=False)
    vectors = [fit(UMAEA(params), FEW) for params in (only_first, plain)]
    # The schedules are as long, so that nothing differs before a generator is trained.
    for one, other in zip(*map(_sides, vectors), strict=True):
        torch.testing.assert_close(one, other)


def _sides(found: object) -> tuple[Tensor, Tensor]:
    assert isinstance(found, Embeddings)
    return found.source, found.target


def test_all_images_at_hand_train_all_stages_and_replace_nothing() -> None:
    pair = easy_pair("entity-alignment")
    full = tuple(
        Features(each.values, np.ones_like(each.present)) for each in pair.features["image"]
    )
    features = {**pair.features, "image": (full[0], full[1])}
    found = fit(brief(UMAEA, "CMMI"), dataclasses.replace(pair, features=features, version=""))
    assert all(torch.isfinite(each).all() for each in _sides(found))


def test_no_images_are_a_reason_to_skip_imagining() -> None:
    reason = UMAEA(PARAMS).skip_reason(("structure", "relation"))
    assert reason == "imagining images (CMMI) needs the modality 'image' and another one"
    assert UMAEA(PARAMS).skip_reason(("image",)) == reason
    assert UMAEA(PARAMS).skip_reason(("structure", "image")) is None


@pytest.mark.parametrize("stop_after", [2, 3, 5])
def test_a_training_stopped_in_any_stage_goes_on_to_the_same_vectors(stop_after: int) -> None:
    method, view = brief(UMAEA, "iterative CMMI", n_epochs=6), few_images()
    whole, _, _ = _fit(method, view, MemoryStates(-1, {"view": view}))
    first = MemoryStates(stop_after, {"view": view})
    with pytest.raises(StoppedError):
        _fit(method, view, first)
    assert first.problem == ""
    again, n_left, _ = _fit(method, view, MemoryStates(-1, {"view": view}, found=first.kept))
    assert n_left == 6 - stop_after
    assert is_same(whole, again)


def test_imagining_changes_the_vectors_where_images_lack() -> None:
    assert not is_same(fit_anew(brief(UMAEA, "CMMI"), FEW).alignment, fit(brief(UMAEA), FEW))

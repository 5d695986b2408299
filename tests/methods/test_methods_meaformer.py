"""MEAformer's layer, weights, loss, schedule and rhythm, each against its formula."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, normalize, scaled_dot_product_attention

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.hybrid.building import EncoderShape, hybrid_encoder
from mmea_bench.methods.core.hybrid.hybrid_encoder import HybridEncoder, HybridVectors, unit_shares
from mmea_bench.methods.core.hybrid.losses import HybridLosses
from mmea_bench.methods.core.hybrid.modality_attention import (
    Dropout,
    ModalityTransformerLayer,
    modality_weights,
    weighted_concatenation,
)
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.methods.meaformer import MEAformer, MEAformerParams

GENERATOR = torch.Generator


def random(*shape: int, rng_seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=GENERATOR().manual_seed(rng_seed))


def small_view(task: str = "entity-alignment") -> TrainView:
    pair = easy_pair(task)  # type: ignore[arg-type]
    return tiny_view(pair)


def encoder_of(view: TrainView, **overrides: int) -> HybridEncoder:
    params = dataclasses.replace(MEAformerParams(), dim=16, **overrides)
    used = MEAformer(params).used_modalities(view.modalities)
    shape, ctx = taken_from(params, EncoderShape), RunContext(rng_seed=1)
    return hybrid_encoder(HybridEncoder, view, JointGraph.of(view), used, shape, ctx)


def test_weights_of_modalities_by_a_plain_loop() -> None:
    probabilities = torch.softmax(random(5, 2, 3, 3), dim=3)
    weights = modality_weights(probabilities)
    for row in range(5):
        received = []
        for modality in range(3):
            total = sum(
                float(probabilities[row, head, query, modality])
                for head in range(2)
                for query in range(3)
            )
            received.append(total / math.sqrt(3 * 2))
        expected = np.exp(received) / np.exp(received).sum()
        np.testing.assert_allclose(weights[row].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(("n_heads", "hidden"), [(1, 0), (2, 0), (1, 7)])
def test_transformer_layer_equals_the_library_functions(n_heads: int, hidden: int) -> None:
    layer = ModalityTransformerLayer(6, n_heads, hidden, GENERATOR().manual_seed(3))
    tokens = random(4, 3, 6)
    outputs, probabilities = layer(tokens)

    def heads(part: Tensor) -> Tensor:
        return part.reshape(4, 3, n_heads, 6 // n_heads).transpose(1, 2)

    query, key, value = (heads(part(tokens)) for part in (layer.query, layer.key, layer.value))
    attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(4, 3, 6)
    expected = layer_norm(tokens + layer.output(attended), (6,), eps=1e-12)
    if layer.hidden is not None:
        change = layer.contraction(gelu(layer.hidden(expected)))
        expected = layer_norm(expected + change, (6,), eps=1e-12)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(probabilities.sum(dim=3), torch.ones(4, n_heads, 3))


def test_a_lacking_token_is_as_if_it_were_not_there() -> None:
    layer = ModalityTransformerLayer(6, 1, 0, GENERATOR().manual_seed(3))
    tokens = random(4, 3, 6)
    present = torch.tensor([[True, False, True]]).expand(4, 3)
    masked_outputs, masked_probabilities = layer(tokens, present)
    outputs, probabilities = layer(tokens[:, [0, 2]])
    torch.testing.assert_close(masked_outputs[:, [0, 2]], outputs)
    weights = modality_weights(masked_probabilities, present)
    torch.testing.assert_close(weights[:, [0, 2]], modality_weights(probabilities))
    assert not weights[:, 1].any()


def test_dropout_keeps_the_mean_and_repeats_for_a_seed() -> None:
    ones = torch.ones(100, 100)
    first, second = (Dropout(0.25, GENERATOR().manual_seed(5))(ones) for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert float(first.mean()) == pytest.approx(1, abs=0.03)


def test_joint_vectors_concatenate_what_stood_before_the_transformer() -> None:
    encoder = encoder_of(small_view())
    with torch.no_grad():
        encoded, vectors = encoder.hybrid(None), encoder.vectors(None)
    for row in (0, 17, 301):
        parts = [
            float(encoded.weights[row, position]) * vectors[name][row] / vectors[name][row].norm()
            for position, name in enumerate(encoder.modalities)
        ]
        joint = torch.cat(parts)
        torch.testing.assert_close(encoded.joint[row], joint / joint.norm())
    torch.testing.assert_close(encoded.weights.sum(dim=1), torch.ones(len(encoded.joint)))


def test_rows_encoded_for_training_equal_those_of_all_entities() -> None:
    encoder = encoder_of(small_view())
    rows, chosen = torch.tensor([3, 40, 170, 250, 371]), torch.tensor([0, 2, 4])
    encoder.prepare(rows)
    with torch.no_grad():
        some, everything = encoder.hybrid(rows, chosen), encoder.hybrid(None)
    wanted = rows[chosen]
    torch.testing.assert_close(some.joint, everything.joint[wanted])
    for name in encoder.modalities:
        torch.testing.assert_close(some.early[name], everything.early[name][wanted])
        torch.testing.assert_close(some.late[name], everything.late[name][wanted])


def test_nodes_lacking_a_modality_have_zero_vectors_and_weights() -> None:
    view = small_view("n-mmkg")
    encoder = encoder_of(view)
    with torch.no_grad():
        encoded = encoder.hybrid(None)
    for name in ("image", "text"):
        present = torch.from_numpy(np.concatenate([side.present for side in view.features[name]]))
        position = encoder.modalities.index(name)
        assert torch.equal(encoded.early[name].any(dim=1), present)
        assert torch.equal(encoded.late[name].any(dim=1), present)
        assert torch.equal(encoded.weights[:, position] > 0, present)


@pytest.mark.parametrize("tau", [0.1, 0.01])
def test_total_loss_is_the_sum_that_the_released_code_makes(tau: float) -> None:
    names = ("image", "attribute", "relation", "structure")
    losses = HybridLosses(names, tau)
    with torch.no_grad():
        losses.weighting.log_variances.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    families = [
        {name: normalize(random(8, 3, rng_seed=10 * f + i), dim=1) for i, name in enumerate(names)}
        for f in range(2)
    ]
    weights = torch.softmax(random(8, 4, rng_seed=99), dim=1)
    encoded = HybridVectors(families[0], families[1], weights, unit_shares(families[0], weights))
    joint = normalize(weighted_concatenation(list(families[0].values()), weights), dim=1)
    positions = torch.tensor([[0, 4], [1, 5], [2, 6], [3, 7]])
    total = losses(encoded, positions)

    def icl(vectors: Tensor) -> float:
        return float(intra_modal_contrastive_loss(vectors[:4], vectors[4:], tau))

    expected = icl(joint) + 2 * (0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 0.6)
    for name, early, late in (
        ("image", 0.1, 0.4),
        ("attribute", 0.2, 0.3),
        ("relation", 0.3, 0.2),
        ("structure", 0.4, 0.1),
    ):
        expected += math.exp(-early) * icl(families[0][name])
        expected += math.exp(-late) * icl(families[1][name])
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)


def test_learning_rate_rises_linearly_and_falls_along_a_cosine() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warmed_up_cosine(optimiser, n_steps=100, warm_up_share=0.15)
    rates = []
    for _ in range(101):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[0] == 0.0
    assert rates[3] == pytest.approx(2 * 3 / 15)
    assert rates[15] == pytest.approx(2.0)
    assert rates[40] == pytest.approx(1 + math.cos(math.pi * 25 / 85))
    assert rates[100] == pytest.approx(0.0)


def test_a_pair_is_promoted_after_five_checks() -> None:
    agreeing, apart = torch.eye(3).repeat(2, 1), torch.eye(3)[[0, 1, 2, 0, 2, 1]]

    def promoted(last_disagreement: int) -> int:
        schedule = IterativeSchedule(500, 5, 50, 25)
        seeds = PseudoSeeds(torch.tensor([[0, 3]]), 3, 6, schedule, TrainingLog())
        for epoch in range(501, 551):
            seeds.after_epoch(epoch, lambda e=epoch: apart if e <= last_disagreement else agreeing)  # type: ignore[misc]
            if epoch < 550:
                assert len(seeds.pairs) == 1
        return len(seeds.pairs) - 1

    assert promoted(525) == 2  # checks at 530, 535, 540, 545 and 550 agree
    assert promoted(530) == 0  # the list of 530 holds other pairs, later checks lose them


def test_the_iterative_part_starts_from_the_weights_that_scored_best() -> None:
    view = small_view()
    seen: dict[int, Tensor] = {}

    def monitor(epoch: int, _loss: float, embeddings: Embeddings) -> float:
        seen[epoch] = embeddings.source.clone()
        return 1.0 if epoch == 2 else 0.5

    overrides = {
        **MEAformer.test_params,
        "eval_every": 1,
        "epochs": 5,
        "iterative_start": 4,
        "iterative_learning_rate": 0.0,
        "weight_decay": 0.0,
    }
    method = MEAformer.configure("meaformer", "iterative", overrides)
    method.fit(view, RunContext(rng_seed=1, monitor=monitor))
    assert torch.equal(seen[5], seen[2])
    assert not torch.equal(seen[4], seen[2])


def test_training_goes_on_with_pairs_that_joined_the_seeds() -> None:
    view = small_view()
    method = MEAformer.configure("meaformer", "iterative", MEAformer.test_params)
    full = MEAformer.configure("meaformer", "full", {**MEAformer.test_params, "epochs": 30})
    grown, start = (m.fit(view, RunContext(rng_seed=1)).source for m in (method, full))
    assert bool(torch.isfinite(grown).all())
    assert not torch.equal(grown, start)


@pytest.mark.parametrize(
    ("overrides", "last"),
    [
        # 15 % of 40 epochs are 6; then a tenth of the schedule passes.
        ({"epochs": 40}, 6 + 4),
        # The second part warms up for 15 % of three times the first: until epoch 20 + 9. A round
        # between two promotions is longer than a tenth.
        ({"epochs": 40, "iterative": True, "iterative_start": 20, "promote_every": 5}, 29 + 5),
        # Without a warm-up that long, pairs are promoted first.
        ({"epochs": 80, "iterative": True, "iterative_start": 20, "promote_every": 20}, 40 + 20),
    ],
)
def test_patience_never_ends_the_training_within_a_warm_up(
    overrides: dict[str, object], last: int
) -> None:
    small = {"dim": 8, "check_every": 5, "renew_every": 5, "eval_every": 1}
    method = MEAformer.configure("meaformer", overrides={**small, **overrides})
    ctx = RunContext(rng_seed=1, monitor=lambda epoch, *_: -float(epoch), patience=1)
    method.fit(small_view(), ctx)
    assert (ctx.log.best_epoch, ctx.log.epochs) == (1, last)

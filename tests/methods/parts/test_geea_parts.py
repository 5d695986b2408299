"""GEEA's flows and losses, against values made the long way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from mmea_bench.methods.parts.geea import adjacency_loss
from mmea_bench.methods.parts.geea.adjacency_loss import adjacency_cross_entropy
from mmea_bench.methods.parts.geea.encoder import WeightedMean
from mmea_bench.methods.parts.geea.flows import FeatureDecoder, Generators, SubVAE
from mmea_bench.methods.parts.geea.losses import (
    AlignmentLosses,
    Flow,
    GenerativeLosses,
    LossWeights,
    gaussian_divergence,
    random_flows,
)

WEIGHTS = LossWeights(0.1, 4.0, 0.1, 1 / 7, match=0.0, prior=0.0, reconstruction=0.0, post=0.0)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generators(widths: dict[str, int], dim: int = 4) -> Generators:
    generator = torch.Generator().manual_seed(1)
    return Generators(dim, widths, 3, 5, 0.0, generator, generator)


def test_the_first_layer_of_the_decoder_has_no_activation() -> None:
    vae = SubVAE(4, 3, torch.Generator().manual_seed(1))
    vectors, noise = drawn(6, 4), torch.rand(6, 4)
    hidden = vectors
    for layer in vae.encoder:
        hidden = leaky_relu(hidden @ layer.weight + layer.bias, 0.01)
    mean = hidden @ vae.mean.weight + vae.mean.bias
    log_variance = hidden @ vae.log_variance.weight + vae.log_variance.bias
    out = (mean + (log_variance / 2).exp() * noise) @ vae.decoder[0].weight + vae.decoder[0].bias
    for layer in list(vae.decoder)[1:]:
        out = leaky_relu(out @ layer.weight + layer.bias, 0.01)
    torch.testing.assert_close(vae(vectors, noise), (out, mean, log_variance))


def test_the_noise_is_uniform_between_zero_and_one() -> None:
    found = generators({"image": 3})
    seen = []
    found.vaes["image"].register_forward_hook(lambda _module, given, _out: seen.append(given[1]))
    found.flow("image", drawn(500, 4))
    assert seen[0].min() >= 0
    assert seen[0].max() < 1
    assert seen[0].mean() == pytest.approx(0.5, abs=0.02)


def test_the_divergence_from_the_prior_by_hand() -> None:
    mean = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    log_variance = torch.tensor([[0.0, math.log(4.0)], [0.0, 0.0]])
    # Row one: (1)/2 and (4 - 1 - log 4)/2; row two is the prior itself.
    expected = (0.5 + (3 - math.log(4.0)) / 2) / 2
    assert gaussian_divergence(mean, log_variance).item() == pytest.approx(expected)


@pytest.mark.parametrize("cells", [7, 10_000])
def test_logits_in_blocks_give_the_plain_cross_entropy_and_its_gradients(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adjacency_loss, "_BLOCK_CELLS", cells)
    dense = np.random.default_rng(0).random((5, 6), dtype=np.float32)
    dense[dense < 0.6] = 0
    plain = [drawn(5, 3), drawn(3, 6, seed=1), drawn(6, seed=2)]
    blocks = [each.clone().requires_grad_() for each in plain]
    plain = [each.requires_grad_() for each in plain]
    logits = plain[0] @ plain[1] + plain[2]
    expected = binary_cross_entropy_with_logits(logits, torch.from_numpy(dense))
    found = adjacency_cross_entropy(*blocks, csr_matrix(dense))
    torch.testing.assert_close(found, expected)
    (2 * expected).backward()
    (2 * found).backward()
    for one, other in zip(blocks, plain, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_counts_above_one_leave_the_cross_entropy_without_a_lower_bound() -> None:
    decoder = FeatureDecoder(
        2, 3, 1, 0.0, torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        decoder.output.bias.fill_(20.0)
        decoder.output.weight.zero_()
    loss = decoder(drawn(4, 2), torch.full((4, 1), 5.0))
    assert loss.item() == pytest.approx(-80.0, abs=1e-3)


def test_the_joint_vector_is_the_mean_of_weighted_unit_vectors() -> None:
    fusion = WeightedMean(("image", "relation"))
    with torch.no_grad():
        fusion.logits.copy_(torch.tensor([math.log(3.0), 0.0]))
    joint = fusion({"image": torch.tensor([[3.0, 4.0]]), "relation": torch.tensor([[0.0, 2.0]])})
    torch.testing.assert_close(joint, torch.tensor([[0.75 * 0.6, 0.75 * 0.8 + 0.25]]) / 2)


def test_unused_slots_take_their_part_of_the_joint_vector() -> None:
    fusion = WeightedMean(("image", "relation"), n_slots=4)
    with torch.no_grad():
        fusion.logits.copy_(torch.tensor([math.log(3.0), 0.0, 0.0, 0.0]))
    joint = fusion({"image": torch.tensor([[5.0, 0.0]]), "relation": torch.tensor([[0.0, 2.0]])})
    torch.testing.assert_close(joint, torch.tensor([[3 / 6, 1 / 6]]) / 2)
    assert fusion.weights() == pytest.approx({"image": 3 / 4, "relation": 1 / 4})
    assert len(WeightedMean(("image", "relation"), n_slots=1).logits) == 2


def test_log_variances_of_absent_modalities_stand_in_the_loss_alone() -> None:
    losses = AlignmentLosses(("image", "relation"), WEIGHTS)
    pairs = {name: (drawn(3, 4, seed=i), drawn(3, 4, seed=i + 5)) for i, name in enumerate("ab")}
    encoded = dict(zip(("image", "relation"), pairs.values(), strict=True))
    before = losses(pairs["a"], encoded)
    before.backward()
    assert losses.spare is not None
    expected = torch.tensor([[1.0] * 4, [WEIGHTS.zoom] * 4])
    torch.testing.assert_close(losses.spare.grad, expected)
    with torch.no_grad():
        losses.spare += torch.tensor([[-2.0], [-3.0]])
    torch.testing.assert_close(losses(pairs["a"], encoded), before - 4 * 2 - 0.1 * 4 * 3)
    assert AlignmentLosses(tuple("abcdef"), WEIGHTS).spare is None


@pytest.mark.parametrize("lost", ["match", "prior", "reconstruction", "post"])
def test_each_loss_of_a_flow_the_long_way(lost: str) -> None:
    """Modality vectors are held against what went in, all else against what is to come out."""
    features = {"image": drawn(3, 2, seed=5), "structure": csr_matrix(np.eye(3, dtype=np.float32))}
    encoded = {name: drawn(3, 4, seed=7 + i) for i, name in enumerate(features)}
    parts, fusion = generators({"image": 2, "structure": 3}).eval(), WeightedMean(tuple(features))
    joint, within = fusion(encoded), lost == "match"
    inputs = torch.tensor([0, 1])
    outputs = inputs if within else torch.tensor([2, 2])
    flow = Flow(inputs, outputs, within, entities=outputs)
    state = parts._drawn[0].get_state()
    weights = LossWeights(**{**vars(WEIGHTS), lost: 1.0})
    found = GenerativeLosses(parts, fusion, features, weights)(
        flow, torch.arange(3), encoded, joint
    )
    parts._drawn[0].set_state(state)
    expected, decoded = 0.0, {}
    for name in features:
        out, mean, log_variance = parts.flow(name, encoded[name][:2])
        decoded[name] = out
        raw = features[name]
        raw = raw if isinstance(raw, torch.Tensor) else torch.from_numpy(raw.toarray())
        expected = (
            expected
            + {
                "match": lambda m=mean, s=log_variance: gaussian_divergence(m, s) / 7,
                "prior": lambda n=name, o=out, r=raw: parts.decoders[n](o, r[[2, 2]]),
                "reconstruction": lambda n=name, o=out: (o - encoded[n][:2]).square().mean(),
                "post": lambda: 0.0,
            }[lost]()
        )
    if lost == "post":
        expected = (fusion(decoded) - joint[[2, 2]]).square().mean()
    torch.testing.assert_close(found, expected)


def test_random_entities_come_once_and_equally_often_from_both_graphs() -> None:
    source, target = random_flows(70, 21, 1 / 7, torch.Generator().manual_seed(0))
    assert len(source) == len(target) == 10
    assert len(source.unique()) == len(target.unique()) == 10
    assert source.max() < 70
    assert target.min() >= 70
    assert target.max() < 91

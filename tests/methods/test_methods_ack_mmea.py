"""ACK-MMEA: merging, generating, left-out edges and the loss against plain computations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.ack_mmea import ACKMMEA, ACKMMEAParams, seed_loss
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import standardised_numbers
from mmea_bench.methods.core.layers.reflection import (
    ReflectionGraph,
    ReflectionLayer,
    relation_table,
)
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.parts.ack_mmea.encoder import EncoderSettings, UniformEncoder
from mmea_bench.methods.parts.ack_mmea.uniform_features import (
    Generated,
    MergedAttributes,
    Noise,
    gaussian_bins,
)
from tests.methods.nmmkg_views import nmmkg_view
from tests.methods.small_graphs import knowledge_graph, small_view

CPU = torch.device("cpu")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def valued_view() -> TrainView:
    """Source: born 1900 and 1910 of 0, n/a of 1, height 5 of 2. Target: height -2 of 0."""
    view = small_view()
    source = replace(view.source, attribute_values=text_array(["1900", "1910", "n/a", "5"]))
    return replace(
        view, source=source, target=replace(view.target, attribute_values=text_array(["-2"]))
    )


def test_numbers_are_standardised_by_attribute_and_gaps_stay() -> None:
    attributes = np.array([0, 0, 1, 1, 2])
    found = standardised_numbers(attributes, np.array([2.0, 6.0, 5.0, math.nan, 7.0]))
    assert found[[0, 1, 2, 4]].tolist() == pytest.approx([-1, 1, 0, 0])
    assert math.isnan(found[3])


def test_bins_of_a_number_by_hand() -> None:
    found = gaussian_bins(np.array([0.0, 9.0, math.nan]), 3)  # centres -3, 0, 3
    near, far = math.exp(-0.5), math.exp(-2)
    expected = [[near, 1, near], [far, near, 1], [0, 0, 0]]
    torch.testing.assert_close(found, torch.tensor(expected))


def facts_of(merged: MergedAttributes) -> dict[int, Tensor]:
    """Vectors of the facts of ``valued_view``, made one by one, by entity."""
    bins = gaussian_bins(np.array([-1.0, 1.0, math.nan, 1.0, -1.0]), 4)
    owners, attributes = [0, 0, 1, 2, 3], [0, 0, 0, 1, 1]
    found: dict[int, list[Tensor]] = {}
    for owner, attribute, near in zip(owners, attributes, bins, strict=True):
        weights, bias = merged.values[:-1], merged.values[-1]
        fact = merged.attributes[attribute]
        if bool(near.any()):
            fact = fact + near @ weights + bias
        found.setdefault(owner, []).append(fact)
    return {owner: torch.stack(facts) for owner, facts in found.items()}


def test_merging_is_the_attention_over_facts_one_by_one() -> None:
    view = valued_view()
    merged = MergedAttributes(view, JointGraph.of(view), 3, 4, generator(), CPU)
    with torch.no_grad():
        merged.values[-1] = torch.tensor([0.5, -1.0, 2.0])  # a bias starts at zero
    found = merged()
    for owner, facts in facts_of(merged).items():
        mean = (merged.weight @ facts.mean(dim=0)).expand(len(facts), -1)
        own = facts @ merged.weight.T
        logits = torch.cat([own, mean], dim=1) @ merged.query.flatten()
        shares = torch.softmax(leaky_relu(logits, 0.2), dim=0)
        torch.testing.assert_close(found[owner], shares @ facts)
    assert merged.present.tolist() == [True, True, True, True, False]
    assert not bool(found[4].any())


def test_without_attention_facts_are_averaged() -> None:
    view = valued_view()
    merged = MergedAttributes(view, JointGraph.of(view), 3, 4, generator(), CPU, attends=False)
    with torch.no_grad():
        merged.values[-1] = torch.tensor([0.5, -1.0, 2.0])  # a bias starts at zero
    found = merged()
    for owner, facts in facts_of(merged).items():
        torch.testing.assert_close(found[owner], facts.mean(dim=0))


def chain_view() -> TrainView:
    """Source: 0-r->1, 2-s->1, 1-r->3, 3-r->4; 5 alone. Target: one entity alone."""
    triples = [(0, 0, 1), (2, 1, 1), (1, 0, 3), (3, 0, 4)]
    source = knowledge_graph("s", 6, triples, ["r", "s"])
    target = knowledge_graph("t", 1, [], ["r"])
    return TrainView(source, target, {}, ("structure",), np.array([[0, 0]], dtype=np.int32))


def test_lacking_vectors_are_made_of_neighbours_twice_and_then_of_the_default() -> None:
    graph = JointGraph.of(chain_view())
    present = np.array([True, False, True, False, False, False, True])
    generated = Generated(graph, present, 2, generator(), CPU)
    with torch.no_grad():
        generated.scores.copy_(torch.tensor([0.3, -0.2, 1.0, 0.4]))  # r, s, backwards r, s
    vectors = torch.randn(7, 2, generator=generator())
    vectors[~torch.from_numpy(present)] = 0.0
    found = generated(vectors)
    torch.testing.assert_close(found[[0, 2, 6]], vectors[[0, 2, 6]])
    shares = torch.softmax(torch.tensor([1.0, 0.4]), dim=0)  # to heads: against r and s
    first = shares @ vectors[[0, 2]]
    torch.testing.assert_close(found[1], first)
    torch.testing.assert_close(found[3], first)  # from the generated 1 alone; 4 lacks it too
    torch.testing.assert_close(found[4], generated.default.detach())
    torch.testing.assert_close(found[5], generated.default.detach())


def test_gradients_pass_through_generated_vectors() -> None:
    graph = JointGraph.of(chain_view())
    present = np.array([True, False, True, False, False, False, True])
    generated = Generated(graph, present, 2, generator(), CPU)
    vectors = torch.randn(7, 2, generator=generator())
    vectors[~torch.from_numpy(present)] = 0.0
    vectors.requires_grad_()
    generated(vectors)[3].sum().backward()
    assert vectors.grad is not None
    torch.testing.assert_close(vectors.grad[[0, 2]], torch.full((2, 2), 0.5))


def test_noise_has_mean_and_deviation_of_the_present_vectors() -> None:
    present = np.array([True, True] + [False] * 4000)
    noise = Noise(present, 1, generator(), CPU)
    vectors = torch.zeros(len(present), 1)
    vectors[:2, 0] = torch.tensor([1.0, 3.0])
    found = noise(vectors)
    assert found[:2, 0].tolist() == [1.0, 3.0]
    assert float(found[2:].mean()) == pytest.approx(2.0, abs=0.1)
    assert float(found[2:].std()) == pytest.approx(1.0, abs=0.1)


def test_left_out_pairs_send_no_message() -> None:
    graph = JointGraph.of(small_view())
    pairs = ReflectionGraph.of(graph)
    layer = ReflectionLayer(4, generator())
    directions = pairs.directions(relation_table(graph.n_relations, 4, generator()))
    vectors = torch.randn(graph.n_entities, 4, generator=generator())
    everyone = torch.ones(pairs.pairs.n_edges, dtype=torch.bool)
    torch.testing.assert_close(
        layer(vectors, directions, pairs, everyone), layer(vectors, directions, pairs)
    )
    kept = everyone & ~((pairs.pairs.rows == 0) & (pairs.pairs.columns == 2))
    kept &= pairs.pairs.rows != 3
    found = layer(vectors, directions, pairs, kept)
    # Entity 0 keeps its neighbour 1 alone, whose weight is then one.
    edge = int(((pairs.pairs.rows == 0) & (pairs.pairs.columns == 1)).nonzero())
    direction = directions[pairs.sets[edge]]
    expected = vectors[1] - 2 * (vectors[1] @ direction) * direction
    torch.testing.assert_close(found[0], expected)
    assert not bool(found[3].any())


def encoder_of(view: TrainView, **overrides: object) -> UniformEncoder:
    params = ACKMMEAParams(dim=5, n_bins=4, **overrides)  # type: ignore[arg-type]
    chosen = ACKMMEA(params).chosen_modalities(view.modalities)
    settings = taken_from(params, EncoderSettings)
    return UniformEncoder(view, JointGraph.of(view), chosen, settings, RunContext(rng_seed=1))


def test_joint_vectors_are_unit_blocks_under_the_shares_of_their_modalities() -> None:
    encoder = encoder_of(valued_view())
    with torch.no_grad():
        encoder.weights.copy_(torch.tensor([0.0, 1.0, 2.0]))
    found, shares = encoder.embeddings(), torch.softmax(torch.tensor([0.0, 1.0, 2.0]), dim=0)
    blocks = torch.cat([found.source, found.target]).split(15, dim=1)
    expected = shares / shares.norm()
    for block, share in zip(blocks, expected, strict=True):
        torch.testing.assert_close(block.norm(dim=1), share.expand(len(block)))
    assert list(found.modality_weights) == ["structure", "attribute", "image"]


def test_embeddings_are_made_without_dropouts_and_draw_nothing() -> None:
    encoder = encoder_of(valued_view())
    torch.testing.assert_close(encoder.embeddings().source, encoder.embeddings().source)
    first, second = encoder()[1], encoder()[1]
    assert not torch.equal(first, second)


def test_nodes_of_one_modality_get_a_vector_of_the_other() -> None:
    uniform = encoder_of(nmmkg_view()).uniform()
    assert set(uniform) == {"text", "image"}
    assert all(bool(vectors.any(dim=1).all()) for vectors in uniform.values())


def test_loss_adds_half_the_mean_over_uniform_modalities() -> None:
    draws = generator()
    uniform = {name: torch.randn(6, 3, generator=draws) for name in ("attribute", "image")}
    joint = normalize(torch.randn(6, 8, generator=draws), dim=1)
    pairs = torch.tensor([[0, 3], [1, 4], [2, 5]])
    expected = intra_modal_contrastive_loss(joint[:3], joint[3:], 0.1)
    for vectors in uniform.values():
        unit = normalize(vectors, dim=1)
        expected = expected + 0.25 * intra_modal_contrastive_loss(unit[:3], unit[3:], 0.1)
    found = seed_loss(uniform, joint, pairs, ACKMMEAParams())
    torch.testing.assert_close(found, expected)
    alone = seed_loss(uniform, joint, pairs, ACKMMEAParams(attribute_weight=0.0))
    torch.testing.assert_close(alone, intra_modal_contrastive_loss(joint[:3], joint[3:], 0.1))

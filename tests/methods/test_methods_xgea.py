"""XGEA's guided attention, pivots and rounds against plain computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.reflection import ReflectionGraph
from mmea_bench.methods.core.training.pseudo_seeds import unsupervised_seeds
from mmea_bench.methods.parts.xgea.guided_attention import GuidedLayer, guided_directions
from mmea_bench.methods.xgea import XGEA, CrossModalEncoder, PivotedPairs, XGEAParams
from tests.methods.small_graphs import small_view

SMALL = XGEAParams(dim=4, n_pivots=2, epochs=3, bootstrap_start=1, bootstrap_every=1)
GRAPH = JointGraph.of(small_view())
REFLECTIONS = ReflectionGraph.of(GRAPH)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_guides_are_scaled_principal_components_of_both_ends() -> None:
    vectors, pairs = random(5, 3), REFLECTIONS.pairs
    ends = torch.cat([vectors[pairs.rows], vectors[pairs.columns]], dim=1)
    _, singular, axes = torch.linalg.svd(ends - ends.mean(dim=0), full_matrices=False)
    expected = normalize(ends @ (axes[:2].T / singular[:2].sqrt()), dim=1)
    found = guided_directions(vectors, pairs, 2)
    # An axis may point either way.
    signs = (found * expected).sum(dim=0).sign()
    assert torch.allclose(found, expected * signs, atol=1e-4)


def test_a_guided_layer_adds_a_tenth_of_messages_mirrored_by_the_guides() -> None:
    layer = GuidedLayer(4, torch.Generator().manual_seed(2))
    vectors, pairs = random(5, 4), REFLECTIONS.pairs
    directions = normalize(random(REFLECTIONS.members.pattern.shape[0], 4), dim=1)
    guides = normalize(random(pairs.n_edges, 4), dim=1)
    found = layer(vectors, directions, guides, REFLECTIONS)
    expected = layer.relations(vectors, directions, REFLECTIONS).clone()
    for node in range(5):
        edges = (pairs.rows == node).nonzero().squeeze(1)
        weights = torch.softmax(guides[edges] @ layer.query, dim=0)
        for weight, edge in zip(weights, edges, strict=True):
            h, q = vectors[pairs.columns[edge]], guides[edge]
            expected[node] += 0.1 * weight * (h - 2 * (h @ q) * q)
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_release_has_entities_and_relations_alone() -> None:
    model = CrossModalEncoder(GRAPH, None, SMALL, RunContext(1))
    directions = REFLECTIONS.directions(model.features.relations)
    blocks = []
    for encoder, x in (
        (model.of_entities, model.features.of_neighbours()),
        (model.of_relations, model.features.of_relations()),
    ):
        h = torch.tanh(x)
        blocks.append(h)
        for layer in encoder.layers:
            h = torch.tanh(layer(h, directions, REFLECTIONS))
            blocks.append(h)
    assert torch.allclose(model(), torch.cat(blocks, dim=1), atol=1e-6)
    assert float(model.features.entities.detach().abs().max()) <= np.sqrt(6 / 9)


def test_in_the_cross_modal_model_either_guides_the_other() -> None:
    images = normalize(random(5, 6), dim=1)
    model = CrossModalEncoder(GRAPH, images, SMALL, RunContext(1))
    directions = REFLECTIONS.directions(model.features.relations)
    entities, shown = model.features.of_neighbours(), images @ model.projection
    found = model()
    assert found.shape == (5, 36)
    by_image = model.of_entities(entities, directions, REFLECTIONS, shown)
    by_entity = model.of_images(shown, directions, REFLECTIONS, entities)
    assert torch.allclose(found[:, :12], by_image, atol=1e-6)
    assert torch.allclose(found[:, 12:24], 0.3 * by_entity, atol=1e-6)
    assert torch.allclose(found[:, 12:16], 0.3 * torch.tanh(shown), atol=1e-6)


def test_pivots_are_the_most_alike_images_beside_the_seeds() -> None:
    images = modality_features(small_view(), "image", RunContext(1))
    made = PivotedPairs(GRAPH, small_view(), images, SMALL, RunContext(1))
    seeds = GRAPH.seed_pairs(small_view())
    pivots = unsupervised_seeds(images, GRAPH.n_source, 2)
    scores = images[:3] @ images[3:].T
    best = int(scores.argmax())
    assert made.pivots[0].tolist() == [best // 2, 3 + best % 2]
    assert torch.equal(made.all(), torch.cat([seeds, pivots]))


def test_without_images_there_are_no_pivots() -> None:
    made = PivotedPairs(GRAPH, small_view(), None, SMALL, RunContext(1))
    assert torch.equal(made.all(), GRAPH.seed_pairs(small_view()))


@pytest.mark.parametrize(("cross_modal", "columns"), [(False, 24), (True, 36)])
def test_vectors_hold_images_in_the_cross_modal_model_alone(
    cross_modal: bool, columns: int
) -> None:
    found = XGEA(replace(SMALL, cross_modal=cross_modal)).fit(small_view(), RunContext(1))
    assert found.source.shape == (3, columns)


def test_the_cross_modal_model_cannot_do_without_images() -> None:
    with pytest.raises(ValueError, match="image"):
        XGEAParams(cross_modal=True, modalities=("structure",))
    assert XGEA(replace(SMALL, cross_modal=True)).skip_reason(("structure",)) is not None
    assert XGEA(SMALL).skip_reason(("structure",)) is None

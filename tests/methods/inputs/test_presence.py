"""Modalities that nodes of an N-MMKG lack by definition: zero vectors, no losses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.inputs.presence import loss_where_present, node_presence, pair_presence
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import (
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.mclea import MCLEA, MCLEAParams
from mmea_bench.methods.parts.mclea.losses import LossSettings, MCLEALosses


def nodes() -> TrainView:
    pair = easy_pair("n-mmkg")
    return tiny_view(pair)


def presence_of(view: TrainView, name: str) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([side.present for side in view.features[name]]))


def test_nodes_without_a_modality_have_zero_features() -> None:
    view = nodes()
    for name in ("image", "text"):
        features = modality_features(view, name, RunContext(rng_seed=1))
        assert torch.equal(features.any(dim=1), presence_of(view, name))


def test_only_nodes_lack_modalities_by_definition() -> None:
    pair = easy_pair()
    view = tiny_view(pair)
    device = torch.device("cpu")
    assert node_presence(view, ("image", "structure"), device) == {}
    assert set(node_presence(nodes(), ("image", "text", "structure"), device)) == {"image", "text"}


def test_an_image_has_no_attributes_whatever_its_dataset_states() -> None:
    view, device = nodes(), torch.device("cpu")
    texts = presence_of(view, "text")
    assert texts.any()
    assert not texts.all()
    facts = torch.from_numpy(JointGraph.of(view).attributes[:, 0])
    assert not texts[facts].all()
    for told in ("image", "text"):
        found = node_presence(view, ("attribute", told), device)
        assert torch.equal(found["attribute"], texts)
    # Who reads neither is not told which nodes are images.
    assert node_presence(view, ("attribute",), device)["attribute"].all()


def test_pairs_count_where_both_ends_have_the_modality() -> None:
    presence = {"image": torch.tensor([True, False, True, True])}
    pairs = torch.tensor([[0, 2], [1, 3], [3, 0], [2, 1]])
    kept = pair_presence(presence, pairs)
    assert kept["image"].tolist() == [0, 2]
    values = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    assert float(loss_where_present(torch.sum, "image", kept, values)) == 101.0
    assert float(loss_where_present(torch.sum, "structure", kept, values)) == 1111.0
    none = {"image": torch.empty(0, dtype=torch.int64)}
    assert float(loss_where_present(torch.mean, "image", none, values)) == 0.0


def test_the_loss_of_mclea_leaves_out_pairs_that_lack_a_modality() -> None:
    generator = torch.Generator().manual_seed(1)
    encoded = {
        name: tuple(normalize(torch.randn(6, 4, generator=generator), dim=1) for _ in range(2))
        for name in ("image", "structure")
    }
    fusion = WeightedConcatenation(("image", "structure"))
    encoder: Any = SimpleNamespace(fusion=fusion, modalities=fusion.modalities)
    settings = taken_from(MCLEAParams(), LossSettings)
    losses = MCLEALosses(encoder, settings, torch.Generator())
    kept = torch.tensor([0, 3, 4])
    total = losses.batch_loss(encoded, {"image": kept})  # type: ignore[arg-type]
    joint = [
        normalize(fusion({name: pair[side] for name, pair in encoded.items()}), dim=1)
        for side in (0, 1)
    ]
    expected = intra_modal_contrastive_loss(joint[0], joint[1], 0.1)
    for name, rows in (("image", kept), ("structure", torch.arange(6))):
        source, target = (side[rows] for side in encoded[name])
        teacher = (joint[0][rows], joint[1][rows])
        expected = expected + intra_modal_contrastive_loss(source, target, 0.1)
        expected = expected + 0.01 * inter_modal_alignment_loss(teacher, (source, target), 4.0)
    torch.testing.assert_close(total, expected)


def test_vectors_of_lacking_modalities_are_zero_in_mclea() -> None:
    view = nodes()
    method = MCLEA.configure("mclea", "full", {**MCLEA.test_params, "epochs": 5})
    embeddings = method.fit(view, RunContext(rng_seed=1))
    assert {"structure", "relation", "image", "text"} <= set(embeddings.by_modality)
    for name, kind in (("image", "image"), ("text", "text"), ("attribute", "text")):
        vectors = torch.cat(embeddings.by_modality[name])
        assert torch.equal(vectors.any(dim=1), presence_of(view, kind))


def test_pairs_that_share_an_entity_share_its_row() -> None:
    pairs = torch.tensor([[1, 7], [1, 9], [3, 9]])
    found = PairRows.of(pairs, torch.device("cpu"))
    assert found.rows.tolist() == [1, 3, 7, 9]
    assert torch.equal(found.rows[found.positions], pairs)

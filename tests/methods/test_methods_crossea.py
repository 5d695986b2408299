"""CrossEA's own parts: inputs, fusion, loss, and the gap between its kinds of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.bench.scoring.pair_scoring import PairTask, mean_true_scores, score_pairs
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.nodes import visual_nodes
from mmea_bench.datasets.core.model.split import split_pairs
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.crossea import CrossEA, CrossEAParams, pair_margin_loss
from mmea_bench.methods.parts.crossea.encoder import CrossEAEncoder, EncoderSettings
from mmea_bench.methods.parts.crossea.pair_negatives import NegativeSettings, PairNegatives
from tests.methods.nmmkg_views import nmmkg_view

SMALL = {
    "dim": 6,
    "caps": (4, 5),
    "epochs": 6,
    "hard_from": 3,
    "n_negatives": 4,
    "refresh_every": 2,
}


def encoder(**overrides: object) -> CrossEAEncoder:
    view = nmmkg_view()
    params = CrossEAParams(**{"dim": 6, **overrides})  # type: ignore[arg-type]
    graph, nodes = JointGraph.of(view), NodeSets.of(view)
    settings = taken_from(params, EncoderSettings)
    return CrossEAEncoder(view, graph, nodes, settings, RunContext(rng_seed=1))


def test_loss_by_hand() -> None:
    true = torch.tensor([0.9, 0.2])
    wrong = torch.tensor([[0.1, 0.6], [0.3, -0.5]])
    # Excesses: [0.5-0.9+0.1]+ = 0, [0.5-0.9+0.6]+ = 0.2; [0.5-0.2+0.3]+ = 0.6, [-0.2]+ = 0.
    everything = torch.ones(2, 2, dtype=torch.bool)
    torch.testing.assert_close(
        pair_margin_loss(true, wrong, everything, 0.5), torch.tensor(0.8 / 4)
    )
    some = torch.tensor([[True, True], [False, True]])
    torch.testing.assert_close(pair_margin_loss(true, wrong, some, 0.5), torch.tensor(0.2 / 3))


@pytest.mark.parametrize("similarity", ["cosine", "abs-cosine"])
def test_scores_of_pairs_and_wrong_pairs_equal_plain_products(similarity: Any) -> None:
    view = nmmkg_view()
    graph, nodes = JointGraph.of(view), NodeSets.of(view)
    pairs = graph.seed_pairs(view).numpy()
    settings = NegativeSettings(similarity, 6, hard_share=0.5, hard_from=2, refresh_every=2)
    negatives = PairNegatives(pairs, nodes, settings, RunContext(rng_seed=1))
    generator = torch.Generator().manual_seed(0)
    vectors = normalize(torch.randn(graph.n_entities, 5, generator=generator), dim=1)
    hard = []
    for epoch in (1, 2, 3, 4):
        stand_ins, usable = negatives.at(epoch, vectors)
        scores = negatives.scores(vectors, stand_ins)
        assert stand_ins.shape == (2, len(pairs), 3)
        hard.append(stand_ins[:, :, -1].tolist())
        for row, (source, target) in enumerate(pairs.tolist()):
            cells = [(source, target)]
            cells += [(source, int(other)) for other in stand_ins[0, row]]
            cells += [(int(other), target) for other in stand_ins[1, row]]
            expected = torch.stack([vectors[a] @ vectors[b] for a, b in cells])
            expected = expected.abs() if similarity == "abs-cosine" else expected
            torch.testing.assert_close(scores[row], expected)
            known = {tuple(pair) for pair in pairs.tolist()}
            assert usable[row].tolist() == [cell not in known for cell in cells[1:]]
    # The hard ones of epoch 2 stay for epoch 3.
    assert hard[1] == hard[2]


def test_weights_are_the_own_shares_by_number_of_nodes_and_structure_has_the_rest() -> None:
    model = encoder(own_share=0.75)
    model.share_logits["image"].data.zero_()  # a share of one half
    sizes = {name: len(rows) for name, rows in NodeSets.of(nmmkg_view()).ids.items()}
    n_nodes = sum(sizes.values())
    weights = model.weights()
    assert weights["text"] == pytest.approx(0.75 * sizes["text"] / n_nodes)
    assert weights["image"] == pytest.approx(0.5 * sizes["image"] / n_nodes)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_a_better_true_pair_lowers_the_loss() -> None:
    true = torch.tensor([0.3], requires_grad=True)
    wrong = torch.tensor([[0.2]], requires_grad=True)
    usable = torch.ones(1, 1, dtype=torch.bool)
    pair_margin_loss(true, wrong, usable, 0.5).backward()  # type: ignore[no-untyped-call]
    assert true.grad is not None
    assert wrong.grad is not None
    assert (float(true.grad), float(wrong.grad)) == (-1.0, 1.0)


def test_features_are_standardised_over_both_graphs_by_modality() -> None:
    view = nmmkg_view()
    nodes = NodeSets.of(view)
    for modality in ("text", "image"):
        rows = torch.cat(
            [torch.from_numpy(side.values[side.present].copy()) for side in view.features[modality]]
        )
        expected = (rows - rows.mean(dim=0)) / rows.std(dim=0, correction=0)
        torch.testing.assert_close(nodes.standardised(view, modality), expected)


def test_rows_are_put_back_in_the_order_of_joint_ids() -> None:
    nodes = NodeSets.of(nmmkg_view())
    stacked = torch.from_numpy(np.concatenate(list(nodes.ids.values())))
    assert stacked[nodes.order()].tolist() == list(range(nodes.n_nodes))


def test_a_node_is_three_parts_itself_and_one_part_structure() -> None:
    model = encoder()
    nodes = NodeSets.of(nmmkg_view())
    own = {
        modality: normalize(features @ model.projection[modality], dim=1)
        for modality, features in model._features.items()
    }
    structure = model.structure(own)
    found = model()
    for modality, ids in nodes.ids.items():
        mixed = 0.75 * own[modality] + 0.25 * normalize(structure[modality], dim=1)
        torch.testing.assert_close(found[torch.from_numpy(ids)], normalize(mixed, dim=1))


def test_graph_attention_differs_from_meta_paths_in_the_structure_only() -> None:
    first, second = encoder(), encoder(structure="gat")
    for modality in ("text", "image"):
        assert torch.equal(first.projection[modality], second.projection[modality])
    assert not torch.allclose(first(), second())


def test_missing_hops_are_given_the_last_cap() -> None:
    assert CrossEAParams(n_hops=1).hop_caps == (20,)
    assert CrossEAParams(n_hops=2).hop_caps == (20, 40)
    assert CrossEAParams(n_hops=4).hop_caps == (20, 40, 40, 40)


@pytest.mark.parametrize("variant", ["full", *CrossEA.variants])
def test_equal_seeds_give_equal_vectors(variant: str) -> None:
    overrides = {k: v for k, v in SMALL.items() if k not in CrossEA.variants.get(variant, {})}
    method = CrossEA.configure("crossea", variant, overrides)
    first, second = (method.fit(nmmkg_view(), RunContext(rng_seed=2)) for _ in range(2))
    assert torch.equal(first.source, second.source)
    assert torch.equal(first.target, second.target)


def test_the_printed_form_is_scored_by_absolute_cosines() -> None:
    similarities = {
        variant: CrossEA.configure("crossea", variant, SMALL)
        .fit(nmmkg_view(), RunContext(rng_seed=2))
        .similarity
        for variant in ("full", "abs", "as described")
    }
    assert similarities == {"full": "cosine", "abs": "abs-cosine", "as described": "abs-cosine"}


def test_true_pairs_across_modalities_score_lower_than_within() -> None:
    pair = open_dataset("synthetic-nmmkg[n=1500]").read()
    split = split_pairs(pair.anchor_links, 0.3, 1)
    overrides = {"dim": 64, "caps": (8, 12), "n_negatives": 10, "epochs": 40}
    method = CrossEA.configure("crossea", overrides=overrides)
    embeddings = method.fit(train_view(pair, split.seed_links), RunContext(rng_seed=1))
    visual = visual_nodes(pair.features)
    task = PairTask(split.seed_links, split.valid_links, split.test_links, *visual)
    means = mean_true_scores(score_pairs(embeddings, task), task)
    assert means["intra"] - means["cross"] >= 0.15
    assert means["cross"] > 0.3

"""PSNEA's pool and losses, pair by pair; what its two branches share."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import inter_modal_alignment_loss
from mmea_bench.methods.parts.psnea.branches import BranchSizes, PseudoSiameseEncoder
from mmea_bench.methods.parts.psnea.losses import PoolLosses
from mmea_bench.methods.parts.psnea.pool import found_pool
from mmea_bench.methods.psnea import PSNEA
from tests.methods.small_graphs import small_view

SIZES = BranchSizes((8, 8, 4), 2, 3, 3, 3)


def units(*shape: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def encoder(*, shared: bool = False) -> PseudoSiameseEncoder:
    graph = JointGraph.of(small_view())
    generator = torch.Generator().manual_seed(0)
    features = {"relation": torch.rand(5, 6, generator=generator)}
    order, device = ("relation", "structure"), torch.device("cpu")
    return PseudoSiameseEncoder(graph, features, order, SIZES, generator, device, shared=shared)


def test_the_two_graphs_share_nothing_but_the_fusion() -> None:
    two, one = encoder(), encoder(shared=True)
    pairs = zip(two.branches[0].parameters(), two.branches[1].parameters(), strict=True)
    assert all(first.shape == second.shape for first, second in pairs)
    of_branch = sum(each.numel() for each in one.branches.parameters())
    assert sum(each.numel() for each in two.branches.parameters()) == 2 * of_branch
    assert [len(table) for table in two.tables] == [3, 2]


def test_neighbours_with_low_scores_are_attended_to_most() -> None:
    found = encoder()
    branch, pattern, table = found.branches[0], found._patterns[0], found.tables[0]
    layer = branch.graph_layers[0]
    heads = []
    for weight, scores in zip(layer.weights, layer.scores, strict=True):
        hidden = table @ weight
        edges = leaky_relu(scores(hidden, pattern), 0.2)
        sums = torch.zeros(3).index_add(0, pattern.rows, torch.exp(-edges))
        shares = torch.exp(-edges) / sums[pattern.rows]
        values = shares.unsqueeze(1) * hidden[pattern.columns]
        heads.append(torch.zeros(3, 8).index_add(0, pattern.rows, values))
    torch.testing.assert_close(layer(table, pattern), (heads[0] + heads[1]) / 2)
    assert float(layer.scores[0].ends.detach().abs().max()) <= 1 / 16**0.5


def test_some_rows_are_those_of_all() -> None:
    found = encoder()
    everyone, some = found.encode(None), found.encode((torch.tensor([2, 0]), torch.tensor([4])))
    for name in ("relation", "structure"):
        torch.testing.assert_close(some[name], everyone[name][[2, 0, 4]])


def test_the_pool_holds_mutual_pairs_without_a_seed_weighed_by_their_cosine() -> None:
    target = units(4, 6)
    noise = torch.tensor([0.0, 0.1, 0.2, 0.3]).unsqueeze(1) * units(4, 6, seed=1)
    source = normalize(target + noise, dim=1)
    pool = found_pool(Embeddings(source, target), torch.tensor([[0, 4]]), 1, weighted=True)
    assert pool.pairs.tolist() == [[1, 5], [2, 6], [3, 7]]
    cosines = (source * target).sum(dim=1)[1:]
    expected = (cosines - cosines.min()) / (cosines.max() - cosines.min())
    torch.testing.assert_close(pool.weights, expected)
    assert found_pool(
        Embeddings(source, target), torch.tensor([[0, 4]]), 1, weighted=False
    ).weights.tolist() == [1, 1, 1]


def weighted_icl(source: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> float:
    """The contrastive loss, term by term, at temperature 0.1."""
    total, size = 0.0, len(source)
    for own, other in ((source, target), (target, source)):
        for i in range(size):
            logits = [own[i] @ other[j] / 0.1 for j in range(size)]
            logits += [own[i] @ own[j] / 0.1 for j in range(size) if j != i]
            chosen = logits[i] - torch.logsumexp(torch.stack(logits), dim=0)
            total -= float(weights[i] * chosen) / (2 * size)
    return total


@pytest.mark.parametrize("joint_alone", [True, False])
def test_the_loss_of_a_batch_term_by_term(*, joint_alone: bool) -> None:
    encoded = {"image": units(6, 3), "relation": units(6, 2, seed=1)}
    positions = torch.tensor([[0, 3], [1, 4], [2, 5]])
    weights, swapped = torch.tensor([1.0, 0.5, 0.2]), torch.tensor([False, True, False])
    losses = PoolLosses(WeightedConcatenation(("image", "relation")), 0.1, 0.5, 0.1)
    found = losses(encoded, positions, weights, swapped, joint_alone=joint_alone)
    rows = torch.tensor([0, 4, 2]), torch.tensor([3, 4, 5])
    joint = [
        normalize(torch.cat([each[side] for each in encoded.values()], dim=1), dim=1)
        for side in rows
    ]
    expected = 0.5 * weighted_icl(joint[0], joint[1], weights)
    if not joint_alone:
        for each in encoded.values():
            pair = each[rows[0]], each[rows[1]]
            expected += 0.5 * weighted_icl(*pair, weights)
            handed = inter_modal_alignment_loss((joint[0], joint[1]), pair, 0.1, "rows")
            expected += 0.1 * float(handed)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_pairs_of_the_pool_are_learned_from_the_epoch_after_the_first_look() -> None:
    ctx = RunContext(rng_seed=1)
    sizes = {"structure_dims": (16, 16, 8), "learning_rate": 5e-3}
    overrides = {"epochs": 25, "pool_start": 20, "pool_every": 10, **sizes}
    PSNEA.configure("psnea", "full", overrides).fit(tiny_view(easy_pair()), ctx)
    assert ctx.log.first_pseudo_epoch == 21

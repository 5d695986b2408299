"""Which targets ERMC offers to whom, in training and outside, against plain sorting."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.ermc import ERMCParams
from mmea_bench.methods.parts.ermc.correspondence import nearest_candidates
from mmea_bench.methods.parts.ermc.graph import ENTITY, RELATION, triadic_graph
from mmea_bench.methods.parts.ermc.layers import NodeVectors
from mmea_bench.methods.parts.ermc.names import node_names
from mmea_bench.methods.parts.ermc.network import ERMCNetwork, NetworkSettings


def network_of(n_candidates: int) -> tuple[ERMCNetwork, NodeVectors]:
    """A network that has learned nothing, and the features that it makes outside training."""
    params = ERMCParams(
        width=12, n_layers=2, n_steps=2, colour_dim=4, n_candidates=n_candidates, n_random=0
    )
    view, ctx = tiny_view(easy_pair()), RunContext(rng_seed=1)
    graph = triadic_graph(view, torch.device("cpu"), relation_nodes=True)
    seeds = JointGraph.of(view).seed_pairs(view)
    seeds[:, 1] -= graph.n_source[ENTITY]
    settings = taken_from(params, NetworkSettings)
    network = ERMCNetwork(graph, node_names(view, ctx), seeds, settings, ctx).eval()
    with torch.no_grad():
        return network, network()


def nearest_places(products: Tensor, allowed: list[int], k: int) -> list[int]:
    """The k largest of the allowed products, in ascending order of their places."""
    return sorted(sorted(allowed, key=lambda place: -float(products[place]))[:k])


@pytest.mark.parametrize(("n_candidates", "n_offered"), [(10, 10), (120, 91)])
def test_entities_without_a_seed_are_offered_targets_without_one(
    n_candidates: int, n_offered: int
) -> None:
    network, vectors = network_of(n_candidates)
    found = network._candidates(vectors, ENTITY)
    source, target = network._sides(vectors[ENTITY], ENTITY)
    products, seeds = source @ target.T, dict(network._seeds.tolist())
    # Of 172 targets 81 have a seed.
    free = [place for place in range(172) if place not in seeds.values()]
    assert found.targets.shape == (200, n_offered)
    assert bool(found.valid.all())
    for row in range(200):
        allowed = list(range(172)) if row in seeds else free
        offered = sorted(found.targets[row].tolist())
        assert offered == nearest_places(products[row], allowed, n_offered)


def test_no_target_of_a_seed_is_a_candidate_in_the_scores_of_entities_without_one() -> None:
    network, _ = network_of(10)
    scores = network.scores(consensus=True)
    open_rows = torch.nonzero(network._gold < 0).squeeze(1)
    is_candidate = scores.rows(open_rows) > -95
    assert is_candidate.sum(dim=1).tolist() == [10] * 119
    assert not is_candidate[:, network._seeds[:, 1]].any()


def test_in_training_the_nearest_of_all_targets_are_candidates() -> None:
    network, vectors = network_of(10)
    found = network.train()._candidates(vectors, ENTITY)
    source, target = network._sides(vectors[ENTITY], ENTITY)
    for row, products in enumerate(source @ target.T):
        nearest = nearest_places(products, list(range(172)), 10)
        assert sorted(found.targets[row, :10].tolist()) == nearest
    sources, targets = network._seeds.T
    assert found.targets[sources, 10].tolist() == targets.tolist()


def test_relations_have_no_seeds_and_are_offered_all() -> None:
    network, vectors = network_of(3)
    found = network._candidates(vectors, RELATION)
    expected = nearest_candidates(*network._sides(vectors[RELATION], RELATION), 3)
    assert torch.equal(found.targets, expected.targets)


def test_where_every_target_has_a_seed_all_of_them_are_offered() -> None:
    network, vectors = network_of(10)
    network._taken[:] = True
    expected = nearest_candidates(*network._sides(vectors[ENTITY], ENTITY), 10)
    assert torch.equal(network._candidates(vectors, ENTITY).targets, expected.targets)

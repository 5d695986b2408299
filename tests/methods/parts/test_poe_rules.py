"""PoE's rules: bodies, counts and weights against brute force."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.parts.poe import rules
from mmea_bench.methods.parts.poe.experts import ExpertVectors
from mmea_bench.methods.parts.poe.product import ProductOfExperts
from mmea_bench.methods.parts.poe.rules import (
    LinkLoss,
    RuleBodies,
    RuleChoice,
    RuleLogits,
    fitted_weights,
    own_weights,
    rule_counts,
    rule_expert,
)
from mmea_bench.methods.poe import PoE
from tests.methods.small_graphs import knowledge_graph

N = 12
Body = tuple[int, bool, int, bool]
"""Relations beside the source and the target entity, and whether each leads away from it."""


def random_view(n_triples: int = 40) -> TrainView:
    """Two random graphs of three relations, the first six entities of each linked in order."""
    rng = np.random.default_rng(5)
    graphs = []
    for name in ("s", "t"):
        drawn = np.stack([rng.integers(size, size=n_triples) for size in (N, 3, N)], axis=1)
        graphs.append(knowledge_graph(name, N, [tuple(row) for row in drawn], list("pqr")))
    seeds = np.stack([np.arange(6)] * 2, axis=1).astype(np.int32)
    return TrainView(graphs[0], graphs[1], {}, ("structure",), seeds)


def brute_force(view: TrainView) -> dict[tuple[int, int], set[Body]]:
    """Bodies of every pair, one path after the other."""
    found = defaultdict(set)
    beside = []
    for graph in (view.source, view.target):
        ends = defaultdict(set)
        for head, relation, tail in graph.relation_triples.tolist():
            if head != tail:
                ends[tail].add((head, relation, True))
                ends[head].add((tail, relation, False))
        beside.append(ends)
    for first, second in view.seed_links.tolist():
        for source, source_relation, leads_away in beside[0][first]:
            for target, target_relation, other_leads_away in beside[1][second]:
                body = (source_relation, leads_away, target_relation, other_leads_away)
                found[source, target].add(body)
    return found


def inputs(view: TrainView) -> tuple[JointGraph, np.ndarray, RuleBodies]:
    graph = JointGraph.of(view)
    pairs = graph.seed_pairs(view).numpy()
    return graph, pairs, RuleBodies.of(graph, pairs, largest_meeting=1000)


def decoded(graph: JointGraph, bodies: RuleBodies) -> dict[tuple[int, int], set[Body]]:
    found = defaultdict(set)
    n_labels = 2 * graph.n_relations
    for cell, rule in zip(bodies.cells.tolist(), bodies.rules.tolist(), strict=True):
        (own, other), pair = divmod(rule, n_labels), divmod(cell, bodies.n_target)
        found[pair].add((own // 2, own % 2 == 0, other // 2, other % 2 == 0))
    return found


@pytest.mark.parametrize("at_once", [3, 1_000_000])
def test_bodies_are_those_of_all_paths(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_BODIES_AT_ONCE", at_once)
    view = random_view()
    graph, _, bodies = inputs(view)
    assert decoded(graph, bodies) == brute_force(view)
    assert (np.diff(bodies.cells) >= 0).all()


def test_a_hub_is_no_path() -> None:
    view = random_view()
    graph, pairs, _ = inputs(view)
    assert not len(RuleBodies.of(graph, pairs, largest_meeting=0).cells)


def test_a_rule_of_its_own_has_support_and_confidence() -> None:
    view = random_view(90)
    graph, pairs, bodies = inputs(view)
    links = pairs - np.array([0, graph.n_source])
    choice = RuleChoice(support=2, confidence=0.25)
    held, supported = defaultdict(int), defaultdict(int)
    for cell, rule in zip(bodies.cells.tolist(), bodies.rules.tolist(), strict=True):
        source, target = divmod(cell, N)
        if source < 6 and target < 6:
            held[rule] += 1
            supported[rule] += source == target
    expected = [rule for rule in held if supported[rule] >= max(2, 0.25 * held[rule])]
    assert 0 < len(expected) < len(held)
    assert own_weights(bodies, links, choice).tolist() == sorted(expected)


def test_rules_without_a_weight_of_their_own_are_counted_together() -> None:
    bodies = RuleBodies(np.array([1, 1, 1, 4]), np.array([2, 5, 7, 5]), n_target=3)
    cells, counts = rule_counts(bodies, np.array([5]))
    assert cells.tolist() == [1, 4]
    assert counts.toarray().tolist() == [[1, 2], [1, 0]]


def test_the_loss_of_links_is_that_of_the_whole_matrix() -> None:
    scores = torch.tensor([0.5, -1.0, 2.0, 0.25])
    cells, links = np.array([0, 2, 4, 7]), np.array([[0, 0], [1, 1], [2, 0]])
    dense = torch.zeros(3, 3).flatten().index_copy(0, torch.from_numpy(cells), scores).view(3, 3)
    forth, back = torch.log_softmax(dense, dim=1), torch.log_softmax(dense, dim=0)
    expected = -np.mean([float(forth[s, t] + back[s, t]) for s, t in links])
    assert LinkLoss(cells, links, (3, 3))(scores).item() == pytest.approx(expected)


def test_a_rule_that_links_keep_outweighs_one_that_they_break() -> None:
    cells, links = np.array([0, 1, 4, 8]), np.array([[0, 0], [1, 1], [2, 2]])
    bodies = RuleBodies(cells, np.array([0, 1, 0, 0]), n_target=3)
    counts = rule_counts(bodies, np.array([0, 1]))[1]
    weights = fitted_weights(cells, counts, links, (3, 3), RuleChoice())
    assert weights[0] > 1 > 0 > weights[1]


def test_evidence_of_pairs_is_that_of_the_matrix() -> None:
    view = random_view()
    graph = JointGraph.of(view)
    expert = rule_expert(graph, graph.seed_pairs(view), RuleChoice(support=1))
    assert expert is not None
    dense = torch.from_numpy(expert.matrix.toarray())
    assert dense.any()
    ids = torch.tensor([3, 0]), torch.tensor([7, 2])
    assert torch.equal(expert.logits(*ids, paired=True), dense[ids])
    assert torch.equal(expert.logits(*ids, paired=False), dense[ids[0]][:, ids[1]])
    assert torch.equal(expert.rows(ids[0]), dense[ids[0]])


def test_rules_need_seed_links() -> None:
    graph = JointGraph.of(random_view())
    assert rule_expert(graph, torch.zeros(0, 2).long(), RuleChoice()) is None


def test_scores_are_inner_products_and_the_weighted_matrix() -> None:
    view = random_view()
    graph, context = JointGraph.of(view), RunContext(rng_seed=1)
    matrix = rule_expert(graph, graph.seed_pairs(view), RuleChoice(support=1))
    assert isinstance(matrix, RuleLogits)
    vectors = ExpertVectors(torch.randn(N, 4), torch.randn(N, 4))
    experts = {"relational": matrix, "numerical": vectors}
    model = ProductOfExperts(graph, experts, 5, 10.0, context)
    everyone = torch.arange(N)
    expected = model.link_logits(everyone, everyone + N, paired=False)
    scores = model.pair_scores()
    assert torch.allclose(scores.rows(everyone), expected.detach(), atol=1e-5)


def test_the_variant_returns_scores() -> None:
    method = PoE.configure("poe", "rules", {"epochs": 1, "dim": 4})
    returned = method.fit(random_view(), RunContext(rng_seed=1))
    assert isinstance(returned, PairScores)

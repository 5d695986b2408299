"""ERMC: edges, layers, correspondences, colours and acceptance against values made by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.ermc import ERMC, ERMCParams
from mmea_bench.methods.parts.ermc.correspondence import (
    Candidates,
    DifferenceScore,
    accepted,
    log_odds,
    nearest_candidates,
    repeated,
)
from mmea_bench.methods.parts.ermc.graph import ENTITY, RELATION, TriadicGraph, triadic_graph
from mmea_bench.methods.parts.ermc.layers import TriadicLayer, TriadicNetwork
from mmea_bench.methods.parts.ermc.names import node_names, relation_names
from mmea_bench.methods.parts.ermc.network import ERMCNetwork, NetworkSettings, squeezed

CPU = torch.device("cpu")
PARAMS = ERMCParams(width=12, n_layers=2, n_steps=2, colour_dim=4)


def seeded(rng_seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(rng_seed)


def numbers(*shape: int, rng_seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(rng_seed))


def view_of() -> TrainView:
    return tiny_view(easy_pair())


def graph_of(*, relation_nodes: bool = True) -> TriadicGraph:
    return triadic_graph(view_of(), CPU, relation_nodes=relation_nodes)


def dense(matrix: object) -> Tensor:
    return matrix.forward_matrix.to_dense()  # type: ignore[attr-defined, no-any-return]


def edges(view: TrainView) -> list[tuple[int, int, int]]:
    """Triples as rows of entities and of relation nodes, both KGs."""
    shift, relations = view.source.n_entities, view.source.n_relations
    own = [tuple(each) for each in view.source.relation_triples.tolist()]
    other = [
        (head + shift, relation + relations, tail + shift)
        for head, relation, tail in view.target.relation_triples.tolist()
    ]
    return [*own, *other]


def test_every_triple_gives_three_edges_each_read_in_both_directions() -> None:
    view, graph = view_of(), graph_of()
    triples = edges(view)
    ways = [
        ((ENTITY, ENTITY), [(tail, head) for head, _, tail in triples]),
        ((ENTITY, ENTITY), [(head, tail) for head, _, tail in triples]),
        ((RELATION, ENTITY), [(relation, head) for head, relation, _ in triples]),
        ((ENTITY, RELATION), [(head, relation) for head, relation, _ in triples]),
        ((ENTITY, RELATION), [(tail, relation) for _, relation, tail in triples]),
        ((RELATION, ENTITY), [(relation, tail) for _, relation, tail in triples]),
    ]
    assert len(graph.means) == len(ways)
    for (kind, mean), (wanted_kind, cells) in zip(graph.means, ways, strict=True):
        assert kind == wanted_kind
        counts = torch.zeros(graph.sizes[kind[0]], graph.sizes[kind[1]])
        for row, column in cells:
            counts[row, column] += 1
        expected = counts / counts.sum(dim=1, keepdim=True).clamp_min(1)
        torch.testing.assert_close(dense(mean), expected)


def test_a_relation_of_both_kgs_is_two_nodes() -> None:
    view, graph = view_of(), graph_of()
    assert graph.n_source[RELATION] == view.source.n_relations
    assert graph.sizes[RELATION] == view.source.n_relations + view.target.n_relations


def test_without_relation_nodes_heads_and_tails_are_linked_alone() -> None:
    graph = graph_of(relation_nodes=False)
    assert graph.sizes[RELATION] == 0
    assert [kind for kind, _ in graph.means] == [(ENTITY, ENTITY)] * 2


def test_a_layer_by_its_formula() -> None:
    graph = graph_of()
    layer = TriadicLayer(graph, 5, 3, seeded())
    vectors = tuple(numbers(size, 5, rng_seed=size) for size in graph.sizes)
    sums = [each @ layer.own.weight + layer.own.bias for each in vectors]
    for ((to, begin), mean), matrix in zip(graph.means, layer.ways, strict=True):
        sums[to] = sums[to] + dense(mean) @ vectors[begin] @ matrix
    found = layer((vectors[0], vectors[1]))
    for own, expected in zip(found, sums, strict=True):
        torch.testing.assert_close(own, expected.clamp_min(0), rtol=1e-4, atol=1e-5)


def test_layers_stand_beside_the_input_before_the_last_map() -> None:
    graph = graph_of()
    network = TriadicNetwork(graph, (5, 4, 3), 2, seeded())
    inputs = (numbers(graph.sizes[0], 5), numbers(graph.sizes[1], 5))
    first = network.layers[0](inputs)
    second = network.layers[1](first)
    expected = torch.cat([inputs[0], first[0], second[0]], dim=1) @ network.last.weight
    torch.testing.assert_close(network(inputs)[0], expected + network.last.bias)


def test_repeated_numbers_by_hand() -> None:
    listed = torch.tensor([[3, 1, 3, 3], [2, 0, 1, 2]])
    again = [[False, False, True, True], [False, False, False, True]]
    assert repeated(listed).tolist() == again


def test_candidates_are_the_nearest_and_what_is_added_each_once() -> None:
    source, target = numbers(6, 4), numbers(9, 4, rng_seed=2)
    gold = torch.tensor([[0], [1], [-1], [3], [4], [-1]])
    random = torch.tensor([[5, 5]] * 6)
    found = nearest_candidates(source, target, 3, random, gold)
    for row in range(6):
        scores = [float(source[row] @ each) for each in target]
        nearest = sorted(range(9), key=lambda column: -scores[column])[:3]
        valid = found.targets[row][found.valid[row]].tolist()
        assert sorted(valid) == sorted({*nearest, 5, *gold[row].tolist()} - {-1})
        assert valid[:3] == nearest


def test_more_candidates_than_targets_are_all_of_them() -> None:
    found = nearest_candidates(numbers(2, 4), numbers(3, 4, rng_seed=2), 10)
    assert found.targets.sort(dim=1).values.tolist() == [[0, 1, 2]] * 2


def some_candidates() -> Candidates:
    targets = torch.tensor([[0, 2, 2], [1, 0, 3]])
    return Candidates(targets, ~repeated(targets), 4)


def test_products_and_carried_colours_equal_those_of_the_whole_matrix() -> None:
    candidates = some_candidates()
    source, target = numbers(2, 5), numbers(4, 5, rng_seed=2)
    logits = candidates.products(source, target)
    whole = torch.full((2, 4), -torch.inf)
    for row in range(2):
        for column in set(candidates.targets[row].tolist()):
            whole[row, column] = source[row] @ target[column]
    probabilities = torch.softmax(logits, dim=1)
    colours = numbers(2, 3, rng_seed=3)
    expected = torch.softmax(whole, dim=1).T @ colours
    torch.testing.assert_close(candidates.carried(probabilities, colours), expected)


def test_difference_score_by_its_formula() -> None:
    candidates, phi = some_candidates(), DifferenceScore(3, seeded())
    source, target = numbers(2, 3), numbers(4, 3, rng_seed=2)
    found = phi(source, target, candidates)
    for row in range(2):
        for place, column in enumerate(candidates.targets[row].tolist()):
            hidden = (source[row] - target[column]) @ phi.hidden.weight + phi.hidden.bias
            expected = hidden.clamp_min(0) @ phi.output.weight + phi.output.bias
            assert float(found[row, place].detach()) == pytest.approx(
                float(expected.detach()), abs=1e-5
            )


def test_a_target_keeps_who_scores_best_and_losers_ask_on() -> None:
    scores = torch.tensor([[0.9, 0.2], [0.8, 0.6], [0.7, 0.5]])
    candidates = torch.tensor([[0, 1], [0, 1], [0, 1]])
    # 0 keeps the first; of both that ask 1 then, the second scores more, and the third has none.
    assert accepted(scores, candidates, 2).tolist() == [0, 1, -1]


def test_a_held_source_is_sent_away_by_a_better_one_that_asks_later() -> None:
    scores = torch.tensor([[0.5, 0.4], [0.9, 0.7], [0.95, 0.1]])
    candidates = torch.tensor([[1, 0], [2, 1], [2, 0]])
    # The second loses 2 to the third, takes 1 from the first, who takes 0.
    assert accepted(scores, candidates, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("rng_seed", range(5))
def test_acceptance_is_the_stable_one_to_one_choice(rng_seed: int) -> None:
    generator = seeded(rng_seed)
    candidates = torch.stack([torch.randperm(12, generator=generator)[:4] for _ in range(20)])
    scores = torch.rand(20, 4, generator=generator)
    scores[3, 1:] = -torch.inf
    # With one score for both sides the stable choice walks down from the largest score.
    expected, taken = [-1] * 20, set()
    for cell in torch.argsort(scores.flatten(), descending=True).tolist():
        row, column = cell // 4, int(candidates.flatten()[cell])
        if expected[row] < 0 and column not in taken and scores.flatten()[cell] > -torch.inf:
            expected[row] = column
            taken.add(column)
    assert accepted(scores, candidates, 12).tolist() == expected


def network_of(params: ERMCParams = PARAMS) -> ERMCNetwork:
    view, ctx = view_of(), RunContext(rng_seed=1)
    graph = triadic_graph(view, CPU, relation_nodes=params.relation_nodes)
    seeds = JointGraph.of(view).seed_pairs(view)
    seeds[:, 1] -= graph.n_source[ENTITY]
    names = node_names(view, ctx)
    return ERMCNetwork(graph, names, seeds, taken_from(params, NetworkSettings), ctx)


def test_a_step_of_the_consensus_by_its_formula() -> None:
    network = network_of().eval()
    vectors = network()
    listed = [network._candidates(vectors, kind) for kind in (ENTITY, RELATION)]
    first = network._first(vectors, listed)
    colours = [numbers(network._graph.n_source[kind], 4, rng_seed=kind) for kind in (0, 1)]
    found = network._step(first, listed, colours)
    carried = [
        listed[kind].carried(torch.softmax(first[kind], dim=1), colours[kind]) for kind in (0, 1)
    ]
    seen = network.colours(tuple(torch.cat(each) for each in zip(colours, carried, strict=True)))
    for kind in (ENTITY, RELATION):
        n_source = network._graph.n_source[kind]
        added = network.phi(seen[kind][:n_source], seen[kind][n_source:], listed[kind])
        torch.testing.assert_close(found[kind], listed[kind].masked(first[kind] + added))


def test_the_loss_is_that_of_the_seeds_before_and_after_the_consensus() -> None:
    settings = dataclasses.replace(PARAMS, dropout=0.0, n_random=0)
    network = network_of(settings)
    vectors = network()
    listed = [network._candidates(vectors, kind) for kind in (ENTITY, RELATION)]
    first = network._first(vectors, listed)
    state = network._drawn.get_state()
    last = network.consensus(first, listed, network._drawn)
    network._drawn.set_state(state)
    expected = [0.0, 0.0]
    for source, target in network._seeds.tolist():
        place = listed[0].targets[source].tolist().index(target)
        for number, logits in enumerate((first[0], last[0])):
            expected[number] -= float(torch.log_softmax(logits[source].detach(), dim=0)[place])
    n_seeds = len(network._seeds)
    with torch.no_grad():
        features, both = network.loss(consensus=False), network.loss(consensus=True)
    assert float(features) == pytest.approx(expected[0] / n_seeds, rel=1e-4)
    assert float(both) == pytest.approx(sum(expected) / n_seeds, rel=1e-4)


def test_candidates_come_first_and_other_targets_follow_by_cosine() -> None:
    network = network_of()
    scores = network.scores(consensus=True)
    row = scores.rows(torch.tensor([5]))[0]
    candidates = torch.nonzero(row > -95).squeeze(1)
    assert len(candidates) == 10
    assert float(row[candidates].exp().sum()) == pytest.approx(1, abs=1e-3)
    network.eval()
    vectors = normalize(network()[ENTITY], dim=1)
    cosines = vectors[5] @ vectors[scores.n_source :].T
    others = row < -95
    torch.testing.assert_close(row[others] + 100, cosines[others].detach(), atol=1e-4, rtol=0)


def test_stage_2_puts_what_it_decides_first_one_target_each() -> None:
    network = network_of(dataclasses.replace(PARAMS, refined=True))
    scores = network.scores(consensus=True)
    rows = scores.rows(torch.arange(scores.n_source))
    decided = rows == 1
    assert int(decided.sum(dim=1).max()) == int(decided.sum(dim=0).max()) == 1
    seeded_sources, seeded_targets = network._seeds.T
    assert not decided[seeded_sources].any()
    assert not decided[:, seeded_targets].any()
    without = ~decided.any(dim=1)
    without[seeded_sources] = False
    assert without.any()
    assert bool((rows[without] == -102).all())
    assert float(rows[~without].min()) > -102


def test_candidates_keep_their_order_however_small_their_probabilities_are() -> None:
    logs = -torch.tensor([0, 1e-9, 3, 50, 50.01, 60, 200, 3000, 3001], dtype=torch.float64)
    found = squeezed(logs)
    assert torch.equal(found[:4], logs[:4])
    assert bool((found.float().diff()[2:] < 0).all())
    assert -90 < float(found.min()) <= float(found[4]) < -50
    assert float(found[5]) == pytest.approx(-90 + 40 * 50 / 60)


def test_log_odds_tell_sure_rows_apart() -> None:
    logits = torch.tensor([[90.0, 0.0, -1.0], [95.0, 0.0, -1.0], [0.5, 0.2, 0.1]])
    found = log_odds(logits)
    assert float(found[1, 0] - found[0, 0]) == pytest.approx(5)
    assert float(found[0, 0]) == pytest.approx(90 - math.log1p(math.exp(-1)))
    probabilities = torch.softmax(logits[2].double(), dim=0)
    torch.testing.assert_close(found[2], (probabilities / (1 - probabilities)).log())
    # Both are sure of target 0; the surer one has it, although it stands behind.
    candidates = torch.tensor([[0, 1, 2]] * 2)
    assert accepted(found[:2], candidates, 3).tolist() == [1, 0]


def test_colours_of_an_evaluation_are_the_same_every_time() -> None:
    network = network_of()
    rows = torch.arange(4)
    first, second = (network.scores(consensus=True).rows(rows) for _ in range(2))
    assert torch.equal(first, second)


def test_names_of_relations_are_words_of_their_predicates() -> None:
    view = view_of()
    relations = list(view.source.relations)
    relations[:2] = ["http://x.example/property/birthPlace", "http://x.example/place_of_death"]
    relations[2:4] = ["1984", "12 (ZH)"]
    source = dataclasses.replace(view.source, relations=text_array(relations))
    names = relation_names(dataclasses.replace(view, source=source))
    assert names[:4] == ["birth place", "place of death", "", ""]


def with_word_vectors(view: TrainView) -> TrainView:
    sides = []
    for number, graph in enumerate((view.source, view.target)):
        values = numbers(graph.n_entities, 6, rng_seed=number).numpy()
        sides.append(Features(values, np.ones(graph.n_entities, dtype=bool)))
    features = {**view.features, "word": (sides[0], sides[1])}
    return dataclasses.replace(view, features=features)


def test_a_word_of_a_relation_has_the_vector_of_the_entity_of_that_name() -> None:
    view = with_word_vectors(view_of())
    names = list(view.source.names)
    names[3] = "Place"
    relations = list(view.source.relations)
    relations[:2] = ["http://x.example/property/birthPlace", "http://x.example/property/zzz"]
    source = dataclasses.replace(
        view.source, names=text_array(names), relations=text_array(relations)
    )
    entities, found = node_names(dataclasses.replace(view, source=source), RunContext(rng_seed=1))
    torch.testing.assert_close(found[0], entities[3])
    assert not found[1].any()


def test_hashed_words_give_equal_relation_names_equal_vectors() -> None:
    ctx = RunContext(rng_seed=1)
    entities, relations = node_names(view_of(), ctx)
    assert entities.shape[1] == relations.shape[1] == 300
    assert "word_vectors" in ctx.log.simulated


def test_without_consensus_there_are_no_colours() -> None:
    network = network_of(dataclasses.replace(PARAMS, n_steps=0))
    assert not hasattr(network, "phi")
    assert math.isfinite(float(network.loss(consensus=True).detach()))


def test_the_default_ranks_by_the_first_stage() -> None:
    assert not ERMC().params.refined
    assert ERMC.published_scoring is None

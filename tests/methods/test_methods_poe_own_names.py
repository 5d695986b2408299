"""PoE: which numeric attributes are matched, and relations of the same name in both KGs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet, n_own_relations
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.parts.poe.experts import ExpertVectors, numeric_values, numerical_expert
from mmea_bench.methods.parts.poe.product import relations_apart
from mmea_bench.methods.parts.poe.rules import RuleChoice, rule_expert
from mmea_bench.methods.poe import PoE
from tests.methods.small_graphs import knowledge_graph, small_view

Facts = Sequence[tuple[int, str, str]]
N_FREQUENCIES = 8

BIRTHS = [1800.0, 1840.0, 1870.0, 1910.0, 1950.0, 1990.0]
CAREERS = [year + gap for year, gap in zip(BIRTHS, (21, 22, 21, 20, 21, 21), strict=True)]
HEIGHTS = [1.5, 1.7, 1.9]


def context() -> RunContext:
    return RunContext(rng_seed=1)


def with_facts(name: str, n_entities: int, facts: Facts) -> KnowledgeGraph:
    """A KG of attribute triples (entity, attribute, literal); attributes in alphabetic order."""
    names = sorted({attribute for _, attribute, _ in facts})
    places = [(entity, names.index(attribute)) for entity, attribute, _ in facts]
    graph = knowledge_graph(name, n_entities, [], [], (names, places))
    return replace(graph, attribute_values=text_array([value for _, _, value in facts]))


def column(attribute: str, values: Sequence[float]) -> list[tuple[int, str, str]]:
    """Values of one attribute for the first entities."""
    return [(entity, attribute, str(value)) for entity, value in enumerate(values)]


def numeric_expert(
    source: Facts, target: Facts, n_pairs: int, n_seeds: int = 6, n_entities: int = 9
) -> ExpertVectors:
    """The expert of two KGs whose first entities are linked in order."""
    seeds = np.stack([np.arange(n_seeds)] * 2, axis=1).astype(np.int32)
    graphs = with_facts("s", n_entities, source), with_facts("t", n_entities, target)
    view = TrainView(*graphs, {}, ("structure", "attribute"), seeds)
    found = numerical_expert(view, n_pairs, N_FREQUENCIES, context())
    assert found is not None
    return found


def has_evidence(rows: torch.Tensor, entities: Sequence[int]) -> list[bool]:
    return rows[list(entities)].ne(0).any(dim=1).tolist()


@pytest.mark.parametrize("n_pairs", [2, 16])
def test_an_attribute_is_matched_once_however_much_it_tells_of_others(n_pairs: int) -> None:
    # Six births tell a career's start better than three heights tell heights. Entity 7 has the
    # rarer attribute alone, entity 8 that of the spurious pair.
    source = [*column("a/born", BIRTHS), *column("a/height", HEIGHTS), (7, "a/height", "1.6")]
    heights = [height + gap for height, gap in zip(HEIGHTS, (0.05, -0.05, 0.05), strict=True)]
    target = [
        *(*column("b/birth", BIRTHS), *column("b/career", CAREERS), *column("b/tall", heights)),
        *((7, "b/tall", "1.6"), (8, "b/career", "1900")),
    ]
    expert = numeric_expert(source, target, n_pairs)
    assert expert.source.shape[1] == 2 * 2 * N_FREQUENCIES
    assert has_evidence(expert.source, (7,)) == [True]
    assert has_evidence(expert.target, (7, 8)) == [True, False]


def test_attributes_of_the_same_name_come_before_those_that_tell_more() -> None:
    noisy = [height + gap for height, gap in zip(HEIGHTS, (0.05, -0.05, 0.05), strict=True)]
    source = [
        *(*column("http://a/height", noisy), *column("http://a/other", HEIGHTS)),
        *((7, "http://a/height", "1.6"), (8, "http://a/other", "1.6")),
    ]
    for uri, expected in (("http://b/ns#height", [True, False]), ("http://b/tall", [False, True])):
        expert = numeric_expert(source, column(uri, HEIGHTS), 1)
        assert has_evidence(expert.source, (7, 8)) == expected


def test_a_number_may_stand_in_quotes_with_its_type() -> None:
    schema = "^^<http://www.w3.org/2001/XMLSchema#"
    literals = [f'"178.0"{schema}double>', f'"1912-07"{schema}gYearMonth>', '"7"@en', "5", '"x"']
    graph = with_facts("s", 5, [(place, "a", text) for place, text in enumerate(literals)])
    assert numeric_values(graph)[:4, 0].tolist() == [178, 1912.5, 7, 5]
    assert np.isnan(numeric_values(graph)[4, 0])


def test_quotes_and_types_change_no_evidence() -> None:
    facts = column("a/born", BIRTHS)
    quoted = [(entity, name, f'"{value}"^^<xsd:double>') for entity, name, value in facts]
    plain, typed = numeric_expert(facts, facts, 4), numeric_expert(quoted, quoted, 4)
    assert plain.source.any()
    assert torch.equal(plain.source, typed.source)
    assert torch.equal(plain.target, typed.target)


def linked_view(target_relations: list[str]) -> TrainView:
    """Random graphs of three relations each; those of the source are p, q and r."""
    rng = np.random.default_rng(5)
    graphs = []
    for name, relations in (("s", ["p", "q", "r"]), ("t", target_relations)):
        drawn = np.stack([rng.integers(size, size=60) for size in (12, 3, 12)], axis=1)
        graphs.append(knowledge_graph(name, 12, [tuple(row) for row in drawn], relations))
    seeds = np.stack([np.arange(6)] * 2, axis=1).astype(np.int32)
    return TrainView(graphs[0], graphs[1], {}, ("structure",), seeds)


def test_a_relation_of_both_kgs_is_two() -> None:
    graph = JointGraph.of(small_view())
    apart = relations_apart(graph)
    assert apart.triples.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 2], [2, 1, 2], [3, 2, 4]]
    assert apart.n_relations == 3
    assert graph.n_relations == 2


def test_relations_apart_are_those_of_other_methods() -> None:
    graph = JointGraph.of(linked_view(["q", "p", "x"]))
    apart, others = relations_apart(graph), TripleSet.of(graph, own_relations=True)
    assert apart.n_relations == n_own_relations(graph) == 6
    assert np.unique(apart.triples, axis=0).tolist() == np.unique(others.triples, axis=0).tolist()


def test_rules_read_the_same_of_shared_relations_and_of_those_apart() -> None:
    view = linked_view(["p", "q", "r"])
    graph = JointGraph.of(view)
    shared, own = (
        rule_expert(each, graph.seed_pairs(view), RuleChoice(support=2, confidence=0.1))
        for each in (graph, relations_apart(graph))
    )
    assert shared is not None
    assert own is not None
    assert shared.matrix.nnz > 0
    np.testing.assert_allclose(shared.matrix.toarray(), own.matrix.toarray(), atol=1e-6)


def trained_scores(view: TrainView, variant: str) -> torch.Tensor:
    found = PoE.configure("poe", variant, {"epochs": 3, "dim": 8}).fit(view, context())
    if isinstance(found, PairScores):
        return found.rows(torch.arange(view.source.n_entities))
    assert isinstance(found, Embeddings)
    return found.source @ found.target.T


@pytest.mark.parametrize("variant", ["l", "rules"])
def test_names_of_relations_change_no_score(variant: str) -> None:
    same, other = (
        trained_scores(linked_view(names), variant) for names in (["p", "q", "r"], ["x", "y", "z"])
    )
    assert torch.equal(same, other)

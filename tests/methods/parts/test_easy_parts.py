"""EASY's matching of names and its refinement against plain computations."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.parts.easy import edit_distance, tokens
from mmea_bench.methods.parts.easy.edit_distance import edit_ratios
from mmea_bench.methods.parts.easy.refinement import (
    FusedBlocks,
    Matching,
    NameEvidence,
    adjacencies,
    completed,
    graph_matching_distances,
    reliable_pairs,
)
from mmea_bench.methods.parts.easy.tokens import (
    NameScores,
    token_matches,
    tokens_of,
    weighted_tokens,
)
from tests.methods.small_graphs import small_view


def plain_indel(one: str, other: str) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        if one[i - 1] == other[j - 1]:
            return distance(i - 1, j - 1)
        return 1 + min(distance(i - 1, j), distance(i, j - 1))

    return distance(len(one), len(other))


def test_edit_ratios_are_those_of_the_plain_recursion() -> None:
    source = ["kitten", "", "abcabba", "Äpfel", "x" * 70]
    target = ["sitting", "cbabac", "Apfel", "", "y" + "x" * 64]
    candidates = np.array([[0, 1, 2, 3, 4]] * 5)
    found = edit_ratios(source, target, candidates)
    for row, one in enumerate(source):
        for column, other in enumerate(target):
            a, b = one[:64], other[:64]
            total = len(a) + len(b)
            expected = 1 - plain_indel(a, b) / total if total else 0
            assert found[row, column] == pytest.approx(expected, abs=1e-6)


def test_edit_ratios_are_of_the_candidates_asked_for() -> None:
    found = edit_ratios(["ab", "cd"], ["ab", "cx", "cd"], np.array([[2, 0], [1, 2]]))
    assert found.tolist() == [[0.0, 1.0], [0.5, 1.0]]


def test_edit_ratios_do_not_depend_on_how_many_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = ["kitten", "ab", "x"], ["sitting", "cab", ""]
    candidates = np.array([[0, 1, 2]] * 3)
    at_once = edit_ratios(source, target, candidates)
    monkeypatch.setattr(edit_distance, "_BLOCK_PAIRS", 2)  # less than one row of candidates
    assert np.array_equal(edit_ratios(source, target, candidates), at_once)


def test_rare_tokens_weigh_more_and_rows_have_unit_length() -> None:
    weights, columns = weighted_tokens([["new", "york"], ["new"], []])
    assert columns == ["new", "york"]
    new, york = 1 + np.log(4 / 3), 1 + np.log(4 / 2)
    length = np.hypot(new, york)
    assert np.allclose(weights.toarray(), [[new / length, york / length], [1, 0], [0, 0]])


def test_a_token_keeps_its_best_match_alone() -> None:
    source, target = ["berlin", "rome"], ["rom", "berlino", "paris"]
    found = token_matches(source, target, "hashed", RunContext(1)).toarray()
    vectors = normalize(text_vectors([*source, *target], "hashed", "mean layer 1", RunContext(1)))
    cosines = (vectors[:2] @ vectors[2:].T).numpy()
    for row in range(2):
        best = cosines[row].argmax()
        assert found[row, best] == pytest.approx(cosines[row, best], abs=1e-5)
        assert np.count_nonzero(found[row]) == 1


def test_tokens_are_the_mean_of_their_own_pieces_in_the_first_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def vectors(texts: list[str], encoder: str, pooling: str, _ctx: RunContext) -> torch.Tensor:
        asked.append((encoder, pooling))
        return torch.eye(len(texts))

    monkeypatch.setattr(tokens, "text_vectors", vectors)
    token_matches(["rome"], ["rom", "roma"], "bert-cased", RunContext(1))
    assert asked == [("bert-cased", "mean layer 1")]


def test_identity_matches_equal_tokens_and_says_so() -> None:
    ctx = RunContext(1)
    found = token_matches(["a", "b"], ["b", "c"], "identity", ctx).toarray()
    assert found.tolist() == [[0, 0], [1, 0]]
    assert "text_encoder" in ctx.log.simulated


def test_words_keep_their_case_for_a_language_model_alone() -> None:
    assert tokens_of(["New-York (x)"], "bert-cased") == [["New", "York", "x"]]
    assert tokens_of(["New-York (x)"], "identity") == [["new", "york", "x"]]


def test_name_scores_are_weights_times_matches_scaled_to_one() -> None:
    names = (["New York", "Old York"], ["york!", "new", "x"])
    words = [tokens_of(each, "identity") for each in names]
    blocks = NameScores((words[0], words[1]), "identity", RunContext(1))
    found = torch.cat([block.scores for block in blocks]).numpy()
    (source, of_source), (target, of_target) = (weighted_tokens(each) for each in words)
    matches = token_matches(of_source, of_target, "identity", RunContext(1))
    plain = (source @ matches @ target.T).toarray()
    expected = (plain - plain.min()) / (plain.max() - plain.min())
    assert np.allclose(found, expected, atol=1e-6)


def test_names_without_a_common_word_are_refused() -> None:
    with pytest.raises(UserError, match="in common"):
        NameScores(([["a"]], [["b"]]), "identity", RunContext(1))
    with pytest.raises(UserError, match="in common"):
        NameScores(([[]], [["b"]]), "identity", RunContext(1))


EVIDENCE = NameEvidence(torch.tensor([[1], [0]]), torch.tensor([[0.3], [0.1]]), 3)


def test_evidence_is_added_to_cosines() -> None:
    source, target = torch.eye(3)[:2], torch.eye(3)
    found = torch.cat([block.scores for block in FusedBlocks(EVIDENCE, (source, target))])
    expected = torch.tensor([[1, 0.3, 0], [0.1, 1, 0]])
    assert torch.allclose(found, expected)
    alone = torch.cat([block.scores for block in FusedBlocks(EVIDENCE, None)])
    assert torch.allclose(alone, torch.tensor([[0, 0.3, 0], [0.1, 0, 0]]))


def test_a_matching_has_best_gap_and_whether_it_is_mutual() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.0], [0.8, 0.2, 0.1], [0.1, 0.3, 0.7]])
    found = Matching.of(ScoreMatrix(scores, torch.eye(3), "inner", 2))
    assert found.best.tolist() == [0, 0, 2]
    assert np.allclose(found.gaps, [0.4, 0.6, 0.4])
    assert found.mutual.tolist() == [True, False, True]
    assert found.pairs().tolist() == [[0, 0], [2, 2]]


def test_matching_distances_are_those_of_dense_matrices() -> None:
    rng = np.random.default_rng(1)
    source, target = (np.triu(rng.random((size, size)) < 0.4, 1) for size in (5, 6))
    source, target = (1.0 * (each | each.T) for each in (source, target))
    best = np.array([0, 1, 1, 4, 5])
    matching = np.eye(6)[best]
    found = graph_matching_distances(csr_matrix(source), csr_matrix(target), best)
    moved = matching @ target @ matching.T, matching.T @ source @ matching
    for distances, carried, own in zip(found, moved, (source, target), strict=True):
        expected = abs(carried - own).sum(axis=1) / ((carried + own).sum(axis=1) + 0.01)
        assert np.allclose(distances, expected)


def test_a_pair_is_reliable_where_its_edges_are_carried_over() -> None:
    # A path 0-1-2 in both, and an edge 3-4 in the source alone.
    source, target = np.zeros((5, 5)), np.zeros((5, 5))
    for one, other in [(0, 1), (1, 2)]:
        source[one, other] = source[other, one] = target[one, other] = target[other, one] = 1
    source[3, 4] = source[4, 3] = 1
    matching = Matching(np.arange(5), np.ones(5), np.ones(5, dtype=bool))
    found = reliable_pairs(matching, csr_matrix(source), csr_matrix(target))
    assert found.tolist() == [[0, 0], [1, 1], [2, 2]]


def test_adjacencies_are_of_each_kg_without_loops() -> None:
    source, target = adjacencies(JointGraph.of(small_view()))
    assert source.toarray().tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert target.toarray().tolist() == [[0, 1], [1, 0]]


def test_clear_counterparts_lend_each_other_their_triples() -> None:
    graph = JointGraph.of(small_view())  # 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-r->4
    matching = Matching(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.5]), np.array([1, 1, 0]) > 0)
    larger = {tuple(row) for row in completed(graph, matching, 0.15).triples.tolist()}
    assert larger == {tuple(row) for row in graph.triples.tolist()} | {(4, 0, 3)}
    assert len(completed(graph, matching, 0.3).triples) == len(graph.triples)

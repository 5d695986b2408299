"""GMN's scores of candidates and of everybody else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.methods import gmn
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import joint_names
from mmea_bench.methods.core.inputs.word_tables import word_table
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.gmn import GMN
from mmea_bench.methods.parts.gmn.candidates import nearest_first
from mmea_bench.methods.parts.gmn.topic_graphs import TopicGraphs
from tests.methods.small_graphs import small_view

SMALL = {**GMN.test_params, "epochs": 1, "n_candidates": 1}


def test_targets_that_names_do_not_propose_come_behind_in_the_order_of_names() -> None:
    found = GMN.configure("gmn", overrides=SMALL).fit(small_view(), RunContext(rng_seed=1))
    scores = found.rows(torch.arange(3))  # "Ann Lee", "Bo", "" against "ann lee", "Xu"
    assert -50 <= float(scores[0, 0]) <= 0
    assert -101 <= float(scores[0, 1]) <= -99
    assert scores[2].tolist() == [-100, -100]  # no name, no candidates


def file_of_vectors(folder: Path) -> Path:
    """Ann and Lee cancel each other nearly, so that Xu is nearer to "Ann Lee" than "Lee" is."""
    file = folder / "vectors.txt"
    file.write_text("ann 3 0\nlee -2 1\nxu 1 1\n")
    return file


def test_names_are_sums_of_the_known_words_of_the_file(tmp_path: Path) -> None:
    texts = ["Ann Lee", "lee Lee who", "Xu", "who", ""]
    words = word_table(texts, str(file_of_vectors(tmp_path)), 300, RunContext(rng_seed=1))
    root = 0.5**0.5  # sums (1, 1), (-4, 2), (1, 1), and nothing twice
    expected = [[root, root], [-2 / 5**0.5, 1 / 5**0.5], [root, root], [0, 0], [0, 0]]
    torch.testing.assert_close(gmn.summed_words(words), torch.tensor(expected))


def test_a_file_of_word_vectors_proposes_the_candidates_too(tmp_path: Path) -> None:
    view = small_view()
    names = text_array(["Lee", "Xu"])
    view = dataclasses.replace(view, target=dataclasses.replace(view.target, names=names))
    file, found = str(file_of_vectors(tmp_path)), {}
    for word_file in ("", file):
        ctx = RunContext(rng_seed=1)
        method = GMN.configure("gmn", overrides={**SMALL, "word_file": word_file})
        found[word_file] = method.fit(view, ctx).rows(torch.arange(3))
        assert ("word_vectors" in ctx.log.simulated) == (not word_file)
    # By the file "Ann Lee" is (1, 1), as "Xu"; "Lee" is (-2, 1). Hashed, they share a word.
    assert (found[""][0] >= -50).tolist() == [True, False]
    assert (found[file][0] >= -50).tolist() == [False, True]
    assert float(found[file][0, 0]) == pytest.approx(-100 - 1 / 10**0.5)
    # The file knows no word of "Bo", and the third entity has no name.
    assert found[file][1:].tolist() == [[-100, -100]] * 2


def test_pairs_score_as_the_network_says_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = GMN.configure("gmn", overrides={**SMALL, "n_candidates": 2})
    rows = []
    for most in (1, 100_000):
        monkeypatch.setattr(gmn, "_CELLS_AT_ONCE", most)
        rows.append(method.fit(small_view(), RunContext(rng_seed=1)).rows(torch.arange(2)))
    torch.testing.assert_close(rows[0], rows[1])


def test_the_shortened_forward_pass_of_scoring_is_that_of_training() -> None:
    view, params = small_view(), GMN.configure("gmn", overrides=SMALL).params
    words = word_table(joint_names(view), "", params.word_dim, RunContext(rng_seed=1))
    graphs = TopicGraphs(JointGraph.of(view), params.n_sampled, torch.device("cpu"))
    pairs = torch.tensor([[0, 3], [2, 4], [1, 3]])
    network = gmn.GMNetwork(graphs, words, pairs, params, torch.Generator().manual_seed(1))
    output = network(pairs).detach()
    expected = output.log_softmax(dim=1)[:, 1]
    torch.testing.assert_close(network.log_probabilities(pairs, network.all_nodes()), expected)


RELEASED = GMN.variants["as released"]


def test_batches_of_candidates_are_cut_by_source_from_the_nearest_name_on() -> None:
    cosines = torch.tensor([[0.1, 0.9, 0.5, 0.7], [0.2, 0.2, 0.9, 0.2], [0.0] * 4])
    listed = torch.tensor([[True, True, False, True], [True, True, False, True], [False] * 4])
    rows, columns, batch = nearest_first(listed, cosines, 2)
    assert rows.tolist() == [0, 0, 0, 1, 1, 1]
    assert columns.tolist() == [1, 3, 0, 0, 1, 3]  # equal ones as they stand
    counts = torch.unique_consecutive(batch, return_counts=True)[1]
    assert counts.tolist() == [2, 1, 2, 1]
    assert len(torch.unique(batch)) == 4


def test_as_released_a_pair_is_scored_among_the_nearest_names_of_its_source() -> None:
    view = small_view()
    params = GMN.configure("gmn", overrides={**SMALL, **RELEASED}).params
    words = word_table(joint_names(view), "", params.word_dim, RunContext(rng_seed=1))
    graphs = TopicGraphs(JointGraph.of(view), params.n_sampled, torch.device("cpu"))
    pairs = torch.tensor([[0, 3], [0, 4], [1, 3], [1, 4]])
    network = gmn.GMNetwork(graphs, words, pairs, params, torch.Generator().manual_seed(1))
    names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.6, 0.8], [1.0, 0.0]])

    def expected(*batches: list[list[int]]) -> torch.Tensor:
        outputs = [network(torch.tensor(batch)).log_softmax(dim=1)[:, 1] for batch in batches]
        return torch.cat(outputs).detach()

    # Target 4 is the nearer name of source 0 and target 3 that of source 1.
    together = network.scores(names, 3, 2, n_together=2)
    first, second = expected([[0, 4], [0, 3]]).flip(0), expected([[1, 3], [1, 4]])
    torch.testing.assert_close(together.rows(torch.arange(2)), torch.stack([first, second]))
    torch.testing.assert_close(together.rows(torch.tensor([1]))[0], second)
    alone = network.scores(names, 3, 2, n_together=1).rows(torch.arange(2)).flatten()
    torch.testing.assert_close(alone, expected(*([pair] for pair in pairs.tolist())))
    assert not torch.allclose(alone[:2], first)
    assert together.rows(torch.tensor([2])).tolist() == [[-100, -100]]  # no name, no batch


def test_the_epoch_is_chosen_in_batches_of_20_and_the_result_stands_on_100(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, scores = [], gmn.GMNetwork.scores

    def noted(*args: Any) -> PairScores:
        asked.append(args[3:])
        return scores(*args)

    monkeypatch.setattr(gmn.GMNetwork, "scores", noted)
    method = GMN.configure("gmn", overrides={**SMALL, **RELEASED, "n_candidates": 1000})
    method.fit(small_view(), RunContext(rng_seed=1, monitor=lambda *_: 0.0))
    assert set(asked[:-1]) == {(20, 20)}
    assert asked[-1] == (1000, 100)


def test_triples_are_listed_in_an_order_that_says_nothing_of_relations() -> None:
    graph, size = JointGraph.of(small_view()), 60
    relations = np.arange(size)
    triples = np.stack([relations * 0, relations, relations % 2 + 1], axis=1)
    graph = dataclasses.replace(graph, triples=triples, n_relations=size)
    firsts = set()
    for seed in range(10):
        listed = gmn.as_in_a_file(graph, RunContext(rng_seed=seed)).triples
        assert sorted(listed[:, 1]) == relations.tolist()
        again = gmn.as_in_a_file(graph, RunContext(rng_seed=seed)).triples
        assert np.array_equal(listed, again)
        firsts.add(int(listed[0, 2]))
    assert firsts == {1, 2}

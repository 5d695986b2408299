"""EASY as a whole: rounds, fused scores, and that seeds are not read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.reflection_encoder import ReflectionEncoder
from mmea_bench.methods.easy import EASY, EASYParams, Rounds, name_evidence
from mmea_bench.methods.parts.easy.refinement import NameEvidence
from tests.methods.small_graphs import small_view

SMALL = EASYParams(text_encoder="identity", sweeps=5, dim=4, refresh_every=2, epochs=4)
NAMES = (["Ann Lee", "Bo", "Cy Lee"], ["bo", "ann lee"])


def test_names_give_shares_of_the_plan_and_edit_similarity() -> None:
    found = name_evidence(NAMES, replace(SMALL, temperature=0.1), RunContext(1))
    dense = torch.zeros(3, 2).scatter_(1, found.columns, found.values)
    # The plan's columns sum to one; edit similarity of what differs in capitals is below one.
    plan = name_evidence(NAMES, replace(SMALL, temperature=0.1, edit_weight=0.0), RunContext(1))
    shares = torch.zeros(3, 2).scatter_(1, plan.columns, plan.values) / 0.2
    assert torch.allclose(shares.sum(dim=0), torch.ones(2), atol=1e-5)
    edit = torch.tensor([[0.0, 10 / 14], [2 / 4, 0], [0, 8 / 13]])
    assert torch.allclose((dense - 0.2 * shares)[0, 1] / 0.2, edit[0, 1], atol=1e-5)
    assert torch.allclose((dense - 0.2 * shares)[1, 0] / 0.2, edit[1, 0], atol=1e-5)


def test_the_plan_of_all_candidates_is_the_whole_plan() -> None:
    found = [
        name_evidence(NAMES, replace(SMALL, temperature=0.1, n_candidates=n), RunContext(1))
        for n in (2, 0)
    ]
    one, other = (torch.zeros(3, 2).scatter_(1, each.columns, each.values) for each in found)
    assert torch.allclose(one, other, atol=1e-5)


def test_the_whole_plan_leaves_no_pair_out() -> None:
    names = ["ann lee"], ["ann lee", *(f"x{number}" for number in range(120)), "annleee"]
    found = name_evidence(names, replace(SMALL, n_candidates=0), RunContext(1))
    # The one source has all of every column; of 7 and 7 letters 6 are common.
    assert found.values.shape == (1, 122)
    assert float(found.values[0, -1]) == pytest.approx(0.2 * 1 + 0.2 * 12 / 14)
    assert float(found.values[0, 0]) == pytest.approx(0.4)


def rounds(params: EASYParams = SMALL) -> tuple[Rounds, ReflectionEncoder]:
    graph, generator = JointGraph.of(small_view()), torch.Generator().manual_seed(1)
    encoder = ReflectionEncoder(graph, 4, 2, generator, torch.device("cpu"))
    evidence = NameEvidence(torch.tensor([[0], [1], [1]]), torch.tensor([[1.0], [1.0], [0.1]]), 2)
    return Rounds(graph, evidence, encoder, params, RunContext(1)), encoder


def test_the_first_round_takes_names_alone_and_leaves_the_graph() -> None:
    made, encoder = rounds()
    before = encoder().detach()
    made.begin(is_first=True)
    assert {tuple(pair) for pair in made.pairs.tolist()} <= {(0, 3), (1, 4)}
    assert torch.equal(encoder(), before)


def test_later_rounds_complete_the_graph_unless_told_not_to() -> None:
    made, encoder = rounds(replace(SMALL, completion_gap=-10.0))
    before = encoder().detach()
    made.begin(is_first=False)
    assert not torch.equal(encoder(), before)
    made, encoder = rounds(replace(SMALL, completes=False))
    made.begin(is_first=False)
    assert torch.equal(encoder(), before)


def test_scores_are_cosines_and_evidence() -> None:
    made, encoder = rounds()
    source, target = made.vectors()
    unit = normalize(encoder().detach(), dim=1)
    assert torch.allclose(torch.cat([source, target]), unit)
    scores = EASY(SMALL).fit(small_view(), RunContext(1)).rows(torch.arange(3))
    assert scores.shape == (3, 2)
    assert bool(scores.le(1.4).all())


def test_seed_links_are_not_read() -> None:
    found = [
        EASY(SMALL).fit(replace(small_view(), seed_links=np.array(links)), RunContext(1))
        for links in ([[0, 0]], [[2, 1]])
    ]
    rows = torch.arange(3)
    assert torch.equal(found[0].rows(rows), found[1].rows(rows))


def test_without_names_in_common_it_says_so() -> None:
    with pytest.raises(UserError, match="in common"):
        name_evidence((["a"], ["b"]), SMALL, RunContext(1))


def test_it_counts_as_iterative_from_the_first_epoch() -> None:
    ctx = RunContext(1)
    EASY(SMALL).fit(small_view(), ctx)
    assert ctx.log.is_iterative

"""BERT-INT: texts, the first step's negatives and loss, interactions, and the ranked pairs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.bench.battery.fits import configured
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods import bert_int
from mmea_bench.methods.bert_int import (
    BertInt,
    BertIntParams,
    Ranker,
    entity_texts,
    member_sets,
)
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.parts.bert_int.basic_unit import (
    UnitSettings,
    margin_of,
    mined,
    trained_unit,
)
from mmea_bench.methods.parts.bert_int.interactions import (
    MEANS,
    WIDTHS,
    MemberSets,
    kernel_pooled,
    without_many_values,
)
from tests.cases.odd_files import ODD_FILES
from tests.methods.small_graphs import small_view


def test_a_description_stands_for_the_name_where_there_is_one(tmp_path: Path) -> None:
    view = small_view()
    file = tmp_path / "texts.tsv"
    file.write_text(f"{view.source.entities[1]}\tA long text.\n")
    texts = entity_texts(view, BertIntParams(names="given", descriptions=str(file)))
    assert texts[1] == "A long text."
    assert texts[0] == view.source.names[0]
    with pytest.raises(UserError, match="descriptions"):
        entity_texts(view, BertIntParams(descriptions=str(tmp_path / "none")))


def test_an_entitys_name_is_a_value_whatever_its_description(tmp_path: Path) -> None:
    view, ctx = small_view(), RunContext(rng_seed=0)
    file = tmp_path / "texts.tsv"
    file.write_text(f"{view.source.entities[0]}\tA long text.\n")
    params = BertIntParams(text_encoder="hashed", names="given", descriptions=str(file))
    graph, vectors = JointGraph.of(view), torch.zeros(5, 256)
    (sets,) = member_sets(view, graph, ("attribute",), vectors, nn.Identity(), params, ctx)
    # Two values of the first entity and its name; the third one has no name.
    assert sets.counts.tolist() == [3, 2, 1, 2, 1]
    expected = normalize(text_vectors(["1", "Ann Lee"], "hashed", "mean tokens", ctx), dim=1)
    cosines = sets.vectors[sets.table[0, :3]] @ expected.T
    assert sorted(cosines.round(decimals=5).tolist()) == [[0, 1], [1, 0], [1, 0]]


def test_the_dense_layer_reads_vectors_of_the_length_that_the_encoder_gives_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view, ctx, read = tiny_view(easy_pair()), RunContext(rng_seed=0), []

    def unit(texts: Tensor, *_: object) -> nn.Module:
        read.append(texts)
        return nn.Identity()

    monkeypatch.setattr(bert_int, "trained_unit", unit)
    method = configured(BertInt, interactions=False)
    found = method.fit(view, ctx)
    encoded = text_vectors(entity_texts(view, method.params), "hashed", "mean tokens", ctx)
    assert torch.equal(read[0], encoded)
    assert torch.allclose(found.source, normalize(encoded, dim=1)[: view.source.n_entities])


@pytest.mark.parametrize("kind", ODD_FILES)
def test_descriptions_come_from_a_regular_file(tmp_path: Path, kind: str) -> None:
    ODD_FILES[kind](tmp_path / "odd")
    with pytest.raises(UserError, match=r"cannot be read: .*no regular file"):
        entity_texts(small_view(), BertIntParams(descriptions=str(tmp_path / "odd")))


def test_the_first_step_has_a_margin_between_l1_distances() -> None:
    rows = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [4.0, 0.0]], [[0.0, 0.0]] * 4])
    assert float(margin_of(rows, 3.0)) == pytest.approx(((2 - 4 + 3) + 3) / 2)


def test_nothing_decays_the_weights_that_no_pair_moves() -> None:
    texts = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    # With a margin this far below zero every pair is good enough.
    settings = UnitSettings(3, 2, 4, 0.1, -1e6, 2, 2, 0.0)
    pairs = torch.tensor([[0, 3], [1, 4]])
    unit = trained_unit(texts, pairs, 3, settings, RunContext(rng_seed=1))
    start = Linear(5, 3, RunContext(rng_seed=1).generator("basic unit"))
    assert isinstance(unit, Linear)
    assert torch.equal(unit.weight, start.weight)


def test_mined_negatives_are_near_the_entity_that_stays_and_never_the_partner() -> None:
    angles = torch.tensor([0.0, 1.0, 2.0, 0.1, 1.1, 2.1])
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    settings = UnitSettings(2, 1, 4, 1e-3, 3.0, 40, 2, 0.0)
    found = mined(vectors, torch.tensor([[0, 3]]), 3, settings, torch.Generator().manual_seed(0))
    assert set(map(tuple, found.tolist())) == {(0, 3, 0, 4), (0, 3, 1, 3)}


def test_kernels_equal_the_formula() -> None:
    best = torch.tensor([[1.0, 0.3, 0.9], [0.2, 0.0, 0.0]])
    is_real = torch.tensor([[True, True, False], [False, False, False]])
    expected = [
        0.01
        / 2
        * sum(math.log(max(math.exp(-((s - m) ** 2) / (2 * w**2)), 1e-10)) for s in (1.0, 0.3))
        for m, w in zip(MEANS, WIDTHS, strict=True)
    ]
    found = kernel_pooled(best, is_real)
    assert found[0].tolist() == pytest.approx(expected, rel=1e-4)
    assert found[1].tolist() == [0.0] * 21
    assert MEANS[1] == 0.975
    assert MEANS[-1] == pytest.approx(0.025)


def plain_features(first: Tensor, second: Tensor, full: int) -> list[float]:
    """Both directions of one pair, with padding written out."""
    padded = [torch.cat([part, torch.zeros(full - len(part), 3)]) for part in (first, second)]
    similarity = padded[0] @ padded[1].T
    features = []
    for best in (similarity.amax(1)[: len(first)], similarity.amax(0)[: len(second)]):
        pooled = kernel_pooled(best.unsqueeze(0), torch.ones(1, len(best), dtype=torch.bool))
        features += pooled[0].tolist()
    return features


def test_interactions_equal_padded_matrices() -> None:
    vectors = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    owners, members = np.array([0, 0, 0, 1, 1, 2, 0]), np.array([0, 1, 2, 3, 4, 5, 0])
    sets = MemberSets.of(owners, members, vectors, 4, 5, np.random.default_rng(0))
    unit = normalize(vectors, dim=1)
    of = {0: unit[[0, 1, 2, 0]], 1: unit[[3, 4]], 2: unit[[5]]}
    for first, second in ((0, 1), (1, 2), (2, 0)):
        found = sets.features(torch.tensor([[first, second], [0, 1]]))[0]
        expected = plain_features(of[first], of[second], 5)
        assert found.tolist() == pytest.approx(expected, abs=1e-4)
    assert not sets.features(torch.tensor([[3, 3]])).any()


def test_no_more_members_are_kept_than_asked_for() -> None:
    owners, members = np.zeros(9, dtype=np.int64), np.arange(9)
    sets = MemberSets.of(owners, members, torch.eye(9), 2, 4, np.random.default_rng(0))
    assert sets.counts.tolist() == [4, 0]
    assert len(set(sets.table[0].tolist())) == 4


def test_attributes_with_many_values_of_an_entity_are_left_out() -> None:
    owners, attributes = np.array([0, 0, 0, 1, 0]), np.array([1, 1, 1, 1, 0])
    assert without_many_values(owners, attributes, 2).tolist() == [3, 4]


def test_the_ranker_equals_its_formula() -> None:
    ranker = Ranker(3, 2, torch.Generator().manual_seed(0))
    given = torch.tensor([1.0, -2.0, 0.5])
    hidden = (given @ ranker.inner).clamp_min(0)
    expected = math.tanh(float((hidden @ ranker.outer).detach()))
    assert float(ranker(given).detach()) == pytest.approx(expected, rel=1e-5)


def test_only_the_candidates_are_scored_by_the_network() -> None:
    view = tiny_view(easy_pair())
    ctx = RunContext(rng_seed=0)
    found = configured(BertInt, epochs=1, candidates=7).fit(view, ctx)
    assert isinstance(found, PairScores)
    scores = found.rows(torch.arange(5))
    assert ((scores > -2).sum(dim=1) == 7).all()
    seeds = torch.from_numpy(np.array(view.seed_links[:, 1], dtype=np.int64))
    assert (found.rows(torch.arange(found.n_source))[:, seeds] == -2).all()
    assert "frozen" in ctx.log.simulated["basic_unit"]

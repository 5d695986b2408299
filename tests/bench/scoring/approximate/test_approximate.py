"""Ranks among the candidates of an index: exact where all are candidates, marked, and refused."""

from __future__ import annotations

import builtins
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.requests.folder_names import folder_name
from mmea_bench.bench.scoring.approximate import lists as lists_module
from mmea_bench.bench.scoring.approximate.lists import Sides, candidate_lists, recall_of
from mmea_bench.bench.scoring.approximate.options import (
    Approximate,
    load_faiss,
    parse_ranking,
    ranking_address,
)
from mmea_bench.bench.scoring.approximate.scorer import ApproximateScorer, LookedUp, scorer_kind
from mmea_bench.bench.scoring.evaluate import Layout, RankingTask, rank_links, ranking_task
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import FinalScores, RankingScorer
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Embeddings, Similarity
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.results.core.store import read_tables

pytest.importorskip("faiss")

N = 60
# Entity 0 of either KG stands in two links, and each KG has five more entities than links.
LINKS = np.array([*((row, row) for row in range(N)), (0, N), (N, 0)], dtype=np.int64)


def task() -> RankingTask:
    return ranking_task(LINKS, LINKS, (N + 5, N + 5))


def vectors(similarity: Similarity = "cosine", *, ties: bool = False) -> Embeddings:
    generator = torch.Generator().manual_seed(3)
    source = torch.randn(N + 5, 8, generator=generator)
    target = source + 1.2 * torch.randn(N + 5, 8, generator=generator)
    if ties:
        target[10:20], source[30:40] = target[10], source[30]
    return Embeddings(source, target, similarity)


def final(found: Embeddings, **rules: Any) -> FinalScores:
    protocol = Protocol(csls=(0, 3), **rules)
    return scorer_kind(protocol)(protocol, {"test": task()}).final(found)


def numbers(scores: FinalScores) -> dict[tuple[object, ...], float]:
    return {
        (number.words["csls"], number.metric, number.direction): number.value
        for number in scores.numbers
    }


@pytest.mark.parametrize("similarity", ["cosine", "inner", "manhattan", "euclidean"])
def test_with_all_candidates_it_is_the_exact_evaluation(similarity: Similarity) -> None:
    found = vectors(similarity)
    exact, ours = final(found), final(found, ranking=f"approximate[k={N + 5}]")
    assert numbers(ours) == pytest.approx(numbers(exact))


def test_runs_of_columns_have_neighbourhoods_of_their_own_as_under_exact_ranking() -> None:
    found = vectors()
    halves = [
        torch.cat([torch.nn.functional.normalize(half, dim=1) for half in side.chunk(2, dim=1)], 1)
        for side in (found.source, found.target)
    ]
    in_parts, whole = (Embeddings(*halves, n_parts=n_parts) for n_parts in (2, 1))
    exact, ours = final(in_parts), final(in_parts, ranking=f"approximate[k={N + 5}]")
    assert numbers(ours) == pytest.approx(numbers(exact))
    assert numbers(exact) != pytest.approx(numbers(final(whole)))


@pytest.mark.parametrize("tie_rule", ["realistic", "optimistic", "pessimistic"])
def test_ties_follow_the_rule_of_the_protocol(tie_rule: str) -> None:
    found = vectors(ties=True)
    exact = final(found, tie_rule=tie_rule)
    ours = final(found, tie_rule=tie_rule, ranking=f"approximate[k={N + 5}]")
    assert numbers(ours) == pytest.approx(numbers(exact))


def test_fewer_candidates_never_rank_better_than_all() -> None:
    """By plain scores: whoever scores higher than a listed partner is listed too."""
    found = vectors()
    exact, ours = numbers(final(found)), numbers(final(found, ranking="approximate[k=4]"))
    for direction in ("src2tgt", "tgt2src"):
        for metric in ("hits@1", "hits@5", "hits@10", "mrr"):
            assert ours[0, metric, direction] <= exact[0, metric, direction] + 1e-12
        assert ours[0, "hits@1", direction] == pytest.approx(exact[0, "hits@1", direction])
        assert ours[0, "mean_rank", direction] >= exact[0, "mean_rank", direction]


def layout() -> Layout:
    return Layout(task())


def test_a_partner_that_is_no_candidate_has_the_last_rank() -> None:
    found = vectors()
    exact = rank_links(found, task())[0].src2tgt
    scorer = ApproximateScorer(Protocol(ranking="approximate[k=4]"), {"test": task()})
    ranks = scorer._looked_up(found, layout()).ranks(0, "realistic").src2tgt
    # The rival partner of entity 0 is not counted, so its links may stand one place lower.
    single = np.arange(1, N - 1)
    listed = exact[single] <= 4
    assert np.array_equal(ranks[single][listed], exact[single][listed])
    assert (ranks[single][~listed] == N + 5).all()
    assert 0 < listed.sum() < len(single)


def test_csls_takes_its_means_from_the_same_lists() -> None:
    found, k, size = vectors(), 6, 3
    scores = torch.cat([block.scores for block in ScoreMatrix(found.source, found.target)])
    rows, columns = scores.topk(size, 1).values.mean(1), scores.topk(size, 0).values.mean(0)
    scaled = 2 * scores - rows[:, None] - columns
    outside = torch.ones_like(scores, dtype=torch.bool).scatter_(1, scores.topk(k).indices, 0)
    scaled[outside] = -torch.inf
    expected = [
        1 + int((scaled[row] > scaled[row, row]).sum()) if not outside[row, row] else N + 5
        for row in range(1, N)
    ]
    scorer = ApproximateScorer(Protocol(ranking=f"approximate[k={k}]"), {"test": task()})
    ranks = scorer._looked_up(found, layout()).ranks(size, "realistic").src2tgt
    assert ranks[1:N].tolist() == expected


@pytest.fixture
def clustered(monkeypatch: pytest.MonkeyPatch) -> Sides:
    """Enough vectors for an index of a few cells."""
    monkeypatch.setattr(lists_module, "FLAT_BELOW", 100)
    generator = torch.Generator().manual_seed(8)
    source = torch.randn(900, 6, generator=generator)
    found = Embeddings(source, source + 0.3 * torch.randn(900, 6, generator=generator))
    return Sides.of(found, torch.arange(900), torch.arange(900))


def test_recall_is_what_the_lists_hold_of_the_exact_ones(clustered: Sides) -> None:
    lists = candidate_lists(clustered, Approximate(k=10, probes=3))
    rows = torch.arange(0, 900, 9)
    exact = (clustered.source[rows] @ clustered.target.T).topk(10).indices
    held = [
        [column in lists.columns[row].tolist() for column in best]
        for row, best in zip(rows.tolist(), exact.tolist(), strict=True)
    ]
    assert recall_of(lists, clustered, rows) == (np.mean(held), np.mean([own[0] for own in held]))
    assert 0.3 < np.mean(held) < 1


def test_more_probes_find_more(clustered: Sides) -> None:
    rows = torch.arange(900)
    recalls = [
        recall_of(candidate_lists(clustered, Approximate(10, probes)), clustered, rows)[0]
        for probes in (1, 8, 900)
    ]
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[1] < recalls[2] == 1.0


def test_scores_are_those_of_the_vectors(clustered: Sides) -> None:
    lists = candidate_lists(clustered, Approximate(k=10, probes=1))
    of_all = clustered.source @ clustered.target.T
    is_found = lists.columns >= 0
    expected = of_all.gather(1, lists.columns.clamp(min=0))
    assert torch.allclose(lists.scores[is_found], expected[is_found], atol=1e-5)
    assert (lists.scores.diff(dim=1)[is_found[:, 1:]] <= 0).all()


def test_numbers_and_notes_say_that_they_are_approximate() -> None:
    scores = final(vectors(), ranking="approximate[k=10]")
    assert {number.words["candidates"] for number in scores.numbers} == {"test-approximate[k=10]"}
    [note] = scores.notes
    shares = [float(share) for share in re.findall(r"\d\.\d{4}", note)]
    assert shares == [1.0] * 4  # so few vectors are all looked at
    curve = ApproximateScorer(Protocol(ranking="approximate[k=10]"), {"test": task()})
    assert curve.curve_words["candidates"] == "test-approximate[k=10]"
    assert set(curve.curve(vectors())["test"].shown) == {"src2tgt", "tgt2src", "mean"}


@pytest.mark.parametrize(
    "found",
    [
        PairScores(lambda rows: torch.zeros(len(rows), N + 5), N + 5, N + 5),
        replace(vectors(), similarity="abs-cosine"),
    ],
)
def test_what_has_no_index_is_one_sentence(found: Any) -> None:
    with pytest.raises(UserError, match="rank exactly"):
        final(found, ranking="approximate[k=10]")


def test_exact_is_the_default_and_leaves_no_trace() -> None:
    assert scorer_kind(Protocol()) is RankingScorer
    assert "ranking" not in Protocol().settings
    assert Protocol(ranking="approximate[k=9]").settings["ranking"] == "approximate[k=9]"
    cell = Cell("alpha", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    assert "ranking" not in cell.identity["protocol"]
    other = replace(cell, protocol=Protocol(ranking="approximate[k=9]"))
    assert other.identity["protocol"]["ranking"] == "approximate[k=9]"


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("exact", "exact"),
        ("approximate", "approximate[k=100]"),
        ("approximate[ k=7 ]", "approximate[k=7]"),
        ("approximate[probes=32,k=100]", "approximate[k=100]"),
        ("approximate[probes=64]", "approximate[k=100,probes=64]"),
    ],
)
def test_a_way_of_ranking_has_one_spelling(address: str, canonical: str) -> None:
    assert ranking_address(parse_ranking(address)) == canonical


@pytest.mark.parametrize(
    ("protocol", "part"),
    [
        ({"ranking": "fast"}, "Unknown ranking 'fast'"),
        ({"ranking": "exact[k=3]"}, "exact"),
        ({"ranking": "approximate[k=0]"}, "k must be 1 or more"),
        ({"ranking": "approximate[m=3]"}, "'m'"),
        ({"ranking": "approximate[k=2]"}, "no neighbourhoods of 3 for CSLS"),
        ({"ranking": "approximate", "decoders": ["hungarian"]}, "hungarian read all scores"),
    ],
)
def test_a_way_of_ranking_that_does_not_fit_is_one_sentence(
    make_method: Any, protocol: dict[str, object], part: str
) -> None:
    table = {"datasets": ["synthetic[n=100]"], "protocol": protocol}
    with pytest.raises(UserError, match=re.escape(part)) as raised:
        load_suite(None, table, None, (make_method("alpha"),))
    assert "\n" not in str(raised.value)


def test_parts_are_ranked_exactly(make_method: Any) -> None:
    asked = {"protocol": {"ranking": "approximate"}, "partitions": 2}
    with pytest.raises(UserError, match="ranked exactly"):
        load_suite(None, {"datasets": ["synthetic[n=100]"], **asked}, None, (make_method("a"),))


def test_published_numbers_need_as_many_candidates_as_their_csls_has_neighbours() -> None:
    protocol = {"name": "paper", "csls": [0], "ranking": "approximate[k=2]"}
    asked = {"methods": ["mclea"], "datasets": ["synthetic[n=100]"], "protocol": protocol}
    with pytest.raises(UserError, match="mclea are published with CSLS of 3 neighbours"):
        load_suite(None, asked)


def test_a_folder_is_named_anew_only_where_it_is_asked_for(make_method: Any) -> None:
    files = (make_method("alpha"),)
    table = {"datasets": ["synthetic[n=100]"]}
    plain, exact, other = (
        folder_name(load_suite(None, {**table, **further}, None, files))
        for further in (
            {},
            {"protocol": {"ranking": "exact"}},
            {"protocol": {"ranking": "approximate"}},
        )
    )
    assert plain == exact != other


def test_without_faiss_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **further: Any) -> Any:
        if name == "faiss":
            raise ImportError(name)
        return real(name, *rest, **further)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'mmea-bench\[scale\]'"):
        load_faiss()


def test_rows_of_a_run_are_marked(make_method: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    here = ["--datasets", "synthetic[n=200]", "--repeats", "1", "--seed-ratios", "0.3"]
    places = ["--out", str(out), "--cache-dir", str(tmp_path / "cache"), "--device", "cpu"]
    asked = ["--method-file", str(make_method("alpha")), *here, *places, "--keep", "predictions"]
    done = CliRunner().invoke(app, ["run", *asked, "--ranking", "approximate[k=20]"])
    assert done.exit_code == 0, done.output
    tables = read_tables(out)
    assert set(tables.results["candidates"]) == {"test-approximate[k=20]"}
    [notes] = tables.cells["notes"]
    assert "share of the exact best 20" in notes
    assert "no predictions are kept" in notes
    assert "approximate[k=20]" in done.stdout
    refused = CliRunner().invoke(app, ["run", *asked, "--ranking", "fast"])
    assert refused.exit_code == 2
    assert "Unknown ranking 'fast'" in refused.stderr


def ranks_of_both(
    source: torch.Tensor, target: torch.Tensor, k: int, tie_rule: Any = "realistic"
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Exact ranks and those among k candidates, source to target and target to source."""
    found, links = Embeddings(source, target), np.stack([np.arange(len(source))] * 2, axis=1)
    links_task = ranking_task(links, links)
    exact = rank_links(found, links_task, (0,), tie_rule)[0]
    ours = LookedUp(found, Layout(links_task), Approximate(k)).ranks(0, tie_rule)
    return [(exact.src2tgt, ours.src2tgt), (exact.tgt2src, ours.tgt2src)]


@pytest.mark.parametrize("tie_rule", ["realistic", "optimistic", "pessimistic"])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_ties_cut_at_the_border_of_a_list_gain_nothing(tie_rule: str, k: int) -> None:
    """Of eight equal targets five listed ones were alone with the partner: rank 3 for 4.5."""
    base = torch.randn(10, 16, generator=torch.Generator().manual_seed(1))
    target = base.repeat_interleave(8, dim=0)
    source = target + 0.1 * torch.randn(80, 16, generator=torch.Generator().manual_seed(2))
    for exact, ours in ranks_of_both(source, target, k, tie_rule):
        assert (ours >= exact).all()


def test_constant_vectors_do_not_win_among_candidates() -> None:
    same = torch.ones(60, 4)
    for exact, ours in ranks_of_both(same, same, 15):
        assert (exact == 30.5).all()
        assert (ours >= exact).all()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_last_candidate_keeps_its_rank_where_nothing_ties_with_it(k: int) -> None:
    source = torch.randn(60, 8, generator=torch.Generator().manual_seed(4))
    target = source + 1.2 * torch.randn(60, 8, generator=torch.Generator().manual_seed(5))
    for exact, ours in ranks_of_both(source, target, k):
        assert (exact == k).any()
        assert np.array_equal(ours[exact <= k], exact[exact <= k])


def test_among_few_candidates_the_row_says_what_cannot_be_missed() -> None:
    links = LINKS[1:5]
    protocol = Protocol(ranking="approximate[k=3]")
    scorer = ApproximateScorer(protocol, {"test": ranking_task(links, links)})
    assert "among 4 candidates hits@5 and hits@10 cannot be missed" in scorer.final(vectors()).notes


def test_csls_decides_no_tie_between_equal_vectors() -> None:
    base = torch.randn(101, 16, generator=torch.Generator().manual_seed(6))
    target = torch.cat([base, base])
    source = target + 0.3 * torch.randn(202, 16, generator=torch.Generator().manual_seed(7))
    links = np.stack([np.arange(202)] * 2, axis=1)
    halves = [
        torch.cat([torch.nn.functional.normalize(part, dim=1) for part in side.chunk(8, dim=1)], 1)
        for side in (source, target)
    ]
    layout_of_all = Layout(ranking_task(links, links))
    looked_up = LookedUp(Embeddings(*halves, n_parts=8), layout_of_all, Approximate(202))
    for size in (3, 5, 10, 50):
        assert (looked_up.ranks(size, "realistic").src2tgt % 1 == 0.5).all()

"""The leaderboard: best first, and never across inputs that differ."""

from __future__ import annotations

import itertools
import json
from typing import Any

from mmea_bench.reports.core.evidence.leaderboard import boards, first_lines, leaderboard
from mmea_bench.reports.core.rows.comparison import STOPPED_ON_TEST_NOTE
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import measured_cell, three_repeats


def cell(method: str, value: float, **changes: Any) -> Record:
    return measured_cell(value, method=method, **{"fit_s": 90.0, "eval_s": 30.0, **changes})


def titles(*records: Record) -> list[str]:
    return [board.title for board in boards(tables_of(records))]


def test_the_best_comes_first_and_equals_share_a_rank() -> None:
    records = [cell("a", 0.2), cell("b", 0.4), cell("c", 0.4), cell("d", 0.1)]
    (board,) = boards(tables_of(records))
    assert [row.labels[:2] for row in board.table.rows] == [
        *(("1", "b"), ("1", "c"), ("3", "a"), ("4", "d")),
    ]
    assert [row.labels[3] for row in board.table.rows] == ["2.0"] * 4


def test_inputs_that_differ_never_share_a_board() -> None:
    given = itertools.product(("yes", "no"), ("yes", "no"), ("image", None))
    records = [
        cell(f"m{place}", 0.3, names=names, iterative=iterative, simulated_features=simulated)
        for place, (names, iterative, simulated) in enumerate(given)
    ]
    found = boards(tables_of(records))
    assert [len(board.table.rows) for board in found] == [1] * 8
    assert found[0].title == "fb15k-db15k, 20 % seeds, no names, paper protocol"
    assert sum("simulated image" in board.title for board in found) == 4
    assert all("simulated" not in board.title for board in found[:4])


def test_word_vectors_of_another_dimension_are_marked_not_called_simulated() -> None:
    stand_in = cell("a", 0.3, simulated_features="word_vectors", notes="word_vectors: 100 for 300")
    (board,) = boards(tables_of([stand_in, cell("b", 0.2)]))
    assert [row.labels[1] for row in board.table.rows] == ["a *", "b"]
    assert board.table.notes == ("* word vectors: 100 for 300.",)


def test_decoded_scores_and_protocols_have_boards_of_their_own() -> None:
    decoded = cell("a", 0.3, words={"decoder": "sinkhorn[sweeps=5]"}, csls=(0,))
    found = titles(decoded, cell("b", 0.3), cell("c", 0.3, protocol="strict"))
    assert found == [
        "fb15k-db15k, 20 % seeds, no names, paper protocol",
        "fb15k-db15k, 20 % seeds, no names, decoder sinkhorn, paper protocol",
        "fb15k-db15k, 20 % seeds, no names, strict protocol",
    ]


def test_a_failed_repeat_and_a_partial_copy_are_marked() -> None:
    good = three_repeats(cell("a", 0.3))
    failed = cell("a", 0, status="failed", reason="no luck", repeat=4)
    partial = cell("b", 0.2, partial_copy="images of both sides")
    (board,) = boards(tables_of([*good, failed, partial]))
    assert [row.labels[1] for row in board.table.rows] == ["a §", "b •"]
    assert "another repeat failed" in " ".join(board.table.notes)


def test_a_repeat_that_fails_when_run_again_is_marked() -> None:
    again = cell("a", 0, key="again", status="failed", reason="no luck", finished_at="2026")
    (board,) = boards(tables_of([*three_repeats(cell("a", 0.3)), again]))
    assert [row.labels[1] for row in board.table.rows] == ["a §"]


def test_a_checkpoint_chosen_on_test_links_stands_behind_without_a_rank() -> None:
    records = [cell("a", 0.9, stopped_on="test"), cell("b", 0.2), cell("c", 0.4)]
    (board,) = boards(tables_of(records))
    assert [row.labels[:2] for row in board.table.rows] == [("1", "c"), ("2", "b"), ("–", "a ‡")]
    assert board.table.notes == (f"{STOPPED_ON_TEST_NOTE} Not ranked.",)


def test_equals_share_a_rank_in_whatever_order_their_repeats_stand() -> None:
    """Sums of the same floats in another order differ in their last bit."""
    scores = {"a": (0.1, 0.2, 0.3), "b": (0.3, 0.2, 0.1)}
    records = [cell(m, v, repeat=n) for m, own in scores.items() for n, v in enumerate(own, 1)]
    (board,) = boards(tables_of(records))
    assert [row.labels[0] for row in board.table.rows] == ["1", "1"]


def test_a_mean_over_repeats_of_several_commits_says_so() -> None:
    records = [cell("a", 0.3, repeat=n, git_commit=f"c{n}") for n in (1, 2)]
    (board,) = boards(tables_of(records))
    assert board.table.notes == (
        "Means over repeats of different commits of the program: "
        "a (full) on fb15k-db15k, 20 %, paper: c1 (1), c2 (1).",
    )


def test_minutes_of_several_devices_are_told_apart() -> None:
    seconds = (("cpu", 5970.0), ("cuda", 30.0))
    records = [
        cell("a", 0.3, repeat=n, device=device, fit_s=own)
        for n, (device, own) in enumerate(seconds, 1)
    ]
    (board,) = boards(tables_of([*records, cell("b", 0.2, device="cpu")]))
    assert [row.labels[3] for row in board.table.rows] == ["100.0 (cpu), 1.0 (cuda)", "2.0 (cpu)"]


def test_a_method_without_scores_of_the_boards_csls_size_is_named_as_left_out() -> None:
    (board,) = boards(tables_of([cell("a", 0.6, csls=(0,)), cell("b", 0.3)]))
    assert [row.labels[1] for row in board.table.rows] == ["b"]
    assert board.table.notes == ("Left out, not scored with CSLS of k = 3: a (no CSLS).",)


def test_a_place_where_nobody_has_that_size_is_named_above_all_boards() -> None:
    elsewhere = cell("a", 0.6, csls=(0,), dataset="dbp15k-zh-en")
    document = leaderboard(tables_of([elsewhere, cell("b", 0.3)]))
    assert document.notes[-1] == (
        "dbp15k-zh-en, 20 % seeds, no names, paper protocol: "
        "Left out, not scored with CSLS of k = 3: a (no CSLS)."
    )


def test_a_board_keeps_its_title_when_another_cell_has_other_settings() -> None:
    usual = cell("a", 0.3, protocol_settings=json.dumps({"candidates": "test"}))
    other = cell("b", 0.2, protocol_settings=json.dumps({"candidates": "both"}))
    assert titles(usual, other) == titles(usual)


def test_datasets_stand_as_papers_print_them_and_the_first_lines_are_of_the_first() -> None:
    places = ("fb15k-db15k", "dbp15k-ja-en", "dbp15k-zh-en")
    records = [cell(f"m{n}", n / 10, dataset=place) for place in places for n in range(8)]
    tables = tables_of(records)
    assert [board.dataset for board in boards(tables)] == list(reversed(places))
    (first,) = first_lines(tables).tables
    assert first.title.startswith("dbp15k-zh-en")
    assert [row.labels[0] for row in first.rows] == ["1", "2", "3", "4", "5"]


def test_the_first_lines_explain_the_marks_that_they_show_and_no_others() -> None:
    records = [cell(f"m{n}", 0.9 - n / 10) for n in range(5)]
    stand_in = cell("a", 0.95, simulated_features="word_vectors", notes="word_vectors: 100 for 300")
    cut_off = cell("b", 0.99, stopped_on="test")
    (first,) = first_lines(tables_of([*records, stand_in, cut_off])).tables
    assert first.rows[0].labels[1] == "a *"
    assert first.notes == ("* word vectors: 100 for 300.",)


def test_the_page_says_how_it_is_made_and_nothing_measured_is_said() -> None:
    document = leaderboard(tables_of([cell("a", 0.3)]), "mmea-bench leaderboard")
    assert "mmea-bench leaderboard" in document.notes[0]
    assert len(document.tables) == 1
    assert first_lines(tables_of([])).tables == []
    assert leaderboard(tables_of([])).tables == []

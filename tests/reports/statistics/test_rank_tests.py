"""Tests of many methods over many places, by hand and against scikit-posthocs."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from mmea_bench.reports.core.statistics.rank_tests import (
    RankTests,
    can_wilcoxon_show,
    cliques,
    critical_difference,
    leads_of_pairs,
    rank_tests,
    wilcoxon_of_pairs,
)

# Ranks by place: a 1 1 1 1 2, b 2 2 3 2 1, c 3 3 2 3 3.
THREE_BY_FIVE = pd.DataFrame(
    {
        "c": [0.10, 0.20, 0.31, 0.40, 0.50],
        "a": [0.30, 0.42, 0.55, 0.60, 0.70],
        "b": [0.20, 0.30, 0.30, 0.50, 0.75],
    },
    index=["p1", "p2", "p3", "p4", "p5"],
)


def _tests(values: pd.DataFrame, correction: str = "holm") -> RankTests:
    made = rank_tests(values, correction)
    assert isinstance(made, RankTests)
    return made


def test_average_ranks_and_friedman_by_hand() -> None:
    found = _tests(THREE_BY_FIVE)
    assert list(found.ranks) == ["a", "b", "c"]
    assert list(found.ranks.values()) == pytest.approx([1.2, 2.0, 2.8])
    # 12 * 5 / (3 * 4) * (1.2^2 + 2^2 + 2.8^2 - 3 * 4^2 / 4) = 6.4, two degrees of freedom.
    assert found.chi_square == pytest.approx(6.4)
    assert found.friedman == pytest.approx(math.exp(-3.2))
    # 4 * 6.4 / (5 * 2 - 6.4).
    assert found.iman_davenport == pytest.approx(25.6 / 3.6)


@pytest.mark.parametrize(("n_methods", "q"), [(3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_uses_the_quantiles_of_demsars_table_5(
    n_methods: int, q: float
) -> None:
    expected = q * (n_methods * (n_methods + 1) / (6 * 14)) ** 0.5
    assert critical_difference(n_methods, 14) == pytest.approx(expected, rel=5e-4)


def test_wilcoxon_with_holm_agrees_with_scikit_posthocs() -> None:
    found = _tests(THREE_BY_FIVE)
    melted = THREE_BY_FIVE.melt(var_name="method", value_name="value")
    theirs = scikit_posthocs.posthoc_wilcoxon(
        melted, val_col="value", group_col="method", p_adjust="holm"
    )
    for (first, second), p in found.wilcoxon_corrected.items():
        assert p == pytest.approx(theirs.loc[first, second])


def test_wilcoxon_by_hand() -> None:
    # b against a: four of five differences go one way, the least in size the other: 2 * 2 / 2^5.
    assert _tests(THREE_BY_FIVE).wilcoxon["a", "b"] == pytest.approx(4 / 32)
    # One way in all places: 2 / 2^5.
    assert _tests(THREE_BY_FIVE).wilcoxon["a", "c"] == pytest.approx(2 / 32)


def test_the_lead_of_a_pair_by_hand() -> None:
    # a against b: places of the ranks 2, 3, 4 and 5 are won, that of rank 1 is lost.
    assert _tests(THREE_BY_FIVE).wilcoxon_lead["a", "b"] == pytest.approx(2 + 3 + 4 + 5 - 1)


def test_the_lead_can_go_to_the_method_with_the_worse_average_rank() -> None:
    """The second wins eight places widely, the first five narrowly with a third in between."""
    wide = [{"a": 0.5, "b": 0.7 + place / 100, "c": 0.1} for place in range(8)]
    narrow = [{"a": 0.5 + place / 500, "b": 0.5, "c": 0.5 + place / 1000} for place in range(1, 6)]
    found = _tests(pd.DataFrame([*wide, *narrow]))
    assert list(found.ranks)[:2] == ["a", "b"]
    assert found.wilcoxon_lead["a", "b"] < 0


def test_equal_places_count_for_nothing_in_the_lead() -> None:
    """As in the test itself, which gives the lowest ranks to the differences that are some."""
    # Of the differences 0, 0, 0, -.3, +.1, +.2: ranks 3 against 1 and 2; with the zeros 6 to 4 + 5.
    first, second = np.array([1, 1, 1, 0.2, 0.6, 0.7]), np.array([1, 1, 1, 0.5, 0.5, 0.5])
    assert leads_of_pairs(np.array([first, second])) == pytest.approx([1 + 2 - 3])


def test_nemenyi_calls_those_different_that_lie_a_critical_difference_apart() -> None:
    # Five places, three methods: 1.6 ranks apart against a critical difference of 1.48.
    found = _tests(THREE_BY_FIVE)
    assert found.critical_difference == pytest.approx(2.343 * (12 / 30) ** 0.5, rel=5e-4)
    assert found.nemenyi["a", "c"] < 0.05 < found.nemenyi["a", "b"]


def test_ties_share_the_mean_rank_and_are_named() -> None:
    tied = THREE_BY_FIVE.assign(b=THREE_BY_FIVE["b"].mask(THREE_BY_FIVE.index == "p1", 0.30))
    found = _tests(tied)
    assert found.tied_places == ("p1",)
    assert found.ranks["a"] == pytest.approx((1.5 + 1 + 1 + 1 + 2) / 5)


def test_values_that_differ_by_rounding_are_ties() -> None:
    values = THREE_BY_FIVE.assign(b=THREE_BY_FIVE["a"] + 1e-16)
    assert _tests(values).ranks["a"] == _tests(values).ranks["b"] == 1.5
    assert _tests(values).wilcoxon["a", "b"] == 1.0


def test_a_perfect_order_has_an_infinite_f() -> None:
    values = pd.DataFrame({"a": [3.0] * 4, "b": [2.0] * 4, "c": [1.0] * 4}, index=list("pqrs"))
    found = _tests(values)
    assert (found.iman_davenport, found.iman_davenport_p) == (None, 0.0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (THREE_BY_FIVE[["a", "b"]], "need 3 methods and 3 places .* there are 2 and 5"),
        (THREE_BY_FIVE.iloc[:2], "there are 3 and 2"),
        (THREE_BY_FIVE * 0, "all methods are equal"),
    ],
)
def test_what_cannot_be_ranked_is_said(values: pd.DataFrame, reason: str) -> None:
    made = rank_tests(values, "holm")
    assert isinstance(made, str)
    assert pd.Series([made]).str.contains(reason).all()


def test_cliques_are_the_largest_groups_of_neighbours() -> None:
    ranks = {"a": 1.0, "b": 1.5, "c": 2.4, "d": 4.0}
    assert cliques(ranks, 1.0) == [("a", "b"), ("b", "c")]
    assert cliques(ranks, 1.4) == [("a", "b", "c")]
    assert cliques(ranks, 0.1) == []


def test_few_places_cannot_show_a_difference_by_wilcoxon() -> None:
    # The least p over five places is 1/16, and three pairs make it 3/16.
    assert not can_wilcoxon_show(3, 5, "holm")
    assert can_wilcoxon_show(3, 7, "holm")
    assert not can_wilcoxon_show(3, 5, "none")


@pytest.mark.parametrize("n_places", [3, 6, 10, 60])
@pytest.mark.parametrize("digits", [1, 2, 8])
def test_shared_computations_of_wilcoxon_equal_one_for_each_pair(
    n_places: int, digits: int
) -> None:
    """Few digits make ties and zeros, which the test treats in another way."""
    values = np.random.default_rng(n_places).uniform(size=(6, n_places)).round(digits)
    values[3] = values[5]
    plain = [
        1.0 if (first == second).all() else stats.wilcoxon((first - second).round(12)).pvalue
        for first, second in combinations(values, 2)
    ]
    assert wilcoxon_of_pairs(values) == plain

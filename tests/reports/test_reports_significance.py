"""The significance report: t-tests in each place, rank tests over places."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import Any

import pytest
from scipy import stats

from mmea_bench.reports import significance
from mmea_bench.reports.core.document import Document, Missing, Row, Table, Text
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, with_unseeded
from tests.reports.studies_factory import TIMEOUT, many_places, pair_record


def _document(records: list[Record], **choices: Any) -> Document:
    made = significance.build(tables_of(records), ReportOptions(csls=0, **choices))
    assert isinstance(made, Document)
    return made


def _repeated(method: str, scores: list[float], **changes: Any) -> list[Record]:
    return [make_record(method, score, repeat=r, **changes) for r, score in enumerate(scores, 1)]


def _row(table: Table, name: str) -> Row:
    return next(row for row in table.rows if row.labels[0] == name)


def _texts(document: Document) -> str:
    return " ".join(block.text for block in document.blocks if isinstance(block, Text))


THREE = [
    *_repeated("a", [0.50, 0.51, 0.52, 0.53]),
    *_repeated("b", [0.48, 0.50, 0.49, 0.52]),
    *_repeated("c", [0.30, 0.32, 0.31, 0.30]),
]


def test_crosseas_printed_p_value_comes_out_of_its_ten_runs() -> None:
    folder = files("mmea_bench.results.published")
    runs = csv.DictReader((folder / "significance.csv").read_text().splitlines())
    records = [
        pair_record(run["method"].lower(), float(run["value"]), int(run["run"])) for run in runs
    ]
    effects, run_by_run = _document(records).tables
    desalign = _row(run_by_run, "desalign, two-thresholds")
    p_values = dict(zip(run_by_run.columns, desalign.cells, strict=True))
    student = p_values["p against crossea, two-thresholds", "Student"]
    # The paper cuts 2.12653e-17 off to 2.126e-17 (section 5.5).
    assert student.mean == pytest.approx(2.126e-17, rel=1e-3)
    assert student.plain == "2.1265e-17"
    assert [cell.plain for cell in desalign.cells[:10]] == [
        *(".714", ".718", ".717", ".712", ".711", ".714", ".713", ".721", ".714", ".715"),
    ]
    assert _row(effects, "desalign, two-thresholds").cells[1].plain == ".051"


def test_sentence_says_difference_interval_p_correction_and_repeats() -> None:
    document = _document(THREE)
    welch = stats.ttest_ind([0.50, 0.51, 0.52, 0.53], [0.48, 0.50, 0.49, 0.52], equal_var=False)
    assert (
        "a is not shown to be better than b on fb15k-db15k at 20 % (strict protocol, no names): "
        f"+0.018 Hits@1, 95 % interval [-0.009, 0.044], p = {welch.pvalue:.4f} after Holm, "
        "4 repeats."
    ) in _texts(document)
    assert "a is better than c on fb15k-db15k at 20 %" in _texts(document)


def test_corrected_p_values_are_holms_by_hand() -> None:
    """All three pairs are the family, because the numbers say which method is the best."""
    a, b, c = ([record.results[0]["value"] for record in THREE[i : i + 4]] for i in (0, 4, 8))
    with_b, with_c = (stats.ttest_ind(a, other, equal_var=False).pvalue for other in (b, c))
    assert with_c < stats.ttest_ind(b, c, equal_var=False).pvalue < with_b
    effects = _document(THREE).tables[0]
    assert _row(effects, "c").cells[-1].mean == pytest.approx(3 * with_c)
    assert _row(effects, "b").cells[-1].mean == pytest.approx(with_b)
    named = _document(THREE, reference="a").tables[0]  # chosen beforehand: two tests
    assert _row(named, "c").cells[-1].mean == pytest.approx(2 * with_c)
    plain = _document(THREE, correction="none").tables[0]
    assert _row(plain, "c").cells[-1].mean == pytest.approx(with_c)
    assert plain.columns[-1] == ("Welch's p", "without correction")
    bonferroni = _document(THREE, correction="bonferroni").tables[0]
    assert _row(bonferroni, "b").cells[-1].mean == pytest.approx(3 * with_b)


def test_wrong_corrections_and_values_to_reach_are_sentences() -> None:
    with pytest.raises(ReportError, match=r"Unknown correction 'tukey'\. Valid: holm, none"):
        ReportOptions(correction="tukey")
    with pytest.raises(ReportError, match="must lie above 0 and not above 1, not 50"):
        ReportOptions(reach=50.0)


def test_hedges_g_stands_with_its_interval() -> None:
    records = [*_repeated("a", [0.5, 0.6, 0.7]), *_repeated("b", [0.3, 0.4, 0.5])]
    effects = _document(records).tables[0]
    cells = dict(zip(effects.columns, _row(effects, "b").cells, strict=True))
    assert cells["Hedges' g", "value"].plain == "1.60"
    low, high = (cells["Hedges' g", end].mean for end in ("from", "to"))
    assert low is not None
    assert high is not None
    assert low < 1.6 < high


def test_runs_stand_side_by_side_with_gaps_mean_and_deviation() -> None:
    records = [*_repeated("a", [0.5, 0.6, 0.7]), *_repeated("b", [0.3, 0.4])]
    table = _document(records).tables[1]
    assert [words[1] for words in table.columns[:5]] == ["1", "2", "3", "mean", "sd"]
    assert [cell.plain for cell in table.rows[0].cells[:5]] == [
        *(".500", ".600", ".700", ".600", ".100"),
    ]
    assert [cell.plain for cell in table.rows[1].cells[:3]] == [".300", ".400", "–"]


def test_too_few_repeats_and_no_variance_are_said() -> None:
    records = [
        *_repeated("a", [0.5, 0.5]),
        *_repeated("b", [0.3, 0.3]),
        *_repeated("c", [0.6]),
    ]
    document = _document(records)
    assert document.tables[0].notes == (
        "c is not tested: fewer than two repeats.",
        "b is not tested: no variance between repeats.",
    )
    assert "is better than" not in _texts(document)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([make_record("a", 0.5)], "Only a has numbers; a test needs two methods."),
        (
            [make_record("a", 0.5), make_record("b", 0.5)],
            "No two methods can be tested: no method has two or more repeats (a has 1, b has 1).",
        ),
        (
            [*_repeated("a", [0.5, 0.6]), *_repeated("b", [0.5, 0.6], dataset="x")],
            "No two methods have numbers on the same dataset and seed ratio.",
        ),
        (
            [*_repeated("a", [0.5, 0.6]), *_repeated("b", [0.5, 0.6], names="yes")],
            "No two methods have numbers in the same place with the same input "
            "(names; no names). With --reference METHOD --across-inputs they are compared all the "
            "same.",
        ),
        (
            [*_repeated("a", [0.5, 0.6]), *_repeated("a", [0.4, 0.6], variant="w/o image")],
            "Only a has numbers; a test needs two methods.",
        ),
    ],
)
def test_the_true_reason_is_said_where_no_test_is_possible(
    records: list[Record], reason: str
) -> None:
    made = significance.build(tables_of(records), ReportOptions())
    assert isinstance(made, Missing)
    assert made.reason.startswith(reason)


def test_the_reference_is_tested_against_every_other_method() -> None:
    effects = _document(THREE, reference="b").tables[0]
    assert effects.title.startswith("Hits@1 against b:")
    assert [row.labels[0] for row in effects.rows] == ["b", "a", "c"]
    assert _row(effects, "a").cells[1].plain == "-.018"


@pytest.mark.parametrize(
    ("metric", "difference"), [("hits@1", "-0.208 Hits@1"), ("mean_rank", "+18.675 MR")]
)
def test_a_reference_that_loses_is_called_worse(metric: str, difference: str) -> None:
    text = _texts(_document(THREE, reference="c", metrics=(metric,)))
    assert (
        f"c is worse than a on fb15k-db15k at 20 % (strict protocol, no names): {difference}"
        in (text)
    )
    assert "is better than" not in text


def test_a_reference_that_loses_by_little_is_not_shown_to_be_worse() -> None:
    assert "b is not shown to be worse than a on" in _texts(_document(THREE, reference="b"))


def test_the_paired_test_speaks_of_the_repeats_that_both_have() -> None:
    """a has the better mean of all its repeats, b wins each of the three that both have."""
    a, b = [0.30, 0.31, 0.32, 0.60, 0.62, 0.64], [0.35, 0.36, 0.38]
    document = _document([*_repeated("a", a), *_repeated("b", b)], test="paired")
    test = stats.ttest_rel(a[:3], b)
    low, high = test.confidence_interval(0.95)
    assert (
        "a is worse than b on fb15k-db15k at 20 % (strict protocol, no names): -0.053 Hits@1, "
        f"95 % interval [{low:.3f}, {high:.3f}], p = {test.pvalue:.4f} after Holm, "
        "3 shared repeats."
    ) in _texts(document)
    mean, *effect, _p = [cell.plain for cell in _row(document.tables[0], "b").cells]
    assert (mean, effect[0]) == (".363", "-.053")
    assert any("over the repeats that both have" in note for note in document.notes)


def test_the_reference_meets_methods_with_other_input_when_asked() -> None:
    records = [*THREE, *_repeated("d", [0.60, 0.62, 0.61, 0.60], names="yes")]
    apart = significance.build(tables_of(records), ReportOptions(csls=0, reference="d"))
    assert isinstance(apart, Missing)
    document = _document(records, reference="d", across_inputs=True)
    effects = document.tables[0]
    assert effects.label_names == ("method", "input", "repeats")
    assert [row.labels[:2] for row in effects.rows] == [
        ("d", "names"),
        *((name, "no names") for name in "abc"),
    ]
    assert (
        "d is better than a on fb15k-db15k at 20 % (strict protocol, any input), where their input "
        "differs (d: names; a: no names): +0.093 Hits@1"
    ) in _texts(document)


def test_ablations_are_no_rivals_and_do_not_join_the_family() -> None:
    records = [*THREE, *_repeated("a", [0.52, 0.53, 0.50, 0.51], variant="w/o image")]
    records += _repeated("b", [0.1, 0.2, 0.1, 0.2], variant="w/o text")
    with_ablations, alone = _document(records).tables[0], _document(THREE).tables[0]
    assert [row.cells for row in with_ablations.rows] == [row.cells for row in alone.rows]
    assert with_ablations.notes[-1] == (
        "No rivals, but ablations or other settings: a w/o image, b w/o text."
    )


@pytest.mark.parametrize("test", ["student", "paired"])
def test_the_test_that_was_asked_for_decides(test: str) -> None:
    a, c = ([record.results[0]["value"] for record in THREE[i : i + 4]] for i in (0, 8))
    by_hand = {"student": stats.ttest_ind, "paired": stats.ttest_rel}[test](a, c).pvalue
    effects = _document(THREE, test=test).tables[0]
    assert effects.columns[-1][0] == {"student": "Student's p", "paired": "paired p"}[test]
    # Holm's correction triples the smallest of three pairs.
    assert _row(effects, "c").cells[-1].mean == pytest.approx(3 * by_hand)


def test_methods_that_stopped_on_test_links_are_compared_among_themselves() -> None:
    records = [
        *THREE,
        *_repeated("d", [0.8, 0.81, 0.82], stopped_on="test"),
        *_repeated("e", [0.7, 0.71, 0.73], stopped_on="test"),
    ]
    titles = [table.title for table in _document(records).tables]
    assert titles[0].startswith("Hits@1 against a:")
    assert titles[2].startswith("Hits@1 against d‡:")
    assert titles[2].endswith("chosen on test links")


def test_of_ranks_the_smallest_is_best() -> None:
    effects = _document(THREE, metrics=("mean_rank",)).tables[0]
    assert effects.title.startswith("MR against a")
    assert [row.labels[0] for row in effects.rows] == ["a", "b", "c"]


def test_three_methods_on_five_datasets_have_rank_tests() -> None:
    document = _document(many_places(("eva", "loginmea", "mclea")))
    ranks, pairs = document.tables[-2:]
    assert ranks.title == "Hits@1 over places: strict protocol, no names"
    assert sum(row.cells[0].mean or 0.0 for row in ranks.rows) == pytest.approx(6.0)
    assert len(ranks.columns) == 1 + 5
    assert [row.labels for row in pairs.rows] == [
        ("loginmea", "mclea"),
        ("loginmea", "eva"),
        ("mclea", "eva"),
    ]
    text = _texts(document)
    assert "Friedman's test of 3 methods over 5 places" in text
    assert "Over 5 places Wilcoxon's p is 0.0625 at the least" in text
    assert [figure.name for figure in document.figures] == [
        "ranks-hits-1-over-places-strict-protocol-no-names"
    ]


def test_a_method_that_lacks_places_is_left_out_of_the_ranks_by_name() -> None:
    records = many_places(("eva", "loginmea", "mclea"))
    records += _repeated("poe", [0.1, 0.2], dataset="synthetic[n=1000]")
    ranks = _document(records).tables[-2]
    assert [row.labels[0] for row in ranks.rows] == ["loginmea", "mclea", "eva"]
    (note,) = [note for note in ranks.notes if note.startswith("poe is left out")]
    assert note.count("synthetic[n=") == 4  # each place that it lacks is named
    assert len(ranks.columns) == 1 + 5  # and the others keep all their places


def test_a_method_on_few_places_cannot_turn_the_order() -> None:
    """a wins five of eight places; over the three places of c alone, b would be first."""
    wins = dict(zip(range(8), "bbbaaaaa", strict=True))
    records = [
        make_record(name, 0.5 + 0.1 * (name == first), dataset=f"synthetic[n={1000 + place}]")
        for place, first in wins.items()
        for name in "abd"
    ]
    records += [make_record("c", 0.1, dataset=f"synthetic[n={1000 + place}]") for place in range(3)]
    ranks = _document(records).tables[-2]
    assert [row.labels[0] for row in ranks.rows] == ["a", "b", "d"]
    ranks = _document(records, complete="methods").tables[-2]
    assert ranks.rows[0].labels[0] == "b"
    assert sum("is left out: no number of c" in note for note in ranks.notes) == 5


def _places(scores: list[dict[str, float]]) -> list[Record]:
    """Methods with one score in each of many places."""
    return [
        make_record(name, score, dataset=f"synthetic[n={1000 + place}]")
        for place, own in enumerate(scores)
        for name, score in own.items()
    ]


def test_wilcoxons_verdict_follows_its_signed_ranks_and_not_the_average_ranks() -> None:
    """b wins 20 places by much, a wins 12 by little with c in between."""
    wide = [{"a": 0.5, "b": 0.7 + 0.001 * place, "c": 0.1} for place in range(20)]
    gaps = [0.001 + 0.0001 * place for place in range(12)]
    narrow = [{"a": 0.5 + 2 * gap, "b": 0.5, "c": 0.5 + gap} for gap in gaps]
    document = _document(_places([*wide, *narrow]))
    ranks, pairs = document.tables[-2:]
    assert [row.labels[0] for row in ranks.rows] == ["a", "b", "c"]
    text = _texts(document)
    assert "b is better than a, whose average rank is not worse" in text
    assert "a is better than b" not in text
    assert pairs.notes == (
        "Better and worse are told by the average rank. Wilcoxon's test, which weighs places by "
        "how much the two differ, speaks for the other one: b against a.",
    )


def test_a_place_joins_its_family_whatever_else_it_was_scored_among() -> None:
    """Two of five places have numbers among all unseeded entities, too."""
    records = [
        with_unseeded(record) if record.cell["dataset"] < "synthetic[n=1002]" else record
        for record in many_places(("eva", "loginmea", "mclea"))
    ]
    document = _document(records)
    ranks = document.tables[-2]
    assert ranks.title == "Hits@1 over places: strict protocol, candidates=test, no names"
    assert len(ranks.columns) == 1 + 5
    (unranked,) = re.findall(r"Hits@1 over places: [^.]*\.", _texts(document))
    assert "candidates=unseeded" in unranked
    assert "those with most numbers have 2 places in common" in unranked


def test_too_few_places_for_ranks_is_said() -> None:
    text = _texts(_document(THREE))
    assert "rank tests need 3 methods with a number in the same 3 places" in text
    assert "there are 3 methods, and those with most numbers have 1 place in common" in text


def test_variants_do_not_compete_with_methods_over_places() -> None:
    records = many_places(("eva", "loginmea", "mclea"))
    records += [
        make_record("mclea", 0.2, variant="w/o image", dataset=f"synthetic[n={1000 + number}]")
        for number in range(5)
    ]
    ranks = _document(records).tables[-2]
    assert len(ranks.rows) == 3
    assert "Variants are left out: they are no methods of their own." in ranks.notes


def test_a_method_with_simulated_inputs_in_some_places_is_one_method_over_places() -> None:
    records = many_places(("loginmea", "mclea"))
    records += [
        make_record(
            "eva",
            0.2,
            dataset=f"synthetic[n={1000 + number}]",
            simulated_features="image" if number == 2 else None,
        )
        for number in range(5)
    ]
    ranks = _document(records).tables[-2]
    assert sorted(row.labels[0] for row in ranks.rows) == ["eva†", "loginmea", "mclea"]
    assert len(ranks.columns) == 1 + 5


def test_an_ablation_is_no_third_method_over_places() -> None:
    records = many_places(("eva", "mclea"))
    records += [
        make_record("mclea", 0.2, variant="w/o image", dataset=f"synthetic[n={1000 + number}]")
        for number in range(5)
    ]
    assert "there are 2 methods" in _texts(_document(records))


def test_a_method_that_was_run_with_settings_alone_has_ranks_over_places() -> None:
    records = many_places(("eva", "loginmea", "mclea"))
    records += [
        make_record("kecg", 0.2, variant="full[epochs=5]", dataset=f"synthetic[n={1000 + number}]")
        for number in range(5)
    ]
    ranks = _document(records).tables[-2]
    assert len(ranks.rows) == 4


def test_cells_without_a_number_are_named() -> None:
    records = [*THREE, make_record("a", 0.0, repeat=5, **TIMEOUT)]
    assert _document(records).notes[-2:] == (
        "1 of 13 cells has no number: a 20 % repeat 5 (timeout).",
        "2 cells are missing, not run yet or not part of the suite: b 20 % repeat 5; "
        "c 20 % repeat 5.",
    )

"""A printed number is held against ours under the scoring of its source, or says why not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.methods.core import catalogue
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.reports.core.published.scoring import PublishedScorings, Scoring, choose
from mmea_bench.reports.core.published.verdicts import CheckRow, check_rows
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.published_scoring import PrintedScoring
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)
from tests.reports.reports_factory import own_numbers

METHODS = Path(catalogue.__file__).parents[1]


def printed_scoring(similarity: str, csls: int | None, **changes: Any) -> PrintedScoring:
    """How GCN-Align was scored in the table of ``published_row``, or whatever the changes say."""
    known = csls is not None
    fields: dict[str, Any] = {
        "method": "GCN-Align",
        "source": "loginmea2024",
        "table": "Table 1",
        "similarity": similarity,
        "csls": csls,
        "decoder": "none" if known else "",
        "candidates": "test" if known else "",
        "direction": "",
        "names": "no",
        "iterative": "",
        "origin": "code" if known else "not stated",
        "note": "A note.",
    }
    return PrintedScoring(**{**fields, **changes})


def scored(*scorings: tuple[str, int, str, float]) -> Record:
    """A cell with one number for each similarity, CSLS size, decoder and value."""
    record = measured_cell(0.3, csls=(0,))
    (forward, _backward) = own_numbers(record)
    names = ("similarity", "csls", "decoder", "value")
    numbers = [{**forward, **dict(zip(names, words, strict=True))} for words in scorings]
    return Record.of(record.cell, numbers)


def only_row(record: Record, *scorings: PrintedScoring, **options: Any) -> CheckRow:
    frame = published_frame([published_row(0.3, **options)])
    (row,) = check_rows(tables_of(three_repeats(record)), frame, scoring=scorings).rows
    return row


COSINE_CSLS, MANHATTAN = ("cosine", 3, "none", 0.5), ("manhattan", 0, "none", 0.3)


def test_ours_is_scored_as_the_published_number_was() -> None:
    record = scored(COSINE_CSLS, MANHATTAN)
    row = only_row(record, printed_scoring("manhattan", 0))
    assert (row.mean, row.scoring, row.published_scoring) == (0.3, *["manhattan, no CSLS"] * 2)
    assert (row.verdict, row.reasons, row.remark) == ("reproduced", (), "")
    row = only_row(record, printed_scoring("cosine", 3))
    assert (row.mean, row.scoring, row.verdict) == (0.5, "cosine, CSLS 3", "better")


def test_a_number_printed_in_the_other_direction_is_held_against_that_direction() -> None:
    record = scored(COSINE_CSLS)
    (forward,) = own_numbers(record)
    both = Record.of(record.cell, [forward, {**forward, "direction": "tgt2src", "value": 0.3}])
    row = only_row(both, printed_scoring("cosine", 3, direction="tgt2src"))
    assert (row.mean, row.verdict) == (0.3, "reproduced")
    assert row.scoring == row.published_scoring == "cosine, CSLS 3, target to source"
    assert only_row(both, printed_scoring("cosine", 3)).mean == 0.5


def test_another_scoring_is_not_comparable_and_says_both() -> None:
    row = only_row(scored(COSINE_CSLS), printed_scoring("manhattan", 0))
    assert (row.verdict, row.mean, row.difference) == ("not comparable", 0.5, pytest.approx(0.2))
    assert [(reason.kind, reason.text) for reason in row.reasons] == [
        ("scoring", "published under manhattan, no CSLS; measured under cosine, CSLS 3")
    ]
    found = check_rows(
        tables_of([scored(COSINE_CSLS)]),
        published_frame([published_row(0.3)]),
        despite=("scoring",),
        scoring=(printed_scoring("manhattan", 0),),
    )
    assert found.rows[0].verdict == "better"


def test_a_number_of_all_links_is_held_against_a_run_without_seeds_alone() -> None:
    whole = printed_scoring("cosine", 3, candidates="links")
    unsupervised = {"seed_ratio": math.nan, "setting": "unsupervised"}
    for ratio, verdict in ((0.0, "reproduced"), (0.3, "not comparable")):
        record = measured_cell(0.3, csls=(3,), seed_ratio=ratio)
        assert only_row(record, whole, **unsupervised).verdict == verdict


def test_where_the_source_is_silent_the_usual_scoring_of_the_method_counts() -> None:
    silent = printed_scoring("", None)
    usual = printed_scoring("manhattan", 0, table="Table 2")
    row = only_row(scored(COSINE_CSLS, MANHATTAN), silent, usual)
    assert (row.scoring, row.published_scoring) == ("manhattan, no CSLS", "not stated")
    assert row.remark == "the source does not state its scoring, taken as manhattan, no CSLS"
    assert row.verdict == "reproduced"


def test_and_else_csls_of_three() -> None:
    usual = printed_scoring("manhattan", 0, table="Table 2")
    for known in ((), (usual,)):
        row = only_row(scored(("cosine", 0, "none", 0.1), ("cosine", 3, "none", 0.3)), *known)
        assert (row.scoring, row.verdict) == ("cosine, CSLS 3", "reproduced")
        assert row.remark == "the source does not state its scoring, taken as CSLS 3"
    row = only_row(scored(("cosine", 0, "none", 0.3)), usual)
    assert row.reason == (
        "published scoring not stated, taken as manhattan, no CSLS; measured under cosine, no CSLS"
    )


def test_the_usual_scoring_is_that_of_the_own_paper_then_of_the_program() -> None:
    other = printed_scoring("cosine", 3)
    program = printed_scoring("inner", 10, source="", table="")
    own = printed_scoring("manhattan", 0, source="gcnalign2018")
    assert PublishedScorings([other, program, own]).usual("gcn_align") == Scoring("manhattan", 0)
    assert PublishedScorings([other, program]).usual("gcn_align") == Scoring("inner", 10)
    assert PublishedScorings([other]).usual("gcn_align") == Scoring("cosine", 3)
    assert PublishedScorings([printed_scoring("", None)]).usual("gcn_align") is None


def test_the_lines_of_a_log_are_one_table() -> None:
    scorings = PublishedScorings([printed_scoring("inner", 3, source="repo", table="log.csv")])
    assert scorings.stated("gcn_align", "repo", "log.csv#L3-l") == Scoring("inner", 3)
    assert scorings.stated("gcn_align", "repo", "other.csv") is None


def test_decoded_numbers_are_held_against_decoded_ones_alone() -> None:
    decoded = ("cosine", 0, "sinkhorn[temperature=0.02]", 0.3)
    plain = ("cosine", 0, "none", 0.1)
    row = only_row(scored(plain, decoded), printed_scoring("cosine", 0, decoder="sinkhorn"))
    assert (row.mean, row.verdict) == (0.3, "reproduced")
    assert row.scoring == "cosine, no CSLS, decoder sinkhorn[temperature=0.02]"
    row = only_row(scored(plain, decoded), printed_scoring("cosine", 0))
    assert (row.mean, row.scoring) == (pytest.approx(0.1), "cosine, no CSLS")
    row = only_row(scored(decoded), printed_scoring("cosine", 0))
    assert row.verdict == "not comparable"
    row = only_row(scored(decoded), printed_scoring("cosine", 0, decoder="sinkhorn[temperature=1]"))
    assert row.verdict == "not comparable"


def test_the_nearest_scoring_is_shown() -> None:
    wanted = Scoring("manhattan", 0)
    near, far = Scoring("cosine", 0), Scoring("cosine", 3)
    other_candidates = Scoring("manhattan", 0, candidates="unseeded")
    decoded = Scoring("manhattan", 0, decoder="hungarian")
    assert choose({near, far, other_candidates, decoded}, wanted, None).measured == near
    assert choose({other_candidates, decoded}, wanted, None).mismatch == (
        "published under manhattan, no CSLS, test candidates; measured under manhattan, no CSLS, "
        "unseeded candidates"
    )
    assert choose({Scoring("own", 0)}, Scoring("", 0), None).mismatch == ""


def test_an_asked_csls_size_is_compared_whatever_was_published() -> None:
    frame = published_frame([published_row(0.3)])
    record = scored(("cosine", 0, "none", 0.3), COSINE_CSLS)
    scoring = (printed_scoring("cosine", 3),)
    (row,) = check_rows(tables_of([record]), frame, csls=0, scoring=scoring).rows
    assert row.reason == "published under cosine, CSLS 3; measured under cosine, no CSLS"


def test_every_scoring_stands_for_a_printed_number_or_for_none() -> None:
    published = read_published()
    tables = published.all_results["table"].str.partition("#")[0]
    columns = (published.all_results["method"], published.all_results["source"], tables)
    printed = set(zip(*columns, strict=True))
    assert len(published.scoring) == 109
    for row in published.scoring:
        assert (row.method, row.source, row.table) in printed or (row.source, row.table) == ("", "")
        assert row.note.endswith(".")


@pytest.mark.parametrize(
    ("method", "source", "table", "stated"),
    [
        ("gcn_align", "loginmea2024", "Table 2", Scoring("manhattan", 0)),
        ("gcn_align", "loginmea2024", "Table 1", None),
        ("mclea", "mclea2022", "Table 1", Scoring("cosine", 3)),
        ("pmf", "pmf_repo", "results/report.csv#L3-l", Scoring("inner", 3, "csls_again")),
        ("xgea", "loginmea2024", "Table 2", Scoring("cosine", 10, direction="tgt2src")),
        ("seu", "mclea2022", "Table 3", Scoring("inner", 0, "sinkhorn", candidates="links")),
        ("easy", "mclea2022", "Table 3", Scoring("", 10, candidates="all")),
    ],
)
def test_the_packaged_scorings(
    method: str, source: str, table: str, stated: Scoring | None
) -> None:
    scorings = PublishedScorings(read_published().scoring)
    assert scorings.stated(method, source, table) == stated


def test_a_program_tells_what_no_table_here_does() -> None:
    scorings = PublishedScorings(read_published().scoring)
    assert scorings.usual("rrea") == Scoring("cosine", 10)
    assert scorings.usual("gcn_align") == Scoring("manhattan", 0)
    assert scorings.usual("mmea") == Scoring("cosine", 0)
    assert scorings.usual("ermc") is None


def test_methods_here_declare_the_scoring_that_the_file_tells() -> None:
    scorings = PublishedScorings(read_published().scoring)
    compared = []
    for name in sorted(path.stem for path in METHODS.glob("*.py") if path.stem != "api"):
        declared, usual = get_method(name).published_scoring, scorings.usual(name)
        if declared is not None and usual is not None:
            # What is declared as `test` is `links` without seeds, as such numbers are printed.
            is_whole = (declared.candidates, usual.candidates) == ("test", "links")
            candidates = "links" if is_whole else declared.candidates
            ours = Scoring(
                declared.similarity or usual.similarity,
                # Options of a decoder are in the note of the file.
                *(declared.csls, declared.decoder.partition("[")[0], candidates),
                usual.direction,
            )
            assert ours == usual, name
            compared.append(name)
    assert {"clamea", "gcn_align", "mclea"} <= set(compared)


@pytest.mark.parametrize(("known", "verdict"), [("no", "reproduced"), ("yes", "not comparable")])
def test_where_a_table_is_silent_on_names_what_is_known_of_it_counts(
    known: str, verdict: str
) -> None:
    scoring = printed_scoring("cosine", 3, names=known)
    record = scored(("cosine", 3, "none", 0.3))
    row = only_row(record, scoring, setting="")
    assert row.verdict == verdict
    own_word = only_row(record, scoring, setting="no-names")
    assert own_word.verdict == "reproduced"


def test_what_never_has_seeds_needs_no_printed_seed_ratio() -> None:
    scoring = printed_scoring("cosine", 3)
    record = scored(("cosine", 3, "none", 0.3))
    never = only_row(record, scoring, setting="unsupervised", seed_ratio=math.nan)
    assert (never.verdict, never.reason) == ("reproduced", "")
    silent = only_row(record, scoring, setting="no-names", seed_ratio=math.nan)
    assert silent.reason == "published without a seed ratio"

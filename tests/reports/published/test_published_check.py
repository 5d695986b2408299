"""Measured against published: verdicts, what is not comparable, and which number is chosen."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.document import sections
from mmea_bench.reports.core.published.verdicts import Check, CheckRow, check_rows, verdict_of
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)


def check(records: list[Record], *printed: dict[str, Any], **options: Any) -> Check:
    return check_rows(tables_of(records), published_frame(printed), **options)


def only_row(record: Record, *printed: dict[str, Any], **options: Any) -> CheckRow:
    (row,) = check(three_repeats(record), *printed, **options).rows
    return row


@pytest.mark.parametrize(
    ("difference", "sd", "verdict"),
    [
        (0.0, 0.0, "reproduced"),
        (0.01, 0.0, "reproduced"),
        (-0.01, 0.0, "reproduced"),
        (0.0101, 0.0, "close"),
        (-0.0101, 0.0, "close"),
        (0.03, 0.0, "close"),
        (-0.03, 0.0, "close"),
        (0.0301, 0.0, "better"),
        (-0.0301, 0.0, "off"),
        # Half the interval of three repeats is 4.3027 / sqrt(3) = 2.4842 standard deviations.
        (0.0149, 0.006, "reproduced"),
        (0.0150, 0.006, "close"),
        (-0.02, 0.02, "reproduced"),
        (-0.0201, 0.02, "close"),
        (0.098, 0.05, "better"),
        (-0.070, 0.05, "off"),
    ],
)
def test_bands_include_their_edges(difference: float, sd: float, verdict: str) -> None:
    assert verdict_of(difference, sd, 3) == verdict


def test_edges_hold_for_printed_decimals() -> None:
    assert verdict_of(0.455 - 0.445, 0.0, 3) == "reproduced"  # a little above .01 in binary
    assert verdict_of(0.415 - 0.445, 0.0, 3) == "close"


def test_fewer_than_three_repeats_or_a_failed_one_are_close_at_best() -> None:
    assert verdict_of(0.0) == verdict_of(0.0, 0.001, 2) == "close"
    assert verdict_of(0.0, 0.001, 4) == "reproduced"
    assert verdict_of(0.0, 0.001, 4, n_failed=1) == "close"


def test_tolerance_of_a_loose_number_widens_the_band() -> None:
    assert verdict_of(-0.04, 0.0, 3, 0.04) == "reproduced"
    assert verdict_of(-0.04, 0.0, 3, math.nan) == "off"
    assert verdict_of(-0.04, 0.0, 1, 0.04) == "close"


def test_mean_and_deviation_come_from_the_repeats() -> None:
    records = [measured_cell(value, repeat=n) for n, value in enumerate((0.27, 0.28, 0.31), 1)]
    (row,) = check(records, published_row(0.27)).rows
    assert (row.mean, row.n) == (pytest.approx(0.28667, abs=1e-5), 3)
    assert row.sd == pytest.approx(0.0208167, abs=1e-6)
    assert row.difference == pytest.approx(0.01667, abs=1e-5)
    assert row.verdict == "reproduced"  # in the interval of the mean, and within .02


def test_one_repeat_has_no_deviation_and_says_so() -> None:
    found = check([measured_cell(0.3)], published_row(0.3))
    assert found.rows[0].sd is None
    assert any("fewer than 3 repeats no number counts" in note for note in found.notes)


def test_csls_of_three_is_compared_and_the_plain_number_stands_beside() -> None:
    record = measured_cell(0.3)
    for number in record.results:
        if number["csls"] == 0 and number["direction"] == "src2tgt":
            number["value"] = 0.2
    row = only_row(record, published_row(0.3))
    assert (row.mean, row.plain) == (0.3, pytest.approx(0.2))
    assert row.verdict == "reproduced"


def test_other_csls_is_another_protocol() -> None:
    row = only_row(measured_cell(0.3), published_row(0.3), csls=0)
    assert (row.verdict, row.plain) == ("not comparable", None)
    assert row.reason == (
        "published scoring not stated, taken as CSLS 3; measured under cosine, no CSLS"
    )
    assert "no CSLS" in only_row(measured_cell(0.3, csls=(0,)), published_row(0.3)).reason
    with pytest.raises(ReportError, match=r"csls=10\. There is csls=0, 3"):
        check([measured_cell(0.3)], published_row(0.3), csls=10)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            {
                "lacking": "image",
                "partial_copy": "KG relations: 9 of 10 (90.0 %), KG images: not there",
            },
            "partial copy: KG relations: 9 of 10 (90.0 %), KG images: not there",
        ),
        ({"simulated_features": "image"}, "simulated data: image"),
        (
            {
                "simulated_features": "image word_vectors",
                "notes": "word_vectors: hashed words stand in for GloVe-6B vectors",
            },
            "simulated data: image; other features: word vectors: hashed words stand in for "
            "GloVe-6B vectors",
        ),
        (
            {"overrides": '{"epochs": 150}', "variant": "full[epochs=150]"},
            "other hyper-parameters: epochs=150",
        ),
        (
            {"variant": "full[partitions=10,precision=bf16]"},
            "trained in another way: partitions=10, precision=bf16",
        ),
        (
            {"protocol": "strict", "stopped_on": "valid"},
            "other protocol: strict holds part of the seed links out to stop on",
        ),
        (
            {"words": {"candidates": "unseeded"}},
            "published scoring not stated, taken as CSLS 3, test candidates; measured under "
            "cosine, CSLS 3, unseeded candidates",
        ),
        ({"words": {"ties": "optimistic"}}, "other protocol: ties=optimistic"),
        ({"names": "yes"}, "published without names"),
        ({"iterative": "yes"}, "the source does not say whether it is iterative"),
    ],
)
def test_what_differs_on_our_side_is_not_comparable(cell: dict[str, Any], reason: str) -> None:
    row = only_row(measured_cell(0.3, **cell), published_row(0.3))
    assert (row.verdict, row.reason) == ("not comparable", reason)
    assert row.difference == pytest.approx(0.0)  # shown nevertheless


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ({"setting": "names"}, "published with names"),
        ({"setting": "no-names;iterative"}, "published as iterative"),
        ({"seed_ratio": math.nan}, "published without a seed ratio"),
        ({"trust": "avoid", "contradictions": "C2 C4"}, "contradicted number (C2, C4)"),
    ],
)
def test_what_differs_on_the_published_side_is_not_comparable(
    printed: dict[str, Any], reason: str
) -> None:
    row = only_row(measured_cell(0.3), published_row(0.3, **printed))
    assert (row.verdict, row.reason) == ("not comparable", reason)


def test_unsupervised_numbers_are_another_setting_unless_the_variant_is() -> None:
    printed = published_row(0.3, setting="unsupervised")
    seeded = published_row(0.3, dataset="nmmea")
    assert only_row(measured_cell(0.3), printed, seeded).reason == "published without seed links"
    own = measured_cell(0.3, variant="unsupervised")
    assert only_row(own, printed, seeded).verdict == "reproduced"
    assert only_row(measured_cell(0.3), printed).verdict == "reproduced"  # it never has seeds


def test_all_reasons_are_given() -> None:
    record = measured_cell(0.3, protocol="strict", simulated_features="image", names="yes")
    row = only_row(record, published_row(0.3))
    assert [reason.kind for reason in row.reasons] == ["simulated", "protocol", "setting"]


def test_other_seed_ratios_are_named_without_a_number() -> None:
    printed = [published_row(0.3, seed_ratio=ratio) for ratio in (0.5, 0.8)]
    row = only_row(measured_cell(0.3), *printed)
    assert (row.published, row.difference, row.source) == (None, None, "")
    assert (row.verdict, row.reason) == ("not comparable", "published at 50 %, 80 % only")


def test_a_verdict_can_be_asked_for_despite_a_reason() -> None:
    record = measured_cell(0.3, simulated_features="image", protocol="strict")
    printed = published_row(0.3)
    assert only_row(record, printed, despite=("simulated",)).verdict == "not comparable"
    row = only_row(record, printed, despite=("simulated", "protocol"))
    assert (row.verdict, len(row.reasons)) == ("reproduced", 2)
    with pytest.raises(ReportError, match=r"Unknown reason 'luck'\. Valid: partial, simulated"):
        check([record], printed, despite=("luck",))


def test_silence_about_a_setting_counts_only_where_there_are_two() -> None:
    silent = published_row(0.3, setting="")
    assert only_row(measured_cell(0.3), silent).verdict == "reproduced"
    iterative = published_row(0.4, setting="iterative", dataset="fb15k-yago15k")
    row = only_row(measured_cell(0.3), silent, iterative)
    assert row.reason == "the source does not say whether it is iterative"
    with_names = published_row(0.4, setting="names", seed_ratio=0.5)
    row = only_row(measured_cell(0.3), silent, with_names)
    assert row.reason == "the source does not say whether names were read"


def test_the_source_with_the_right_setting_is_chosen() -> None:
    printed = [
        published_row(0.50, source="mclea2022", setting="no-names;iterative"),
        published_row(0.40, source="loginmea2024", setting="no-names"),
        published_row(0.30, source="pmf_repo", setting="non-iterative"),
    ]
    row = only_row(measured_cell(0.3), *printed)
    assert (row.source, row.verdict) == ("pmf_repo Table 1", "reproduced")
    assert [other.text for other in row.others] == [
        ".400 loginmea2024 Table 1 (no-names)",
        ".500 mclea2022 Table 1 (no-names, iterative)",
    ]
    assert only_row(measured_cell(0.5, iterative="yes"), *printed).source == "mclea2022 Table 1"


def test_trusted_numbers_come_before_loose_and_contradicted_ones() -> None:
    avoid = published_row(0.1, source="a", trust="avoid", contradictions="C1")
    loose = published_row(0.2, source="b", trust="loose", tolerance=0.05, contradictions="C9")
    trusted = published_row(0.3, source="c")
    assert only_row(measured_cell(0.3), avoid, loose, trusted).published == 0.3
    row = only_row(measured_cell(0.25), avoid, loose)
    assert (row.published, row.verdict) == (0.2, "reproduced")
    assert "loose, C9, taken with ± 0.05" in row.remark


def test_the_methods_own_paper_comes_first() -> None:
    printed = [published_row(0.1), published_row(0.2, source="gcnalign2018")]
    assert only_row(measured_cell(0.3), *printed).source == "gcnalign2018 Table 1"


def test_corrected_values_and_metrics_are_compared() -> None:
    printed = published_row(
        0.151, metric="hits@5", use_value=0.251, contradictions="C1", reads_as="hits@10"
    )
    row = only_row(measured_cell(0.25, metric="hits@10"), printed)
    assert (row.published, row.metric, row.verdict) == (0.251, "hits@10", "reproduced")
    assert "printed .151, corrected by C1" in row.remark


def test_numbers_without_a_ratio_are_left_out_where_there_are_better_ones() -> None:
    printed = [published_row(0.7, seed_ratio=math.nan), published_row(0.3)]
    row = only_row(measured_cell(0.3), *printed)
    assert (row.published, row.others) == (0.3, ())
    row = only_row(measured_cell(0.3, seed_ratio=0.5), *printed)
    assert (row.published, row.reason) == (None, "published at 20 % only")


def test_variants_are_held_against_their_own_row() -> None:
    printed = [published_row(0.4), published_row(0.3, variant="w/o structure")]
    row = only_row(measured_cell(0.3, variant="w/o structure"), *printed)
    assert (row.published, row.others) == (0.3, ())
    found = check([measured_cell(0.3, variant="as described")], *printed)
    assert (found.rows, found.unmatched) == ((), ("gcn_align as described",))


@pytest.mark.parametrize(
    "variant", ["iterative", "iterative, w/o names", "w/o iter. strategy", "w/o names"]
)
def test_variants_that_only_change_the_setting_are_the_method_itself(variant: str) -> None:
    iterative = "yes" if "iterative" in variant else "no"
    printed = published_row(
        0.3, setting=f"no-names;{'iterative' if iterative == 'yes' else 'non-iterative'}"
    )
    record = measured_cell(0.3, variant=variant, iterative=iterative)
    assert only_row(record, printed).verdict == "reproduced"


@pytest.mark.parametrize(
    ("method", "variant", "inference", "printed"),
    [
        ("mclea", "full", "one-threshold", 0.687),
        ("mclea", "full", "two-thresholds", 0.731),
        ("se_clip_mmea_plus", "full", "two-thresholds", 0.772),
        ("crossea", "full", "two-thresholds", 0.788),
        ("crossea", "full", "one-threshold", 0.722),
        ("crossea", "w/o AIM", "one-threshold", 0.722),
        ("crossea", "w/o SL", "two-thresholds", 0.688),
    ],
)
def test_inferences_are_held_against_their_own_row(
    method: str, variant: str, inference: str, printed: float
) -> None:
    record = measured_cell(
        printed,
        **{"method": method, "variant": variant, "dataset": "nmmea", "seed_ratio": 0.3},
        **{"protocol": "strict", "metric": "f1", "inference": inference},
    )
    (row,) = check_rows(tables_of([record]), read_published().results).rows
    assert row.published == printed
    # The paper has no names, and says of no method whether it is iterative.
    assert {reason.text for reason in row.reasons} <= {
        "the source does not say whether it is iterative"
    }
    assert row.setting == f"no names, {inference}"


def test_rows_without_a_counterpart_stay_out() -> None:
    wrong = measured_cell(0.3, method="crossea", dataset="nmmea", variant="w/o SL", metric="f1")
    record = measured_cell(
        0.3, method="crossea", dataset="nmmea", variant="w/o SL", inference="one-threshold"
    )
    assert wrong.key == record.key
    found = check_rows(tables_of([record]), read_published().results)
    assert found.rows == ()
    assert found.unmatched == ("crossea w/o SL",)


def test_real_contradictions_are_respected() -> None:
    published = read_published().results
    eva = measured_cell(0.2, method="eva")
    (row,) = check_rows(tables_of(three_repeats(eva)), published).rows
    assert (row.published, row.source) == (0.199, "pmf_repo images/results.png")
    assert row.verdict == "reproduced"
    poe = measured_cell(0.25, method="poe", metric="hits@10")
    (row,) = check_rows(tables_of(three_repeats(poe)), published).rows
    assert (row.published, row.verdict) == (0.251, "reproduced")


def test_failed_and_replaced_cells_do_not_count() -> None:
    records = [
        measured_cell(0.9, key="old", finished_at="2026-01-01T00:00:00Z"),
        measured_cell(0.3, key="new", finished_at="2026-02-01T00:00:00Z"),
        measured_cell(0, repeat=2, status="failed", reason="no luck"),
        measured_cell(0, method="eva", status="skipped", reason="no data", dataset_version=None),
    ]
    found = check(records, published_row(0.3))
    assert [(row.mean, row.n) for row in found.rows] == [(0.3, 1)]
    assert any("run again" in note for note in found.notes)


def test_dataset_versions_and_protocols_have_their_own_tables() -> None:
    records = [
        measured_cell(0.3),
        measured_cell(0.3, key="b", dataset_version="bbbbbbbbbbbb"),
        measured_cell(0.3, protocol="strict"),
    ]
    found = check(records, published_row(0.3))
    assert [section.title for section in sections(found.rows)] == [
        "fb15k-db15k @aaaaaa, 20 % seeds, paper protocol",
        "fb15k-db15k @bbbbbb, 20 % seeds, paper protocol",
        "fb15k-db15k @aaaaaa, 20 % seeds, strict protocol",
    ]


def test_a_published_split_has_a_table_of_its_own() -> None:
    records = [measured_cell(0.3), measured_cell(0.2, key="p", split="published")]
    assert [section.title for section in sections(check(records, published_row(0.3)).rows)] == [
        "fb15k-db15k, 20 % seeds, paper protocol",
        "fb15k-db15k, published split, 20 % seeds, paper protocol",
    ]


def test_order_of_records_does_not_matter() -> None:
    records = [
        measured_cell(0.1 * n, seed_ratio=ratio, repeat=n) for n in (1, 2) for ratio in (0.2, 0.5)
    ]
    printed = [published_row(0.3, seed_ratio=ratio) for ratio in (0.2, 0.5)]
    assert check(records, *printed) == check(records[::-1], *printed)

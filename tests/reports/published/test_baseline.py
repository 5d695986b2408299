"""The gate: what closes it, and what new cells may not do to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.reports.core.published.baseline import Regression, read_baseline, regressions
from mmea_bench.reports.core.published.document import regression_texts
from mmea_bench.reports.core.published.verdicts import Check, check_rows
from mmea_bench.reports.formats.check_files import render_check_csv
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)

PRINTED = published_frame([published_row(0.3)])


def repeats(value: float, **changes: Any) -> list[Record]:
    return three_repeats(measured_cell(value, **changes))


def told(**settings: Any) -> dict[str, str]:
    return {"protocol_settings": json.dumps(settings)}


def check(records: Sequence[Record]) -> Check:
    return check_rows(tables_of(records), PRINTED)


def found(folder: Path, before: Sequence[Record], now: Sequence[Record]) -> list[Regression]:
    """What the gate says of records, with the check of earlier ones as its baseline."""
    path = folder / "check.csv"
    path.write_text(render_check_csv(check(before)), encoding="utf-8")
    return regressions(read_baseline(path), check(now).rows, tables_of(now).cells)


def verdicts(regressed: Sequence[Regression]) -> list[str]:
    return [each.now for each in regressed]


def test_a_new_cell_of_another_method_renames_nothing(tmp_path: Path) -> None:
    before = repeats(0.3, **told(candidates="test"))
    new = measured_cell(0.1, method="kecg", **told(candidates="both"))
    assert found(tmp_path, before, [*before, new]) == []


def test_a_new_cell_of_the_same_method_under_other_rules_binds_nothing(tmp_path: Path) -> None:
    before = repeats(0.3, **told(tie_rule="realistic"))
    new = measured_cell(0.1, key="new", repeat=4, **told(tie_rule="optimistic"))
    assert found(tmp_path, before, [*before, new]) == []


def test_settings_that_matter_for_the_number_tell_cells_apart(tmp_path: Path) -> None:
    chosen = {"protocol": "paper", "stopped_on": "test"}
    before = repeats(0.3, **told(eval_every=0), **chosen)
    often = repeats(0.3, key="often", **told(eval_every=1), **chosen)
    (regression,) = found(tmp_path, before, often)
    assert (regression.now, regression.detail) == (
        *("missing", "in these results as paper[eval_every=1] only"),
    )
    assert found(tmp_path, before, [*before, *often]) == []


def test_a_cell_that_is_now_scored_among_more_candidates_keeps_its_baseline(tmp_path: Path) -> None:
    before = repeats(0.3, **told(candidates="test"))
    assert found(tmp_path, before, repeats(0.3, **told(candidates="both"))) == []


@pytest.mark.parametrize(("value", "now"), [(0.3, []), (0.1, ["off"])])
def test_every_version_of_the_dataset_must_be_reproduced(
    tmp_path: Path, value: float, now: list[str]
) -> None:
    before = repeats(0.3)
    mended = repeats(value, dataset_version="bbbbbbbbbbbb", key="mended")
    assert verdicts(found(tmp_path, before, [*before, *mended])) == now


def test_the_row_that_is_worse_says_which_version_it_is_of(tmp_path: Path) -> None:
    before = repeats(0.3)
    mended = repeats(0.1, dataset_version="bbbbbbbbbbbb", key="mended")
    (regression,) = found(tmp_path, before, [*before, *mended])
    assert regression.detail == "version bbbbbb: .100 ± .000, published .300"


def test_a_published_split_does_not_stand_in_for_one_that_was_drawn(tmp_path: Path) -> None:
    drawn, published = repeats(0.3), repeats(0.3, split="published", key="published")
    assert verdicts(found(tmp_path, drawn, [*repeats(0.1), *published])) == ["off"]
    assert verdicts(found(tmp_path, drawn, published)) == ["missing"]
    (regression,) = found(tmp_path, published, drawn)
    assert regression_texts(regression)[1] == "fb15k-db15k, published split"


def test_a_published_split_that_is_off_leaves_the_drawn_one_alone(tmp_path: Path) -> None:
    drawn = repeats(0.3)
    published = repeats(0.1, split="published", key="published")
    assert found(tmp_path, drawn, [*drawn, *published]) == []


def test_repeats_that_fail_when_run_again_close_the_gate(tmp_path: Path) -> None:
    before = repeats(0.3, finished_at="2026-01-01T00:00:00Z")
    again = [
        Record.of(
            {
                **record.cell,
                **{"key": f"{record.key}-again", "status": "failed", "reason": "no luck"},
                "finished_at": "2026-06-01T00:00:00Z",
            }
        )
        for record in before
    ]
    (regression,) = found(tmp_path, before, [*before, *again])
    assert (regression.now, regression.detail) == (
        *("close", ".300 ± .000, published .300; 3 repeat(s) failed"),
    )


def test_words_that_an_earlier_check_put_behind_the_protocol_still_bind(tmp_path: Path) -> None:
    path = tmp_path / "check.csv"
    text = render_check_csv(check(repeats(0.3)))
    path.write_text(text.replace(",paper,", ",paper[candidates=test],"), encoding="utf-8")
    for value, now in ((0.3, []), (0.1, ["off"])):
        records = repeats(value)
        there = regressions(read_baseline(path), check(records).rows, tables_of(records).cells)
        assert verdicts(there) == now

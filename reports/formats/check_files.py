"""A check against published numbers as CSV, JSON and a small page; equal checks, equal bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from mmea_bench.reports.core.published.baseline import Regression
from mmea_bench.reports.core.published.document import (
    COLUMNS,
    REGRESSION_COLUMNS,
    Section,
    document_notes,
    regression_summary,
    regression_texts,
    sections,
    summary,
)
from mmea_bench.reports.core.published.verdicts import VERDICTS, Check, CheckRow
from mmea_bench.reports.formats.templates import html_environment
from mmea_bench.results.core.safe_text import guarded

CSV_COLUMNS = (
    *("method", "variant", "dataset", "dataset_version", "seed_ratio", "protocol", "setting"),
    *(
        "metric",
        "scoring",
        "published_scoring",
        "mean",
        "sd",
        "n",
        "mean_without_csls",
        "published",
        "source",
        "difference",
    ),
    *("verdict", "reason", "remark", "other_published"),
)
"""Columns of check.csv; an empty field of a number means that there is none."""


def check_record(row: CheckRow) -> dict[str, Any]:
    """A row as plain values, by the names of ``CSV_COLUMNS``."""
    return {
        "method": row.method,
        "variant": row.variant,
        "dataset": row.dataset,
        "dataset_version": row.dataset_version,
        "seed_ratio": row.seed_ratio,
        "protocol": row.protocol,
        "setting": row.setting,
        "metric": row.metric,
        "scoring": row.scoring,
        "published_scoring": row.published_scoring,
        "mean": row.mean,
        "sd": row.sd,
        "n": row.n,
        "mean_without_csls": row.plain,
        "published": row.published,
        "source": row.source,
        "difference": row.difference,
        "verdict": row.verdict,
        "reason": row.reason,
        "remark": row.remark,
        "other_published": "; ".join(other.text for other in row.others),
    }


def render_check_csv(check: Check) -> str:
    """One line per row; text that looks like a formula is marked with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in check.rows:
        writer.writerow({name: _field(value) for name, value in check_record(row).items()})
    return buffer.getvalue()


def check_json(check: Check, regressions: Sequence[Regression] | None) -> dict[str, Any]:
    """The check as one JSON object; ``regressions`` is null where there was no baseline."""
    lost = None
    if regressions is not None:
        lost = [
            {**each.cell._asdict(), "now": each.now, "detail": each.detail} for each in regressions
        ]
    return {
        "counts": check.counts,
        "regressions": lost,
        "rows": [check_record(row) for row in check.rows],
        "without_published_number": list(check.unmatched),
        "notes": list(check.notes),
    }


def render_check_json(check: Check, regressions: Sequence[Regression] | None) -> str:
    """``check_json`` as text; a later check takes it as its baseline."""
    return json.dumps(check_json(check, regressions), indent=2, ensure_ascii=False) + "\n"


def render_check_html(check: Check, regressions: Sequence[Regression] | None) -> str:
    """A page that needs no other file, no network and no scripts."""
    return (
        html_environment()
        .get_template("check.html.j2")
        .render(
            summary=summary(check),
            counts=[(verdict, _css_class(verdict), check.counts[verdict]) for verdict in VERDICTS],
            columns=COLUMNS,
            sections=[(section.title, _html_rows(section)) for section in sections(check.rows)],
            regression_summary=None if regressions is None else regression_summary(regressions),
            regression_columns=REGRESSION_COLUMNS,
            regressions=[regression_texts(item) for item in regressions or ()],
            notes=document_notes(check),
        )
    )


def _html_rows(section: Section) -> list[dict[str, object]]:
    return [
        {
            "texts": section.texts(row)[:-1],
            "verdict": row.verdict,
            "css_class": _css_class(row.verdict),
            "reasons": [reason.text for reason in row.reasons],
            "remark": row.remark,
            "others": [other.text for other in row.others],
        }
        for row in section.rows
    ]


def _css_class(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _field(value: object) -> object:
    if isinstance(value, str):
        return guarded(value)
    # repr gives the digits from which the same float is read again.
    return repr(value) if isinstance(value, float) else value

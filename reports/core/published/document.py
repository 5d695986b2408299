"""A check against published numbers as a document, one table per place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from mmea_bench.reports.core.document import (
    NOTHING,
    Block,
    Cell,
    Document,
    Row,
    Table,
    Text,
    format_number,
)
from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.published.baseline import Regression
from mmea_bench.reports.core.published.verdicts import VERDICTS, Check, CheckRow
from mmea_bench.reports.core.rows.select import dataset_labels, percent
from mmea_bench.reports.core.words import METRIC_NAMES

NAME = "published_check"
COLUMNS = (
    *(
        "method",
        "setting",
        "metric",
        "scoring",
        "ours (repeats)",
        "published",
        "source",
        "difference",
    ),
    "verdict",
)
REGRESSION_COLUMNS = ("method", "dataset", "seeds", "setting", "metric", "now", "detail")


@dataclass(frozen=True)
class Section:
    """Rows of one dataset, seed ratio and protocol.

    Attributes:
        title: Says the place.
        rows: In printing order.
        reasons: Text of each reason to the letter that stands for it.
        names: How methods are printed.
    """

    title: str
    rows: tuple[CheckRow, ...]
    reasons: dict[str, str]
    names: Names = BY_ID

    def name_of(self, row: CheckRow) -> str:
        """Printed name of method and variant."""
        return self.names.of(row.method, row.variant)

    def letters(self, row: CheckRow) -> str:
        """Letters of a row's reasons, empty for none."""
        return ", ".join(self.reasons[reason.text] for reason in row.reasons)

    def texts(self, row: CheckRow) -> tuple[str, ...]:
        """A row in the words of ``COLUMNS``."""
        letters = self.letters(row)
        return (
            self.name_of(row),
            row.setting,
            METRIC_NAMES[row.metric],
            row.scoring,
            f"{Cell(row.mean, row.sd, row.n).plain} ({row.n})",
            NOTHING if row.published is None else format_number(row.published, "fraction"),
            row.source or NOTHING,
            NOTHING if row.difference is None else signed(row.difference),
            f"{row.verdict} ({letters})" if letters else row.verdict,
        )

    @property
    def notes(self) -> Iterator[str]:
        """Reasons with their letters, remarks, and the other printed numbers."""
        for text, letter in self.reasons.items():
            yield f"({letter}) {text}."
        yield from _per_text(
            (f"{row.remark}.", self.name_of(row)) for row in self.rows if row.remark
        )
        yield from self._also_printed()

    def _also_printed(self) -> Iterator[str]:
        """The other printed numbers, the metrics of one source together."""
        by_name: dict[str, dict[str, list[str]]] = {}
        for row in self.rows:
            for other in row.others:
                number = f"{METRIC_NAMES[row.metric]} {format_number(other.value, 'fraction')}"
                origins = by_name.setdefault(f"{self.name_of(row)}, {row.setting}", {})
                origins.setdefault(other.origin, []).append(number)
        yield from _per_text(
            (f"also {origin} {', '.join(numbers)}.", name)
            for name, origins in by_name.items()
            for origin, numbers in origins.items()
        )


def signed(difference: float) -> str:
    """A difference with its sign and three digits, without a leading zero."""
    text = format_number(abs(difference), "fraction")
    if float(text) == 0.0:
        return text
    return f"{'-' if difference < 0 else '+'}{text}"


def sections(rows: Sequence[CheckRow], names: Names = BY_ID) -> list[Section]:
    """The rows by place, in their order; versions and published splits have their own."""
    labels = labels_of(rows, names)
    found = []
    for title, group in groupby(rows, key=lambda row: _title(row, labels)):
        own = tuple(group)
        texts = dict.fromkeys(reason.text for row in own for reason in row.reasons)
        found.append(Section(title, own, {text: _letter(i) for i, text in enumerate(texts)}, names))
    return found


def labels_of(rows: Sequence[CheckRow], names: Names = BY_ID) -> dict[tuple[str, str], str]:
    """Printed name of each (dataset, version) of some rows, as ``dataset_labels`` has it."""
    places = [(row.dataset, row.dataset_version) for row in rows]
    return dataset_labels(pd.DataFrame(places, columns=["dataset", "dataset_version"]), names)


def check_document(
    check: Check, regressions: Sequence[Regression] | None = None, names: Names = BY_ID
) -> Document:
    """The check as a document.

    Args:
        check: What was found.
        regressions: Cells that a baseline had as reproduced; None if there was no baseline.
        names: How methods and datasets are printed.
    """
    blocks: list[Block] = [Text(summary(check))]
    if regressions is not None:
        blocks.append(Text(regression_summary(regressions)))
    if regressions:
        blocks.append(_regression_table(regressions))
    for section in sections(check.rows, names):
        rows = tuple(Row(section.texts(row)) for row in section.rows)
        blocks.append(Table(section.title, COLUMNS, rows=rows, notes=tuple(section.notes)))
    return Document(NAME, "Measured against published", tuple(blocks), document_notes(check))


def summary(check: Check) -> str:
    """How many rows have each verdict, as a sentence."""
    if not check.rows:
        return "No measured number here has a published counterpart."
    counts = check.counts
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    return f"{len(check.rows)} numbers with a published counterpart: {words}."


def regression_summary(regressions: Sequence[Regression]) -> str:
    """What became of the baseline, as a sentence."""
    if not regressions:
        return "Every cell that the baseline had as reproduced still is."
    return f"{len(regressions)} cell(s) that the baseline had as reproduced no longer are."


def document_notes(check: Check) -> tuple[str, ...]:
    """Sentences for all tables, with what has no published number."""
    if not check.unmatched:
        return check.notes
    names = ", ".join(check.unmatched)
    return (*check.notes, f"Without a published number, so not listed: {names}.")


def regression_texts(regression: Regression) -> tuple[str, ...]:
    """One regression in words: what, where, and what is there now."""
    cell = regression.cell
    return (
        regression.name,
        cell.dataset + f", {cell.split} split" * bool(cell.split),
        percent(cell.seed_ratio),
        f"{cell.setting}, {cell.protocol}",
        METRIC_NAMES.get(cell.metric, cell.metric),
        regression.now,
        regression.detail,
    )


def _regression_table(regressions: Sequence[Regression]) -> Table:
    rows = tuple(Row(regression_texts(regression)) for regression in regressions)
    return Table("No longer reproduced", REGRESSION_COLUMNS, rows=rows)


def _title(row: CheckRow, labels: Mapping[tuple[str, str], str]) -> str:
    name = labels[row.dataset, row.dataset_version]
    return f"{name}, {percent(row.seed_ratio)} seeds, {row.protocol} protocol"


def _letter(place: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    before, last = divmod(place, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)


def _per_text(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each text once, behind the names that it concerns."""
    found: dict[str, dict[str, None]] = {}
    for text, name in pairs:
        found.setdefault(text, {})[name] = None
    for text, names in found.items():
        yield f"{'; '.join(names)}: {text}"

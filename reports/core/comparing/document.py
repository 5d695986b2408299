"""A comparison as tables and sentences, for the terminal and for a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from mmea_bench.reports.core.comparing.result import Comparing, Difference
from mmea_bench.reports.core.document import (
    NOTHING,
    Document,
    NumberStyle,
    Row,
    Table,
    Text,
    format_number,
)
from mmea_bench.reports.core.rows.comparison import (
    SIMULATED_NOTE,
    STOPPED_ON_TEST,
    STOPPED_ON_TEST_NOTE,
)
from mmea_bench.reports.core.statistics.paired import POWER
from mmea_bench.reports.core.statistics.statistics import CORRECTION_NAMES
from mmea_bench.reports.core.words import DIRECTION_NAMES, METRIC_NAMES


def comparing_document(comparing: Comparing) -> Document:
    """The comparison as a document of label-only tables."""
    first, second = comparing.labels
    blocks = [Text(summary(comparing)), _changes(comparing), _differences(comparing)]
    if comparing.unpaired:
        blocks.append(_unpaired(comparing))
    return Document("compare", f"{second} against {first}", tuple(blocks), comparing.problems)


def summary(comparing: Comparing) -> str:
    """One sentence: how many numbers are better, worse, or show nothing."""
    counts: dict[str, int] = {}
    for each in comparing.differences:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
    words = "; ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
    lonely = _lonely(comparing, "no partner", is_part=False)
    lonely += _lonely(comparing, "numbers without a partner", is_part=True)
    pairs = _counted(comparing.changes.n_pairs, "pair")
    return (
        f"{comparing.labels[1]} against {comparing.labels[0]}: "
        f"{_counted(len(comparing.differences), 'number')} of {pairs} of cells: {words}.{lonely}"
    )


def _lonely(comparing: Comparing, what: str, *, is_part: bool) -> str:
    """How many cells are listed as not compared, at all or in part."""
    cells = {
        (each.side, each.method, each.variant, each.place, repeat)
        for each in comparing.unpaired
        for repeat in each.repeats
        if each.is_part == is_part
    }
    have = "cell has" if len(cells) == 1 else "cells have"
    return f" {len(cells)} {have} {what}." if cells else ""


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _table(title: str, headers: tuple[str, ...], rows: list[Row], notes: tuple[str, ...]) -> Table:
    return Table(title, headers, rows=tuple(rows), notes=notes)


def _changes(comparing: Comparing) -> Table | Text:
    changes, (first, second) = comparing.changes, comparing.labels
    rows = [
        Row((each.what, each.name or NOTHING, each.first, each.second, f"{each.n}"))
        for each in changes.found
    ]
    if not rows:
        nothing = "Nothing that the records say differs between paired cells."
        if comparing.kind == "methods":
            nothing = "Of two methods everything may differ; their parameters are not compared."
        return Text(" ".join((nothing, *changes.notes)))
    headers = ("what", "name", first, second, f"pairs of {changes.n_pairs}")
    return _table("What changed", headers, rows, changes.notes)


def _differences(comparing: Comparing) -> Table:
    first, second = comparing.labels
    rows = [Row(tuple(_texts(each))) for each in comparing.differences]
    headers = (
        *("cell", "dataset, seeds", "setting", "metric", "repeats", first, second),
        *("difference", "95 % interval", "p", "could have shown", "verdict"),
    )
    return _table("Differences", headers, rows, tuple(_notes(comparing)))


def _texts(each: Difference) -> Iterator[str]:
    style, paired = cast("NumberStyle", each.style), each.paired
    yield from (each.name, each.place, each.setting, METRIC_NAMES[each.metric])
    yield str(paired.n)
    yield format_number(paired.first, style)
    yield format_number(paired.second, style)
    yield signed(paired.difference, style)
    interval = paired.interval
    ends = "" if interval is None else " to ".join(signed(end, style) for end in interval)
    yield ends or NOTHING
    yield NOTHING if each.corrected_p is None else format_number(each.corrected_p, "p_value")
    yield NOTHING if paired.smallest is None else format_number(paired.smallest, style)
    yield each.verdict


def signed(value: float, style: NumberStyle = "fraction") -> str:
    """A difference with its sign; what rounds to nothing has none."""
    text = format_number(value, style)
    is_zero = not float(text.replace(",", ""))
    return text if value < 0 or is_zero else f"+{text}"


def _notes(comparing: Comparing) -> Iterator[str]:
    first, second = comparing.labels
    options = comparing.options
    split = "whatever their split" if "data" in comparing.despite else "of the same split"
    yield (
        f"Difference: {second} minus {first} in the same repeats {split}, "
        f"{DIRECTION_NAMES[options.direction]}; mean, and Student's 95 % interval of it."
    )
    correction = CORRECTION_NAMES[options.correction]
    yield f"p: paired t-test, {correction} over the tested cells of a metric."
    if any(each.paired.smallest for each in comparing.differences):
        yield (
            "Could have shown: the smallest difference that a paired t-test at the 5 % level finds "
            f"in {100 * POWER:.0f} % of the cases on as many repeats that vary as these do, before "
            "the correction. A smaller one may be there unseen."
        )
    if any(each.paired.n < 2 and not each.paired.is_zero for each in comparing.differences):
        yield (
            "One repeat: a difference, without an interval or a test. It may be chance; run more "
            "repeats on both sides."
        )
    if any(STOPPED_ON_TEST in each.name for each in comparing.differences):
        yield STOPPED_ON_TEST_NOTE
    if any("simulated " in each.setting for each in comparing.differences):
        yield f"Simulated: {SIMULATED_NOTE.partition(' ')[2]}"
    yield from comparing.interpretations


def _unpaired(comparing: Comparing) -> Table:
    rows = [
        Row(
            (
                *(each.side, each.method, each.variant, each.place),
                *(", ".join(map(str, each.repeats)), each.why),
            )
        )
        for each in comparing.unpaired
    ]
    headers = ("only in", "method", "variant", "dataset, seeds", "repeats", "why")
    return _table("Not compared", headers, rows, ())

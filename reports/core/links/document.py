"""Errors of a family of systems as tables, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mmea_bench.reports.core.document import Block, Cell, Row, Table, Text
from mmea_bench.reports.core.links.misses import missed_by_all, missed_links
from mmea_bench.reports.core.links.pairs import pairs_of_systems
from mmea_bench.reports.core.links.slices import (
    Intervals,
    Measured,
    Slice,
    slices_of,
)
from mmea_bench.reports.core.links.systems import Family
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.statistics.statistics import CORRECTION_NAMES
from mmea_bench.reports.core.words import DIRECTION_NAMES
from mmea_bench.results.core.predictions.schema import IDENTIFYING

_MOST_MISSED = 15
_SLICE_LABELS = ("links by", "slice")


def family_blocks(family: Family, options: ReportOptions) -> Iterator[Block]:
    """Slices, pairs and missed links of a family."""
    parts = slices_of(family)
    intervals = Intervals(family)
    measured = [[intervals.of(system, part) for system in family.systems] for part in parts]
    yield _by_slice(family, parts, measured)
    yield _with_intervals(family, parts, measured)
    if len(family.systems) > 1:
        yield _pairs(family, options)
        yield from _missed(family)
    if family.notes:
        yield Text(" ".join(family.notes))


def _place(family: Family) -> str:
    return f"{family.title}, {DIRECTION_NAMES[family.direction]}"


def _by_slice(
    family: Family, parts: Sequence[Slice], measured: Sequence[Sequence[Measured]]
) -> Table:
    missed = missed_by_all(family)
    rows: list[Row] = []
    for part, own in zip(parts, measured, strict=True):
        best = max(each.hits for each in own)
        cells = [Cell(float(part.mask.sum()), style="count")]
        cells += [Cell(each.hits, is_best=len(own) > 1 and each.hits == best > 0.0) for each in own]
        if len(own) > 1:
            cells.append(Cell(float(missed[part.mask].mean())))
        has_rule = bool(rows) and rows[-1].labels[0] != part.group
        rows.append(Row((part.group, part.name), tuple(cells), has_rule_above=has_rule))
    columns = [("tested", "links"), *(("Hits@1", system.name) for system in family.systems)]
    if len(family.systems) > 1:
        columns.append(("share", "missed by all"))
    title = f"Hits@1 by slice: {_place(family)}"
    return Table(title, _SLICE_LABELS, ("group", "system"), tuple(columns), tuple(rows))


def _with_intervals(
    family: Family, parts: Sequence[Slice], measured: Sequence[Sequence[Measured]]
) -> Table:
    rows: list[Row] = []
    for part, own in zip(parts, measured, strict=True):
        for system, each in zip(family.systems, own, strict=True):
            numbers = (each.hits, *each.hits_interval, each.mrr, *each.mrr_interval)
            cells = (Cell(float(each.n), style="count"), *map(Cell, numbers))
            is_first = bool(rows) and system is family.systems[0]
            labels = (part.group, part.name, system.name)
            rows.append(Row(labels, cells, has_rule_above=is_first))
    columns = (
        ("tested", "links"),
        *(("Hits@1", word) for word in ("value", "from", "to")),
        *(("MRR", word) for word in ("value", "from", "to")),
    )
    title = f"Hits@1 and MRR by slice with 95 % intervals: {_place(family)}"
    labels = (*_SLICE_LABELS, "system")
    return Table(title, labels, ("metric", "number"), columns, tuple(rows))


def _pairs(family: Family, options: ReportOptions) -> Table:
    rows: list[Row] = []
    for pair in pairs_of_systems(family, options.correction):
        counts = (pair.wins, pair.losses, pair.both, pair.neither)
        cells = [Cell(float(count), style="count") for count in counts]
        cells += [_p_cell(p) for p in (pair.p, pair.p_corrected)]
        rows.append(Row((pair.first, pair.second), tuple(cells)))
    words = ("only the first", "only the second", "both", "neither")
    columns = (
        *(("links that are found by", word) for word in words),
        ("McNemar p", "as computed"),
        ("McNemar p", CORRECTION_NAMES[options.correction]),
    )
    title = f"Pairs of systems: {_place(family)}"
    return Table(title, ("first", "second"), ("group", "number"), columns, tuple(rows))


def _p_cell(p: float) -> Cell:
    """A p that is too small for a number is not printed as zero."""
    return Cell(p, style="p_value") if p > 0.0 else Cell(text="below 1e-300")


def _missed(family: Family) -> Iterator[Block]:
    found = missed_links(family)
    n_links = len(set(map(tuple, family.links.tolist())))
    share = f"{100 * len(found) / n_links:.1f} %"
    yield Text(
        f"{len(found):,} of {n_links:,} links ({share}) are missed by all "
        f"{len(family.systems)} systems: none ranks the partner first."
    )
    rows: list[Row] = []
    for each in found[:_MOST_MISSED]:
        cells = (
            Cell(each.best_rank, style="rank"),
            *(Cell(float(degree), style="count") for degree in each.degrees),
            Cell(each.name_similarity),
        )
        rows.append(Row((each.source, each.target, each.best_system), cells))
    if not rows:
        return
    columns = (
        ("rank", "best"),
        ("degree", "source"),
        ("degree", "target"),
        ("names", "similarity"),
    )
    title = f"Links that all systems miss, the hardest first: {_place(family)}"
    labels = ("source", "target", "ranked best by")
    more = len(found) - len(rows)
    notes = (f"{more:,} more: `mmea-bench errors DIR --json` lists all.",) if more else ()
    yield Table(title, labels, ("group", "number"), columns, tuple(rows), notes)


def general_notes(options: ReportOptions) -> tuple[str, ...]:
    """How to read the tables."""
    notes: tuple[str, ...] = (
        "A link is found where its partner has rank 1, under the ranks that the numbers of the "
        "record were counted from. A decoder that ranks stands as a system of its own.",
        "Degree and attributes: triples of the entity that has fewer of them, in quarters of the "
        "links. Name similarity: one less the edit distance by the longer name, in lower case, of "
        "the names that the dataset carries. Identifying relation: how many of the two entities "
        f"stand in a relation that tells them apart (functionality of {IDENTIFYING:g} or more). "
        "Links of the entity: whether one of the two stands in several anchor links.",
        "95 % intervals of Hits@1 by Wilson, of MRR (and of Hits@1 over several repeats) by "
        "bootstrap over links. They hold for the tested links and one training, not for others.",
        "McNemar: exact test of the links that only one of two systems finds; corrected over all "
        "pairs of a table.",
    )
    if options.direction == "mean":
        notes = (
            *notes,
            "A rank has one direction: source to target is shown.",
        )
    return notes


def family_json(family: Family, options: ReportOptions) -> dict[str, Any]:
    """Everything that is known of a family, for programs; lists every missed link."""
    intervals, missed = Intervals(family), missed_by_all(family)
    return {
        "title": family.title,
        "direction": family.direction,
        "notes": list(family.notes),
        "systems": {
            each.name: {str(repeat): key for repeat, key in each.keys.items()}
            for each in family.systems
        },
        "slices": [
            {
                "by": part.group,
                "slice": part.name,
                "missed_by_all": float(missed[part.mask].mean()),
                "systems": {
                    system.name: asdict(intervals.of(system, part)) for system in family.systems
                },
            }
            for part in slices_of(family)
        ],
        "pairs": [asdict(pair) for pair in pairs_of_systems(family, options.correction)],
        "missed_by_all": [asdict(each) for each in missed_links(family)],
    }

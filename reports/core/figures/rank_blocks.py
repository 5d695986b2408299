"""Many methods over many places: average ranks, critical differences and tests of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from mmea_bench.reports.core.document import (
    Block,
    Cell,
    Figure,
    NumberStyle,
    Row,
    Table,
    Text,
    format_number,
)
from mmea_bench.reports.core.figures.cd_diagram import diagram_size, draw_diagram
from mmea_bench.reports.core.figures.lines import method_names, name_styles, under_short_names
from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.rows.comparison import Comparison, metric_style, slug_of
from mmea_bench.reports.core.rows.rivals import competitors
from mmea_bench.reports.core.statistics.rank_tests import (
    FEWEST_METHODS,
    FEWEST_PLACES,
    RankTests,
    can_wilcoxon_show,
    rank_tests,
    smallest_wilcoxon_p,
)
from mmea_bench.reports.core.statistics.statistics import CORRECTION_NAMES, LEVEL
from mmea_bench.reports.core.words import LESS_IS_BETTER, METRIC_NAMES


@dataclass(frozen=True, order=True)
class Family:
    """What comparable numbers of several places have in common.

    Attributes:
        rules_text: Protocol, input and choice of the checkpoint, in words.
        metric: What was measured.
        rules: Rules of scoring.
    """

    rules_text: str
    metric: str
    rules: str

    @property
    def sign(self) -> int:
        """-1 where less is better, else 1."""
        return -1 if self.metric in LESS_IS_BETTER else 1

    @property
    def style(self) -> NumberStyle:
        """How its numbers are printed."""
        return metric_style(self.metric)


def rank_blocks(
    family: Family,
    parts: Sequence[Comparison],
    correction: str,
    complete: str = "places",
    names: Names = BY_ID,
) -> Iterator[Block]:
    """Rank tests of one family over all its places, or a sentence why there are none.

    Args:
        family: What the places have in common.
        parts: Places with their numbers of the family's metric and a column ``name``.
        correction: Of Wilcoxon's p-values.
        complete: What is kept where a method lacks a place: ``places`` or ``methods``.
        names: How methods are printed, for the figure to shorten.
    """
    numbers = pd.concat([part.numbers.assign(place=part.place) for part in parts])
    # What is simulated in one place is marked in all: a method has one name in a ranking.
    of_method = numbers.groupby(["method", "variant", "inference"])["simulated"]
    numbers = numbers.assign(simulated=of_method.transform("any"))
    numbers = numbers.assign(name=method_names(numbers, names))
    variants = pd.Series(
        list(zip(numbers["method"], numbers["variant"], strict=True)), numbers.index, dtype=object
    )
    shown = numbers[variants.isin(competitors(variants))]
    whole = shown.pivot_table(index="place", columns="name", values="value", aggfunc="mean")
    grid = _complete(whole, complete)
    title = f"{METRIC_NAMES[family.metric]} over places: {family.rules_text}"
    tests = rank_tests(family.sign * grid, correction)
    if isinstance(tests, str):
        reason = _too_few(shown["name"].nunique(), grid) or tests
        yield Text(f"{title}: {reason}")
        return
    notes = [f"Places: {', '.join(tests.places)}."]
    notes += _left_out(whole, grid)
    if len(shown) < len(numbers):
        notes.append("Variants are left out: they are no methods of their own.")
    if len({part.dataset for part in parts}) < len(tests.places):
        notes.append(
            "Seed ratios of one dataset are no independent places, so p-values are too small."
        )
    if tests.tied_places:
        notes.append(f"Ties share the mean rank: {', '.join(tests.tied_places)}.")
    yield _average_ranks(tests, grid, family, title, tuple(notes))
    yield _diagram(tests, shown, title, names)
    yield _pairs(tests, title, correction)
    yield Text(" ".join(_sentences(tests, correction)))


def _diagram(tests: RankTests, numbers: pd.DataFrame, title: str, names: Names) -> Figure:
    short, cut = under_short_names(numbers, names)
    drawn = dict(zip(numbers["name"], short["name"], strict=True))
    ranks = {drawn[name]: rank for name, rank in tests.ranks.items()}
    shown = replace(tests, ranks=ranks)
    draw = partial(draw_diagram, tests=shown, styles=name_styles(short), title=title)
    return Figure(f"ranks-{slug_of(title)}", title, draw, *diagram_size(shown, title), cut)


def _complete(grid: pd.DataFrame, kept: str) -> pd.DataFrame:
    """The part of a grid in which every method has a number in every place.

    To keep the places, methods that lack one go: a method that ran on few places must not take the
    others from the comparison of those that ran on all. To keep the methods, places go. Where that
    leaves too little, the emptiest methods go and then places, until there is enough.

    Args:
        grid: Places by methods, NaN for no number.
        kept: ``places`` or ``methods``.
    """
    whole = grid.dropna(axis="columns" if kept == "places" else "index")
    while not _is_enough(whole) and grid.shape[1] > FEWEST_METHODS:
        counts = grid.notna().sum()
        grid = grid.drop(columns=max(grid.columns, key=lambda name: (-counts[name], name)))
        whole = grid.dropna(axis="columns" if kept == "places" else "index")
    return whole if _is_enough(whole) else grid.dropna()


def _is_enough(grid: pd.DataFrame) -> bool:
    return grid.shape[0] >= FEWEST_PLACES and grid.shape[1] >= FEWEST_METHODS


def _left_out(whole: pd.DataFrame, grid: pd.DataFrame) -> Iterator[str]:
    """Which methods are left out for which places, and which places for which methods."""
    for name in sorted(set(whole.columns) - set(grid.columns)):
        places = [str(place) for place, value in whole[name].items() if pd.isna(value)]
        yield f"{name} is left out: no number at {', '.join(places)}."
    for place in sorted(set(whole.index) - set(grid.index)):
        lacking = [name for name in grid.columns if pd.isna(whole.loc[place, name])]
        yield f"{place} is left out: no number of {', '.join(lacking)}."


def _too_few(n_methods: int, grid: pd.DataFrame) -> str:
    """Why there are too few methods or places; empty if there are enough."""
    if n_methods >= FEWEST_METHODS and len(grid) >= FEWEST_PLACES:
        return ""
    found = f"there are {n_methods} methods"
    if n_methods >= FEWEST_METHODS:
        noun = "place" if len(grid) == 1 else "places"
        found += f", and those with most numbers have {len(grid)} {noun} in common"
    return (
        f"rank tests need {FEWEST_METHODS} methods with a number in the same {FEWEST_PLACES} "
        f"places (dataset and seed ratio); {found}."
    )


def _average_ranks(
    tests: RankTests, grid: pd.DataFrame, family: Family, title: str, notes: tuple[str, ...]
) -> Table:
    n_places = len(tests.places)
    best = min(tests.ranks.values())
    rows = []
    for name, rank in tests.ranks.items():
        average = Cell(rank, n=n_places, style="effect", is_best=rank == best)
        of_method = grid[name].to_dict()
        means = [Cell(float(of_method[place]), style=family.style) for place in tests.places]
        rows.append(Row((name,), (average, *means)))
    columns = (("rank", "average"), *(("mean", place) for place in tests.places))
    return Table(title, ("method",), ("group", "number"), columns, tuple(rows), notes)


def _pairs(tests: RankTests, title: str, correction: str) -> Table:
    rows = tuple(
        Row(
            pair,
            (
                Cell(tests.ranks[pair[1]] - tests.ranks[pair[0]], style="effect"),
                Cell(tests.nemenyi[pair], style="p_value"),
                Cell(tests.wilcoxon[pair], style="p_value"),
                Cell(tests.wilcoxon_corrected[pair], style="p_value"),
            ),
        )
        for pair in tests.nemenyi
    )
    columns = (
        ("ranks", "apart"),
        ("p", "Nemenyi"),
        ("p", "Wilcoxon"),
        ("p", f"Wilcoxon {CORRECTION_NAMES[correction]}"),
    )
    return Table(
        f"Pairs: {title}",
        ("better", "worse"),
        ("group", "number"),
        columns,
        rows,
        tuple(_turned(tests)),
    )


def _turned(tests: RankTests) -> Iterator[str]:
    """Which small p of Wilcoxon's speak for the method that is worse by its average rank."""
    turned = [
        f"{second} against {first}"
        for (first, second), p in tests.wilcoxon.items()
        if p < LEVEL and tests.wilcoxon_lead[first, second] < 0
    ]
    if turned:
        yield (
            "Better and worse are told by the average rank. Wilcoxon's test, which weighs places "
            f"by how much the two differ, speaks for the other one: {', '.join(turned)}."
        )


def _sentences(tests: RankTests, correction: str) -> Iterator[str]:
    n_methods, n_places = len(tests.ranks), len(tests.places)
    verdict = "the methods differ" if tests.friedman < LEVEL else "no difference is shown"
    strength = "infinite, all places rank alike"
    if tests.iman_davenport is not None:
        p = format_number(tests.iman_davenport_p, "p_value")
        strength = f"{tests.iman_davenport:.2f}, p = {p}"
    yield (
        f"Friedman's test of {n_methods} methods over {n_places} places: chi-square = "
        f"{tests.chi_square:.2f}, p = {format_number(tests.friedman, 'p_value')} (Iman and "
        f"Davenport's F: {strength}): {verdict}."
    )
    yield (
        f"Average ranks that lie {tests.critical_difference:.2f} or less apart (Nemenyi's critical "
        "difference, 5 %) are joined by a bar: no difference is shown."
    )
    if not can_wilcoxon_show(n_methods, n_places, correction):
        yield (
            f"Over {n_places} places Wilcoxon's p is {smallest_wilcoxon_p(n_places):.4f} at the "
            f"least, which {CORRECTION_NAMES[correction]} is too much to show any difference "
            f"between {n_methods} methods."
        )
    shown = [
        f"{first} is better than {second}"
        if tests.wilcoxon_lead[first, second] > 0
        else f"{second} is better than {first}, whose average rank is not worse"
        for (first, second), p in tests.wilcoxon_corrected.items()
        if p < LEVEL
    ]
    if shown:
        yield f"Wilcoxon's test {CORRECTION_NAMES[correction]}: {'; '.join(shown)}."

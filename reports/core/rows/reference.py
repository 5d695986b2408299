"""Who is tested against whom in a place, and why nobody is where there is no test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from mmea_bench.reports.core.names import BY_ID
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.rivals import Variant, competitors

_ENOUGH = 2


@dataclass(frozen=True, eq=False)
class Competitors:
    """The methods of a place that may be tested against each other.

    Attributes:
        first: The reference, or the best of those with two or more repeats; empty where there is
            no test.
        runs: Name to the value of each repeat, ``first`` first, then the best mean first.
        inputs: Name to what the method was given.
        aside: Names that are ablations or other settings of a method that is in ``runs``.
        reason: Why there is no test; empty where there is one.
        methods: Methods with a number here.
        is_reference_here: Whether the reference has a number here; true where none was asked for.
    """

    first: str
    runs: dict[str, pd.Series[float]]
    inputs: dict[str, str]
    aside: tuple[str, ...] = ()
    reason: str = ""
    methods: frozenset[str] = field(default_factory=frozenset)
    is_reference_here: bool = True

    @property
    def is_worth_telling(self) -> bool:
        """Whether two methods are here, the reference among them, and still no test is possible."""
        return len(self.methods) >= _ENOUGH and self.is_reference_here


def competitors_of(numbers: pd.DataFrame, options: ReportOptions, sign: int) -> Competitors:
    """Who competes in a place.

    Args:
        numbers: One metric, with columns ``name`` and ``input``.
        options: With ``reference``, that method against the others; else the best against them.
        sign: -1 where less is better.
    """
    runs = {
        str(name): own.groupby("repeat")["value"].mean() for name, own in numbers.groupby("name")
    }
    rows = numbers.drop_duplicates("name").set_index("name")
    of_name: dict[str, Variant] = {
        str(name): (str(row["method"]), str(row["variant"])) for name, row in rows.iterrows()
    }
    inputs = {str(name): str(words) for name, words in rows["input"].items()}
    methods = frozenset(method for method, _ in of_name.values())
    order = sorted(runs, key=lambda name: (-sign * runs[name].mean(), name))
    standing = competitors(of_name.values())
    rivals = [name for name in order if of_name[name] in standing]

    def untested(reason: str, *, is_here: bool = True) -> Competitors:
        return Competitors("", {}, inputs, (), reason, methods, is_here)

    first, enough = "", [name for name in rivals if len(runs[name]) >= _ENOUGH]
    if options.reference:
        meant = _meant(options, of_name, standing)
        if not meant:
            return untested(f"{options.reference} has no number here", is_here=False)
        if len(meant) > 1:
            listed = ", ".join(sorted(meant))
            return untested(
                f"{options.reference} stands for several rows here ({listed}); name one"
            )
        first = meant[0]
    elif enough:
        first = enough[0]
    n_repeats = ", ".join(f"{name} has {len(runs[name])}" for name in rivals)
    if not first:
        return untested(f"no method has two or more repeats ({n_repeats})")
    others = [name for name in rivals if of_name[name][0] != of_name[first][0]]
    if not others:
        return untested(f"{first} meets no other method here")
    if len(runs[first]) < _ENOUGH or all(len(runs[name]) < _ENOUGH for name in others):
        return untested(f"fewer than two methods have two or more repeats ({n_repeats})")
    chosen = {name: runs[name] for name in (first, *others)}
    aside = tuple(name for name in order if name not in chosen)
    return Competitors(first, chosen, inputs, aside, "", methods)


def _meant(
    options: ReportOptions, of_name: dict[str, Variant], standing: set[Variant]
) -> list[str]:
    """Names of the rows that the reference may stand for."""
    wanted, names = options.reference, options.names
    exact = [
        name
        for name, variant in of_name.items()
        if wanted in (name, BY_ID.of(*variant), names.of(*variant))
    ]
    if exact:
        return exact
    return [
        name
        for name, variant in of_name.items()
        if wanted in (variant[0], names.method(variant[0])) and variant in standing
    ]


def why_no_test(places: Sequence[Competitors], options: ReportOptions) -> str:
    """Why no place has a test, in a sentence."""
    methods = sorted(set().union(*(place.methods for place in places)))
    if not methods:
        return "No cell has a number that could be tested."
    if len(methods) == 1:
        return f"Only {options.names.method(methods[0])} has numbers; a test needs two methods."
    if not any(place.is_reference_here for place in places):
        return f"The reference {options.reference} has no number in any place."
    telling = [place for place in places if place.is_worth_telling]
    if telling:
        return f"No two methods can be tested: {telling[0].reason}."
    inputs = {words for place in places for words in place.inputs.values()}
    if len(inputs) > 1:
        return (
            "No two methods have numbers in the same place with the same input "
            f"({'; '.join(sorted(inputs))}). With --reference METHOD --across-inputs they are "
            "compared all the same."
        )
    return "No two methods have numbers on the same dataset and seed ratio."

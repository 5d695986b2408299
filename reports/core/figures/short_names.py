"""Names short enough for figures: long lists of overrides stand in a note instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmea_bench.reports.core.rows.select import name_of

Variant = tuple[str, str]
"""Method and variant."""

_LONGEST = 24
_HIDDEN = "…"


@dataclass(frozen=True)
class ShortNames:
    """How a figure names and draws the methods in it.

    Attributes:
        texts: Variant to its name; no two are equal.
        looks: Variant to the one whose look it has: a method that was run with one set of
            overrides only looks as the method does everywhere.
        notes: A sentence for each name that was cut.
    """

    texts: Mapping[Variant, str]
    looks: Mapping[Variant, Variant]
    notes: tuple[str, ...]


def short_names(found: Iterable[Variant]) -> ShortNames:
    """Names of the methods of one figure.

    Args:
        found: Every method and variant that the figure shows.
    """
    variants = sorted(set(found))
    cut = {variant: _cut(name_of(*variant)) for variant in variants}
    n_same = Counter(cut.values())
    seen: Counter[str] = Counter()
    texts = {}
    for variant, text in cut.items():
        seen[text] += 1
        number = str(seen[text]) if n_same[text] > 1 else ""
        texts[variant] = text.replace(_HIDDEN, f"{_HIDDEN}{number}")
    n_variants = Counter(_base(variant) for variant in variants)
    looks = {
        variant: _base(variant) if n_variants[_base(variant)] == 1 else variant
        for variant in variants
    }
    notes = tuple(
        f"{text} is {name_of(*variant)}." for variant, text in texts.items() if _HIDDEN in text
    )
    return ShortNames(texts, looks, notes)


def _cut(name: str) -> str:
    """The name, or its beginning; overrides go first."""
    if len(name) <= _LONGEST:
        return name
    stem, bracket, _ = name.partition("[")
    if len(stem) > _LONGEST:
        return f"{stem[: _LONGEST - 1].rstrip()}{_HIDDEN}"
    return f"{stem}[{_HIDDEN}]" if bracket else stem


def _base(variant: Variant) -> Variant:
    """The variant without its overrides."""
    return variant[0], variant[1].partition("[")[0]

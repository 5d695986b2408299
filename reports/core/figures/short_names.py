"""Names short enough for figures: long lists of overrides stand in a note instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.swept_points import settings_texts

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


def short_names(found: Iterable[Variant], names: Names = BY_ID) -> ShortNames:
    """Names of the methods of one figure.

    Args:
        found: Every method and variant that the figure shows.
        names: How the reader calls them.
    """
    variants = sorted(set(found))
    whole = {variant: names.of(*variant) for variant in variants}
    shared = _sharedsettings_texts(variants)
    cut = {
        variant: _cut(text if len(text) <= _LONGEST else _without(variant, shared, names))
        for variant, text in whole.items()
    }
    n_same = Counter(cut.values())
    seen: Counter[str] = Counter()
    texts = {}
    for variant, text in cut.items():
        seen[text] += 1
        number = str(seen[text]) if n_same[text] > 1 else ""
        texts[variant] = text.replace(_HIDDEN, f"{_HIDDEN}{number}")
    notes = tuple(
        f"{text} is {whole[variant]}."
        for variant, text in texts.items()
        if _HIDDEN in text and text != whole[variant]
    )
    return ShortNames(texts, shared_looks(variants), notes)


def shared_looks(variants: Iterable[Variant]) -> dict[Variant, Variant]:
    """Variant to the one whose look it has, in every figure the same."""
    found = sorted(set(variants))
    n_variants = Counter(_base(variant) for variant in found)
    return {
        variant: _base(variant) if n_variants[_base(variant)] == 1 else variant for variant in found
    }


def _sharedsettings_texts(variants: Iterable[Variant]) -> dict[Variant, frozenset[str]]:
    """Base variant to the settings that all its overridden variants have, where there are two."""
    settings: dict[Variant, list[frozenset[str]]] = {}
    for variant in variants:
        own = settings_texts(variant[1])
        if own:
            settings.setdefault(_base(variant), []).append(frozenset(own))
    return {base: frozenset.intersection(*sets) for base, sets in settings.items() if len(sets) > 1}


def _without(variant: Variant, shared: Mapping[Variant, frozenset[str]], names: Names) -> str:
    """The name without the settings that tell it from no other; their place is kept."""
    hidden = shared.get(_base(variant), frozenset())
    own = [setting for setting in settings_texts(variant[1]) if setting not in hidden]
    if not hidden or not own:
        return names.of(*variant)
    base = _base(variant)[1]
    return names.of(variant[0], f"{base}[{','.join(own)},{_HIDDEN}]")


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

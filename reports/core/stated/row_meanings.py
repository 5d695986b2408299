"""Which methods and variants the rows of a table stand for, read from what they print."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from mmea_bench.reports.core.document import Table
from mmea_bench.reports.core.names import Names, in_words
from mmea_bench.reports.core.rows.comparison import SIMULATED, STOPPED_ON_TEST, bracket
from mmea_bench.reports.core.swept_points import settings_of, without_settings
from mmea_bench.results.core.published import name_key

NAMING = ("method", "variant")
"""Labels of a row that name what it stands for."""

_MARKS = SIMULATED + STOPPED_ON_TEST
_CHOSEN = "setting chosen"
"""Label of tables whose rows stand for a variant in all of its settings."""

Pair = tuple[str, str]
"""Method and variant."""


class RowMeanings:
    """What rows stand for.

    A row holds texts, not keys. Each text is looked up among the printed names of all that the
    folder has, so that it is read as the one thing it names, not as whatever it contains.

    Args:
        names: How things are printed.
        pairs: Every method and variant that the folder has.
    """

    def __init__(self, names: Names, pairs: Collection[Pair]) -> None:
        self._names, self._pairs = names, pairs

    def of(self, table: Table) -> list[set[Pair]]:
        """What each row stands for; nothing where its labels do not tell."""
        meanings: dict[str, dict[str, set[Pair]]] = {}
        for method, name, pair in self._entries(table):
            meanings.setdefault(method, {}).setdefault(name, set()).add(pair)
        return [
            _pairs_of(dict(zip(table.label_names, row.labels, strict=True)), meanings)
            for row in table.rows
        ]

    def _entries(self, table: Table) -> Iterator[tuple[str, str, Pair]]:
        """Printed method, empty where it has no column of its own, name, and what they mean."""
        names, labels = self._names, set(table.label_names)
        parameters = swept(table) & {
            name for pair in self._pairs for name in settings_of(pair[1], "{}")
        }
        study = self._study(table.title)
        for method, variant in self._pairs:
            pair, base = (method, variant), variant.partition("[")[0]
            if labels.issuperset(NAMING):
                yield names.method(method), names.variant(*pair), pair
            elif "variant" in labels and (method, bracket(variant)) == study:
                yield "", names.variant(method, base), pair
            elif "method" in labels and _CHOSEN in labels:
                yield "", names.of(method, base), pair
            elif "method" in labels and parameters:
                if not parameters.isdisjoint(settings_of(variant, "{}")):
                    yield "", names.of(method, without_settings(variant, parameters)), pair
            elif "method" in labels:
                yield "", names.of(*pair), pair

    def _study(self, title: str) -> Pair | None:
        """Method and shared settings of an ablation, with which its title begins."""
        heads = {}
        for method, variant in self._pairs:
            name, settings = self._names.method(method), bracket(variant)
            if settings:
                words = in_words(f"full[{settings}]")
                name += f" ({words})" if self._names.in_words else f" [{settings}]"
            heads[name] = (method, settings)
        found = [name for name in heads if re.match(rf"{re.escape(name)}[{_MARKS}]*: ", title)]
        return heads[max(found, key=len)] if found else None


def swept(table: Table) -> set[str]:
    """What the columns give values to: parameters of a method, or options of a dataset."""
    words = (word.partition("=") for words in table.columns for word in words)
    return {name for name, sign, _ in words if sign}


def _pairs_of(
    labels: Mapping[str, str], meanings: Mapping[str, Mapping[str, set[Pair]]]
) -> set[Pair]:
    """What a row stands for by its labels."""
    method, variant = (labels.get(name, "") for name in NAMING)
    if set(NAMING) <= set(labels):
        return _looked_up(variant, meanings.get(method, {}))
    return _looked_up(variant or method, meanings.get("", {}))


def _looked_up(text: str, entries: Mapping[str, set[Pair]]) -> set[Pair]:
    """What a label means: a whole name, with marks or with how it was scored behind a comma."""
    bare = text.rstrip(_MARKS)
    longest = max((name for name in entries if bare.startswith(f"{name}, ")), key=len, default="")
    for name in (text, bare, longest):
        if name in entries:
            return entries[name]
    # Tables of papers print names in their own way.
    alike = [pairs for name, pairs in entries.items() if name_key(name) == name_key(bare)]
    return alike[0] if len(alike) == 1 else set()

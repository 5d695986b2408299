"""What is known of the setting of a printed row: names read, pseudo-labels learned."""

from __future__ import annotations

from collections.abc import Sequence

from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.published_scoring import SETTINGS, PrintedScoring


def with_known_settings(
    words: frozenset[str], method: str, place: tuple[str, str], scoring: Sequence[PrintedScoring]
) -> frozenset[str]:
    """The words that a source states about a row, corrected and completed by what else is known.

    MCLEA's Table 1 lists HMAN among the methods with names, and prints its numbers without.

    Args:
        words: Setting words of ``results.csv``.
        method: Printed method.
        place: Source and table.
        scoring: ``Published.scoring``; its columns ``names`` and ``iterative`` are empty where
            nobody knows, and win otherwise.
    """
    rows = [
        row
        for row in scoring
        if (row.source, row.table) == place and name_key(row.method) == name_key(method)
    ]
    known = frozenset(word for row in rows for word in row.setting_words)
    for pair in SETTINGS:
        if not known.isdisjoint(pair):
            words = words.difference(pair)
    return words | known

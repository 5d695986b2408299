"""What is known of the setting of a printed row: names read, pseudo-labels learned."""

from __future__ import annotations

from collections.abc import Sequence

from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.published_scoring import PrintedScoring

_WORDS = {
    "names": {"yes": "names", "no": "no-names"},
    "iterative": {"yes": "iterative", "no": "non-iterative"},
}


def with_known_settings(
    words: frozenset[str], method: str, place: tuple[str, str], scoring: Sequence[PrintedScoring]
) -> frozenset[str]:
    """The words that a source states about a row, with what else is known where it is silent.

    Args:
        words: Setting words of ``results.csv``; they win.
        method: Printed method.
        place: Source and table.
        scoring: ``Published.scoring``; its columns ``names`` and ``iterative`` are empty where
            nobody knows.
    """
    rows = [
        row
        for row in scoring
        if (row.source, row.table) == place and name_key(row.method) == name_key(method)
    ]
    known = {
        either[word]
        for row in rows
        for either, word in ((_WORDS["names"], row.names), (_WORDS["iterative"], row.iterative))
        if word and words.isdisjoint(either.values())
    }
    return words | known

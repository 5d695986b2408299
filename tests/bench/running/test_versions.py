"""Results of other library versions count, and are said."""

from __future__ import annotations

import json

from mmea_bench.bench.running.versions import other_versions_note

NOW = {"torch": "2.5", "numpy": "2.0", "mmea-bench": "2"}


def row(**versions: str) -> dict[str, str]:
    return {"versions": json.dumps({**NOW, **versions})}


def test_results_of_other_versions_are_counted_by_what_differs() -> None:
    rows = [row(), row(torch="2.4"), row(torch="2.4"), row(torch="2.4", numpy="1.26")]
    note = other_versions_note(rows, NOW, "results that count as done")
    assert note.startswith(
        "3 results that count as done were made with other versions: "
        "numpy 1.26 (now 2.0), torch 2.4 (now 2.5) (1); torch 2.4 (now 2.5) (2). They count;"
    )


def test_equal_versions_are_not_worth_a_word() -> None:
    # The program's own version stands for code, which is part of the key.
    assert other_versions_note([row(), {"versions": "{}"}], NOW, "cells") == ""
    assert other_versions_note([row(**{"mmea-bench": "1"}), {"versions": "x"}], NOW, "") == ""

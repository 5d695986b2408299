"""Counts the lines that the tests reach: ``pytest -p tests.lines_covered``, with or without xdist.

Slipcover takes its marks out of lines that were reached, so that counting costs less than a
tracer does; ``make test`` runs it. What runs in a process of its own, such as a cell, is not seen;
``make coverage`` sees it and takes half as long again.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import slipcover

SOURCES = ("bench", "datasets", "methods", "results", "reports")
ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "lines_covered"
TOTAL = "total.json"

_COUNTER = slipcover.Slipcover(source=[str(ROOT / name) for name in SOURCES])
_IMPORTS = slipcover.ImportManager(
    _COUNTER, slipcover.FileMatcher(sources=list(SOURCES), default_dir=ROOT)
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """The first process takes away what an earlier session left."""
    if not _is_worker(session.config):
        FOLDER.mkdir(parents=True, exist_ok=True)
        for file in FOLDER.glob("*.json"):
            file.unlink()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each process leaves its counts."""
    name = session.config.workerinput["workerid"] if _is_worker(session.config) else "main"
    (FOLDER / f"{name}.json").write_text(json.dumps(_COUNTER.get_coverage()), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The share of the lines that any of the processes reached."""
    first, *others = (
        json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))
    )
    for other in others:
        slipcover.merge_coverage(first, other)
    (FOLDER / TOTAL).write_text(json.dumps(first), encoding="utf-8")
    reached, missed = (first["summary"][f"{kind}_lines"] for kind in ("covered", "missing"))
    share = reached / max(1, reached + missed)
    terminalreporter.write_line(
        f"{share:.1%} of {reached + missed:,} lines are reached by tests in their own process"
    )


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


_IMPORTS.__enter__()

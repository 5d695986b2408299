"""What a run says of its plan, and of the record that it repeats."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from mmea_bench.bench.planning.machine import library_versions
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.bench.planning.requests.from_record import differences
from mmea_bench.bench.planning.requests.outlook import spell_plan
from mmea_bench.bench.running.console import say
from mmea_bench.bench.running.versions import other_versions_note
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import NO_SUITE
from mmea_bench.results.core.store import ResultStore


def compare_with_record(plan: Plan, store: ResultStore, before: Record, console: Console) -> None:
    """Says whether a repeated cell gave the numbers of its record."""
    for key, _cell in plan.cells:
        after = store.record(key)
        if after is not None:
            say(console, differences(before, after))
            if after.key != before.key:
                say(console, "Code, data or rules have changed since: the key is another one.")


def announce_plan(plan: Plan, folder: Path, console: Console) -> None:
    """Says what will run, where its results lie, and what is left out."""
    title = "" if plan.suite.title == NO_SUITE else f"{plan.suite.title}: "
    say(console, f"{title}{spell_plan(plan)}. Results: {folder}")
    for sentence in plan.suite.left_out:
        say(console, f"Left out: {sentence}")
    for dataset, sentence in plan.without_data.items():
        say(console, f"Skipping {dataset}: {sentence}")
    for remarks in plan.remarks.values():
        for sentence in remarks:
            say(console, f"Note: {sentence}")


def say_other_versions(plan: Plan, store: ResultStore, console: Console) -> None:
    """Says which results that count as done come from other versions of the libraries."""
    kept = (record.cell for record in store.records() if record.key in plan.done)
    note = other_versions_note(kept, library_versions(), "results that count as done")
    if note:
        say(console, f"Note: {note}")

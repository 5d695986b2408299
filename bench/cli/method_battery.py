"""``test-method``: the battery of checks on one method, a user's own file above all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import AsJson, print_json, split_list, stdout, user_errors
from mmea_bench.bench.running.console import say

if TYPE_CHECKING:
    from mmea_bench.bench.battery.run import Outcome
    from mmea_bench.methods.core.base import Method


def battery_command(
    method: Annotated[str, typer.Argument(help="A method file, or the name of a method.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only these checks, such as learns.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Checks that a method does what every method must do, on made-up pairs of seconds.

    One line a check: ok, skipped with the reason, or failed with what to change. Exit code 0:
    nothing failed; 1: some check did; 2: there is no such method or check.
    """
    with user_errors():
        from mmea_bench.bench.battery.run import chosen_checks, run_checks

        wanted = split_list(only)
        chosen_checks(wanted)
        method_type = _load(method)
        outcomes = []
        for outcome in run_checks(method_type, wanted):
            outcomes.append(outcome)
            if not as_json:
                say(stdout(), _line(outcome))
    counts = Counter(outcome.status for outcome in outcomes)
    if as_json:
        print_json({"method": method, "counts": counts, "checks": [vars(o) for o in outcomes]})
    else:
        summary = ", ".join(f"{counts[status]} {status}" for status in ("ok", "skipped", "failed"))
        say(stdout(), f"{method}: {summary}")
    raise typer.Exit(1 if counts["failed"] else 0)


def _load(method: str) -> type[Method]:
    from mmea_bench.methods.core.catalogue import get_method

    path = Path(method)
    if path.suffix == ".py" or path.is_file():
        return get_method(path.stem, [path])
    return get_method(method)


def _line(outcome: Outcome) -> str:
    case = f" [{outcome.case}]" if outcome.case else ""
    text = f": {outcome.text}" if outcome.text else ""
    return f"{outcome.status:<8}{outcome.check}{case}{text}"

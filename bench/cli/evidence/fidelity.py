"""The verb ``fidelity``: how near each method comes to its printed numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmea_bench.bench.cli.evidence.measured import MeasuredFolder
from mmea_bench.bench.cli.texts import AsJson, print_json, split_list, stderr, stdout, user_errors
from mmea_bench.bench.running.console import echo, say

if TYPE_CHECKING:
    from mmea_bench.reports.core.evidence.fidelity import Fidelity


def fidelity_command(
    folder: MeasuredFolder = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Markdown file to write, such as a page.")
    ] = None,
    despite: Annotated[
        list[str] | None,
        typer.Option(
            "--despite", help="Give a verdict despite this kind of reason, such as features."
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Holds the measured Hits@1 of every method against the printed one, with the goal.

    A row that misses takes its sentence from `remarks.csv` of the folder.
    """
    with user_errors():
        from mmea_bench.methods.core.catalogue import method_names
        from mmea_bench.reports.core.evidence.fidelity_document import fidelity_document, summary
        from mmea_bench.reports.formats.markdown import render_markdown
        from mmea_bench.reports.formats.terminal import render_terminal
        from mmea_bench.reports.making.evidence import make_fidelity, rewritten
        from mmea_bench.results.core.measured.folder import MEASURED_FOLDER

        kinds = split_list(despite) or []
        found = make_fidelity(folder or MEASURED_FOLDER, method_names(), kinds)
        words = " ".join(f"--despite {kind}" for kind in kinds)
        command = spelled_command("fidelity", folder, f"{words} --write docs/fidelity.md".strip())
        document = fidelity_document(found, command)
        if write is not None:
            rewritten(write, render_markdown(document))
    if as_json:
        print_json(_as_json(found))
    elif write is None:
        render_terminal(document, stdout())
    else:
        say(stdout(), summary(found))
        echo(str(write))
    for row in found.rows:
        if row.is_unexplained:
            where = f"{row.check.name} on {row.check.dataset}, ratio {row.check.seed_ratio:g}"
            say(stderr(), f"Misses without a sentence in remarks.csv: {where}")


def spelled_command(verb: str, folder: Path | None, rest: str) -> str:
    """The command that makes a page again."""
    place = "" if folder is None else f"{folder.as_posix()} "
    return f"mmea-bench {verb} {place}{rest}"


def _as_json(found: Fidelity) -> dict[str, Any]:
    from mmea_bench.reports.formats.check_files import check_record

    rows = [
        {
            **check_record(row.check),
            "origin": row.origin,
            "goal": row.goal,
            "outcome": row.outcome,
            "sentence": row.sentence,
            "further_differences": dict(row.further),
        }
        for row in found.rows
    ]
    missing = {name: list(datasets) for name, datasets in found.not_measured.items()}
    return {"rows": rows, "not_measured": missing}

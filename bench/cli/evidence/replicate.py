"""The verb ``replicate``: one printed number, run again exactly as it was published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import (
    AsJson,
    CacheDir,
    DataRoot,
    print_json,
    print_table,
    split_list,
    stderr,
    stdout,
    user_errors,
)
from mmea_bench.bench.running.console import echo, say

if TYPE_CHECKING:
    from mmea_bench.bench.api import RunOutcome
    from mmea_bench.bench.cli.evidence.target import Target
    from mmea_bench.bench.cli.evidence.three_numbers import ThreeNumbers
    from mmea_bench.bench.planning.request import Request
    from mmea_bench.reports.core.evidence.reference import ReferenceCurve
    from mmea_bench.results.core.table import Tables


_MOST_PRINTED = 3

Ratio = Annotated[
    float | None,
    typer.Option("--seed-ratio", min=0, max=1, help="Default: the smallest that is printed."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--setting", help="names, no-names, iterative, non-iterative."),
]
Variant = Annotated[
    str | None,
    typer.Option("--variant", help="Default: the one that the printed number is about."),
]
Reference = Annotated[
    Path | None,
    typer.Option("--reference", help="Runs to compare with; default: those that ship."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Results folder; default below results/runs.")
]


def replicate_command(  # noqa: PLR0913 - typer wants every option in the signature
    method: Annotated[str, typer.Argument(help="A method, such as seu.")],
    dataset: Annotated[str, typer.Argument(help="A dataset, such as dbp15k-zh-en.")],
    seed_ratio: Ratio = None,
    setting: Setting = None,
    variant: Variant = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Splits and trainings.")] = 1,
    reference: Reference = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")] = "auto",
    out: Out = None,
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Runs a printed number again: its settings, schedule and scoring, protocol `paper`.

    While it runs, the learning curve is drawn beside that of the shipped repeats, with their range.
    It ends with what is printed, what the reference has, what you have, and the verdict. Exit
    code 0: it ended well, whatever the verdict; 1: it did not; 2: it cannot be run.
    """
    from mmea_bench.bench.planning.request import Request

    with user_errors():
        shipped = _reference(reference)
        target = _target(shipped, (method, dataset), seed_ratio, split_list(setting), variant)
        run = target.run
        request = Request(
            methods=(run.method,),
            datasets=(run.dataset,),
            seed_ratios=(run.seed_ratio,),
            variants=(run.variant,),
            repeats=repeats,
            protocol=run.protocol,
            device=device,
            out=out,
            data_root=data_root,
            cache_dir=cache_dir,
        )
        outcome = _run(request, target, shipped, quiet=as_json)
        rows = _three_numbers(outcome, target, shipped)
    if as_json:
        print_json(_as_json(target, rows, outcome))
    else:
        _show(rows, outcome, repeats)
    raise typer.Exit(outcome.summary.exit_code or int(not rows))


def _as_json(target: Target, rows: list[ThreeNumbers], outcome: RunOutcome) -> dict[str, object]:
    return {
        **vars(target.run),
        "setting": target.setting,
        "remarks": list(target.remarks),
        "rows": [vars(row) for row in rows],
        "folder": str(outcome.folder),
    }


def _reference(folder: Path | None) -> Tables | None:
    """The runs to compare with; None where the program ships none."""
    from mmea_bench.results.core.measured.folder import MEASURED_FOLDER
    from mmea_bench.results.core.store import read_tables

    chosen = folder or MEASURED_FOLDER
    if folder is None and not any((chosen / "cells").glob("*.json")):
        return None
    return read_tables(chosen)


def _target(
    shipped: Tables | None,
    run: tuple[str, str],
    seed_ratio: float | None,
    setting: list[str] | None,
    variant: str | None,
) -> Target:
    from mmea_bench.bench.cli.evidence.target import find_target
    from mmea_bench.results.core.published import read_published

    words = [word for text in setting or () for word in text.split(";")]
    return find_target(read_published(), shipped, run, seed_ratio, words, variant)


def _run(request: Request, target: Target, shipped: Tables | None, *, quiet: bool) -> RunOutcome:
    from mmea_bench.bench.api import run_request
    from mmea_bench.bench.cli.evidence.curve_display import CurveProgress
    from mmea_bench.reports.core.evidence.reference import ReferenceCurve, reference_curve

    console = stderr()
    band = ReferenceCurve((), 0) if shipped is None else reference_curve(shipped, target.run)
    if not quiet:
        for sentence in _announced(target, band, shipped):
            say(console, sentence)
    display = None if quiet else CurveProgress(console, band)
    return run_request(request, console, quiet=quiet, display=display)


def _announced(target: Target, band: ReferenceCurve, shipped: Tables | None) -> list[str]:
    from mmea_bench.reports.core.rows.select import percent

    run = target.run
    lines = [
        f"{run.method} ({run.variant}) on {run.dataset}, {percent(run.seed_ratio)} seeds, protocol "
        f"{run.protocol}: {target.setting}."
    ]
    printed = [number.text for number in target.printed[:_MOST_PRINTED]]
    n_more = len(target.printed) - len(printed)
    more = f"; and {n_more} more" if n_more else ""
    lines.append(f"Printed Hits@1: {'; '.join(printed) if printed else 'none'}{more}.")
    n = 0 if shipped is None else len(run.rows(shipped.cells))
    if not n:
        lines.append("No reference run of it ships with the program.")
    elif not band.points:
        lines.append(f"Reference: {n} run(s), without a learning curve.")
    return [*lines, *(f"Note: {remark}." for remark in target.remarks)]


def _three_numbers(
    outcome: RunOutcome, target: Target, shipped: Tables | None
) -> list[ThreeNumbers]:
    from mmea_bench.bench.cli.evidence.three_numbers import three_numbers
    from mmea_bench.results.core.published import read_published
    from mmea_bench.results.core.store import read_tables

    return three_numbers(read_tables(outcome.folder), shipped, target.run, read_published())


def _show(rows: list[ThreeNumbers], outcome: RunOutcome, repeats: int) -> None:
    if not rows and outcome.summary.signal_number is not None:
        say(stdout(), "Stopped. Run the same command again to go on.")
    elif not rows:
        say(stdout(), "It gave no number:")
        for status, count in outcome.summary.n_by_status.items():
            say(stdout(), f"  {count} {status.replace('_', ' ')}")
    else:
        headers = ["metric", "scoring", "printed", "reference", "yours", "difference", "verdict"]
        print_table(headers, [row.texts for row in rows])
        for text in dict.fromkeys(note for row in rows for note in row.notes):
            say(stdout(), text)
        verdicts = [row.verdict for row in rows]
        say(stdout(), f"Verdict on {rows[0].metric_name}: {verdicts[0]}.")
        if "close" in verdicts and repeats < 3:
            say(
                stdout(), "Fewer than three repeats are `close` at best; --repeats 3 can do better."
            )
    echo(f"Records: {outcome.folder}", err=True)

"""The verbs of ``mmea-bench data``: list, check, fetch and stats."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mmea_bench.bench.cli.checked_values import CheckedValues
from mmea_bench.bench.cli.download import agreed, fetched
from mmea_bench.bench.cli.texts import (
    AsJson,
    CacheDir,
    DataRoot,
    DatasetFiles,
    print_json,
    stdout,
)
from mmea_bench.bench.cli.user_errors import EXIT_USER_ERROR, sentences
from mmea_bench.bench.running.console import echo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmea_bench.bench.cli.data_status import DatasetCheck
    from mmea_bench.datasets.core.access.fetch import FetchOutcome
    from mmea_bench.datasets.core.model.pair import KGPair
    from mmea_bench.datasets.core.model.statistics import PairStatistics

data_app = typer.Typer(
    cls=CheckedValues,
    name="data",
    help="Find, check, download and count datasets.",
    epilog="Example: mmea-bench data check --data-root data",
    no_args_is_help=True,
)

_STYLES = {
    "complete": "green",
    "found": "green",
    "partial copy": "yellow",
    "deviates": "yellow",
    "missing": "dim",
    "unreadable": "red",
    "broken": "red",
    "failed": "red",
    "needs_browser": "yellow",
}

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Dataset names or addresses; all where none is given.", metavar="[NAMES]"),
]


@data_app.command("list", epilog="Example: mmea-bench data list --data-root data")
def list_command(
    data_root: DataRoot = None,
    dataset_files: DatasetFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Every registered dataset: found and where, missing, or broken and why."""
    from dataclasses import asdict

    from mmea_bench.bench.cli.data_status import places

    with _sentences(dataset_files):
        rows = places(_data_root(data_root))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = Table("dataset", "title", "status", "layout", "where, or what is wrong")
    for row in rows:
        place = escape(row.where or row.sentence)
        table.add_row(row.name, row.title, _styled(row.status), escape(row.layout), place)
    stdout().print(table)


@data_app.command("check", epilog="Example: mmea-bench data check fb15k-db15k --data-root data")
def check_command(
    names: Names = None,
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    dataset_files: DatasetFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Counts of the files against the published ones, each deviation by name.

    Deviations are no errors. Exit code 2 means that a dataset could not be read, or that one
    named on the command line is missing.
    """
    from mmea_bench.bench.cli.data_status import check_all, check_dataset

    with _sentences(dataset_files):
        root, cache = _data_root(data_root), _cache_dir(cache_dir)
        if names:
            checks = [check_dataset(name, root, cache) for name in names]
        else:
            checks = check_all(root, cache)
    bad = {"unreadable", "missing"} if names else {"unreadable"}
    if as_json:
        print_json([check.as_json() for check in checks])
    else:
        _print_checks(checks, on_stderr=bad)
    failed = [check for check in checks if check.status in bad]
    for check in failed:
        echo(f"Error: {check.address}: {check.sentence}", err=True)
    if failed:
        raise typer.Exit(EXIT_USER_ERROR)


@data_app.command("stats", epilog="Example: mmea-bench data stats fb15k-db15k --data-root data")
def stats_command(
    names: Names = None,
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    dataset_files: DatasetFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Size, degrees and modality coverage of each KG, counted from the files."""
    from mmea_bench.bench.cli.data_status import places
    from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
    from mmea_bench.datasets.core.model.statistics import describe

    with _sentences(dataset_files):
        root, cache = _data_root(data_root), _cache_dir(cache_dir)
        chosen = names or [
            place.name for place in places(root) if place.status in {"found", "generated"}
        ]
        described = []
        for name in chosen:
            pair = load_pair(open_dataset(name, root), cache)
            described.append((pair, describe(pair)))
    if as_json:
        print_json([_stats_json(pair, statistics) for pair, statistics in described])
    else:
        _print_stats(described)


@data_app.command(
    "convert", epilog="Example: mmea-bench data convert ./my_pair --layout openea --out copy"
)
def convert_command(
    name: Annotated[str, typer.Argument(help="Dataset name or address.")],
    layout: Annotated[str, typer.Option(help="mmkg, dbp15k, openea or nmmea.")],
    out: Annotated[Path, typer.Option(help="New folder for the files.")],
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    dataset_files: DatasetFiles = None,
) -> None:
    """Writes a dataset in another layout and reads it back; what that has no place for is lost."""
    from mmea_bench.bench.cli.data_status import convert

    with _sentences(dataset_files):
        echo(convert(name, layout, out, _data_root(data_root), _cache_dir(cache_dir)))


@data_app.command("fetch", epilog="Example: mmea-bench data fetch fb15k-db15k --data-root data")
def fetch_command(
    names: Names = None,
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    dataset_files: DatasetFiles = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download without asking.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Downloads published files, verifies them, then checks the datasets named.

    A file that is there is verified, never replaced; a cut download goes on where it stopped.
    Files on cloud drives come with instructions. The word vectors `glove-6b` are fetched only
    when named. With --json and without --yes, only the plan is printed.
    """
    from dataclasses import asdict

    from mmea_bench.bench.cli.data_status import check_dataset, published_files
    from mmea_bench.datasets.core.access.catalogue import dataset_names
    from mmea_bench.datasets.core.options import parse_address

    with _sentences(dataset_files):
        root, cache = _data_root(data_root), _cache_dir(cache_dir)
        files = published_files(names or ())
        if not yes and not agreed(files, root, as_json=as_json):
            return
        outcomes = fetched(files, root, with_progress=not as_json)
        known = set(dataset_names())
        chosen = [name for name in names or () if parse_address(name)[0] in known]
        checks = [check_dataset(name, root, cache) for name in chosen]
    if as_json:
        print_json(
            {
                "data_root": str(root),
                "files": [asdict(outcome) for outcome in outcomes],
                "checks": [check.as_json() for check in checks],
            }
        )
    else:
        _print_outcomes(outcomes)
        _print_checks(checks, on_stderr={"unreadable"})
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        echo(f"Error: {outcome.sentence}", err=True)
    unreadable = [check for check in checks if check.status == "unreadable"]
    for check in unreadable:
        echo(f"Error: {check.address}: {check.sentence}", err=True)
    if failed or unreadable:
        raise typer.Exit(EXIT_USER_ERROR)


@contextmanager
def _sentences(dataset_files: Sequence[Path] | None) -> Iterator[None]:
    """As ``sentences``, where the user's dataset files are known."""
    from mmea_bench.datasets.core.access.catalogue import own_dataset_files

    with sentences(), own_dataset_files(dataset_files or ()):
        yield


def _data_root(given: Path | None) -> Path:
    from mmea_bench.datasets.core.access.catalogue import resolve_data_root

    # The option already carries MMEA_DATA; the program reads no environment anywhere else.
    return resolve_data_root(given, {})


def _cache_dir(given: Path | None) -> Path:
    from mmea_bench.datasets.core.access.catalogue import default_cache_dir

    return given if given is not None else default_cache_dir()


def _styled(status: str) -> str:
    style = _STYLES.get(status)
    return f"[{style}]{status}[/{style}]" if style else status


def _print_checks(checks: Sequence[DatasetCheck], on_stderr: set[str]) -> None:
    """Prints every check; the sentence of some statuses goes to standard error alone."""
    console = stdout()
    for check in checks:
        version = f"  version {check.version}" if check.version else ""
        console.print(f"[bold]{escape(check.address)}[/bold]: {_styled(check.status)}{version}")
        lines = [item.sentence for item in check.deviations]
        lines += [
            f"{graph}: {count} entities stand in several links (not one-to-one)"
            for graph, count in check.repeated.items()
        ]
        lines += check.notes
        if check.sentence and check.status not in on_stderr:
            lines.append(check.sentence)
        for line in lines:
            console.print(f"  - {escape(line)}", highlight=False)
        for modality in check.simulated:
            console.print(f"  - [bold red]SIMULATED[/bold red] {modality} features: not measured")


def _print_stats(described: Sequence[tuple[KGPair, PairStatistics]]) -> None:
    from mmea_bench.datasets.core.model.statistics import PAIR, STATISTICS

    counted = [name for name in STATISTICS if name != "pairs"]
    heads = [name.replace("_", " ") for name in (*counted, "pairs")]
    sizes = Table("dataset", "KG", *heads, title="Counts of the files")
    shape = Table("dataset", "KG", "degree mean", "median", "largest", "isolated")
    shape.title = "Degrees, entities in several links, and share of entities with a modality"
    shape.add_column("in several links")
    shape.add_column("coverage", justify="left", overflow="fold")
    for table, last in ((sizes, None), (shape, -1)):
        for column in table.columns[2:last]:
            column.justify = "right"
    for pair, found in described:
        for graph, degrees in found.degrees.items():
            name = escape(pair.dataset)
            counts = [found.counts[(graph, statistic)] for statistic in counted]
            sizes.add_row(
                name, graph, *(f"{n:,}" for n in (*counts, found.counts[(PAIR, "pairs")]))
            )
            shape.add_row(
                name,
                graph,
                f"{degrees.mean:.1f}",
                f"{degrees.median:g}",
                f"{degrees.largest:,}",
                f"{degrees.n_isolated:,}",
                f"{found.n_in_several_links[graph]:,}",
                _coverage_line(pair, found, graph),
            )
    console = stdout()
    console.print(sizes)
    console.print(shape)
    _print_kinds([(pair, found) for pair, found in described if pair.task == "n-mmkg"])


def _print_kinds(described: Sequence[tuple[KGPair, PairStatistics]]) -> None:
    """Counts of N-MMKGs by the modality of nodes; nothing where there is none."""
    from mmea_bench.datasets.core.model.statistics import STATISTICS

    if not described:
        return
    table = Table("dataset", "KG", title="Nodes, relations, triples, attributes and pairs by kind")
    table.add_column("counts", justify="left", overflow="fold")
    for pair, found in described:
        for graph in (*found.degrees, "both"):
            own = {
                name.replace("_", " "): count
                for (owner, name), count in found.counts.items()
                if owner == ("" if graph == "both" else graph) and name not in STATISTICS
            }
            line = ", ".join(f"{name} {count:,}" for name, count in own.items())
            table.add_row(escape(pair.dataset), graph, line)
    stdout().print(table)


def _coverage_line(pair: KGPair, found: PairStatistics, graph: str) -> str:
    return ", ".join(
        f"{modality} {share:.1%}{' SIMULATED' if modality in pair.simulated else ''}"
        for (name, modality), share in found.coverage.items()
        if name == graph
    )


def _stats_json(pair: KGPair, statistics: PairStatistics) -> dict[str, object]:
    from dataclasses import asdict

    from mmea_bench.datasets.core.model.statistics import PAIR

    graphs = {
        graph: {
            "counts": {
                key[1]: count for key, count in statistics.counts.items() if key[0] == graph
            },
            "degrees": asdict(degrees),
            "coverage": {
                key[1]: share for key, share in statistics.coverage.items() if key[0] == graph
            },
            "n_in_several_links": statistics.n_in_several_links[graph],
        }
        for graph, degrees in statistics.degrees.items()
    }
    return {
        "dataset": pair.dataset,
        "version": pair.version,
        "simulated": list(pair.simulated),
        **{key[1]: count for key, count in statistics.counts.items() if key[0] == PAIR},
        "is_one_to_one": statistics.is_one_to_one,
        "graphs": graphs,
    }


def _print_outcomes(outcomes: Sequence[FetchOutcome]) -> None:
    table = Table("file", "status", "what happened")
    for outcome in outcomes:
        table.add_row(outcome.path, _styled(outcome.status), escape(outcome.sentence))
    stdout().print(table)

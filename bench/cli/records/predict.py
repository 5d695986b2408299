"""The verb ``predict``: a cell that is done, trained again for what was not kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmea_bench.bench.cli.texts import (
    AsJson,
    CacheDir,
    DataRoot,
    print_json,
    split_list,
    stderr,
    stdout,
    user_errors,
)
from mmea_bench.bench.planning.request import Request
from mmea_bench.bench.running.console import echo, say
from mmea_bench.results.core.predictions.limits import DEFAULT_CANDIDATES

EXIT_DIFFERS = 1


def predict_command(  # noqa: PLR0913 - typer wants every option in the signature
    folder: Annotated[Path, typer.Argument(help="Results folder of a run.")],
    key: Annotated[str, typer.Argument(help="Key of one of its cells, or its beginning.")],
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="predictions, embeddings; default predictions."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", min=1, help="Best candidates of each link.")
    ] = DEFAULT_CANDIDATES,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")] = "auto",
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Trains a cell again as its record says, and keeps its predictions or vectors.

    Exit code 0: its numbers are those of the record; 1: they differ, which the kept files say too,
    or the training did not end well; 2: it cannot be repeated.
    """
    with user_errors():
        from mmea_bench.bench.predict import TrainingEndedError, predict_cell

        request = Request(
            keep=tuple(split_list(keep) or ("predictions",)),
            top_k=top_k,
            device=device,
            data_root=data_root,
            cache_dir=cache_dir,
        )
        try:
            outcome = predict_cell(folder, key, request, stderr(), quiet=as_json)
        except TrainingEndedError as error:
            echo(f"Error: {error}", err=True)
            raise typer.Exit(EXIT_DIFFERS) from None
    if as_json:
        print_json(
            {
                "key": outcome.key,
                "equals_record": outcome.equals_record,
                "comparison": outcome.comparison,
                "files": [str(path) for path in outcome.files],
                "not_kept": outcome.not_kept,
            }
        )
    else:
        say(stdout(), outcome.comparison)
        for path in outcome.files:
            say(stdout(), str(path))
        if outcome.not_kept:
            say(stderr(), f"Warning: not all of it is kept: {outcome.not_kept}")
    raise typer.Exit(0 if outcome.equals_record else EXIT_DIFFERS)

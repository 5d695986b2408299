"""A cell that is done, trained again for what was not kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from mmea_bench.bench.api import plan_request, run_request
from mmea_bench.bench.planning.request import RUNS_FOLDER, Request
from mmea_bench.bench.planning.requests.from_record import differences, find_record, same_numbers
from mmea_bench.bench.planning.requests.kept import adopt
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore


class TrainingEndedError(UserError):
    """The training was repeated as asked, and did not end well."""


@dataclass(frozen=True)
class PredictOutcome:
    """A cell that was trained again for what was not kept of it.

    Attributes:
        key: Key of its record.
        comparison: Whether its numbers are those of the record, in a sentence.
        equals_record: Whether they are, to the last bit.
        files: What is kept now.
        not_kept: What the repetition notes, where not everything that was asked for is kept; "".
    """

    key: str
    comparison: str
    equals_record: bool
    files: list[Path]
    not_kept: str = ""


def predict_cell(
    folder: Path, key: str, request: Request, console: Console, *, quiet: bool = False
) -> PredictOutcome:
    """Trains a cell of a results folder again and keeps what the request says, beside its record.

    The record itself stays as it is.

    Args:
        folder: Results folder.
        key: Key of a cell that ended ok, or its beginning.
        request: How and where to train, and what to keep.
        console: Where progress goes.
        quiet: Whether only warnings are shown.

    Raises:
        UserError: If there is no such cell, or it cannot be repeated.
        TrainingEndedError: If its training did not end well this time.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give the results folder of a run.")
    before = find_record(key, folder, RUNS_FOLDER)
    if before.cell["status"] != "ok":
        raise UserError(
            f"Cell {before.key} ended {before.cell['status']}; only what ended ok has predictions. "
            "Run its suite again first."
        )
    with TemporaryDirectory(prefix="mmea-bench-predict-") as made:
        source = str(ResultStore(folder).path_of(before.key))
        again = replace(request, from_record=source, out=Path(made))
        _check_data(before, plan_request(again).plan.versions)
        outcome = run_request(again, console, quiet=quiet)
        (new_key, _cell), *_ = outcome.plan.cells
        after = ResultStore(Path(made)).record(new_key)
        if after is None or after.cell["status"] != "ok":
            why = "it was stopped" if after is None else after.cell["reason"]
            raise TrainingEndedError(f"The training of {before.key} gave nothing to keep: {why}.")
        equal = same_numbers(before, after)
        files = adopt(Path(made), new_key, folder, before, equals_record=equal)
    if not files:
        raise UserError(f"Nothing was kept of {before.key}: {after.cell['notes']}.")
    lacking = str(after.cell["notes"] or "") if len(files) < len(set(request.keep)) else ""
    return PredictOutcome(before.key, differences(before, after), equal, files, lacking)


def _check_data(before: Record, versions: Mapping[str, str]) -> None:
    """Refuses other data before anything is trained; where they change meanwhile, the run does.

    Args:
        before: The record.
        versions: Dataset to the content hash of its files now.
    """
    dataset, content = before.cell["dataset"], before.cell["dataset_version"]
    now = versions.get(dataset, content)
    if now != content:
        raise UserError(
            f"The files of {dataset} have changed since cell {before.key} was run (content "
            f"{content}, now {now}): its links are not these."
        )

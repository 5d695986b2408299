"""A record as a request: the very cell again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmea_bench.bench.planning.cell import further_settings
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

SOURCES_FOLDER = "method_files"
_RECORD = ".json"


def find_record(key: str, folder: Path | None, runs: Path) -> Record:
    """The record of a key, or of the file of a record.

    Args:
        key: Key, the beginning of one, or the path of a ``cells/<key>.json``.
        folder: Results folder to look in; None looks in every folder below ``runs``.
        runs: Where results folders lie by default.

    Raises:
        UserError: If there is none, or more than one cell has a key that begins so.
    """
    path = Path(key)
    if path.suffix == _RECORD:
        found = [path] if path.is_file() else []
        where = "that path"
    else:
        places = [folder] if folder is not None else sorted(runs.glob("*"))
        found = list(_files(key, places))
        where = str(folder or f"any folder below {runs}")
    keys = {file.stem for file in found}
    if not keys:
        raise UserError(
            f"There is no record '{key}' in {where}. `mmea-bench status DIR --json` and cells.csv "
            "name the keys of a results folder; DIR/cells/KEY.json is the path of a record."
        )
    if len(keys) > 1:
        raise UserError(f"Several records begin with '{key}': {', '.join(sorted(keys)[:5])}.")
    newest = max(found, key=lambda file: file.stat().st_mtime_ns)
    try:
        record = ResultStore(newest.parent.parent).record(newest.stem)
    except ResultsError as error:
        raise UserError(f"{newest}: {error}") from error
    if record is None:
        raise UserError(f"{newest} is no record that can be read.")
    if record.configuration and not _is_whole(record.configuration):
        raise UserError(f"The configuration in {newest} is damaged; nothing can be made of it.")
    return record


def _is_whole(kept: Mapping[str, Any]) -> bool:
    """Whether a configuration has the parts that are read here, each of its kind."""
    tables = ("parameters", "published", "variant", "overrides", "protocol")
    files = kept.get("method_files")
    return (
        all(isinstance(kept.get(name), dict) for name in tables)
        and isinstance(files, list)
        and all(isinstance(file, dict) and _is_file(file) for file in files)
    )


def _is_file(file: Mapping[str, Any]) -> bool:
    text = file.get("text")
    return (
        re.fullmatch(r"[\w.-]+\.py", str(file.get("name"))) is not None
        and isinstance(file.get("sha256"), str)
        and (text is None or isinstance(text, str))
    )


def _files(key: str, places: Sequence[Path]) -> Iterator[Path]:
    if not key.replace("-", "").replace("_", "").isalnum():  # no pattern, no path
        return
    for place in places:
        yield from (file for file in (place / "cells").glob(f"{key}*{_RECORD}") if file.is_file())


def suite_of(record: Record) -> dict[str, object]:
    """The table of a suite whose cells hold the one of the record.

    Raises:
        UserError: If an older version wrote the record, which does not say enough.
    """
    kept, cell = record.configuration, record.cell
    if not kept:
        raise UserError(
            f"Record {record.key} does not say how its cell was configured: it was written by an "
            "older version, or the cell ended before its method was made."
        )
    return {
        "methods": [cell["method"]],
        "datasets": [cell["dataset"]],
        "seed_ratios": [cell["seed_ratio"]],
        "split": cell["split"] or "random",
        "repeats": cell["repeat"],
        "variants": [_variant(record)],
        "set": {cell["method"]: kept["overrides"]} if kept["overrides"] else {},
        "protocol": kept["protocol"],
        **further_settings(kept),
    }


def method_files_of(record: Record, folder: Path) -> tuple[Path, ...]:
    """The user's method files as the record holds them, written below a folder.

    Raises:
        UserError: If the record names a file without its text.
    """
    files: Sequence[Mapping[str, Any]] = record.configuration.get("method_files", ())
    written = []
    for file in files:
        name, text = file["name"], file["text"]
        if text is None:
            raise UserError(f"Record {record.key} holds no copy of {name}: it was too large.")
        if hashlib.sha256(text.encode()).hexdigest() != file["sha256"]:
            raise UserError(f"The copy of {name} in record {record.key} was changed; not run.")
        target = folder / SOURCES_FOLDER / record.key / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")
        written.append(target)
    return tuple(written[:1])  # the first is the method, the others what it imports


def differences(before: Record, after: Record) -> str:
    """Whether a repeated cell has the same numbers, in a sentence."""
    if after.cell["status"] != "ok" or before.cell["status"] != "ok":
        return f"It ended {after.cell['status']}, before {before.cell['status']}."
    old, new = _numbers(before), _numbers(after)
    gaps = [abs(old[what] - new[what]) for what in old.keys() & new.keys()]
    changed = [gap for gap in gaps if gap > 0]
    if not changed and old.keys() == new.keys():
        return f"All {len(gaps)} numbers are those of the record."
    if not changed:
        return f"The {len(gaps)} numbers that both have are equal; one has others besides."
    return f"{len(changed)} of {len(gaps)} numbers differ from the record, by {max(changed):.2g}."


def same_numbers(before: Record, after: Record) -> bool:
    """Whether every number of the record came again, to the last bit."""
    old, new = _numbers(before), _numbers(after)
    return old.keys() <= new.keys() and all(old[what] == new[what] for what in old)


def _numbers(record: Record) -> dict[tuple[Any, ...], float]:
    own = ("similarity", "csls", "decoder", "candidates", "ties", "inference", "modality")
    return {
        tuple(row[name] for name in (*own, "metric", "direction")): row["value"]
        for row in record.results
        if row["metric"] != "mean_rank"
    }


def _variant(record: Record) -> str:
    """The named variant, without what it changes in brackets."""
    text, kept = str(record.cell["variant"]), record.configuration
    return text.rpartition("[")[0] if kept["overrides"] or further_settings(kept) else text

"""``<data root>/fetched.json``: checksums of files whose publisher gives none."""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.regular_files import read_regular

RECORD_NAME = "fetched.json"
LOCK_SUFFIX = ".lock"


def read_record(data_root: Path) -> dict[str, str]:
    """Path to SHA-256 of the files without a published checksum that were seen before.

    Raises:
        DataError: If the record exists but is not a JSON object of texts.
    """
    path = data_root / RECORD_NAME
    if not path.exists():
        return {}
    try:
        record = json.loads(read_regular(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        record = error
    if not isinstance(record, dict) or not all(isinstance(v, str) for v in record.values()):
        raise DataError.at(
            path, "is not a JSON object of checksums", "Delete it to record them anew."
        )
    return record


def add_to_record(data_root: Path, name: str, sha256: str) -> None:
    """Notes the checksum of one file; what other processes note meanwhile stays.

    Raises:
        DataError: If the record exists but is not a JSON object of texts.
        OSError: If it cannot be written.
    """
    path = data_root / RECORD_NAME
    with FileLock(data_root / (RECORD_NAME + LOCK_SUFFIX)):
        record = read_record(data_root) | {name: sha256}
        temporary = path.with_name(f"{RECORD_NAME}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
        temporary.replace(path)

"""How a cell was configured, in full: what its record keeps so that it can be repeated."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.machine import commit_of
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import method_sources
from mmea_bench.results.core.disk.files import read_regular

LARGEST_SOURCE_BYTES = 2**20
"""A method file beyond this is named with its hash, not copied."""


def configuration_of(job: Job, method: Method) -> dict[str, Any]:
    """What the record of a cell says of its configuration.

    ``parameters`` are the resolved ones; ``published``, ``variant`` and ``overrides`` say which of
    them were set where, each above the one before. ``method_files`` hold the user's files as they
    were, with their SHA-256, and ``repository`` the commit of the checkout that they lie in.

    Args:
        job: The cell.
        method: Its method as configured.
    """
    cell = job.cell
    published = method.published_for(cell.published_for)[1] if cell.published_for else {}
    files = _users_files(job)
    return {
        "parameters": _plain(method.params),
        "published": _plain(published),
        "variant": _plain(method.variants.get(cell.variant, {})),
        "overrides": _plain(dict(cell.overrides)),
        "partitions": cell.partitions,
        "precision": cell.precision,
        "protocol": _plain(cell.protocol),
        "device": job.device,
        "threads": job.threads,
        "method_files": [_copy(path) for path in files],
        "repository": commit_of(files[0].parent) if files else None,
    }


def _users_files(job: Job) -> list[Path]:
    """The user's own file behind the method, first, and what it imports from beside it."""
    name = job.cell.method
    own = [path for path in job.method_files if path.stem.replace("-", "_") == name]
    if not own:
        return []
    folder = own[0].resolve().parent
    sources = method_sources(name, job.method_files)
    beside = [path for path in sources if path.parent == folder and path != own[0].resolve()]
    return [own[0].resolve(), *beside]


def _copy(path: Path) -> dict[str, Any]:
    content = read_regular(path)
    is_kept = len(content) <= LARGEST_SOURCE_BYTES
    return {
        "name": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "text": content.decode("utf-8", errors="replace") if is_kept else None,
    }


def _plain(value: object) -> Any:
    """The value in the types of JSON; what it cannot hold counts by its text."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)

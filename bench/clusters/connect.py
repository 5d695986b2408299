"""Connects to the user's Dask cluster, or asks a batch system for one."""

from __future__ import annotations

import json
import logging
import math
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.results.core.disk.files import read_regular

if TYPE_CHECKING:
    from distributed import Client

CONNECT_LIMIT_S = 20.0
_DASK_LOGS = ("distributed", "distributed.client", "tornado.application")
"""What goes wrong is told in a sentence; their tracebacks would bury it."""

_KEYS = ("class", "jobs", "minimum", "maximum", "options")


@dataclass(frozen=True)
class ClusterRequest:
    """Where to run cells; at most one of the three is given.

    Attributes:
        scheduler: Address of a running scheduler, such as ``tcp://host:8786``.
        scheduler_file: File that a running scheduler has written.
        profile: TOML file whose table ``[cluster]`` names a class of dask-jobqueue.
    """

    scheduler: str | None = None
    scheduler_file: Path | None = None
    profile: Path | None = None

    def __post_init__(self) -> None:
        given = [self.scheduler, self.scheduler_file, self.profile]
        if sum(item is not None for item in given) > 1:
            raise UserError("Give one of --scheduler, --scheduler-file and --profile, not several.")

    def __bool__(self) -> bool:
        return any((self.scheduler, self.scheduler_file, self.profile))


@contextmanager
def connected(request: ClusterRequest) -> Iterator[Client]:
    """A client of the cluster; a cluster that was asked for ends with it.

    Raises:
        UserError: If Dask is not installed, or the cluster cannot be reached or made.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(
            "Clusters need the optional part of Dask: pip install 'mmea-bench[dask]'."
        ) from error
    for name in _DASK_LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if request.profile is not None:
        with _batch_cluster(request.profile) as cluster, Client(cluster) as client:
            yield client
        return
    address = request.scheduler or _address_in(request.scheduler_file)
    try:
        client = Client(address, timeout=CONNECT_LIMIT_S)
    except (OSError, ValueError, AssertionError) as error:  # the last for odd settings of Dask
        raise UserError(f"Cannot reach {address}: {error}. Is `dask scheduler` running?") from error
    try:
        yield client
    finally:
        # To one that is gone, no goodbye is awaited.
        client.close(timeout=CONNECT_LIMIT_S if client.status == "running" else 0.5)


def _address_in(scheduler_file: Path | None) -> str:
    if scheduler_file is None or not scheduler_file.is_file():
        raise UserError(f"{scheduler_file} does not exist. Is the scheduler running?")
    try:
        return str(json.loads(read_regular(scheduler_file))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{scheduler_file} is no file of a Dask scheduler; `dask scheduler --scheduler-file` "
            "writes one."
        ) from error


@contextmanager
def _batch_cluster(profile: Path) -> Iterator[Any]:
    table = read_profile(profile)
    try:
        import dask_jobqueue
    except ImportError as error:
        raise UserError(
            "Batch systems need dask-jobqueue: pip install 'mmea-bench[dask]'."
        ) from error
    name = table["class"]
    kinds = [kind for kind in dir(dask_jobqueue) if kind.endswith("Cluster")]
    if name not in kinds:
        raise UserError(f"{profile}: {unknown_name('class of dask-jobqueue', name, kinds)}")
    options = dict(table.get("options", {}))
    try:
        # Several runs may share a login node, and Dask warns of a dashboard whose port is taken.
        own = {"dashboard_address": ":0"}
        options["scheduler_options"] = own | options.get("scheduler_options", {})
        cluster = getattr(dask_jobqueue, name)(**options)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise UserError(f"{profile}: {name} cannot be made: {error}") from error
    with cluster:
        _submit_first(cluster, table.get("jobs", table.get("minimum", 1)), f"{profile}: {name}")
        if "maximum" in table:
            cluster.adapt(minimum_jobs=table.get("minimum", 1), maximum_jobs=table["maximum"])
        yield cluster


def _submit_first(cluster: Any, n_jobs: int, who: str) -> None:
    """Submits batch jobs and waits until they are taken; ``scale`` would only log a refusal."""
    from distributed.core import Status

    async def taken() -> None:
        await cluster

    for _ in range(n_jobs):
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        cluster.sync(taken)
    except (OSError, RuntimeError) as error:
        for batch_job in cluster.workers.values():
            batch_job.status = Status.failed  # else the cluster cannot be closed
        raise UserError(
            f"{who} could not submit its job: {' '.join(str(error).split())}"
        ) from error


def read_profile(path: Path) -> Mapping[str, Any]:
    """The checked table ``[cluster]`` of a profile.

    Raises:
        UserError: If the file cannot be read or a key is wrong.
    """
    try:
        table = tomllib.loads(read_regular(path).decode("utf-8")).get("cluster")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read as a profile: {error}") from error
    if not isinstance(table, dict) or not isinstance(table.get("class"), str):
        raise UserError(f'{path} needs a table [cluster] with class = "SLURMCluster" or the like.')
    for key in table:
        if key not in _KEYS:
            raise UserError(f"{path}: {unknown_name('key of [cluster]', key, list(_KEYS))}")
    if not isinstance(table.get("options", {}), dict):
        raise UserError(f"{path}: [cluster.options] must be a table.")
    numbers = {key: table[key] for key in ("jobs", "minimum", "maximum") if key in table}
    for key, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(
                f"{path}: {key} must be a number of batch jobs from 1 on, not {value!r}."
            )
    if ("jobs" in numbers) == ("maximum" in numbers):
        raise UserError(f"{path}: give either jobs (fixed) or maximum (adaptive) in [cluster].")
    if numbers.get("minimum", 1) > numbers.get("maximum", math.inf):
        raise UserError(f"{path}: minimum is above maximum in [cluster].")
    return table

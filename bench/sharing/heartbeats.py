"""Runners of a results folder as their files there tell of them; nothing here writes.

A runner on this machine lives as long as its process. Elsewhere its heart must go on beating: each
beat has a number, and its file the time of the folder's own clock, which may not be this machine's.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from mmea_bench.results.core.disk.files import read_regular

FOLDER = "claims"
HEARTBEAT_S = 5.0
STALE_AFTER_S = 60.0
_CLOCKS_DIFFER_S = 300.0
_NAME = re.compile(r"[0-9A-Za-z]{1,40}")
_MOST_BYTES = 4096
_PREFIX, _SUFFIX = "runner-", ".json"


@dataclass(frozen=True)
class Heart:
    """What a runner's file says.

    Attributes:
        name: The runner's name in claims.
        host: Its machine; empty where the file does not say it.
        pid: Number of its process there.
        started: When that process started, by the machine's clock.
        beat: Number of its last heartbeat; None where the file is gone or torn.
        at: Time of that beat by the folder's clock; None where the file is gone.
    """

    name: str
    host: str = ""
    pid: int = 0
    started: float = 0.0
    beat: int | None = None
    at: float | None = None

    @property
    def is_here(self) -> bool:
        """Whether it says that it runs on this machine."""
        return self.host == platform.node()

    @property
    def is_dead_here(self) -> bool:
        """Whether it was on this machine and its process is gone."""
        return self.is_here and not _is_running(self.pid, self.started)

    def is_old(self, now: float, after_s: float) -> bool:
        """Whether its last beat is too long ago, or from a time when a clock went wrong.

        Args:
            now: Time of the folder's clock.
            after_s: What is too long.
        """
        return self.at is None or abs(now - self.at) > after_s


@dataclass(frozen=True)
class Runner:
    """A process that runs cells of a folder.

    Attributes:
        name: Its name in claims.
        host: Its machine.
        pid: Its number there.
        since: When it started.
    """

    name: str
    host: str
    pid: int
    since: datetime

    @classmethod
    def of(cls, heart: Heart) -> Runner:
        """The runner whose heart it is."""
        since = datetime.fromtimestamp(heart.started, UTC)
        return cls(heart.name, heart.host or "another machine", heart.pid, since)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def heart_path(claims: Path, runner: str) -> Path:
    """File of a runner in the folder of claims."""
    return claims / f"{_PREFIX}{runner}{_SUFFIX}"


def read_heart(claims: Path, runner: str) -> Heart:
    """The heart of a runner; one without a beat if its file is gone or torn."""
    path = heart_path(claims, runner)
    at = None
    try:
        at = path.stat().st_mtime
        about = json.loads(read_regular(path, _MOST_BYTES))
        started = float(about["started"])
        datetime.fromtimestamp(started, UTC)  # a time at all
        return Heart(runner, str(about["host"]), int(about["pid"]), started, int(about["beat"]), at)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Heart(runner, at=at)


def hearts_of(claims: Path) -> Iterator[Heart]:
    """The hearts of all runners that have a file in the folder of claims."""
    for path in sorted(claims.glob(f"{_PREFIX}*{_SUFFIX}")):
        name = path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        if _NAME.fullmatch(name):
            yield read_heart(claims, name)


def owner_of(path: Path) -> str | None:
    """Name of the runner in a claim's file; None without a claim, empty if it names nobody."""
    try:
        name = read_regular(path, _MOST_BYTES).decode("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ""
    return name if _NAME.fullmatch(name) else ""


def runners_of(folder: Path) -> list[Runner]:
    """The living runners of a results folder, oldest first, as far as looking once can tell."""
    claims = folder / FOLDER
    newest = _newest(folder)
    found = []
    for heart in hearts_of(claims):
        # What is newer in the folder was written later by its own clock, and shows how late it is
        # there at least; this machine's clock may be off by a while.
        is_old = heart.is_old(newest, STALE_AFTER_S)
        is_old = is_old or heart.is_old(time.time(), _CLOCKS_DIFFER_S)
        if heart.beat is not None and not (heart.is_dead_here if heart.is_here else is_old):
            found.append(Runner.of(heart))
    return sorted(found, key=lambda runner: (runner.since, runner.host, runner.pid))


def claims_of(folder: Path) -> dict[str, Runner]:
    """Cells that living runners have claimed, with their runners."""
    living = {runner.name: runner for runner in runners_of(folder)}
    owners = {path.name: owner_of(path) for path in claim_files(folder / FOLDER)} if living else {}
    return {key: living[owner] for key, owner in owners.items() if owner in living}


def claim_files(claims: Path) -> list[Path]:
    """The files of claims; those of runners have a suffix, drafts begin with a dot."""
    return sorted(path for path in claims.glob("[!.]*") if not path.suffix)


def _newest(folder: Path) -> float:
    """Time of the newest file among claims and records; what comes from the future is none."""
    times = [0.0]
    for path in (*(folder / FOLDER).glob("*"), *(folder / "cells").glob("*")):
        try:
            times.append(path.lstat().st_mtime)
        except OSError:
            continue  # gone between listing and asking
    limit = time.time() + _CLOCKS_DIFFER_S
    return max(at for at in times if at < limit)


def _is_running(pid: int, started: float) -> bool:
    """Whether the process lives; its number may have been given to another one since."""
    try:
        return bool(psutil.Process(pid).create_time() == started)
    except (psutil.Error, ValueError, OverflowError):
        return False

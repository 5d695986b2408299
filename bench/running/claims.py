"""Several runners on one results folder: each cell is run by one of them.

A runner claims a cell before it starts it. Claims are files made by linking, which succeeds for one
runner only, on network file systems too. A claim counts as long as its runner lives: on the same
machine that is asked of the system, elsewhere its heartbeat must go on. Heartbeats are counted, not
dated, so that clocks may differ and jump.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import psutil

from mmea_bench.results.core.files import write_atomic

FOLDER = "claims"
HEARTBEAT_S = 5.0
STALE_AFTER_S = 60.0


@dataclass
class _Seen:
    """The last heartbeat of another runner, and when this one first saw it."""

    beat: object
    since: float


class Claims:
    """This runner's claims on the cells of a results folder.

    Args:
        folder: Results folder.
        heartbeat_s: Seconds between two heartbeats.
        stale_after_s: Seconds without a heartbeat after which a runner counts as gone.
    """

    def __init__(
        self,
        folder: Path,
        heartbeat_s: float = HEARTBEAT_S,
        stale_after_s: float = STALE_AFTER_S,
    ) -> None:
        self._folder = folder / FOLDER
        self._id = uuid.uuid4().hex[:12]
        self._heartbeat_s, self._stale_after_s = heartbeat_s, stale_after_s
        self._seen: dict[str, _Seen] = {}
        self._mine: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Claims:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_beat(0)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives all claims back."""
        self._ends.set()
        self._thread.join()
        for key in list(self._mine):
            self.release(key)
        with suppress(OSError):
            self._runner_path(self._id).unlink()
        with suppress(OSError):
            self._folder.rmdir()  # succeeds for the last runner

    def take(self, key: str) -> bool:
        """Claims a cell; False if a living runner has it.

        Raises:
            OSError: If the folder cannot be written.
        """
        owner = self._owner(key)
        if owner == self._id:
            return True
        if owner is not None:
            if self._lives(owner):
                return False
            self._remove(key)
        return self._link(key)

    def is_free(self, key: str) -> bool:
        """Whether nobody has the cell, or a runner that is gone."""
        owner = self._owner(key)
        return owner is None or owner == self._id or not self._lives(owner)

    def release(self, key: str) -> None:
        """Gives a claim back; one that was taken over by another runner stays."""
        self._mine.discard(key)
        if self._owner(key) == self._id:
            with suppress(OSError):
                self._path(key).unlink()

    def _link(self, key: str) -> bool:
        draft = self._folder / f".{key}.{self._id}"
        try:
            draft.write_text(self._id, encoding="ascii")
            os.link(draft, self._path(key))
        except FileExistsError:
            return False  # another runner was faster
        finally:
            draft.unlink(missing_ok=True)
        self._mine.add(key)
        return True

    def _remove(self, key: str) -> None:
        """Takes a dead runner's claim away; of several that try, one gets to."""
        grave = self._folder / f".{key}.{self._id}.dead"
        with suppress(OSError):
            self._path(key).replace(grave)
            grave.unlink(missing_ok=True)

    def _owner(self, key: str) -> str | None:
        try:
            return self._path(key).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None

    def _lives(self, runner: str) -> bool:
        about = _read(self._runner_path(runner))
        if about.get("host") == platform.node() and not _is_running(about):
            return False
        beat = about.get("beat")
        now = time.monotonic()
        seen = self._seen.get(runner)
        if seen is None or seen.beat != beat:
            self._seen[runner] = seen = _Seen(beat, now)
        return now - seen.since < self._stale_after_s

    def _beat(self) -> None:
        number = 0
        while not self._ends.wait(self._heartbeat_s):
            number += 1
            with suppress(OSError):  # a full disk must not end the run; the next beat may succeed
                self._write_beat(number)

    def _write_beat(self, number: int) -> None:
        started = psutil.Process().create_time()
        about = {"host": platform.node(), "pid": os.getpid(), "started": started, "beat": number}
        write_atomic(self._runner_path(self._id), json.dumps(about).encode())

    def _runner_path(self, runner: str) -> Path:
        return self._folder / f"runner-{runner}.json"

    def _path(self, key: str) -> Path:
        return self._folder / key


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

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def runners_of(folder: Path) -> list[Runner]:
    """The runners of a folder, oldest first; one on another machine counts until it is gone."""
    found = []
    for path in (folder / FOLDER).glob("runner-*.json"):
        about = _read(path)
        is_here = about.get("host") == platform.node()
        if not is_here or _is_running(about):
            with suppress(KeyError, ValueError, OverflowError, OSError):
                since = datetime.fromtimestamp(float(str(about["started"])), UTC)
                name = path.stem.removeprefix("runner-")
                found.append(Runner(name, str(about["host"]), int(str(about["pid"])), since))
    return sorted(found, key=lambda runner: (runner.since, runner.host, runner.pid))


def claims_of(folder: Path) -> dict[str, Runner]:
    """Cells that living runners have claimed, with their runners."""
    living = {runner.name: runner for runner in runners_of(folder)}
    found = {}
    for path in (folder / FOLDER).glob("[!.]*"):
        with suppress(OSError, UnicodeDecodeError):
            owner = living.get(path.read_text(encoding="ascii"))
            if owner is not None:
                found[path.name] = owner
    return found


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_running(about: dict[str, object]) -> bool:
    """Whether the process lives; its number may have been given to another one since."""
    try:
        return bool(psutil.Process(int(str(about["pid"]))).create_time() == about["started"])
    except (psutil.Error, KeyError, ValueError):
        return False

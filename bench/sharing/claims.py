"""Several runners on one results folder: each cell is run by one of them.

A runner claims a cell before it starts it. Claims are files made by linking, which succeeds for one
runner only, on network file systems too. A claim counts as long as its runner lives: on the same
machine that is asked of the system, elsewhere its heartbeat must go on. Heartbeats are counted, so
that clocks may differ and jump; one that is old by the folder's own clock is waited for less long.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil

from mmea_bench.bench.sharing.advances import Advances, advances_path
from mmea_bench.bench.sharing.heartbeats import (
    FOLDER,
    HEARTBEAT_S,
    STALE_AFTER_S,
    Heart,
    Runner,
    claim_files,
    heart_path,
    hearts_of,
    owner_of,
    read_heart,
)
from mmea_bench.results.core.disk.files import make_folder, read_regular, write_atomic

_BEATS_TO_WAIT = 2.4
_LOOK_S = 0.2

PlannedCells = Mapping[str, str]
"""What a runner is about to have in the folder: a cell's identity as text -> its key."""


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
        planned: What this runner is about to have in the folder; others ask for it.
    """

    def __init__(
        self,
        folder: Path,
        heartbeat_s: float = HEARTBEAT_S,
        stale_after_s: float = STALE_AFTER_S,
        planned: PlannedCells | None = None,
    ) -> None:
        self._folder = folder / FOLDER
        self._id = uuid.uuid4().hex[:12]
        self._heartbeat_s, self._stale_after_s = heartbeat_s, stale_after_s
        self._planned = planned
        self._advances = Advances()
        self._seen: dict[str, _Seen] = {}
        self._mine: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Claims:
        make_folder(self._folder)
        if self._planned is not None:
            # Before the heart, so that whoever sees the runner knows its plan.
            write_atomic(self._plan_path(self._id), json.dumps(dict(self._planned)).encode())
        self._write_beat(0)
        self._thread.start()
        self._bury()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives all claims back."""
        self._bury()
        self._ends.set()
        self._thread.join()
        for key in list(self._mine):
            self.release(key)
        self._remove_runner(self._id)
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
            if self._judged(owner) != "gone":
                return False
            self._remove(key, owner)
        return self._link(key)

    def is_free(self, key: str) -> bool:
        """Whether nobody has the cell, or a runner that is gone."""
        owner = self._owner(key)
        return owner is None or owner == self._id or self._judged(owner) == "gone"

    def release(self, key: str) -> None:
        """Gives a claim back; one that was taken over by another runner stays."""
        self._mine.discard(key)
        self._advances.forget(key)
        if self._owner(key) == self._id:
            with suppress(OSError):
                self._path(key).unlink()

    def tell(self, key: str, epoch: int, n_epochs: int) -> None:
        """Lets others know how far a cell of this runner is, with the next heartbeat; any thread.

        Args:
            key: The cell.
            epoch: Epochs trained.
            n_epochs: Epochs in all.
        """
        self._advances.note(key, epoch, n_epochs)

    def other(self, concerns: Callable[[PlannedCells | None], bool]) -> Runner | None:
        """The oldest other living runner whose plan is of concern; None if there is none.

        A runner whose heartbeat looks old is waited for, until it beats or counts as gone.

        Args:
            concerns: Asked with the plan of each, None for one that does not tell it.
        """
        while True:
            of_concern = {
                heart: self._judged(heart.name)
                for heart in hearts_of(self._folder)
                if heart.name != self._id and concerns(self._plan_of(heart.name))
            }
            if "unsure" not in of_concern.values():
                living = [heart for heart, verdict in of_concern.items() if verdict == "lives"]
                oldest = min(living, key=lambda heart: heart.started, default=None)
                return None if oldest is None else Runner.of(oldest)
            time.sleep(_LOOK_S)

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

    def _remove(self, key: str, owner: str) -> None:
        """Takes a dead runner's claim away; of several that try, one gets to."""
        grave = self._folder / f".{key}.{self._id}.dead"
        with suppress(OSError):
            self._path(key).replace(grave)
            if owner_of(grave) != owner:  # another runner has taken it over just now
                with suppress(FileExistsError):
                    os.link(grave, self._path(key))
            _discard(grave)

    def _owner(self, key: str) -> str | None:
        return owner_of(self._path(key))

    def _judged(self, runner: str) -> Literal["lives", "unsure", "gone"]:
        """Whether another runner lives; unsure while one that looks dead may still beat."""
        heart = read_heart(self._folder, runner)
        if heart.is_dead_here:
            return "gone"
        now = time.monotonic()
        seen = self._seen.get(runner)
        if seen is None or seen.beat != heart.beat:
            is_first = seen is None
            self._seen[runner] = seen = _Seen(heart.beat, now)
            if not is_first:
                return "lives"
        # Old by the clock that dated our own last beat. A clock that jumped makes a living runner
        # look old, too, so it gets the time of two beats to show that it is one.
        looks_old = heart.is_old(self._folder_time(), self._stale_after_s)
        allowed = _BEATS_TO_WAIT * self._heartbeat_s if looks_old else self._stale_after_s
        if now - seen.since >= min(allowed, self._stale_after_s):
            return "gone"
        return "unsure" if looks_old else "lives"

    def _folder_time(self) -> float:
        """The folder's own clock at our last beat."""
        at = read_heart(self._folder, self._id).at
        return time.time() if at is None else at

    def _bury(self) -> None:
        """Removes what runners that are gone have left, and looks at the others a first time."""
        gone = {heart.name for heart in hearts_of(self._folder) if self._is_gone(heart)}
        for path in claim_files(self._folder):
            owner = owner_of(path)
            if owner is not None and (owner in gone or self._is_gone(Heart(owner))):
                self._remove(path.name, owner)
        for runner in gone:
            self._remove_runner(runner)
        now = self._folder_time()
        for draft in self._folder.glob(".*"):
            with suppress(OSError):
                if now - draft.lstat().st_mtime > self._stale_after_s:
                    _discard(draft)

    def _is_gone(self, heart: Heart) -> bool:
        return heart.name != self._id and self._judged(heart.name) == "gone"

    def _remove_runner(self, runner: str) -> None:
        of_runner = (advances_path(self._folder, runner), self._plan_path(runner))
        for path in (*of_runner, heart_path(self._folder, runner)):
            with suppress(OSError):
                _discard(path)

    def _beat(self) -> None:
        number = 0
        while not self._ends.wait(self._heartbeat_s):
            number += 1
            with suppress(OSError):  # a full disk must not end the run; the next beat may succeed
                self._write_beat(number)
                news = self._advances.news()
                if news is not None:
                    write_atomic(advances_path(self._folder, self._id), news)

    def _write_beat(self, number: int) -> None:
        started = psutil.Process().create_time()
        about = {"host": platform.node(), "pid": os.getpid(), "started": started, "beat": number}
        write_atomic(heart_path(self._folder, self._id), json.dumps(about).encode())

    def _plan_of(self, runner: str) -> PlannedCells | None:
        try:
            found = json.loads(read_regular(self._plan_path(runner)))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _plan_path(self, runner: str) -> Path:
        return self._folder / f"plan-{runner}.json"

    def _path(self, key: str) -> Path:
        return self._folder / key


def _discard(path: Path) -> None:
    """Removes a file, or the empty folder that somebody has left in its place."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)

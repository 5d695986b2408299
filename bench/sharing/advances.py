"""How far the cells of a runner are, in a file beside its heart, for whoever looks at the folder.

Nothing but what people are shown depends on it: a file that is damaged, or of a runner that tells
nothing, leaves its cells without epochs.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mmea_bench.bench.sharing.heartbeats import FOLDER, runners_of
from mmea_bench.results.core.disk.files import read_regular


@dataclass(frozen=True)
class Advance:
    """How far a training is.

    Attributes:
        epoch: Epochs trained, those before an interruption included.
        n_epochs: Epochs in all.
        seconds: Since its first epoch in this process ended.
        seconds_left: Expected by the epochs since then; None before there is a second one.
    """

    epoch: int
    n_epochs: int
    seconds: float
    seconds_left: float | None

    @property
    def whole_seconds(self) -> float | None:
        """Expected of all epochs together; None before there is a second one."""
        if self.seconds_left is None or self.epoch >= self.n_epochs:
            return None
        return self.seconds_left * self.n_epochs / (self.n_epochs - self.epoch)

    @classmethod
    def read(cls, found: object) -> Advance | None:
        """What a file says of a cell; None where that makes no sense."""
        if not isinstance(found, Mapping):
            return None
        try:
            epoch, n_epochs = (int(found[name]) for name in ("epoch", "n_epochs"))
            seconds, left = float(found["seconds"]), found["seconds_left"]
            left = None if left is None else float(left)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        numbers = (seconds, 0.0 if left is None else left)
        makes_sense = 0 <= epoch <= n_epochs and all(0 <= n < math.inf for n in numbers)
        return cls(epoch, n_epochs, seconds, left) if makes_sense else None


class Advances:
    """How far the cells of this runner are; any thread.

    Args:
        clock: Seconds of a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._first: dict[str, tuple[int, float]] = {}
        self._now: dict[str, Advance] = {}
        self._is_new = False

    def note(self, key: str, epoch: int, n_epochs: int) -> None:
        """A cell has trained that many epochs."""
        now = self._clock()
        with self._lock:
            before = self._now.get(key)
            if before is None or epoch < before.epoch:  # it has begun, or begun again
                self._first[key] = epoch, now
            first_epoch, since = self._first[key]
            left, done = None, epoch - first_epoch
            if done > 0:
                left = (now - since) / done * max(0, n_epochs - epoch)
            self._now[key] = Advance(epoch, n_epochs, now - since, left)
            self._is_new = True

    def of(self, key: str) -> Advance | None:
        """How far a cell is; None before its first epoch."""
        with self._lock:
            return self._now.get(key)

    def forget(self, key: str) -> None:
        """The cell runs no more."""
        with self._lock:
            self._first.pop(key, None)
            self._is_new = self._now.pop(key, None) is not None or self._is_new

    def news(self) -> bytes | None:
        """What the file is to say; None if that has not changed since the last call."""
        with self._lock:
            if not self._is_new:
                return None
            self._is_new = False
            return json.dumps({key: asdict(each) for key, each in self._now.items()}).encode()


def advances_path(claims: Path, runner: str) -> Path:
    """File of a runner in the folder of claims."""
    return claims / f"advances-{runner}.json"


def advances_of(folder: Path) -> dict[str, Advance]:
    """How far the cells are that living runners of a results folder tell of, by key."""
    told = (
        pair
        for runner in runners_of(folder)
        for pair in _told(advances_path(folder / FOLDER, runner.name))
    )
    return dict(told)


def _told(path: Path) -> Iterator[tuple[str, Advance]]:
    try:
        found = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return
    for key, each in found.items() if isinstance(found, Mapping) else ():
        advance = Advance.read(each)
        if advance is not None:
            yield str(key), advance

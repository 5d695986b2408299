"""Keeps the state of a cell's training on disk, so that a killed cell goes on where it was.

Reading a state runs nothing that it says, but it decides what the training goes on with. It lies in
the user's own cache, never in a results folder that may come from somebody else. It is read only if
its folder, the signing key and the file itself are this user's alone, and its signature was made
with that key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mmea_bench.bench.cells.private_files import (
    PRIVATE_FILE,
    NotPrivateError,
    check_private_folder,
    make_private_folder,
    read_private,
)
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.machine import library_versions
from mmea_bench.bench.scoring.monitor import Curve, CurveMonitor
from mmea_bench.bench.scoring.sealed import sealed
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import TrainingStates
from mmea_bench.results.core.disk.files import write_atomic

FOLDER = "trainings"
_KEY_FILE = "signing-key"
_KEY_BYTES = 32
_DIGEST_BYTES = hashlib.sha256().digest_size
_WORTH_KEEPING_S = 5.0
_OLD_AFTER_S = 30 * 24 * 3600.0


class CellStates(TrainingStates):
    """States of one cell's trainings: one file for each training loop that it runs.

    Args:
        cache_dir: The user's cache.
        key: Key of the cell; other code, data or parameters have another one.
        every_s: Seconds between two states.
        curve: Reads the points and seconds of the learning curve, or sets them where some are
            given; they are kept too.
        static: Objects that every attempt has anyway, by name.
        device: Where the training runs: a state of another device is not gone on with. Its vectors
            lie there, and its numbers would be of both.
    """

    def __init__(
        self,
        cache_dir: Path,
        key: str,
        every_s: float,
        curve: Callable[[Curve | None], Curve],
        static: Mapping[str, object],
        device: str = "cpu",
    ) -> None:
        self.static, self._device = static, device
        self.notes: list[str] = []
        self._root, self._folder = cache_dir / FOLDER, cache_dir / FOLDER / key
        self._curve, self._every_s = curve, every_s
        self._number = 0
        self._gave_up = self._stop_asked = False
        self._refusal = ""
        self._begun = self._last_kept = time.monotonic()
        self.seconds_before = max(
            (header["seconds"] for header, _ in map(self._read, self._files())), default=0.0
        )

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since a state was kept."""
        return not self._gave_up and time.monotonic() - self._last_kept >= self._every_s

    @property
    def is_stop_asked(self) -> bool:
        """Whether the cell was asked to end."""
        return self._stop_asked

    def ask_to_stop(self) -> bool:
        """Asks the training to keep its state and end; called by a signal's handler.

        Returns:
            False if there is nothing worth keeping, so that the process may end at once.
        """
        in_training = self._number > 0 and not self._gave_up
        self._stop_asked = in_training and time.monotonic() - self._last_kept >= min(
            _WORTH_KEEPING_S, self._every_s
        )
        return self._stop_asked

    def next_training(self) -> tuple[int, bytes] | None:
        """Epoch and state that an earlier attempt kept of the training loop that begins now."""
        self._number += 1
        path = self._path(self._number)
        header, snapshot = self._read(path)
        if not snapshot:
            if self._refusal:
                self.notes = [f"a kept state was not read: {self._refusal}"]
            return None
        self._curve((header["points"], header["monitor_seconds"]))
        self.notes = [f"continued after epoch {header['epoch']} of an interrupted attempt"]
        return header["epoch"], snapshot

    def keep(self, epoch: int, snapshot: bytes) -> None:
        """Writes a state; a full disk is noted and the training goes on without."""
        points, monitor_seconds = self._curve(None)
        header = {
            "epoch": epoch,
            "seconds": self.seconds_before + time.monotonic() - self._begun,
            "points": points,
            "monitor_seconds": monitor_seconds,
            "versions": library_versions(),
            "device": self._device,
        }
        content = json.dumps(header).encode() + b"\n" + snapshot
        try:
            make_private_folder(self._root)
            make_private_folder(self._folder)
            signed = hmac.digest(self._own_key(), content, "sha256") + content
            write_atomic(self._path(self._number), signed, PRIVATE_FILE)
        except NotPrivateError as error:
            self.give_up(f"{error.filename}: {error.strerror}")
        except OSError as error:
            self.give_up(f"{error.strerror or error}")
        self._last_kept = time.monotonic()

    def give_up(self, why: str) -> None:
        """Notes that this cell cannot be continued if it is interrupted."""
        self._gave_up = True
        self.notes.append(f"its state could not be kept for a restart: {why}")

    def begin_anew(self, why: str) -> None:
        """Removes what was kept of this cell; its training is set up again."""
        _remove(self._root, self._folder)
        self._number, self.notes = 0, [f"a kept state was not used: {why}"]
        self._curve(([], 0.0))
        self.seconds_before = 0.0

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("training-*"))

    def _path(self, number: int) -> Path:
        return self._folder / f"training-{number}"

    def _read(self, path: Path) -> tuple[dict[str, Any], bytes]:
        """Header and state; an empty state if there is none, or none to be trusted."""
        nothing: tuple[dict[str, Any], bytes] = ({"seconds": 0.0}, b"")
        try:
            check_private_folder(self._root)
            check_private_folder(self._folder)
            signed, key = read_private(path), read_private(self._root / _KEY_FILE)
        except FileNotFoundError:
            return nothing
        except OSError as error:
            self._refusal = f"{error.filename or path}: {error.strerror}"
            return nothing
        content = signed[_DIGEST_BYTES:]
        if not hmac.compare_digest(signed[:_DIGEST_BYTES], hmac.digest(key, content, "sha256")):
            return nothing
        head, _, snapshot = content.partition(b"\n")
        header = json.loads(head)
        if header["versions"] != library_versions():
            return nothing
        device = header.get("device", self._device)  # of before it was noted
        if device != self._device:
            self._refusal = f"it was made on {device}, and this attempt runs on {self._device}"
            return nothing
        return header, snapshot

    def _own_key(self) -> bytes:
        """This user's signing key, made at the first use."""
        path = self._root / _KEY_FILE
        try:
            return read_private(path)
        except FileNotFoundError:
            pass
        except NotPrivateError:
            path.unlink()  # what was signed with it may be anybody's
        # Complete before it has its name, so that no other process reads half a key.
        fresh = self._root / f".{_KEY_FILE}.{os.getpid()}"
        write_atomic(fresh, secrets.token_bytes(_KEY_BYTES), PRIVATE_FILE)
        try:
            with suppress(FileExistsError):  # another process was faster
                os.link(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        return read_private(path)


def cell_states(
    job: Job, monitor: CurveMonitor, view: TrainView, device: torch.device
) -> CellStates | None:
    """What keeps the state of a job's trainings; None where the job keeps none."""
    if job.states_every_s is None or job.cache_dir is None:
        return None
    static = {"view": view, "source": view.source, "target": view.target}
    # A training holds its states; the curve of the test links must not hang on them.
    curve = sealed(monitor.curve)
    key, every_s, words = job.key, job.states_every_s, device_words(device)
    return CellStates(job.cache_dir, key, every_s, curve, static, words)


def device_words(device: torch.device) -> str:
    """Where a cell trains, with how many GPUs it sees: a state holds a generator for each."""
    n_gpus = torch.cuda.device_count()
    if device.type == "cuda":
        return f"GPU {device.index or 0} of {n_gpus}"
    return f"cpu beside {n_gpus} GPUs" if n_gpus else "cpu"


def points_of(states: CellStates) -> Callable[[], Sequence[Mapping[str, Any]]]:
    """What gives the points of a cell's learning curve so far, for the display outside."""
    curve = states._curve
    return lambda: curve(None)[0]


def forget_cell(cache_dir: Path, key: str) -> None:
    """Removes what was kept of a cell that has its record."""
    _remove(cache_dir / FOLDER, cache_dir / FOLDER / key)


def remove_old(cache_dir: Path) -> None:
    """Removes states that nobody came back for within a month."""
    limit = time.time() - _OLD_AFTER_S
    for folder in (cache_dir / FOLDER).glob("*/"):
        with suppress(OSError):
            if folder.lstat().st_mtime < limit:
                _remove(cache_dir / FOLDER, folder)


def _remove(root: Path, folder: Path) -> None:
    """Removes a cell's folder, but nothing where a link or another user's folder stands."""
    with suppress(OSError):
        check_private_folder(root)
        shutil.rmtree(folder)

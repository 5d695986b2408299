"""Downloads of published files: https only, resumed after a cut, named only once verified.

A file is written to ``<name>.part`` and gets its name after its SHA-256 was compared. Where the
publisher gives no checksum, the first download (or the file that the user put there) is recorded
in ``<data root>/fetched.json`` and every later look must match the record.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
from filelock import FileLock, Timeout

from mmea_bench.datasets.core.access.base import RemoteFile
from mmea_bench.datasets.core.access.fetch_record import (
    LOCK_SUFFIX,
    add_to_record,
    read_record,
)
from mmea_bench.datasets.core.errors import DataError

_ATTEMPTS = 3
_TIMEOUT_S = (15.0, 60.0)  # to connect, between two pieces
_PIECE_BYTES = 1 << 16  # what a cut connection can lose of its last piece
_LARGEST_DOWNLOAD_BYTES = 2**36
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FIRST_BYTES = {".h5": b"\x89HDF\r\n\x1a\n", ".zip": b"PK"}

Progress = Callable[[str, int, int], None]
"""Called with (path, bytes so far, bytes in all or 0 where unknown)."""

FetchStatus = Literal["present", "downloaded", "needs_browser", "failed"]


@dataclass(frozen=True)
class FetchOutcome:
    """What became of one published file.

    Attributes:
        path: Path below the data root, with forward slashes.
        status: ``present`` (was there and is right), ``downloaded``, ``needs_browser`` (the
            sentence holds the instructions) or ``failed``.
        sentence: What happened and, where something is left to do, what.
        sha256: Hex digest of the file; empty where there is none.
    """

    path: str
    status: FetchStatus
    sentence: str
    sha256: str = ""


@dataclass(frozen=True)
class _Target:
    """One remote file with the places that its download touches."""

    remote: RemoteFile
    data_root: Path

    @property
    def path(self) -> Path:
        return self.data_root / self.remote.path

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    @property
    def part(self) -> Path:
        return self.beside(".part")

    @property
    def lock(self) -> Path:
        return self.beside(".part" + LOCK_SUFFIX)

    @property
    def validator(self) -> Path:
        return self.beside(".part.etag")


def fetch_files(
    files: Iterable[RemoteFile],
    data_root: Path,
    *,
    progress: Progress | None = None,
    allow_loopback_http: bool = False,
) -> list[FetchOutcome]:
    """What became of each file; one that fails does not stop the others.

    Args:
        files: Published files; a path that stands twice is fetched once.
        data_root: Folder below which the files belong; created where needed.
        progress: Told about every piece that arrived.
        allow_loopback_http: Accept plain http from this machine itself; for tests.
    """
    once = {remote.path: remote for remote in files}
    outcomes = []
    for remote in once.values():
        try:
            outcome = fetch_file(
                remote, data_root, progress=progress, allow_loopback_http=allow_loopback_http
            )
        except DataError as error:
            outcome = FetchOutcome(remote.path, "failed", str(error))
        except OSError as error:
            sentence = f"{data_root / remote.path}: {error.strerror or error}."
            outcome = FetchOutcome(remote.path, "failed", sentence)
        outcomes.append(outcome)
    return outcomes


def fetch_file(
    remote: RemoteFile,
    data_root: Path,
    *,
    progress: Progress | None = None,
    allow_loopback_http: bool = False,
) -> FetchOutcome:
    """What became of one published file; a file that is there is verified, never replaced.

    Args:
        remote: The file; without an address its instructions are returned until it is there.
        data_root: Folder below which the file belongs; created where needed.
        progress: Told about every piece that arrived.
        allow_loopback_http: Accept plain http from this machine itself; for tests.

    Raises:
        DataError: If the address is refused or cannot be read, or the hash is wrong; the text
            names the file, the expected and the found hash, and where the bytes are kept.
    """
    target = _Target(remote, data_root)
    if os.path.lexists(target.path):
        return _verify_present(target)
    if not remote.url:
        text = f"{target.path}: {remote.instructions or 'no address is published'}"
        return FetchOutcome(remote.path, "needs_browser", text)
    _check_address(remote.url, allow_loopback_http=allow_loopback_http)
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.path.exists():  # another process was faster
            return _verify_present(target)
        _download(target, progress, allow_loopback_http=allow_loopback_http)
        return _accept(target)


@contextmanager
def _alone(target: _Target) -> Iterator[None]:
    """Two processes that write one ``.part`` file would mix their bytes."""
    lock = FileLock(target.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        problem = "another process is fetching it"
        raise DataError.at(
            target.path, problem, "Wait for it, then run the same command."
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            target.lock.unlink(missing_ok=True)
        lock.release()


def _verify_present(target: _Target) -> FetchOutcome:
    remote = target.remote
    if not target.path.is_file():
        problem = "is a folder, a pipe or a dead link, not the file"
        raise DataError.at(target.path, problem, "Move it away and run the same command again.")
    _refuse_web_page(target, target.path)
    found = _sha256(target.path)
    expected, origin = _expected_hash(target)
    if expected and found != expected:
        raise DataError.at(
            target.path,
            f"has SHA-256 {found}, the {origin} one is {expected}",
            "The file was left as it is; move it away and run the same command again.",
        )
    if expected:
        return FetchOutcome(remote.path, "present", f"present, {origin} checksum verified", found)
    add_to_record(target.data_root, remote.path, found)
    sentence = f"present, no published checksum: recorded {found}"
    return FetchOutcome(remote.path, "present", sentence, found)


def _accept(target: _Target) -> FetchOutcome:
    """Gives the finished download its name, or keeps it aside and says why."""
    remote = target.remote
    _refuse_web_page(target, target.part)
    found = _sha256(target.part)
    expected, origin = _expected_hash(target)
    if expected and found != expected:
        raise _rejected(target, f"has SHA-256 {found}, the {origin} one is {expected}")
    target.part.replace(target.path)
    target.validator.unlink(missing_ok=True)
    if expected:
        sentence = f"downloaded, {origin} checksum verified"
    else:
        add_to_record(target.data_root, remote.path, found)
        sentence = f"downloaded, no published checksum: recorded {found}"
    return FetchOutcome(remote.path, "downloaded", sentence, found)


def _rejected(target: _Target, problem: str) -> DataError:
    aside = target.beside(".rejected")
    target.part.replace(aside)
    target.validator.unlink(missing_ok=True)
    remedy = f"The download was kept as {aside.name} and is not used; run the same command again."
    if target.remote.instructions:
        remedy += f" {target.remote.instructions}"
    return DataError.at(target.path, f"the download from {target.remote.url} {problem}", remedy)


def _refuse_web_page(target: _Target, path: Path) -> None:
    """Cloud drives answer a dead link with a web page and status 200; without a hash it passes."""
    with path.open("rb") as stream:
        head = stream.read(512)
    magic = _FIRST_BYTES.get(target.path.suffix, b"")
    is_page = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if not is_page and head.startswith(magic):
        return
    problem = "is a web page, not the file" if is_page else f"is no {target.path.suffix} file"
    if path == target.part:
        raise _rejected(target, problem)
    raise DataError.at(path, problem, "Move it away and run the same command again.")


def _expected_hash(target: _Target) -> tuple[str, str]:
    if target.remote.sha256:
        return target.remote.sha256, "known"
    return read_record(target.data_root).get(target.remote.path, ""), "recorded"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_address(url: str, *, allow_loopback_http: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    if allow_loopback_http and parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise DataError.at(url, "is not an https address", "Report this entry; it was not opened.")


def _download(target: _Target, progress: Progress | None, *, allow_loopback_http: bool) -> None:
    """Fills the ``.part`` file, going on where an earlier attempt was cut."""
    problem = ""
    for _ in range(_ATTEMPTS):
        try:
            _download_once(target, progress, allow_loopback_http=allow_loopback_http)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            problem = type(error).__name__
        except requests.exceptions.InvalidSchema:
            problem = "leads to an address that is not https"
            raise DataError.at(
                target.remote.url, problem, "Report this entry; it was not opened."
            ) from None
        except requests.RequestException as error:
            raise _unreadable(target, str(error)) from None
        else:
            return
    raise _unreadable(target, f"the connection failed {_ATTEMPTS} times ({problem})")


def _unreadable(target: _Target, problem: str) -> DataError:
    remedy = "Check the network and run the same command again"
    remedy += "; it goes on where it stopped." if target.part.exists() else "."
    if target.remote.instructions:
        remedy += f" {target.remote.instructions}"
    return DataError.at(target.path, f"cannot download {target.remote.url}: {problem}", remedy)


def _download_once(
    target: _Target, progress: Progress | None, *, allow_loopback_http: bool
) -> None:
    headers = _resume_headers(target)
    with (
        _session(allow_loopback_http=allow_loopback_http) as session,
        session.get(target.remote.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer,
    ):
        for step in (*answer.history, answer):
            _check_address(step.url, allow_loopback_http=allow_loopback_http)
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            # Nothing is left to send: the part is complete or of another file. Starting anew is
            # right in both cases.
            target.part.unlink(missing_ok=True)
            raise requests.ConnectionError("the partial file did not fit")
        if answer.status_code >= 400:
            raise _unreadable(target, f"the server answered {answer.status_code} {answer.reason}")
        start = _start(target, answer)
        length = answer.headers.get("Content-Length", "")
        total = start + (int(length) if length.isdecimal() and len(length) < 16 else 0)
        _store_validator(target, answer)
        n_done = _write_pieces(target, answer, start, lambda n: _tell(progress, target, n, total))
    if total > start and n_done != total:
        raise requests.ConnectionError(f"{n_done} of {total} bytes arrived")


def _session(*, allow_loopback_http: bool) -> requests.Session:
    """A session that cannot speak plain http, so that no redirect can make it."""
    session = requests.Session()
    plain = session.adapters.pop("http://")
    if allow_loopback_http:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            session.mount(f"http://{host}:", plain)
    return session


def _resume_headers(target: _Target) -> dict[str, str]:
    """Request headers; a part without checksum or validator may belong to an older file."""
    headers = {"Accept-Encoding": "identity"}
    n_done = target.part.stat().st_size if target.part.exists() else 0
    etag = target.validator.read_text("utf-8") if target.validator.exists() else ""
    if n_done and (target.remote.sha256 or etag):
        headers["Range"] = f"bytes={n_done}-"
        if etag:
            headers["If-Range"] = etag
    return headers


def _start(target: _Target, answer: requests.Response) -> int:
    """Byte at which the answer continues the part; 0 if the server sends the whole file."""
    if answer.status_code != requests.codes.partial_content:
        return 0
    n_done = target.part.stat().st_size
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {n_done}-"):
        target.part.unlink()
        raise requests.ConnectionError("the server sent another range")
    return n_done


def _store_validator(target: _Target, answer: requests.Response) -> None:
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        target.validator.write_text(etag, "utf-8")
    elif answer.status_code != requests.codes.partial_content:
        target.validator.unlink(missing_ok=True)


def _write_pieces(
    target: _Target, answer: requests.Response, start: int, tell: Callable[[int], None]
) -> int:
    n_done = start
    most = target.remote.n_bytes or _LARGEST_DOWNLOAD_BYTES
    with target.part.open("ab" if start else "wb") as stream:
        for piece in answer.iter_content(_PIECE_BYTES):
            stream.write(piece)
            n_done += len(piece)
            if n_done > most:  # a server that never ends would fill the disk
                target.part.unlink()
                raise _unreadable(target, f"more than the {most} bytes expected arrived")
            tell(n_done)
    return n_done


def _tell(progress: Progress | None, target: _Target, n_done: int, total: int) -> None:
    if progress is not None:
        progress(target.remote.path, n_done, total)

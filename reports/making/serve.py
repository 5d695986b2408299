"""Shows the report of a results folder in the browser of this machine, and follows its run."""

from __future__ import annotations

import hashlib
import json
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.stated.completeness import state_sentence
from mmea_bench.reports.formats.web import (
    WEB_PAGE,
    PageState,
    content_security_policy,
    render_page,
    web_section,
)
from mmea_bench.reports.making.build import crash_sentence, make_reports, time_of_making, with_names
from mmea_bench.reports.making.catalogue import catalogue_entries
from mmea_bench.results.core.disk.files import read_regular
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.predictions.schema import PREDICTIONS_FOLDER
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import Tables, tables_of

LOOPBACK = "127.0.0.1"

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_TABLE_FILES = ("results.csv", "cells.csv", "curves.csv")
_FILE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".csv": "text/plain; charset=utf-8",
        ".md": "text/plain; charset=utf-8",
        ".tex": "text/plain; charset=utf-8",
        ".pdf": "application/pdf",
        ".png": "image/png",
        ".svg": "image/svg+xml",
    }
)
# A picture opened by itself needs its own styles; everything else in a file stays inert.
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_NEWS_POLICY = "default-src 'none'"
# Making the page must not take more than a sixth of the time from the run that it shows.
_REST_FACTOR = 5.0
_SHORTEST_REST_S = 1.0

Progress = Callable[[], Mapping[str, object]]


class LivePage:
    """The page of a results folder, made again when its records change.

    Args:
        folder: Results folder; it may be empty, and it may vanish.
        options: Choices of the reader.
        progress: How far the run is, ready for JSON; ``running`` is None where nothing runs.
    """

    def __init__(self, folder: Path, options: ReportOptions, progress: Progress) -> None:
        self.folder = folder
        self._options = options
        self._progress = progress
        self._lock = threading.Lock()
        self._text: str | None = None
        self._signature = ""
        self._next_build = 0.0

    def text(self) -> str:
        """The page, made now if it is out of date."""
        with self._lock:
            signature = self._wanted()
            if self._text is None or signature != self._signature:
                started = time.monotonic()
                self._text = self._build(signature)
                self._signature = signature
                taken = time.monotonic() - started
                rest = max(_SHORTEST_REST_S, _REST_FACTOR * taken)
                self._next_build = time.monotonic() + rest
            return self._text

    def news(self) -> dict[str, object]:
        """Whether there is a newer page, how the folder is, and how far the run."""
        folder = "gone" if not self.folder.is_dir() else "full"
        if folder == "full" and not _result_files(self.folder):
            folder = "empty"
        return {"page": self._wanted(), "folder": folder, **self._progress()}

    def _wanted(self) -> str:
        """Signature of the page to show; the old one while the page rests or the folder is gone."""
        if self._text is None:
            return folder_signature(self.folder)
        if not self.folder.is_dir():
            return self._signature
        if time.monotonic() < self._next_build and self._progress()["running"] is not None:
            return self._signature
        return folder_signature(self.folder)

    def _build(self, signature: str) -> str:
        try:
            tables = read_tables(self.folder)
        except ResultsError:
            tables = tables_of([])
        except OSError as error:
            tables = tables_of([], [f"{self.folder} cannot be read: {error.strerror}."])
        try:
            return self._render(tables, signature)
        except ResultsError as error:  # of names that cannot be printed: the reader mends it
            return self._render(tables_of([], [str(error)]), signature)
        except Exception as error:  # whatever a record holds, the page stays and says it
            broken = tables_of([], [crash_sentence("formats/web", error)])
            return self._render(broken, signature)

    def _render(self, tables: Tables, signature: str) -> str:
        names = sorted(path.name for path in report_files(self.folder))
        entries = [] if tables.cells.empty else catalogue_entries()
        options = self._options if tables.cells.empty else with_names(self._options, self.folder)
        made, skipped = make_reports(
            entries,
            tables,
            options,
            lambda document: web_section(document, _files_of(document, names)),
        )
        state = PageState(
            time_of_making(),
            is_live=True,
            signature=signature,
            remarks=(state_sentence(tables),) if entries else (),
        )
        return render_page(tables, made, skipped, options, state)


def folder_signature(folder: Path) -> str:
    """Changes whenever a record, or what was kept beside it, comes, goes or changes."""
    digest = hashlib.sha256()
    kept = sorted((folder / PREDICTIONS_FOLDER).glob("*.parquet"))
    for path, status in (*_result_files(folder), *_with_status(kept)):
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _result_files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Records, or else tables, as ``read_tables`` takes them."""
    records = sorted((folder / "cells").glob("*.json"))
    return _with_status(records or [folder / name for name in _TABLE_FILES])


def _with_status(paths: Sequence[Path]) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in paths:
        try:
            found.append((path, path.stat()))
        except OSError:
            continue  # gone between listing and asking
    return found


def report_files(folder: Path) -> Iterator[Path]:
    """The files that may be shown: those of a report, in the folder itself, no links."""
    report = folder / "report"
    if report.is_symlink() or not report.is_dir():
        return
    with os.scandir(report) as entries:
        for entry in entries:
            is_ours = Path(entry.name).suffix in _FILE_TYPES and not entry.name.startswith(".")
            if is_ours and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _files_of(document: Document, names: list[str]) -> list[str]:
    """Files that an earlier report wrote for a document."""
    return [name for name in names if name.startswith((f"{document.name}.", f"{document.name}_"))]


class PageServer(socketserver.ThreadingTCPServer):
    """Serves a live page to this machine alone.

    Args:
        page: The page.
        port: 0 for any free one.

    Raises:
        ReportError: If the port cannot be had.
    """

    allow_reuse_address = sys.platform != "win32"
    daemon_threads = True

    def __init__(self, page: LivePage, port: int = 0) -> None:
        self.page = page
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise ReportError(
                f"Port {port} cannot be had ({error.strerror}). Give another --port, or leave it "
                "out for any free one."
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing when a browser hangs up, as it does at every reload."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "mmea-bench"
    sys_version = ""
    timeout = 30.0

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "This page can only be read.")

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_POST  # noqa: N815

    def _answer(self) -> None:
        # Another site may point its own name at this machine; its pages must not read ours.
        if not _is_local(self.headers.get("Host", "")):
            self._refuse(HTTPStatus.FORBIDDEN, "Only for this machine: use the printed address.")
            return
        name = unquote(urlsplit(self.path).path)
        if name in ("/", f"/{WEB_PAGE}"):
            policy = f"{content_security_policy(is_live=True)}; frame-ancestors 'none'"
            self._send(self.server.page.text().encode("utf-8"), "text/html; charset=utf-8", policy)
        elif name == "/state":
            news = json.dumps(self.server.page.news()).encode("utf-8")
            self._send(news, "application/json", _NEWS_POLICY)
        else:
            self._send_file(name.removeprefix("/"))

    def _send_file(self, name: str) -> None:
        # Compared with what is there, so that no path can lead out of the folder.
        for path in report_files(self.server.page.folder):
            if path.name == name:
                self._send(read_regular(path), _FILE_TYPES[path.suffix], _FILE_POLICY, path.suffix)
                return
        self._refuse(HTTPStatus.NOT_FOUND, "There is no such file in this report.")

    def _send(
        self,
        content: bytes,
        content_type: str,
        policy: str,
        suffix: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        if suffix == ".pdf":
            # Browsers do not show a PDF under such a policy.
            self.send_header("Content-Disposition", "attachment")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        content = f"{sentence}\n".encode()
        self._send(content, "text/plain; charset=utf-8", _NEWS_POLICY, status=status)

    def log_message(self, *_: object) -> None:
        """Prints nothing: the terminal belongs to the address and to Ctrl-C."""


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine, with or without a port."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name = host
    return name.lower() in _LOCAL_NAMES

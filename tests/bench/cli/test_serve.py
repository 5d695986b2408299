"""The server of the web page: what it answers, whom, and how it follows a run."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.serve import make_server
from mmea_bench.bench.running.run_state import note_plan, run_state
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats import web
from mmea_bench.reports.formats.web_data import page_data
from mmea_bench.reports.making import serve
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import Tables
from tests.reports.reports_factory import make_record

ROOT = Path(__file__).resolve().parents[3]


class _Client:
    """Asks a running server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, path: str, method: str = "GET", host: str | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{self.port}" if host is None else host)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def state(self) -> dict[str, Any]:
        status, _, text = self.ask("/state")
        assert status == 200
        found = json.loads(text)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    ResultStore(run).write(make_record("mclea", 0.4))
    report = run / "report"
    report.mkdir()
    (report / "main_table.csv").write_text("method\nmclea\n", encoding="utf-8")
    (report / "learning_curves.svg").write_text("<svg/>", encoding="utf-8")
    (report / "paper.pdf").write_bytes(b"%PDF")
    (tmp_path / "secret.csv").write_text("secret", encoding="utf-8")
    (report / "link.csv").symlink_to(tmp_path / "secret.csv")
    return run


@pytest.fixture
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Client]:
    monkeypatch.setattr(serve, "_SHORTEST_REST_S", 0.0)
    monkeypatch.setattr(serve, "_REST_FACTOR", 0.0)
    # Figures and tests of significance are not the matter here.
    entries = serve.catalogue_entries(["main_table"])
    monkeypatch.setattr(serve, "catalogue_entries", lambda: entries)
    server = make_server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield _Client(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def test_page_comes_with_strict_headers(client: _Client) -> None:
    status, headers, text = client.ask("/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "mclea" in text
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert client.ask("/index.html")[0] == 200


def test_server_listens_on_loopback_alone(folder: Path) -> None:
    with make_server(folder) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.address == f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
def test_names_of_this_machine_are_answered(client: _Client, host: str) -> None:
    assert client.ask("/state", host=host.format(port=client.port))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:x", "[::2]"],
)
def test_other_hosts_are_refused(client: _Client, host: str) -> None:
    for path in ("/", "/state", "/main_table.csv"):
        status, _, text = client.ask(path, host=host)
        assert status == 403
        assert "mclea" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(client: _Client, method: str) -> None:
    status, headers, _ = client.ask("/", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_head_gives_headers_alone(client: _Client) -> None:
    status, headers, text = client.ask("/main_table.csv", "HEAD")
    assert (status, headers["Content-Length"], text) == (200, "13", "")


def test_files_of_the_report_are_given_as_inert_content(client: _Client) -> None:
    status, headers, text = client.ask("/main_table.csv")
    assert (status, text) == (200, "method\nmclea\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    status, headers, _ = client.ask("/learning_curves.svg")
    assert headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert client.ask("/paper.pdf")[1]["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.csv",
        "/..%2fsecret.csv",
        "/%2e%2e/secret.csv",
        "/report/main_table.csv",
        "/cells/",
        "/cells.csv",
        "/link.csv",
        "/../../../../../../etc/passwd",
        "//etc/passwd",
        "/report",
        "/.lock",
        "/main_table.csv/",
        "/main_table.csv%00",
        "/nothing.csv",
    ],
)
def test_nothing_else_can_be_read(client: _Client, path: str) -> None:
    status, _, text = client.ask(path)
    assert status == 404
    assert text == "There is no such file in this report.\n"


def test_a_linked_report_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main_table.csv").write_text("secret")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report").symlink_to(tmp_path / "other")
    assert list(serve.report_files(tmp_path / "run")) == []


def test_a_new_record_changes_state_and_page(client: _Client, folder: Path) -> None:
    first = client.ask("/")[2]
    before = client.state()
    assert f'"signature":"{before["page"]}"' in first
    ResultStore(folder).write(make_record("newcomer", 0.5))
    after = client.state()
    assert after["page"] != before["page"]
    second = client.ask("/")[2]
    assert "newcomer" in second
    assert f'"signature":"{after["page"]}"' in second


def _page(folder: Path, running: object = None) -> serve.LivePage:
    return serve.LivePage(folder, serve.ReportOptions(), lambda: {"running": running})


def test_the_page_rests_while_a_run_needs_the_processor(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "catalogue_entries", list)
    monkeypatch.setattr(serve, "_SHORTEST_REST_S", 60.0)
    page = _page(folder, running={})
    first = page.text()
    signature = page.news()["page"]
    ResultStore(folder).write(make_record("newcomer", 0.5))
    assert page.text() == first
    assert page.news()["page"] == signature
    idle = _page(folder)
    idle.text()
    ResultStore(folder).write(make_record("late", 0.5))
    assert "late" in idle.text()


def test_a_page_that_breaks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(tables: Tables, options: ReportOptions) -> dict[str, object]:
        if len(tables.results):
            raise ValueError("three")
        return page_data(tables, options)

    monkeypatch.setattr(web, "page_data", broken)
    ResultStore(tmp_path).write(make_record("a", 0.3))
    assert "reports/formats/web.py failed: ValueError" in _page(tmp_path).text()


def test_names_that_cannot_be_printed_are_a_sentence_on_the_page(tmp_path: Path) -> None:
    for method in ("eva", "mclea"):
        ResultStore(tmp_path).write(make_record(method, 0.4))
    options = serve.ReportOptions(names=Names({"eva": "Ours", "mclea": "Ours"}))
    text = serve.LivePage(tmp_path, options, lambda: {"running": None}).text()
    assert "would both be printed as" in text
    assert "This is a defect" not in text


def test_an_empty_folder_is_a_friendly_page(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert page.news()["folder"] == "empty"
    assert "No cells yet" in page.text()


def test_a_folder_that_vanishes_keeps_its_last_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "catalogue_entries", list)
    monkeypatch.setattr(serve, "_SHORTEST_REST_S", 0.0)
    run = tmp_path / "run"
    ResultStore(run).write(make_record("mclea", 0.4))
    page = _page(run)
    text = page.text()
    run.rename(tmp_path / "elsewhere")
    assert page.news()["folder"] == "gone"
    assert page.text() == text
    late = _page(run)
    assert "No cells yet" in late.text()


def test_progress_counts_the_cells_of_the_plan(client: _Client, folder: Path) -> None:
    assert (client.state()["nEnded"], client.state()["nPlanned"]) == (1, None)
    key = make_record("mclea", 0.4).key
    note_plan(folder, [key, "b", "c"], [key])
    assert (client.state()["nEnded"], client.state()["nPlanned"]) == (1, 3)
    (folder / "cells" / "b.json").write_text("{}")
    assert client.state()["nEnded"] == 2


def test_a_cell_that_runs_again_has_not_ended(folder: Path) -> None:
    key = make_record("mclea", 0.4).key
    os.utime(folder / "cells" / f"{key}.json", (1.0, 1.0))
    note_plan(folder, [key], [])
    assert run_state(folder).n_ended == 0


def test_a_folder_runs_while_a_runner_claims_its_cells(client: _Client, folder: Path) -> None:
    assert client.state()["running"] is None
    with Claims(folder):
        assert str(client.state()["running"]["since"]).endswith(" UTC")
    assert client.state()["running"] is None


@pytest.mark.parametrize("content", ["", "[]", '{"keys": 3}', '{"keys": [[]], "done": []}'])
def test_a_broken_plan_is_no_plan(folder: Path, content: str) -> None:
    (folder / "plan.json").write_text(content)
    assert (run_state(folder).n_ended, run_state(folder).n_planned) == (1, None)


def test_wrong_requests_are_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "nowhere")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "is not a folder" in done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(app, ["serve", str(tmp_path), "--port", port])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert f"Port {port} cannot be had" in done.stderr


def test_ctrl_c_ends_quietly(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "serve", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
    assert found is not None
    assert _Client(int(found.group(1))).state()["folder"] == "full"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_help_ends_with_an_example() -> None:
    done = CliRunner().invoke(app, ["serve", "--help"])
    assert "Example: mmea-bench serve" in done.stdout.strip().splitlines()[-1]

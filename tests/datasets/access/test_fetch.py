"""Downloads against a small server on this machine: resume, checksums, browser-only sources."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from mmea_bench.datasets.core.access.base import RemoteFile
from mmea_bench.datasets.core.access.fetch import fetch_file, fetch_files
from mmea_bench.datasets.core.access.fetch_record import RECORD_NAME, add_to_record, read_record
from mmea_bench.datasets.core.access.published_files import PUBLISHED
from mmea_bench.datasets.core.errors import DataError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shelf:
    """What the server offers, and what it was asked."""

    files: dict[str, bytes]
    etags: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    ignore_ranges: bool = False
    ranges: list[str] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, str] = field(default_factory=dict)
    address: str = ""


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    offered = Shelf({"/file.txt": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in offered.redirects:
                self.send_response(302)
                self.send_header("Location", offered.redirects[self.path])
                self.end_headers()
                return
            if self.path not in offered.files:
                self.send_error(404)
                return
            self._send(offered.files[self.path])

        def _send(self, content: bytes) -> None:
            asked = self.headers.get("Range", "")
            offered.ranges.append(asked)
            etag = offered.etags.get(self.path, "")
            if_range = self.headers.get("If-Range", "")
            start = 0
            if asked and not offered.ignore_ranges and if_range in {"", etag}:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            length = offered.lengths.get(self.path, str(len(content) - start))
            self.send_header("Content-Length", length)
            if start:
                whole = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", whole)
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            limit = offered.cut_after.pop(0) if offered.cut_after else len(content)
            self.wfile.write(content[start : start + limit])
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    offered.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield offered
    server.shutdown()
    server.server_close()
    thread.join()


def remote(shelf: Shelf, sha256: str = DIGEST, name: str = "file.txt", **more: str) -> RemoteFile:
    return RemoteFile(f"set/{name}", f"{shelf.address}/{name}", sha256, **more)


def fetch(file: RemoteFile, root: Path):
    return fetch_file(file, root, allow_loopback_http=True)


def test_a_verified_download_gets_its_name_and_tells_its_progress(shelf: Shelf, tmp_path: Path):
    seen: list[tuple[str, int, int]] = []
    outcome = fetch_file(
        remote(shelf),
        tmp_path,
        progress=lambda *told: seen.append(told),
        allow_loopback_http=True,
    )
    assert outcome.status == "downloaded"
    assert outcome.sha256 == DIGEST
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT
    assert seen[-1] == ("set/file.txt", len(CONTENT), len(CONTENT))
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["file.txt"]
    assert not (tmp_path / RECORD_NAME).exists()


def test_a_cut_connection_is_resumed_in_the_same_call(shelf: Shelf, tmp_path: Path):
    shelf.cut_after = [300_000, 400_000]
    assert fetch(remote(shelf), tmp_path).status == "downloaded"
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT
    assert shelf.ranges[0] == ""
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in shelf.ranges[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_a_download_given_up_is_resumed_by_the_next_call(shelf: Shelf, tmp_path: Path):
    shelf.cut_after = [100_000] * 3
    with pytest.raises(DataError, match="goes on where it stopped"):
        fetch(remote(shelf), tmp_path)
    part = tmp_path / "set/file.txt.part"
    done = part.stat().st_size
    assert 0 < done < len(CONTENT)
    assert not (tmp_path / "set/file.txt").exists()
    assert fetch(remote(shelf), tmp_path).status == "downloaded"
    assert shelf.ranges[-1] == f"bytes={done}-"
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT
    assert not part.exists()


def test_a_server_without_ranges_sends_the_file_again(shelf: Shelf, tmp_path: Path):
    shelf.ignore_ranges = True
    shelf.cut_after = [300_000]
    assert fetch(remote(shelf), tmp_path).status == "downloaded"
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT


def test_a_complete_part_is_fetched_anew(shelf: Shelf, tmp_path: Path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/file.txt.part").write_bytes(CONTENT)
    assert fetch(remote(shelf), tmp_path).status == "downloaded"
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT


def test_without_checksum_a_part_of_an_older_file_is_not_continued(shelf: Shelf, tmp_path: Path):
    shelf.etags = {"/file.txt": '"one"'}
    shelf.cut_after = [300_000] * 3
    with pytest.raises(DataError):
        fetch(remote(shelf, ""), tmp_path)
    shelf.files["/file.txt"] = b"x" * len(CONTENT)
    shelf.etags = {"/file.txt": '"two"'}
    assert fetch(remote(shelf, ""), tmp_path).status == "downloaded"
    assert set((tmp_path / "set/file.txt").read_bytes()) == {ord("x")}


def test_without_checksum_and_validator_a_part_is_not_continued(shelf: Shelf, tmp_path: Path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/file.txt.part").write_bytes(b"something else")
    fetch(remote(shelf, ""), tmp_path)
    assert shelf.ranges == [""]
    assert (tmp_path / "set/file.txt").read_bytes() == CONTENT


def test_a_wrong_download_is_kept_aside_and_named(shelf: Shelf, tmp_path: Path):
    with pytest.raises(DataError) as caught:
        fetch(remote(shelf, "0" * 64), tmp_path)
    text = str(caught.value)
    assert str(tmp_path / "set/file.txt") in text
    assert DIGEST in text
    assert "0" * 64 in text
    assert "file.txt.rejected" in text
    assert (tmp_path / "set/file.txt.rejected").read_bytes() == CONTENT
    assert not (tmp_path / "set/file.txt").exists()


def test_a_present_file_is_verified_without_a_request(shelf: Shelf, tmp_path: Path):
    fetch(remote(shelf), tmp_path)
    outcome = fetch(remote(shelf), tmp_path)
    assert outcome.status == "present"
    assert outcome.sentence == "present, known checksum verified"
    assert len(shelf.ranges) == 1


def test_a_present_file_with_a_wrong_hash_is_left_as_it_is(shelf: Shelf, tmp_path: Path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/file.txt").write_bytes(b"mine")
    with pytest.raises(DataError) as caught:
        fetch(remote(shelf), tmp_path)
    assert hashlib.sha256(b"mine").hexdigest() in str(caught.value)
    assert DIGEST in str(caught.value)
    assert (tmp_path / "set/file.txt").read_bytes() == b"mine"
    assert shelf.ranges == []


def test_a_file_without_checksum_is_recorded_and_must_match_next_time(shelf: Shelf, tmp_path: Path):
    outcome = fetch(remote(shelf, ""), tmp_path)
    assert outcome.sentence == f"downloaded, no published checksum: recorded {DIGEST}"
    assert json.loads((tmp_path / RECORD_NAME).read_text()) == {"set/file.txt": DIGEST}
    again = fetch(remote(shelf, ""), tmp_path)
    assert again.sentence == "present, recorded checksum verified"
    (tmp_path / "set/file.txt").unlink()
    shelf.files["/file.txt"] = b"changed"
    with pytest.raises(DataError, match=f"the recorded one is {DIGEST}"):
        fetch(remote(shelf, ""), tmp_path)
    (tmp_path / "set/file.txt").write_bytes(b"edited")
    with pytest.raises(DataError, match="left as it is"):
        fetch(remote(shelf, ""), tmp_path)


def test_a_missing_file_is_a_sentence_and_stops_no_other(shelf: Shelf, tmp_path: Path):
    gone = remote(shelf, "", name="gone.txt")
    outcomes = fetch_files([gone, remote(shelf), gone], tmp_path, allow_loopback_http=True)
    assert [outcome.status for outcome in outcomes] == ["failed", "downloaded"]
    assert "the server answered 404" in outcomes[0].sentence
    assert gone.url in outcomes[0].sentence
    assert "\n" not in outcomes[0].sentence


def test_a_web_page_is_not_taken_for_the_file(shelf: Shelf, tmp_path: Path):
    shelf.files = {"/a.h5": b"<!DOCTYPE html><title>Sign in</title>", "/b.h5": b"no hdf5"}
    for name, problem in (("a.h5", "is a web page"), ("b.h5", "is no .h5 file")):
        with pytest.raises(DataError, match=problem) as caught:
            fetch(remote(shelf, "", name=name, instructions="Use a browser."), tmp_path)
        assert "Use a browser." in str(caught.value)
        assert not (tmp_path / "set" / name).exists()
    assert read_record(tmp_path) == {}


def test_a_browser_source_prints_instructions_then_verifies(tmp_path: Path):
    by_browser = RemoteFile("set/features.bin", sha256=DIGEST, instructions="Open the drive.")
    outcome = fetch_file(by_browser, tmp_path)
    assert outcome.status == "needs_browser"
    assert outcome.sentence == f"{tmp_path / 'set/features.bin'}: Open the drive."
    (tmp_path / "set").mkdir()
    (tmp_path / "set/features.bin").write_bytes(CONTENT)
    assert fetch_file(by_browser, tmp_path).sentence == "present, known checksum verified"
    (tmp_path / "set/features.bin").write_bytes(b"<html>log in</html>")
    with pytest.raises(DataError, match="is a web page"):
        fetch_file(by_browser, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://example.org/f", "http://127.0.0.1/f", "ftp://example.org/f", "file:///f"]
)
def test_only_https_is_opened(url: str, tmp_path: Path):
    with pytest.raises(DataError, match="is not an https address"):
        fetch_file(RemoteFile("set/f", url), tmp_path)


@pytest.mark.parametrize(
    "target", ["http://example.org/target", "http://127.0.0.1.example.org:80/f", "ftp://h/f"]
)
def test_a_redirect_away_from_https_is_refused_before_anything_is_sent(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
):
    shelf.redirects["/away"] = target
    opened: list[str] = []
    looked_up = socket.getaddrinfo

    def watched(host: str, *rest: object, **more: object) -> object:
        opened.append(host)
        return looked_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    with pytest.raises(DataError, match="/away: leads to an address that is not https"):
        fetch(remote(shelf, "", name="away"), tmp_path)
    assert set(opened) == {"127.0.0.1"}


def test_more_bytes_than_published_are_not_kept(shelf: Shelf, tmp_path: Path):
    file = RemoteFile("set/file.txt", f"{shelf.address}/file.txt", DIGEST, n_bytes=1000)
    with pytest.raises(DataError, match="more than the 1000 bytes expected arrived"):
        fetch(file, tmp_path)
    assert list((tmp_path / "set").iterdir()) == []


@pytest.mark.parametrize("length", ["abc", "-5", "9" * 30])
def test_an_odd_content_length_is_no_traceback(shelf: Shelf, tmp_path: Path, length: str):
    shelf.lengths["/file.txt"] = length
    (outcome,) = fetch_files([remote(shelf)], tmp_path, allow_loopback_http=True)
    assert outcome.status == "downloaded" or "cannot download" in outcome.sentence


def test_a_broken_record_is_a_sentence(shelf: Shelf, tmp_path: Path):
    (tmp_path / RECORD_NAME).write_text("[]")
    with pytest.raises(DataError, match="not a JSON object of checksums"):
        fetch(remote(shelf, ""), tmp_path)
    (tmp_path / RECORD_NAME).write_text("{")
    with pytest.raises(DataError, match="not a JSON object of checksums"):
        read_record(tmp_path)


def test_the_table_of_published_files_is_well_formed():
    assert {"fb15k-db15k", "fb15k-yago15k", "dbp15k-zh-en"} <= set(PUBLISHED)
    by_path: dict[str, RemoteFile] = {}
    for file in (file for files in PUBLISHED.values() for file in files):
        assert file.url.startswith("https://") or (not file.url and file.instructions)
        assert len(file.sha256) in {0, 64}
        assert bool(file.sha256) == bool(file.n_bytes)
        assert not Path(file.path).is_absolute()
        assert ".." not in Path(file.path).parts
        assert by_path.setdefault(file.path, file) == file


def test_a_file_that_another_process_fetches_is_left_to_it(shelf: Shelf, tmp_path: Path):
    """Both would write one part file; the checksum of such a mixture was once recorded."""
    file = remote(shelf)
    (tmp_path / "set").mkdir()
    with FileLock(tmp_path / "set" / "file.txt.part.lock"):
        (outcome,) = fetch_files([file], tmp_path, allow_loopback_http=True)
    assert outcome.status == "failed"
    assert "another process is fetching it" in outcome.sentence
    assert shelf.ranges == []
    assert fetch(file, tmp_path).status == "downloaded"
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["file.txt"]


def test_what_others_record_at_the_same_time_stays(tmp_path: Path):
    names = [f"set/{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: add_to_record(tmp_path, name, DIGEST), names))
    assert read_record(tmp_path) == dict.fromkeys(names, DIGEST)


def test_a_folder_in_the_place_of_the_file_is_a_sentence(shelf: Shelf, tmp_path: Path):
    (tmp_path / "set" / "file.txt").mkdir(parents=True)
    (outcome,) = fetch_files([remote(shelf)], tmp_path, allow_loopback_http=True)
    assert outcome.status == "failed"
    assert "is a folder" in outcome.sentence


def test_a_data_root_that_is_a_file_is_a_sentence(shelf: Shelf, tmp_path: Path):
    (tmp_path / "set").write_text("")
    (outcome,) = fetch_files([remote(shelf)], tmp_path, allow_loopback_http=True)
    assert (outcome.status, str(tmp_path) in outcome.sentence) == ("failed", True)

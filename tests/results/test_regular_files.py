"""Files of others are opened by one function, which neither waits nor reads for ever."""

from __future__ import annotations

import ast
import errno
import os
import stat
from pathlib import Path

import pytest

from mmea_bench.results.core.disk.files import (
    UnusableFileError,
    make_folder,
    open_regular,
    read_regular,
    write_atomic,
)
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.merge import merge_folders
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.cases.odd_files import ODD_FILES
from tests.results.results_factory import make_record

ROOT = Path(__file__).resolve().parents[2]
OWN_FILES = {
    # What these open is the program's own: its code, its templates, what it has just made.
    *("bench/planning/keys.py", "reports/core/papers/layout_files.py", "reports/formats/web.py"),
    *("reports/formats/tex_pdf.py", "bench/cli/about/checks.py"),
    # In the folder of a dataset, whose readers are those of ``datasets``.
    "bench/cli/data_status.py",
    *("datasets/core/access/cache.py", "datasets/core/imports.py", "methods/core/read_files.py"),
    "datasets/core/access/fetch.py",
    # Weights in a folder of the user's: asked whether they are files before they are opened.
    *("methods/core/inputs/clip_towers.py", "methods/core/inputs/text_encoders.py"),
    "datasets/core/regular_files.py",
}
odd = pytest.mark.parametrize("kind", ODD_FILES)


@odd
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    ODD_FILES[kind](tmp_path / "odd")
    with pytest.raises(UnusableFileError, match="no regular file"):
        read_regular(tmp_path / "odd")


def test_a_link_to_a_file_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "link") == b"text"
    with pytest.raises(UnusableFileError):
        open_regular(tmp_path / "link", follow_links=False)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"text")
    looked_at = (tmp_path / "file").stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _path: looked_at)
    with pytest.raises(UnusableFileError, match="no regular file"):
        read_regular(tmp_path / "pipe")


def test_a_file_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert len(read_regular(tmp_path / "file", 11)) == 11
    with pytest.raises(UnusableFileError, match="more than 10 bytes"):
        read_regular(tmp_path / "file", 10)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="files without a size are Linux's")
def test_a_file_of_the_system_whose_size_is_0_has_an_end_too() -> None:
    with pytest.raises(UnusableFileError, match="more than 10 bytes"):
        read_regular(Path("/proc/self/maps"), 10)


@odd
def test_an_odd_file_among_the_records_is_left_out_of_a_joint(tmp_path: Path, kind: str) -> None:
    store = ResultStore(tmp_path / "part")
    store.write(make_record())
    ODD_FILES[kind](store.path_of("odd"))
    merge = merge_folders([store.folder], tmp_path / "out")
    assert merge.n_records == 1
    (problem,) = merge.problems
    assert problem == f"{store.path_of('odd')} is left out: it is no regular file."


@odd
def test_odd_files_in_place_of_tables_are_no_tables(tmp_path: Path, kind: str) -> None:
    for name in ("results", "cells", "curves"):
        ODD_FILES[kind](tmp_path / f"{name}.csv")
    with pytest.raises(ResultsError, match="holds no results"):
        read_tables(tmp_path)


def test_a_new_file_has_the_rights_it_was_given(tmp_path: Path) -> None:
    write_atomic(tmp_path / "mine", b"x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o600


def test_writing_does_not_follow_a_link_left_under_the_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / f".mine.{os.getpid()}.tmp").symlink_to(tmp_path / "theirs")
    write_atomic(tmp_path / "mine", b"mine")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
def test_where_no_folder_can_be_the_error_names_the_folder() -> None:
    with pytest.raises(NotADirectoryError) as caught:
        make_folder(Path("/proc/nowhere/out"))
    assert caught.value.errno == errno.ENOTDIR
    assert caught.value.filename == "/proc/nowhere/out"


def opens_a_file(node: ast.AST) -> bool:
    """Whether a call reads a file by other means than ours; a mode that writes is another thing."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "open"
    if not isinstance(node.func, ast.Attribute):
        return False
    if "O_WRONLY" in ast.unparse(node):
        return False
    if node.func.attr in ("read_bytes", "read_text"):
        return True
    words = [word.value for word in node.args if isinstance(word, ast.Constant)]
    is_reading = not words or not isinstance(words[0], str) or "r" in words[0]
    named = {word.arg for word in node.keywords}
    return node.func.attr == "open" and is_reading and bool(words or named & {"encoding", "mode"})


def test_no_other_way_to_open_a_file_is_used_beside_it() -> None:
    files = [
        path
        for folder in ("bench", "results", "reports", "methods", "datasets")
        for path in (ROOT / folder).rglob("*.py")
    ]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if "runs" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if opens_a_file(node)
    }
    assert found - OWN_FILES == set()

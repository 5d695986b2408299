"""A kept state decides how a training ends: nobody but the user may have put it there."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmea_bench.bench.cells.kept_states import FOLDER, CellStates, forget_cell, remove_old
from mmea_bench.bench.cells.private_files import make_private_folder
from tests.bench.cells.test_kept_states import states
from tests.cases.odd_files import ODD_FILES

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners are a thing of POSIX")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A cache with one state in it."""
    first = states(tmp_path)
    first.next_training()
    first.keep(5, b"state")
    return tmp_path


def note_of(cache: Path) -> str:
    """Why the state is not read."""
    again = states(cache)
    assert again.next_training() is None
    (note,) = again.notes
    return note


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077, 0o277])
def test_folders_and_files_are_the_users_alone_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        first = states(tmp_path / "cache")
        first.next_training()
        first.keep(5, b"state")
    finally:
        os.umask(before)
    root = tmp_path / "cache" / FOLDER
    for path in (root, root / "key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (root / "signing-key", root / "key" / "training-1"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert sorted(path.name for path in root.iterdir()) == ["key", "signing-key"]


@pytest.mark.parametrize("mode", [0o775, 0o755, 0o770, 0o702])
@pytest.mark.parametrize("place", [".", "key"])
def test_a_state_in_a_folder_that_is_open_to_others_is_not_read(
    kept: Path, place: str, mode: int
) -> None:
    (kept / FOLDER / place).chmod(mode)
    assert "others have rights to it" in note_of(kept)


@pytest.mark.parametrize("mode", [0o660, 0o604, 0o620])
@pytest.mark.parametrize("place", ["signing-key", "key/training-1"])
def test_a_file_that_is_open_to_others_is_not_read(kept: Path, place: str, mode: int) -> None:
    (kept / FOLDER / place).chmod(mode)
    assert f"others have rights to it (mode {mode:o})" in note_of(kept)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="giving away needs root")
@pytest.mark.parametrize("place", [".", "key", "signing-key", "key/training-1"])
def test_what_belongs_to_another_user_is_not_read(kept: Path, place: str) -> None:
    os.chown(kept / FOLDER / place, 12345, 12345)
    assert "it belongs to another user" in note_of(kept)


def test_nothing_is_read_or_kept_where_all_belongs_to_another_user(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    again = states(kept)
    assert again.next_training() is None
    again.keep(6, b"state")
    assert not again.is_due
    assert "it belongs to another user" in again.notes[-1]


@pytest.mark.parametrize("place", [".", "key", "signing-key", "key/training-1"])
def test_links_are_not_followed(kept: Path, place: str) -> None:
    path = kept / FOLDER / place
    aside = kept / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    assert states(kept).next_training() is None


@pytest.mark.parametrize("kind", ODD_FILES)
def test_odd_files_in_place_of_states_are_not_waited_for(kept: Path, kind: str) -> None:
    for name in ("signing-key", "key/training-1"):
        (kept / FOLDER / name).unlink()
        ODD_FILES[kind](kept / FOLDER / name)
    assert "no regular file" in note_of(kept)


def test_a_folder_that_was_open_is_closed_and_what_lay_in_it_is_not_trusted(kept: Path) -> None:
    (kept / FOLDER).chmod(0o775)
    key_before = (kept / FOLDER / "signing-key").read_bytes()
    again = states(kept)
    again.next_training()
    again.keep(7, b"another")
    assert stat.S_IMODE((kept / FOLDER).stat().st_mode) == 0o700
    assert (kept / FOLDER / "signing-key").read_bytes() != key_before
    assert states(kept).next_training() == (7, b"another")


def test_a_key_that_others_could_read_is_replaced(kept: Path) -> None:
    key = kept / FOLDER / "signing-key"
    key.chmod(0o644)
    before = key.read_bytes()
    again = states(kept)
    again.next_training()
    again.keep(7, b"another")
    assert key.read_bytes() != before
    assert states(kept).next_training() == (7, b"another")


@pytest.mark.parametrize(
    "remove", [remove_old, lambda cache: forget_cell(cache, "key"), lambda cache: _forget(cache)]
)
def test_nothing_is_removed_behind_a_link(tmp_path: Path, remove: Callable[[Path], None]) -> None:
    home = tmp_path / "home"
    make_private_folder(home)
    (home / "key").mkdir()
    (home / "key" / "letters").write_text("dear")
    long_ago = time.time() - 90 * 24 * 3600
    os.utime(home / "key", (long_ago, long_ago))
    (tmp_path / FOLDER).symlink_to(home)
    remove(tmp_path)
    assert (home / "key" / "letters").read_text() == "dear"


def _forget(cache: Path) -> None:
    made: CellStates = states(cache)
    made.begin_anew("it is torn")

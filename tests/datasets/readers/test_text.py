from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers import text
from tests.datasets.layouts import assert_sentence


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes("\ufeffx\u2028y\r\nz\x0bw\n\n".encode())
    assert text.read_lines(path) == ["x\u2028y", "z\x0bw"]


@pytest.mark.parametrize("content", [b"a\tb\r\n", b"a\tb\r\r\n", b"a\tb\r\r\nc\td\r\r\n"])
def test_line_ends_that_were_converted_are_line_ends(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert text.read_lines(tmp_path / "a") == content.decode().replace("\r", "").splitlines()


def test_a_carriage_return_inside_a_line_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\rb\nc\n")
    assert text.read_lines(tmp_path / "a") == ["a\rb", "c"]


@pytest.mark.parametrize("content", [b"a\tb\rc\td\r", b"a\tb\rc\td", b"a\tb\rc\td\r\n"])
def test_line_ends_of_old_macs_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "its lines end in carriage returns alone")


@pytest.mark.parametrize(
    "content",
    [b"e\ta\nf\tb\rg\tc\n", b'<e> <a> "1" .\n<f> <a> "2" .\r<g> <a> "3" .\n'],
)
def test_line_ends_of_old_macs_among_others_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "its lines end in carriage returns alone", 2)


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", "\ufeff\r\n \n", "\u2003\n"])
@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_a_part_of_marks_and_blanks_is_an_empty_one(
    tmp_path: Path, name: str, content: str
) -> None:
    raw = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name == "a.gz" else raw)
    assert text.stored_content(tmp_path / "a") is None
    assert text.lacking(tmp_path / "a") == "a is empty"


@pytest.mark.parametrize("content", ["\ufeffx", "\n" * 10_000 + "x", "\0"])
def test_a_part_that_holds_anything_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").write_text(content, encoding="utf-8")
    assert text.stored_content(tmp_path / "a") == tmp_path / "a"


def test_a_compressed_file_that_lost_its_ending_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(b"text\n"))
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "is compressed with gzip")


def test_a_gz_copy_is_read_where_the_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress("ä\tb\n".encode()))
    assert text.read_rows(tmp_path / "a", ("one", "two")) == [["ä", "b"]]
    (tmp_path / "a").write_text("plain\twins\n")
    assert text.read_rows(tmp_path / "a", ("one", "two")) == [["plain", "wins"]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "the file is missing")


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "the file is empty")


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ok\nN\xfcrnberg\n")
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, tmp_path / "a", "byte 0xfc is not UTF-8", 2)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-12], lambda raw: b"no gzip" + raw])
def test_a_damaged_gzip_archive_is_refused(tmp_path: Path, damage) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(b"some text\n" * 100)))
    with pytest.raises(DataError) as caught:
        text.read_lines(tmp_path / "a")
    assert_sentence(caught.value, path, "truncated or damaged")


@pytest.mark.parametrize("line", ["a", "a\tb\tc", "a\t", ""])
def test_a_malformed_line_is_shown_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "a").write_text(f"a\tb\n{line}\na\tb\n")
    with pytest.raises(DataError) as caught:
        text.read_rows(tmp_path / "a", ("id", "URI"))
    assert_sentence(caught.value, tmp_path / "a", "`id TAB URI`", 2)


@pytest.mark.parametrize("word", ["x", "-1", "1.0", "1_0", "+1", "٣", "2147483648", "9" * 5000])
def test_ids_are_whole_numbers_in_range(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError) as caught:
        text.id_column(tmp_path / "a", ["0", "2147483647", word], "entity id")
    assert_sentence(caught.value, tmp_path / "a", "is not a whole number in 0..2147483647", 3)

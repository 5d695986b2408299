"""Results folders of others: whatever lies in them, a sentence comes out and nothing breaks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmea_bench.results.core.errors import ResultsError, shown
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.safe_text import guarded, unguarded
from mmea_bench.results.core.schema import CELL_COLUMNS
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table import write_tables
from tests.fuzz.limits import bounded
from tests.results.results_factory import make_number, make_record

N_COLUMNS = len(CELL_COLUMNS)

ODD = "\x1b[2J"


def changed(*place: str | int, to: object) -> str:
    """A valid record with one inner value replaced."""
    content: Any = json.loads(make_record().to_json())
    inner = content
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to
    return json.dumps(content)


RECORDS: dict[str, str] = {
    "deep lists": "[" * 200_000,
    "deep objects": '{"cell":' * 100_000,
    "a list": "[]",
    "a cell that is a text": changed("cell", to="key method"),
    "a cell that is a list": changed("cell", to=[1]),
    "rows that are a number": changed("results", "rows", to=5),
    "a row that is a number": changed("results", "rows", to=[5]),
    "an unknown column": changed("cell", ODD, to=1),
    "columns without end": changed("results", "columns", to=["x" * 1000] * 1000),
    "a schema of text": changed("schema_version", to=ODD),
    "a schema of lists": changed("schema_version", to=[[[[]]]]),
    "half a character": changed("cell", "reason", to="\ud800"),
    "half a character in a label": changed("cell", "method", to="\udc00"),
    "half a character in JSON": changed("cell", "overrides", to='{"name": "\ud800"}'),
    "a label without end": changed("cell", "suite", to="x" * 10**6),
    "a huge number of seconds": changed("cell", "fit_s", to=10**400),
    "infinite seconds": changed("cell", "fit_s", to=1).replace('"fit_s": 1', '"fit_s": 1e999'),
    "a number of five thousand digits": changed("cell", "epochs", to=77).replace("77", "9" * 5000),
    "a negative count": changed("cell", "epochs", to=-1),
    "a count beyond 64 bits": changed("cell", "epochs", to=2**63),
    "a list in the place of a text": changed("cell", "method", to=["a"]),
    "overrides that are no object": changed("cell", "overrides", to="[1]"),
    "deep overrides": changed("cell", "overrides", to="[" * 100_000),
    "a key of odd letters": changed("cell", "key", to="k1\u202e\r\n"),
    "another key": changed("cell", "key", to="../../x"),
    "a similarity of control characters": changed("results", "rows", 0, 0, to=ODD),
}


@pytest.mark.parametrize("name", RECORDS)
def test_hostile_records_go_to_quarantine_with_a_sentence(tmp_path: Path, name: str) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record("k2"))
    store.path_of("k1").write_text(RECORDS[name], encoding="utf-8", errors="surrogatepass")
    with bounded():
        store.write_tables()
    (problem,) = store.problems
    assert "broken record" in problem
    assert problem.isprintable()
    assert len(problem) < 2000
    assert store.done_keys() == {"k2"}


def test_rows_do_not_multiply_a_long_label(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    cell = make_record().cell | {"suite": "x" * 2000}
    rows = [make_number(metric="mrr", value=0.5) for _ in range(5000)]
    store.write(Record.of(cell, rows))
    with bounded():
        store.write_tables()


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_what_is_no_regular_file_is_not_read_for_ever(tmp_path: Path, kind: str) -> None:
    store = ResultStore(tmp_path)
    path = store.path_of("k1")
    path.parent.mkdir()
    make: dict[str, Callable[[], object]] = {
        "device": lambda: path.symlink_to("/dev/zero"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    make[kind]()
    assert list(store.records()) == []
    assert len(store.problems) == 1


def tables(folder: Path) -> Path:
    store = ResultStore(folder)
    store.write(make_record())
    store.write_tables()
    store.path_of("k1").unlink()
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",0.2,", ",nan,", "must hold a fraction"),
        (",0.2,", ",1e999,", "must hold a fraction"),
        (",0.2,", ",x,", "line 2: column 'seed_ratio' holds 'x', not a number"),
        (",10,", ",1_0,", "line 2: column 'epochs' holds '1_0', not a whole number"),
        (",10,", f",{'9' * 5000},", "line 2: column 'epochs' holds '999"),
        (",10,", f",{'9' * 19},", "must hold a whole number from 0 to 2"),
        (",10,", ",-1,", "holds '-1', not a whole number"),
        (",strict,", ",strict,more,", f"line 2: {N_COLUMNS + 1} fields, not {N_COLUMNS}"),
        (",strict,", ",", f"line 2: {N_COLUMNS - 1} fields, not {N_COLUMNS}"),
        (",strict,", ',"strict,', "cannot be read"),
        (",strict,", f',"{"x" * 200_000}",', "cannot be read"),
        (",strict,", f',"{"x" * 5_000}",', "holds 5000 letters, more than 2000"),
        ("key,method", "key," + "x," * 100_000 + "method", "is not in the schema"),
        ("key,method", "key,key", "column 'method' is missing"),
        ("key,method", "\ufeffkey,method", "column 'key' is missing"),
        ("alpha", ODD, ""),
    ],
)
def test_hostile_csv_tables(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tables(tmp_path) / "cells.csv"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    if not words:
        assert read_tables(tmp_path).cells["method"].tolist() == [ODD]
        return
    with bounded(), pytest.raises(ResultsError) as caught:
        read_tables(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2500


def test_a_csv_table_in_another_encoding_says_so(tmp_path: Path) -> None:
    path = tables(tmp_path) / "cells.csv"
    path.write_bytes(path.read_bytes().replace(b"alpha", b"\xff\xfe"))
    with pytest.raises(ResultsError, match="cannot be read"):
        read_tables(tmp_path)


def parquet(folder: Path, n_rows: int = 0, **columns: object) -> Path:
    tables(folder)
    for path in folder.glob("*.csv"):
        path.unlink()
    path = folder / "cells.parquet"
    frame = pd.read_parquet(path)
    if n_rows:
        many = frame.loc[[0] * n_rows]
        many.assign(**columns).to_parquet(path, index=False)
    return path


@pytest.mark.parametrize(("n_rows", "notes"), [(150_000, "x"), (10_000, "x" * 5000)])
def test_a_small_parquet_file_cannot_stand_for_a_huge_table(
    tmp_path: Path, n_rows: int, notes: str
) -> None:
    path = parquet(tmp_path, n_rows, notes=notes)
    assert path.stat().st_size < 10**6
    words = "stands for far more rows or text than its size"
    with bounded(), pytest.raises(ResultsError, match=words):
        read_tables(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 1000])
def test_a_damaged_parquet_file_says_so(tmp_path: Path, content: bytes) -> None:
    path = parquet(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"cells\.parquet: cannot be read"):
        read_tables(tmp_path)


FORMULAS = ("=1+1", "+cmd|'/c calc'!A1", "-2+3", "@SUM(1)", "\tx", "\rx", "'=1", "''-1", "'", "a=b")


def test_names_like_formulas_are_guarded_in_csv_and_come_back(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for number, text in enumerate(FORMULAS):
        store.write(make_record(f"k{number}", method=text, suite=text, notes=text))
    before = store.tables()
    write_tables(before, tmp_path / "copy")
    content = (tmp_path / "copy" / "cells.csv").read_text()
    fields = [field for line in content.split("\n") for field in line.split(",")]
    assert "'=1+1" in fields
    assert "=1+1" not in fields
    pd.testing.assert_frame_equal(read_tables(tmp_path / "copy").cells, before.cells)


def test_guarding_is_undone_exactly() -> None:
    assert [unguarded(guarded(text)) for text in FORMULAS] == list(FORMULAS)
    assert [guarded(text)[0] for text in FORMULAS[:8]] == ["'"] * 8
    assert guarded("1.5") == "1.5"


def test_values_are_shown_short_and_printable() -> None:
    assert shown(ODD) == r"'\x1b[2J'"
    assert len(shown(["x" * 1000] * 1000)) < 1000
    assert shown(ValueError(ODD)) == r"ValueError: \x1b[2J"

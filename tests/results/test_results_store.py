from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pandas as pd
import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import SCHEMA_VERSION
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table import TABLE_COLUMNS
from tests.results.results_factory import (
    make_cell,
    make_count,
    make_number,
    make_point,
    make_record,
)


def _fill(store: ResultStore, keys: list[str]) -> None:
    for key in keys:
        store.write(make_record(key, method=f"m{key}", notes=f"note, of\n{key}"))


def test_record_round_trips_through_json_and_disk(tmp_path: Path) -> None:
    record = make_record()
    assert Record.from_json(record.to_json()) == record
    store = ResultStore(tmp_path)
    path = store.write(record)
    assert path == tmp_path / "cells" / "k1.json"
    assert list(store.records()) == [record]
    assert [entry.name for entry in path.parent.iterdir()] == ["k1.json"]


def test_invalid_record_is_refused_and_not_written(tmp_path: Path) -> None:
    record = make_record()
    broken = Record({**record.cell, "status": "lost"}, [], [])
    with pytest.raises(ResultsError, match="status"):
        ResultStore(tmp_path).write(broken)
    assert not (tmp_path / "cells").exists()


def test_done_keys_leave_failures_out(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for status in ("ok", "skipped", "failed", "timeout", "out_of_memory", "diverged"):
        store.write(make_record(status, status=status, reason="because"))
    assert store.done_keys() == {"ok", "skipped"}
    assert len(store.done_keys(also_failed=True)) == 6


def test_half_written_file_is_ignored_and_removed_when_old(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record())
    young = tmp_path / "cells" / ".k2.json.1.tmp"
    old = tmp_path / "cells" / ".k3.json.1.tmp"
    for path in (young, old):
        path.write_text(make_record("k2").to_json()[:100])
    hours_ago = time.time() - 7200
    os.utime(old, (hours_ago, hours_ago))
    assert store.done_keys() == {"k1"}
    store.write_tables()
    assert young.exists()
    assert not old.exists()
    assert store.problems == ()


def test_interrupted_write_keeps_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record())

    def fail(_handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write(make_record(method="beta"))
    monkeypatch.undo()
    assert [record.cell["method"] for record in store.records()] == ["alpha"]
    assert len(list((tmp_path / "cells").iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        make_record().to_json()[:-20].encode(),
        make_record().to_json().replace("0.75", "NaN").encode(),
        make_record().to_json().replace('"schema_version":2', '"schema_version":-1').encode(),
        make_record().to_json().replace('"schema_version":2', '"schema_version":true').encode(),
        make_record().to_json().replace('"key":"k1"', '"key":"k9"').encode(),
        make_record().to_json().replace('"status":"ok"', '"status":["ok"]').encode(),
    ],
)
def test_corrupt_record_goes_to_quarantine_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    store = ResultStore(tmp_path)
    _fill(store, ["a", "b"])
    broken = store.path_of("k1")
    for round_number in (1, 2):
        broken.write_bytes(content)
        problems = store.quarantine()
        assert len(problems) == 1
        assert "broken record" in problems[0]
        assert "counts as not run" in problems[0]
        assert not broken.exists()
        assert len(list((tmp_path / "quarantine").iterdir())) == round_number
    assert store.done_keys() == {"a", "b"}
    assert len(store.problems) == 2
    assert len(store.tables().problems) == 2


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and size of everything in a folder, by its place there."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        path.relative_to(folder).as_posix(): (is_there.st_ino, is_there.st_size)
        for path, is_there in found.items()
    }


def newer_record(key: str) -> str:
    return (
        make_record(key)
        .to_json()
        .replace(f'"schema_version":{SCHEMA_VERSION}', f'"schema_version":{SCHEMA_VERSION + 1}')
    )


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Also where ``cells`` is a link into the folder of somebody else."""
    theirs, ours = ResultStore(tmp_path / "theirs"), tmp_path / "ours"
    theirs.write(make_record())
    theirs.path_of("torn").write_text("{")
    theirs.path_of("newer").write_text(newer_record("newer"))
    os.mkfifo(theirs.path_of("pipe"))
    ours.mkdir()
    (ours / "cells").symlink_to(theirs.folder / "cells")
    before = everything(tmp_path)
    for folder in (theirs.folder, ours):
        tables = read_tables(folder)
        assert len(tables.cells) == 1
        newer, pipe, torn = tables.problems
        assert f"this program reads schema {SCHEMA_VERSION}" in newer
        assert "it is no regular file" in pipe
        assert "not a complete record" in torn
        assert all("not counted" in problem for problem in tables.problems)
    assert everything(tmp_path) == before


def test_a_problem_is_told_once_however_often_a_folder_is_read(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    _fill(store, ["a"])
    store.path_of("torn").write_text("{")
    assert store.done_keys() == store.done_keys() == {"a"}
    assert len(store.problems) == 1


def test_records_of_a_newer_version_are_neither_moved_nor_replaced(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    _fill(store, ["a"])
    store.path_of("newer").write_text(newer_record("newer"))
    with pytest.raises(ResultsError, match=r"1 records of a newer version .* newer\.json"):
        store.quarantine()
    assert store.path_of("newer").read_text() == newer_record("newer")


def test_the_records_of_a_linked_folder_are_not_moved(tmp_path: Path) -> None:
    theirs = ResultStore(tmp_path / "theirs")
    theirs.write(make_record())
    theirs.path_of("torn").write_text("{")
    ours = ResultStore(tmp_path / "ours")
    ours.folder.mkdir()
    (ours.folder / "cells").symlink_to(theirs.folder / "cells")
    with pytest.raises(ResultsError, match=r"is a link to .*theirs"):
        ours.quarantine()
    assert theirs.path_of("torn").exists()


def test_tables_round_trip_exactly_from_csv_and_parquet(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "run")
    _fill(store, ["a", "b"])
    store.write(make_record("NA", method="NA", status="skipped", reason="no 'image' features"))
    points, counts = [make_point(value=1e-17)], [make_count(), make_count(kg=None)]
    store.write(Record.of(make_cell("d", epochs=None), [make_number()], points, counts))
    written = store.write_tables()
    assert [path.name for path in written] == [
        f"{name}.{suffix}"
        for name in ("results", "cells", "curves", "datasets")
        for suffix in ("csv", "parquet")
    ]
    expected = read_tables(tmp_path / "run")
    for suffix in (".csv", ".parquet"):
        copy = tmp_path / suffix[1:]
        copy.mkdir()
        for path in written:
            if path.suffix == suffix:
                (copy / path.name).write_bytes(path.read_bytes())
        tables = read_tables(copy)
        for name in ("results", "cells", "curves", "datasets"):
            pd.testing.assert_frame_equal(
                getattr(tables, name), getattr(expected, name), check_exact=True
            )


def test_tables_are_sorted_and_their_bytes_do_not_depend_on_the_order(tmp_path: Path) -> None:
    contents = []
    for number, keys in enumerate((["c", "a", "b"], ["b", "c", "a"])):
        store = ResultStore(tmp_path / str(number))
        _fill(store, keys)
        contents.append([path.read_bytes() for path in store.write_tables()])
    assert contents[0] == contents[1]
    assert read_tables(tmp_path / "0").cells["method"].tolist() == ["ma", "mb", "mc"]


def test_empty_store_writes_tables_with_headers_only(tmp_path: Path) -> None:
    ResultStore(tmp_path).write_tables()
    tables = read_tables(tmp_path)
    assert [len(getattr(tables, name)) for name in TABLE_COLUMNS] == [0, 0, 0, 0]


def test_folder_without_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no results: neither cells"):
        read_tables(tmp_path)
    with pytest.raises(ResultsError, match="is not a folder"):
        read_tables(tmp_path / "absent")


def test_incomplete_or_broken_table_files_say_so(tmp_path: Path) -> None:
    ResultStore(tmp_path).write_tables()
    (tmp_path / "results.csv").write_text("suite,method\nx,y\n")
    with pytest.raises(ResultsError, match=r"results.csv: column .* is missing"):
        read_tables(tmp_path)
    for suffix in (".csv", ".parquet"):
        (tmp_path / f"cells{suffix}").unlink()
    (tmp_path / "results.csv").unlink()
    with pytest.raises(ResultsError, match=r"cells.csv is missing"):
        read_tables(tmp_path)


def test_a_plan_that_cannot_be_read_is_a_problem_of_the_folder(tmp_path: Path) -> None:
    ResultStore(tmp_path).write_tables()
    assert read_tables(tmp_path).problems == ()
    (tmp_path / "plan.json").write_text('{"keys": [')
    problems = read_tables(tmp_path).problems
    assert len(problems) == 1
    assert problems[0].startswith("plan.json cannot be read, so that missing cells")


def test_a_thousand_records_become_one_table(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    points = [make_point(epoch=epoch) for epoch in range(40)]
    text = Record.of(make_cell(), [make_number() for _ in range(30)], points).to_json()
    cells = tmp_path / "cells"
    cells.mkdir()
    for number in range(1000):
        content = text.replace('"key":"k1"', f'"key":"k{number}"')
        (cells / f"k{number}.json").write_text(content)
    store.write_tables()
    assert len(json.loads(text)["results"]["rows"]) * 1000 == len(read_tables(tmp_path).results)


def test_csv_with_a_word_for_a_number_says_so(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record())
    store.write_tables()
    store.path_of("k1").unlink()
    path = tmp_path / "cells.csv"
    path.write_text(path.read_text().replace(",0.2,1,", ",much,1,"))
    with pytest.raises(ResultsError, match=r"cells.csv, line 2: column 'seed_ratio' holds 'much'"):
        read_tables(tmp_path)
    path.write_text(path.read_text().replace(",much,1,", ",0.2,,"))
    with pytest.raises(ResultsError, match="'repeat' is empty"):
        read_tables(tmp_path)


def _counted(key: str, n_entities: float, **changes: object) -> Record:
    counts = [make_count(kg="T", value=n_entities), make_count(value=n_entities)]
    return Record.of(make_cell(key, **changes), dataset=counts)


def test_counts_of_a_dataset_stand_once_in_the_order_of_the_newest_record(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for record in (
        _counted("a", 150.0, finished_at="2026-01-02T00:00:00Z"),
        _counted("b", 149.0, finished_at="2026-01-01T00:00:00Z"),
        _counted("c", 99.0, dataset_version="other"),
        make_record("d", dataset="never counted"),
    ):
        store.write(record)
    datasets = store.tables().datasets
    assert list(datasets.itertuples(index=False, name=None)) == [
        ("synthetic", "0123456789ab", "T", "entities", 150.0),
        ("synthetic", "0123456789ab", "S", "entities", 150.0),
        ("synthetic", "other", "T", "entities", 99.0),
        ("synthetic", "other", "S", "entities", 99.0),
    ]


def test_folders_and_records_of_older_versions_have_no_counts(tmp_path: Path) -> None:
    assert '"dataset":{' not in make_record().to_json()
    store = ResultStore(tmp_path)
    store.write(make_record())
    store.write_tables()
    store.path_of("k1").unlink()
    for suffix in (".csv", ".parquet"):
        (tmp_path / f"datasets{suffix}").unlink()
    tables = read_tables(tmp_path)
    assert len(tables.cells) == 1
    assert len(tables.datasets) == 0
    assert list(tables.datasets.columns) == [
        "dataset",
        "dataset_version",
        "kg",
        "statistic",
        "value",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.csv", "year,price\n2024,3\n"),
        ("cells.csv", '"id";"x"\n'),
        ("plan.json", '{"title": "our garden"}'),
        ("plan.json", "[1, 2]"),
    ],
)
def test_files_of_another_program_are_not_replaced(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ResultsError, match=f"its {name} is of another program"):
        ResultStore(tmp_path).quarantine()
    assert (tmp_path / name).read_text() == content


def test_a_folder_with_records_is_ours_whatever_else_lies_there(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    _fill(store, ["a"])
    for name, content in (("results.csv", "x,y\n"), ("plan.json", "[]")):
        (tmp_path / name).write_text(content)
    assert store.quarantine() == []

"""Records that older versions wrote are read as if the present one had written them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.merge import merge_folders
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import CELL_COLUMNS, GAINED_COLUMNS, SCHEMA_VERSION
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table_readers import read_csv
from mmea_bench.results.core.upgrades.schema_1 import parse_setting

RECORDS = Path(__file__).parent / "old_records"
OLD = (RECORDS / "schema_1.json").read_text(encoding="utf-8")
EARLY = (RECORDS / "schema_2.json").read_text(encoding="utf-8")
"""A record of schema 2 from before it gained columns."""
RANKED = "candidates=test csls=3 iterative=no names=no similarity=cosine ties=realistic"


def old_folder(folder: Path) -> Path:
    (folder / "cells").mkdir(parents=True)
    (folder / "cells" / "old.json").write_text(OLD, encoding="utf-8")
    return folder


def changed(change: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads(OLD)
    change(content)
    return json.dumps(content)


def test_words_of_the_setting_become_columns() -> None:
    record = Record.from_json(OLD)
    assert record.schema_version == SCHEMA_VERSION
    before = json.loads(OLD)["results"]["rows"]
    assert [row["value"] for row in record.results] == [row[3] for row in before]
    scored = [
        tuple(row[name] for name in ("csls", "candidates", "ties", "modality"))
        for row in record.results
        if row["direction"] == "src2tgt"
    ]
    assert set(scored) == {
        (0, "test", "realistic", None),
        (3, "test", "realistic", None),
        (0, "test", None, "image"),
    }
    assert {(row["similarity"], row["decoder"]) for row in record.results} == {("cosine", "none")}
    assert {(row["csls"], row["metric"]) for row in record.curves} >= {(3, "hits@1")}


def test_facts_of_the_cell_come_from_its_rows() -> None:
    cell = Record.from_json(OLD).cell
    assert (cell["names"], cell["iterative"], cell["modalities"]) == ("no", "no", None)
    assert cell["own_similarity"] == "cosine"

    def without_numbers(content: dict[str, Any]) -> None:
        content["results"]["rows"] = content["curves"]["rows"] = []

    cell = Record.from_json(changed(without_numbers)).cell
    assert (cell["names"], cell["iterative"], cell["own_similarity"]) == (None, None, None)


def test_the_note_on_a_partial_copy_becomes_columns() -> None:
    cell = Record.from_json(OLD).cell
    assert cell["partial_copy"].startswith("Source relations: 1,209 of 1,345 (89.9 %), Target")
    # What the method read is not known, so everything counts.
    assert cell["lacking"] == "structure relation image"
    assert cell["notes"] == "modality weights left out"


@pytest.mark.parametrize(
    ("note", "lacking"),
    [
        ("KG entities: 9 of 10 (90.0 %)", "entities"),
        ("KG attribute triples: 9 of 10 (90.0 %)", "attribute"),
        ("N tt triples: 9 of 10 (90.0 %), pairs: 1 of 2 (50.0 %)", "structure relation pairs"),
        ("3 of 5 files", "files"),
    ],
)
def test_every_count_of_an_old_note_is_understood(note: str, lacking: str) -> None:
    text = changed(lambda content: content["cell"].update(notes=f"partial copy: {note}"))
    cell = Record.from_json(text).cell
    assert (cell["lacking"], cell["partial_copy"], cell["notes"]) == (lacking, note, None)


def test_old_folders_are_read_and_joined_with_new_ones(tmp_path: Path) -> None:
    old = old_folder(tmp_path / "old")
    assert ResultStore(old).done_keys() == {"old"}
    tables = read_tables(old)
    assert (len(tables.cells), tables.problems) == (1, ())
    new = tmp_path / "new"
    ResultStore(new).write(Record.from_json(OLD))
    merge = merge_folders([old, new], tmp_path / "both")
    assert (merge.n_records, merge.n_equal, merge.conflicts) == (1, 1, [])
    (record,) = ResultStore(tmp_path / "both").records()
    assert record == Record.from_json(OLD)


def test_columns_gained_since_are_empty_in_records_and_tables(tmp_path: Path) -> None:
    record = Record.from_json(EARLY)
    assert {record.cell[name] for name in GAINED_COLUMNS} == {None}
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "old2.json").write_text(EARLY, encoding="utf-8")
    ResultStore(tmp_path).write_tables()
    (tmp_path / "cells" / "old2.json").unlink()
    for table in tmp_path.glob("*.csv"):
        table.unlink()
    path = tmp_path / "cells.parquet"
    frame = pd.read_parquet(path)
    frame.drop(columns=list(GAINED_COLUMNS)).to_parquet(path, index=False)
    assert read_tables(tmp_path).cells[list(GAINED_COLUMNS)].isna().all(axis=None)


@pytest.mark.parametrize("ending", ["", ",strict"])
def test_csv_tables_may_lack_gained_columns_and_no_others(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "cells.csv"
    known = [column.name for column in CELL_COLUMNS if column.name not in GAINED_COLUMNS]
    path.write_text(",".join(known) + ending + "\n", encoding="utf-8")
    if ending:
        with pytest.raises(ResultsError, match="not in the schema"):
            read_csv(path, CELL_COLUMNS)
    else:
        assert read_csv(path, CELL_COLUMNS) == {column.name: [] for column in CELL_COLUMNS}


def test_old_tables_without_their_records_say_what_is_missing(tmp_path: Path) -> None:
    ResultStore(tmp_path).write(Record.from_json(OLD))
    ResultStore(tmp_path).write_tables()
    (tmp_path / "cells" / "old.json").unlink()
    assert len(read_tables(tmp_path).cells) == 1
    table = tmp_path / "results.csv"
    table.write_text(table.read_text().replace("similarity,csls", "setting,csls", 1))
    with pytest.raises(ResultsError, match="follows schema 1, of which records alone"):
        read_tables(tmp_path)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (f"{RANKED} colour=red", "not canonical"),
        (f"colour=red {RANKED}", "not canonical"),
        (RANKED.replace("csls", "colour=red csls"), r"none of schema 1"),
        (RANKED.replace(" names=no", ""), r"none of schema 1"),
        (RANKED.replace("csls=3", "csls=three"), "none of schema 1"),
        (RANKED.replace("names=no", "names=yes"), "disagree on whether"),
    ],
)
def test_old_records_that_are_none_are_refused(setting: str, sentence: str) -> None:
    def with_setting(content: dict[str, Any]) -> None:
        content["results"]["rows"][0][0] = setting

    with pytest.raises(ResultsError, match=sentence):
        Record.from_json(changed(with_setting))


def test_newer_records_are_refused_with_a_sentence() -> None:
    text = changed(lambda content: content.update(schema_version=3))
    with pytest.raises(ResultsError, match="schema 3, this program reads schema 2"):
        Record.from_json(text)
    newer = json.dumps({**json.loads(Record.from_json(OLD).to_json()), "schema_version": 3})
    with pytest.raises(ResultsError, match=r"follows schema 3, this program reads schema 2\. Use"):
        Record.from_json(newer)


@pytest.mark.parametrize("text", ["", "csls", "ties=x csls=3", "csls=3  ties=x", "csls=3 csls=4"])
def test_settings_are_canonical(text: str) -> None:
    assert parse_setting(RANKED)["csls"] == "3"
    with pytest.raises(ValueError, match="not canonical"):
        parse_setting(text)


def test_records_from_before_the_column_split_leave_it_empty() -> None:
    content = json.loads(Record.from_json(OLD).to_json())
    del content["cell"]["split"]
    assert Record.from_json(json.dumps(content)).cell["split"] is None


@pytest.mark.parametrize("row", [[], ["x"], "", "a text", None, {}])
def test_a_row_of_an_old_record_that_is_none_is_refused_with_a_sentence(row: object) -> None:
    def change(content: dict[str, Any]) -> None:
        content["results"]["rows"][0] = row

    with pytest.raises(ResultsError, match="a row of"):
        Record.from_json(changed(change))

"""Records on disk: one file per cell, complete or absent, and the tables made from them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmea_bench.results.core import table
from mmea_bench.results.core.disk.files import (
    TEMPORARY_SUFFIX,
    UnusableFileError,
    make_folder,
    open_regular,
    read_regular,
    write_atomic,
)
from mmea_bench.results.core.errors import NewerSchemaError, ResultsError
from mmea_bench.results.core.plans.plan_file import (
    PLAN_NAME,
    is_foreign_plan,
    plan_problems,
    planned_cells,
)
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.table import Tables

_STALE_AFTER_S = 3600.0
_LONGEST_HEADER = 4096


class ResultStore:
    """The results folder of a run.

    Layout: ``cells/<key>.json`` holds the records, which are the only source of truth;
    ``results``, ``cells``, ``curves`` and ``datasets`` (``.csv``, ``.parquet``) are made from them;
    ``quarantine/`` takes records that cannot be read. Nothing is moved or written by reading:
    ``quarantine``, ``write`` and ``write_tables`` are for those who run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._problems: dict[Path, str] = {}
        self._moved: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each file that is no record: of the last reading, and set aside so far."""
        return (*self._moved, *self._problems.values())

    def path_of(self, key: str) -> Path:
        """File of a cell's record."""
        return self.folder / "cells" / f"{key}.json"

    def write(self, record: Record) -> Path:
        """Checks a record and writes it at once, so that nothing is lost when the run breaks.

        Raises:
            ResultsError: If the record breaks the schema; nothing is written then.
        """
        record.check()
        path = self.path_of(record.key)
        write_atomic(path, record.to_json().encode("utf-8"))
        return path

    def records(self) -> Iterator[Record]:
        """Every valid record, sorted by key; each other file has its sentence in ``problems``."""
        self._problems.clear()
        for path in sorted((self.folder / "cells").glob("*.json")):
            try:
                yield read_record(path)
            except FileNotFoundError:
                continue  # another process set it aside between listing and reading
            except (OSError, ResultsError) as error:
                self._problems[path] = f"{path}: {_spell(error)} It is not counted."

    def quarantine(self) -> list[str]:
        """Moves broken records aside; returns a sentence for each one.

        Files that cannot be read for want of rights, and records of a newer version of the program,
        stay where they are.

        Raises:
            ResultsError: If records of a newer version are there, which a run would replace,
                ``cells`` is a link into another folder, whose records are not ours to move, or
                files of another program stand where the tables or the plan would be written.
        """
        cells = self.folder / "cells"
        if not self._holds_any() and (foreign := _foreign_files(self.folder)):
            raise ResultsError(
                f"{self.folder} is no results folder: its {' and '.join(foreign)} "
                f"{'is' if len(foreign) == 1 else 'are'} of another program and would be "
                "replaced. Give another folder with --out."
            )
        if cells.is_symlink():
            raise ResultsError(
                f"{cells} is a link to {cells.resolve()}: a run would change the records of that "
                "folder. Give that folder with --out, or another one."
            )
        before = len(self._moved)
        newer = []
        for path in sorted(cells.glob("*.json")):
            try:
                read_record(path)
            except NewerSchemaError:
                newer.append(path)
            except (UnusableFileError, ResultsError) as error:
                self._set_aside(path, _spell(error))
            except OSError:
                continue
        if newer:
            raise ResultsError(
                f"{self.folder} holds {len(newer)} records of a newer version of this program, "
                f"such as {newer[0].name}. Use that version, or give another folder with --out."
            )
        return self._moved[before:]

    def record(self, key: str) -> Record | None:
        """The record of a cell; None if there is none that can be read."""
        try:
            return read_record(self.path_of(key))
        except (OSError, ResultsError):
            return None

    def done_keys(self, *, also_failed: bool = False) -> set[str]:
        """Keys of the cells that need not run again.

        Args:
            also_failed: Counts cells that failed, ran out of time or memory, or diverged, too.
        """
        return {
            record.key
            for record in self.records()
            if also_failed or record.cell["status"] in DONE_STATUSES
        }

    def tables(self) -> Tables:
        """The tables of all valid records."""
        records = list(self.records())
        return table.tables_of(records, self.problems)

    def write_tables(self) -> list[Path]:
        """Writes all tables as ``.csv`` and ``.parquet``; returns the files."""
        self._remove_stale_temporaries()
        return table.write_tables(self.tables(), self.folder)

    def _holds_any(self) -> bool:
        """Whether there is a record; looks no further than the first, and notes no problem."""
        cells = (self.folder / "cells").glob("*.json")
        return any(self.record(path.stem) is not None for path in cells)

    def _set_aside(self, path: Path, why: str) -> None:
        folder = self.folder / "quarantine"
        target = folder / path.name
        try:
            make_folder(folder)
            number = 2
            while os.path.lexists(target):
                target = folder / f"{path.stem}.{number}.json"
                number += 1
            path.replace(target)
        except FileNotFoundError:
            return  # another process was faster and reports it
        except OSError as error:
            why += f" It could not be moved to {folder} ({error.strerror})."
        else:
            why += f" Moved to {target}; the cell counts as not run."
        self._moved.append(f"{path}: {why}")

    def _remove_stale_temporaries(self) -> None:
        """Removes what a killed process left; young files may belong to a running one."""
        limit = time.time() - _STALE_AFTER_S
        for folder in (self.folder, self.folder / "cells"):
            for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
                try:
                    if path.stat().st_mtime < limit:
                        path.unlink()
                except FileNotFoundError:
                    continue


def read_record(path: Path) -> Record:
    """The record in a file that its key names.

    Raises:
        NewerSchemaError: If a newer version of the program wrote it.
        ResultsError: If it holds no valid record.
        OSError: If it is no regular file, too large or cannot be read.
    """
    record = Record.from_json(read_regular(path))
    if record.key != path.stem:
        raise ResultsError(f"it belongs to cell {record.key}, not to its file name.")
    return record


def _spell(error: OSError | ResultsError) -> str:
    """What is wrong with a file among the records, and what becomes of it."""
    if isinstance(error, NewerSchemaError):
        return str(error)
    if isinstance(error, ResultsError):
        return f"broken record: {error}"
    if isinstance(error, UnusableFileError):
        return f"broken record: {error.strerror}."
    return f"cannot be read ({error.strerror}). Check the rights of the file."


def read_tables(folder: Path) -> Tables:
    """All results of a folder, from its records if there are any, else from its table files.

    Raises:
        ResultsError: If the folder does not exist or holds no results.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder} is not a folder. Give the results folder of a run.")
    if any((folder / "cells").glob("*.json")):
        tables = ResultStore(folder).tables()
    elif (of_files := table.read_table_files(folder)) is not None:
        tables = of_files
    else:
        raise ResultsError(
            f"{folder} holds no results: neither cells/*.json nor results.csv. "
            "Give the results folder of a run, or run a suite first."
        )
    problems = (*tables.problems, *plan_problems(folder))
    return replace(tables, planned=planned_cells(folder), folder=folder, problems=problems)


def _foreign_files(folder: Path) -> list[str]:
    """Names of files that are no tables and no plan of ours, but called like them."""
    found = []
    for name, columns in table.TABLE_COLUMNS.items():
        try:
            with open_regular(folder / f"{name}.csv") as file:
                header = file.readline(_LONGEST_HEADER).decode("utf-8-sig", "replace").strip()
        except OSError:
            continue
        if header and header.split(",")[0].strip('"') != columns[0].name:
            found.append(f"{name}.csv")
    if is_foreign_plan(folder):
        found.append(PLAN_NAME)
    return found

"""Records on disk: one file per cell, complete or absent, and the tables made from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmea_bench.results.core import table
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.files import TEMPORARY_SUFFIX, write_atomic
from mmea_bench.results.core.plans.plan_file import planned_cells
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.table import Tables

_STALE_AFTER_S = 3600.0
_LARGEST_RECORD_BYTES = 2**28


class ResultStore:
    """The results folder of a run.

    Layout: ``cells/<key>.json`` holds the records, which are the only source of truth;
    ``results``, ``cells``, ``curves`` and ``datasets`` (``.csv``, ``.parquet``) are made from them;
    ``quarantine/`` takes records that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._problems: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each record that this store had to set aside so far."""
        return tuple(self._problems)

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
        """Every valid record, sorted by key; others go to quarantine (see ``problems``)."""
        for path in sorted((self.folder / "cells").glob("*.json")):
            record = self._read(path)
            if record is not None:
                yield record

    def record(self, key: str) -> Record | None:
        """The record of a cell; None if there is none that can be read."""
        path = self.path_of(key)
        return self._read(path) if path.exists() else None

    def check(self) -> list[str]:
        """Reads every record; returns a sentence for each one set aside by this call."""
        before = len(self._problems)
        for _record in self.records():
            pass
        return self._problems[before:]

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

    def _read(self, path: Path) -> Record | None:
        try:
            # A link to a device or a pipe would be read for ever.
            if path.exists() and not path.is_file():
                raise ResultsError("it is no regular file.")
            if path.stat().st_size > _LARGEST_RECORD_BYTES:
                raise ResultsError(f"it has more than {_LARGEST_RECORD_BYTES >> 20} MiB.")
            record = Record.from_json(path.read_bytes())
            if record.key != path.stem:
                raise ResultsError(f"it belongs to cell {record.key}, not to its file name.")
        except FileNotFoundError:
            return None  # another process set it aside between listing and reading
        except OSError as error:
            self._problems.append(
                f"{path}: cannot be read ({error.strerror}); left where it is and not counted. "
                "Check the rights of the file."
            )
            return None
        except ResultsError as error:
            self._set_aside(path, str(error))
            return None
        return record

    def _set_aside(self, path: Path, why: str) -> None:
        folder = self.folder / "quarantine"
        target = folder / path.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = 2
            while target.exists():
                target = folder / f"{path.stem}.{number}.json"
                number += 1
            path.replace(target)
        except FileNotFoundError:
            return  # another process was faster and reports it
        except OSError as error:
            self._problems.append(
                f"{path}: broken record: {why} It could not be moved to {folder} "
                f"({error.strerror}) and is not counted."
            )
            return
        self._problems.append(
            f"{path}: broken record: {why} Moved to {target}; the cell counts as not run."
        )

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


def read_tables(folder: Path) -> Tables:
    """All results of a folder, from its records if there are any, else from its table files.

    Raises:
        ResultsError: If the folder does not exist or holds no results.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder} is not a folder. Give the results folder of a run.")
    if any((folder / "cells").glob("*.json")):
        return replace(ResultStore(folder).tables(), planned=planned_cells(folder))
    tables = table.read_table_files(folder)
    if tables is None:
        raise ResultsError(
            f"{folder} holds no results: neither cells/*.json nor results.csv. "
            "Give the results folder of a run, or run a suite first."
        )
    return replace(tables, planned=planned_cells(folder))

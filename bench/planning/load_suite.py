"""A suite by name or file, with the changes of a request applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmea_bench.bench.planning.suite import Suite
from mmea_bench.bench.planning.suite_checks import SuiteChecker
from mmea_bench.bench.planning.suite_files import read_suite_table
from mmea_bench.results.core.schema import NO_SUITE


def load_suite(
    name_or_file: str | None,
    changes: Mapping[str, object] | None = None,
    data_root: Path | None = None,
    method_files: Sequence[Path] = (),
) -> Suite:
    """The suite of a name or file with the changes of the command line applied.

    Args:
        name_or_file: As for ``read_suite_table``; None starts from an empty table.
        changes: Same keys and forms as the TOML file; they win over it, ``set`` and ``protocol``
            entry by entry.
        data_root: Folder of the data files; only addresses are read here.
        method_files: Method files of the user.

    Raises:
        UserError: If something is wrong; the text lists every problem, one per line.
    """
    name, table = (NO_SUITE, {}) if name_or_file is None else read_suite_table(name_or_file)
    where = name_or_file or "the command line"
    return SuiteChecker(where, data_root, tuple(method_files)).check(name, table, changes or {})

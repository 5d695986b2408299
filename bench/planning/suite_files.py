"""Suite files: where they lie, what they are called, and their raw tables."""

from __future__ import annotations

import tomllib
from pathlib import Path

from mmea_bench.datasets.core.errors import UserError, shown, unknown_name
from mmea_bench.results.core.disk.files import read_regular

SUITES_FOLDER = Path(__file__).resolve().parents[1] / "suites"


LARGEST_SUITE_BYTES = 2**18


DEEPEST_SUITE = 6


_FLAT = "A suite has keys, tables such as [grid.mclea], and lists of values."


def suite_names() -> list[str]:
    """Names of the suites that come with the program; ``papers/`` holds one per published study."""
    found = (
        path.relative_to(SUITES_FOLDER).with_suffix("") for path in SUITES_FOLDER.rglob("*.toml")
    )
    return sorted((path.as_posix() for path in found), key=lambda name: ("/" in name, name))


def read_suite_table(name_or_file: str) -> tuple[str, dict[str, object]]:
    """Name and raw TOML table of a suite; nothing in it is checked yet.

    Args:
        name_or_file: Name of a suite of the program, or a path that ends in ``.toml``.

    Raises:
        UserError: If there is no such suite or the file is not TOML.
    """
    if name_or_file.endswith(".toml"):
        path = _own_file(name_or_file)
    elif name_or_file in suite_names():
        path = SUITES_FOLDER / f"{name_or_file}.toml"
    else:
        where = "bench list suites"
        raise UserError(
            unknown_name("suite", name_or_file, suite_names(), where)
            + " A file of your own is named by a path that ends in .toml."
        )
    try:
        # An editor's mark of the encoding says nothing.
        table = tomllib.loads(read_regular(path, LARGEST_SUITE_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no UTF-8 text (byte {error.start}), as TOML is. Save it in that encoding."
        ) from None
    except OSError as error:
        raise UserError(f"Suite file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid TOML: {shown(error, quote='')}.") from None
    except RecursionError:
        raise UserError(f"{path} nests its lists or tables too deeply. {_FLAT}") from None
    if not _is_flat(table):
        raise UserError(f"{path} nests its lists or tables too deeply. {_FLAT}")
    return path.stem, table


def _own_file(name: str) -> Path:
    """The user's file, if there is one of the size of a suite."""
    path = Path(name)
    try:
        n_bytes = path.stat().st_size if path.is_file() else -1
    except (OSError, ValueError) as error:
        raise UserError(f"Suite file {shown(name)} cannot be opened: {error}.") from None
    if n_bytes < 0:
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"Suite file {path} {what}.")
    if n_bytes > LARGEST_SUITE_BYTES:
        raise UserError(
            f"{path} has {n_bytes} bytes; a suite has at most {LARGEST_SUITE_BYTES}. "
            "Split it, or name the right file."
        )
    return path


def _is_flat(value: object, levels_left: int = DEEPEST_SUITE) -> bool:
    """Whether lists and tables stand in one another a few times only."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels_left > 0 and all(_is_flat(item, levels_left - 1) for item in inner)

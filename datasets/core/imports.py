"""Which files a Python file imports, found without running any of them."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
_PACKAGE = "mmea_bench"


def project_sources(files: Iterable[Path]) -> tuple[Path, ...]:
    """The files and every project file that they import, directly or not, sorted.

    What a package's ``__init__`` holds counts too, whichever of its modules is imported.
    """
    return _all_reached(files, _project_imports)


def own_sources(file: Path) -> tuple[Path, ...]:
    """A user's file and every module beside or below it that it imports, sorted."""

    def imported(path: Path) -> Iterator[Path]:
        for level, parts in _imported_names(path):
            roots = (path.parents[level - 1],) if level else (file.parent, path.parent)
            for root in roots:
                yield from _module_files(root, parts)

    return _all_reached([file], imported)


def package_sources(module: str) -> tuple[Path, ...]:
    """The file of an installed module and every file of its package that it imports, sorted.

    Other packages do not count: their versions stand in the record, as those of all libraries.
    Empty where the module has no file.
    """
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(module)
    outer = importlib.util.find_spec(top)
    if spec is None or spec.origin is None or outer is None:
        return ()
    places = list(outer.submodule_search_locations or ()) or [str(outer.origin)]
    root = Path(places[0]).resolve().parent

    def imported(path: Path) -> Iterator[Path]:
        for level, parts in _imported_names(path):
            if level or parts[0] == top:
                yield from _module_files(path.parents[level - 1] if level else root, parts)

    origin = Path(spec.origin).resolve()  # of a compiled module no source is read
    start = [origin] if origin.suffix == ".py" else []
    return _all_reached([*start, *_module_files(root, module.split("."))], imported)


def _all_reached(
    start: Iterable[Path], imported: Callable[[Path], Iterable[Path]]
) -> tuple[Path, ...]:
    """The files that exist among the first ones, and all that they import in turn, sorted."""
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting.extend(imported(path))
    return tuple(sorted(found))


def _module_files(root: Path, parts: list[str]) -> Iterator[Path]:
    """Where the modules of a dotted name would lie below a folder."""
    for depth in range(1, len(parts) + 1):
        yield root.joinpath(*parts[:depth], "__init__.py")
        yield root.joinpath(*parts[:depth]).with_suffix(".py")


def _project_imports(path: Path) -> Iterator[Path]:
    for level, parts in _imported_names(path):
        if level == 0 and parts[0] == _PACKAGE and len(parts) > 1:
            yield _PROJECT.joinpath(*parts[1:]).with_suffix(".py")
            for depth in range(2, len(parts) + 1):
                yield _PROJECT.joinpath(*parts[1:depth], "__init__.py")


def _imported_names(path: Path) -> tuple[tuple[int, list[str]], ...]:
    """Dots in front and parts of every name that a file imports, wherever in it that stands."""
    state = path.stat()
    return _names_in(path, state.st_mtime_ns, state.st_size)


@functools.cache
def _names_in(path: Path, _changed_ns: int, _size: int) -> tuple[tuple[int, list[str]], ...]:
    """The names in a file as it is now: several keys of one run read the same files."""
    return tuple(_parsed_names(path))


def _parsed_names(path: Path) -> Iterator[tuple[int, list[str]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            names = [".".join([*module, alias.name]) for alias in node.names]
            for name in (*module, *names):
                yield node.level, name.split(".")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name.split(".")

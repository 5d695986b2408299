"""Finds methods by their file names, the user's own files included."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.read_files import files_in_code

_METHODS_FOLDER = Path(__file__).resolve().parent.parent
_PROJECT = _METHODS_FOLDER.parent
_PACKAGE = "mmea_bench"
_USER_PACKAGE = "mmea_bench_user_methods"
_PUBLIC_MODULE = "api"  # what authors import; no method


@dataclass(frozen=True)
class CatalogueEntry:
    """One method file.

    Attributes:
        name: Address, the file name without ``.py``.
        method_type: The class it defines, None if it cannot be imported.
        error: Why it cannot be imported, None if it can.
    """

    name: str
    method_type: type[Method] | None
    error: str | None


def method_names() -> list[str]:
    """Addresses of all method files of the project, broken ones included."""
    return sorted(
        path.stem
        for path in _METHODS_FOLDER.glob("*.py")
        if not path.stem.startswith(("_", "template")) and path.stem != _PUBLIC_MODULE
    )


def catalogue_entries() -> list[CatalogueEntry]:
    """Every method file with its class, or with the reason why it cannot be used."""
    entries = []
    for name in method_names():
        try:
            entries.append(CatalogueEntry(name, get_method(name), None))
        except UserError as error:
            entries.append(CatalogueEntry(name, None, str(error)))
    return entries


def get_method(name: str, method_files: Sequence[Path] = ()) -> type[Method]:
    """The class behind a method name.

    Args:
        name: File name without ``.py``; hyphens count as underscores.
        method_files: Files of the user; they win over the project's own.

    Raises:
        UserError: If there is no such method, or its file cannot be used.
    """
    wanted = name.replace("-", "_")
    user_files = {_user_name(path): path for path in method_files}
    if wanted in user_files:
        return _load_user_method(user_files[wanted])
    if wanted not in method_names():
        valid = [*method_names(), *user_files]
        raise UserError(unknown_name("method", name, valid, "bench list methods"))
    try:
        module = importlib.import_module(f"{_PACKAGE}.methods.{wanted}")
    except Exception as error:
        raise UserError(f"Method '{wanted}' cannot be imported: {_last_line(error)}") from error
    return _only_method(module, f"methods/{wanted}.py")


def method_sources(name: str, method_files: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The method's file and every file that it imports, directly or not, sorted.

    Of the project's files all count, of the user's those below the folder of the method's file:
    modules, and weights that their code names. A result depends on these files; their content is
    part of the cell's key.
    """
    wanted = name.replace("-", "_")
    user_files = {_user_name(path): path.resolve() for path in method_files}
    if wanted not in user_files:
        return project_sources([_METHODS_FOLDER / f"{wanted}.py"])
    own = _own_sources(user_files[wanted])
    weights = {file for path in own for file in files_in_code(path, user_files[wanted].parent)}
    modules = [path for path in (*own, *weights) if path.suffix == ".py"]
    return tuple(sorted({*project_sources(modules), *weights}))


def project_sources(files: Iterable[Path]) -> tuple[Path, ...]:
    """The files and every project file that they import, directly or not, sorted.

    What a package's ``__init__`` holds counts too, whichever of its modules is imported.
    """
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting.extend(_project_imports(path))
    return tuple(sorted(found))


def _own_sources(method_file: Path) -> tuple[Path, ...]:
    """A user's method file and every module beside or below it that it imports, sorted."""
    folder = method_file.parent
    found: set[Path] = set()
    waiting = [method_file]
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting.extend(_imports_from(path, folder))
    return tuple(sorted(found))


def _imports_from(path: Path, folder: Path) -> Iterator[Path]:
    """Where the modules that a file imports would lie below a folder, or beside the file."""
    for level, parts in _imported_names(path):
        roots = (path.parents[level - 1],) if level else (folder, path.parent)
        for root in roots:
            for depth in range(1, len(parts) + 1):
                yield root.joinpath(*parts[:depth], "__init__.py")
                yield root.joinpath(*parts[:depth]).with_suffix(".py")


def _user_name(path: Path) -> str:
    return path.stem.replace("-", "_")


def _load_user_method(path: Path) -> type[Method]:
    if not path.is_file():
        raise UserError(f"Method file {path} does not exist.")
    module_name = f"{_USER_PACKAGE}.{_user_name(path)}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise UserError(f"Method file {path} is not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Its classes stand by name in the state of a training.
    sys.modules.setdefault(_USER_PACKAGE, _empty_package())
    # Dataclasses with postponed annotations look their module up by name while it loads.
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        reason = _moved(error) or _located(error, path)
        raise UserError(f"Method file {path} cannot be imported: {reason}") from error
    except Exception as error:
        raise UserError(
            f"Method file {path} cannot be imported: {_located(error, path)}"
        ) from error
    return _only_method(module, str(path))


def _empty_package() -> ModuleType:
    package = ModuleType(_USER_PACKAGE)
    package.__path__ = []
    return package


def _moved(error: ImportError) -> str:
    """Where what a user's file imports is now, if it is a part of the project that has moved."""
    where = error.name or ""
    if not where.startswith(f"{_PACKAGE}."):
        return ""
    public = "datasets" if where.startswith(f"{_PACKAGE}.datasets.") else "methods"
    stays = f"{_PACKAGE}.{public}.api"
    if public == "datasets":
        stays += f" (what a method needs of datasets: from {_PACKAGE}.methods.api)"
    return (
        f"{where} does not have what it asks for ({_last_line(error)}). Parts of the project move; "
        f"import from {stays}, whose names stay."
    )


def _only_method(module: ModuleType, where: str) -> type[Method]:
    defined = [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Method)
        and item.__module__ == module.__name__
        and not getattr(item, "__abstractmethods__", None)
    ]
    if len(defined) != 1:
        found = ", ".join(item.__name__ for item in defined) or "none"
        raise UserError(f"{where} must define exactly one subclass of Method, found: {found}.")
    return defined[0]


def _project_imports(path: Path) -> Iterator[Path]:
    for level, parts in _imported_names(path):
        if level == 0 and parts[0] == _PACKAGE and len(parts) > 1:
            yield _PROJECT.joinpath(*parts[1:]).with_suffix(".py")
            for depth in range(2, len(parts) + 1):
                yield _PROJECT.joinpath(*parts[1:depth], "__init__.py")


def _imported_names(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Dots in front and parts of every name that a file imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            names = [".".join([*module, alias.name]) for alias in node.names]
            for name in (*module, *names):
                yield node.level, name.split(".")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name.split(".")


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _located(error: BaseException, path: Path) -> str:
    """As ``_last_line``, with the line of the user's file that it passed last."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path.resolve()
    ]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return _last_line(error) if line is None else f"line {line}: {_last_line(error)}"

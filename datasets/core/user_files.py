"""Python files of the user's own, imported by their path."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

from mmea_bench.datasets.core.errors import DataError, UserError, last_line
from mmea_bench.datasets.core.imports import own_sources

_PACKAGE = "mmea_bench"


def user_name(path: Path) -> str:
    """The name that a user's file gives to what it defines."""
    return path.stem.replace("-", "_")


def taken_name(what: str, path: Path, name: str, other: Path | None) -> UserError:
    """The error of a file whose name would hide what another one defines.

    Args:
        what: ``Method`` or ``Dataset``.
        path: The file.
        name: What it gives.
        other: File of the user that gives it too; None where it is no file of the user's.
    """
    taken = f"is that of another {what.lower()}" if other is None else f"{other} gives too"
    return UserError(f"{what} file {path} gives the name '{name}', which {taken}. Rename the file.")


def load_user_file(path: Path, package: str, what: str) -> ModuleType:
    """The module of a user's file, imported anew.

    Args:
        path: The file.
        package: Package that the module counts to, for classes that stand by name in a state.
        what: ``Method`` or ``Dataset``, for the sentence.

    Raises:
        UserError: If there is no such file, or it cannot be imported; the sentence names its line.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{what} file {path} {problem}.")
    module_name = f"{package}.{user_name(path)}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise UserError(f"{what} file {path} is not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Its classes stand by name in the state of a training.
    sys.modules.setdefault(package, _empty_package(package))
    # Dataclasses with postponed annotations look their module up by name while it loads.
    sys.modules[module_name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # at the end: what lies beside the file hides no library
        sys.path.append(folder)
    try:
        with redirect_stdout(sys.stderr):  # what is printed here is no result
            spec.loader.exec_module(module)
    except ImportError as error:
        reason = _moved(error) or _located(error, path)
        raise UserError(f"{what} file {path} cannot be imported: {reason}") from error
    except (Exception, SystemExit) as error:  # an exit would end the program without a word
        reason = _located(error, path)
        raise UserError(f"{what} file {path} cannot be imported: {reason}") from error
    _check_helpers(path, what)
    return module


def _check_helpers(path: Path, what: str) -> None:
    """Refuses a file whose helper was imported from elsewhere: its code is not what is run."""
    for helper in own_sources(path):
        name = helper.stem
        if helper == path or helper.parent != path.resolve().parent or name not in sys.modules:
            continue
        other = getattr(sys.modules[name], "__file__", None)
        if other is None or Path(other).resolve() != helper.resolve():
            raise UserError(
                f"{what} file {path} imports {name}, which stands for {other or 'a library'} and "
                f"not for {helper}. Rename that file."
            )


@contextmanager
def own_code(what: str, kind: type[object]) -> Iterator[None]:
    """Turns whatever a user's class raises into a sentence with its file and line.

    What it prints goes to standard error. Errors that speak to the user pass, and so does
    everything that the project's own classes raise.

    Args:
        what: What it does, such as ``The dataset 'films' cannot be read``.
        kind: The class.

    Raises:
        DataError: If it raises.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (UserError, PermissionError):
        raise
    except (Exception, SystemExit) as error:
        if kind.__module__.startswith(f"{_PACKAGE}."):
            raise
        module = sys.modules.get(kind.__module__)
        file = Path(str(getattr(module, "__file__", None) or kind.__module__))
        raise DataError(f"{what}: {file.name}, {_located(error, file)}.") from error


def _empty_package(name: str) -> ModuleType:
    package = ModuleType(name)
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
        f"{where} does not have what it asks for ({last_line(error)}). Parts of the project move; "
        f"import from {stays}, whose names stay."
    )


def _located(error: BaseException, path: Path) -> str:
    """As ``last_line``, with the line of the user's file that it passed last."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path.resolve()
    ]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return last_line(error) if line is None else f"line {line}: {last_line(error)}"

"""Finds methods by their file names, the user's own files and those of packages included."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.datasets.core.errors import UserError, last_line, unknown_name
from mmea_bench.datasets.core.imports import own_sources, package_sources, project_sources
from mmea_bench.datasets.core.plugins import METHODS_GROUP, Offer, load, offers, only_class
from mmea_bench.datasets.core.user_files import load_user_file, taken_name, user_name
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.read_files import files_in_code
from mmea_bench.methods.core.settings import check_declarations

_METHODS_FOLDER = Path(__file__).resolve().parent.parent
_PACKAGE = "mmea_bench"
_USER_PACKAGE = "mmea_bench_user_methods"
_PUBLIC_MODULE = "api"  # what authors import; no method


@dataclass(frozen=True)
class CatalogueEntry:
    """One method.

    Attributes:
        name: Address, the file name without ``.py``, or the name that a package gives it.
        method_type: The class it defines, None if it cannot be imported.
        error: Why it cannot be imported, None if it can.
    """

    name: str
    method_type: type[Method] | None
    error: str | None


def method_names() -> list[str]:
    """Addresses of all methods, of the project and of installed packages, broken ones included."""
    return sorted([*built_in_methods(), *_offered()])


def built_in_methods() -> list[str]:
    """Addresses of the project's own methods, sorted; nothing is imported."""
    return sorted(
        path.stem
        for path in _METHODS_FOLDER.glob("*.py")
        if not path.stem.startswith(("_", "template")) and path.stem != _PUBLIC_MODULE
    )


def catalogue_entries() -> list[CatalogueEntry]:
    """Every method with its class, or with the reason why it cannot be used."""
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
        name: File name without ``.py``, or the name that a package gives; hyphens count as
            underscores.
        method_files: Files of the user; they win over all others.

    Raises:
        UserError: If there is no such method, or its file cannot be used.
    """
    wanted = name.replace("-", "_")
    user_files = {user_name(path): path for path in method_files}
    if wanted in user_files:
        path = user_files[wanted]
        kind = only_class(load_user_file(path, _USER_PACKAGE, "Method"), Method, str(path))
        check_declarations(kind, f"Method file {path}")
        return kind
    if wanted in built_in_methods():
        try:
            module = importlib.import_module(f"{_PACKAGE}.methods.{wanted}")
        except Exception as error:
            raise UserError(f"Method '{wanted}' cannot be imported: {last_line(error)}") from error
        return only_class(module, Method, f"methods/{wanted}.py")
    offered = _offered()
    if wanted not in offered:
        valid = [*method_names(), *user_files]
        where = "bench list methods"
        own = " A file of your own is given with --method-file."
        raise UserError(unknown_name("method", name, valid, where) + own)
    kind = load(offered[wanted], Method, "method")
    check_declarations(kind, f"The method '{wanted}' of the package {offered[wanted].package}")
    return kind


def check_own_names(method_files: Sequence[Path]) -> None:
    """Refuses files whose names would hide another method's, in tables and in records.

    Args:
        method_files: Files of the user.

    Raises:
        UserError: If two give one name, or one gives that of a method of the project or a package.
    """
    others = set(method_names())
    own: dict[str, Path] = {}
    for path in method_files:
        name = user_name(path)
        if name in others:
            raise taken_name("Method", path, name, None)
        other = own.setdefault(name, path)
        if other.resolve() != path.resolve():
            raise taken_name("Method", path, name, other)


def method_sources(name: str, method_files: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The method's file and every file that it imports, directly or not, sorted.

    Of the project's files all count, of the user's those below the folder of the method's file, of
    an installed package its own: modules, and weights that their code names. A result depends on
    these files; their content is part of the cell's key.
    """
    wanted = name.replace("-", "_")
    user_files = {user_name(path): path.resolve() for path in method_files}
    if wanted in user_files:
        own, folder = own_sources(user_files[wanted]), user_files[wanted].parent
    elif wanted in (offered := _offered()):
        own = package_sources(offered[wanted].module)
        folder = min((path.parent for path in own), key=lambda at: len(at.parts))
    else:
        return project_sources([_METHODS_FOLDER / f"{wanted}.py"])
    weights = {file for path in own for file in files_in_code(path, folder)}
    modules = [path for path in (*own, *weights) if path.suffix == ".py"]
    return tuple(sorted({*project_sources(modules), *weights}))


def _offered() -> Mapping[str, Offer]:
    return offers(METHODS_GROUP, built_in_methods())

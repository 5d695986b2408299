"""Methods and datasets that installed packages offer through entry points."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from mmea_bench.datasets.core.errors import UserError, last_line, shown

METHODS_GROUP = "mmea_bench.methods"
DATASETS_GROUP = "mmea_bench.datasets"

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Offer:
    """One entry point.

    Attributes:
        name: What the package calls it, with underscores.
        value: Module, or ``module:Class``.
        package: Name of the installed package.
        problem: Why it cannot be used, as far as its name says; empty where nothing is wrong.
    """

    name: str
    value: str
    package: str
    problem: str = ""

    @property
    def module(self) -> str:
        """Name of the module."""
        return self.value.partition(":")[0].strip()


def offers(group: str, taken: Collection[str]) -> Mapping[str, Offer]:
    """What installed packages offer in a group, by the name that it has in a catalogue.

    A name that is taken stands with its package in brackets, so that it stays in the list and
    stands for nothing. Nothing is imported.

    Args:
        group: ``METHODS_GROUP`` or ``DATASETS_GROUP``.
        taken: Names of the project's own, with underscores.
    """
    found: dict[str, Offer] = {}
    for name, value, package in _installed(group, tuple(sys.path)):
        other = found.get(name)
        if name in taken:
            problem = (
                f"the package {package} offers '{name}', which is a name of the program's own; "
                "the package has to rename it"
            )
            found[f"{name} ({package})"] = Offer(name, value, package, problem)
        elif other is not None:
            problem = f"the packages {other.package} and {package} both offer '{name}'; remove one"
            found[name] = Offer(name, value, other.package, problem)
        elif not _NAME.fullmatch(name):
            problem = f"the package {package} offers {shown(name)}; a name is letters, digits, _"
            found[name] = Offer(name, value, package, problem)
        else:
            found[name] = Offer(name, value, package)
    return found


@lru_cache(maxsize=8)
def _installed(group: str, _path: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """Name, value and package of each entry point; read once for every path of modules."""
    rows = {
        (point.name.strip().replace("-", "_"), point.value, _package_of(point))
        for point in entry_points(group=group)
    }
    return tuple(sorted(rows))


def _package_of(point: EntryPoint) -> str:
    try:
        name = point.dist.name if point.dist is not None else None
    except Exception:  # metadata of somebody else, of whatever kind
        name = None
    return str(name or "without a name").replace("-", "_")


def load(offer: Offer, base: type[object], what: str) -> type[Any]:
    """The class of an entry point.

    Args:
        offer: The entry point.
        base: What it must be a subclass of.
        what: ``method`` or ``dataset``, for the sentence.

    Raises:
        UserError: If it cannot be used; whatever the package does when it is imported.
    """
    where = f"The {what} '{offer.name}' of the package {offer.package}"
    if offer.problem:
        raise UserError(f"{where} cannot be used: {offer.problem}.")
    try:
        module = importlib.import_module(offer.module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{where} cannot be imported: {last_line(error)}") from error
    attribute = offer.value.partition(":")[2].partition("[")[0].strip()
    if not attribute:
        return only_class(module, base, f"{offer.module}, which offers the {what} '{offer.name}',")
    found = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{where} names {offer.value}, which is no subclass of {base.__name__}.")
    return found


def only_class(module: ModuleType, base: type[object], where: str) -> type[Any]:
    """The one class that a module defines of a kind.

    Args:
        module: An imported module.
        base: The kind.
        where: The module, for the sentence.

    Raises:
        UserError: If there is none, or more than one.
    """
    own = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
    ]
    lacking = {item: sorted(getattr(item, "__abstractmethods__", ())) for item in own}
    defined = [item for item in own if not lacking[item]]
    if len(defined) != 1:
        unfinished = [f"{item.__name__}, which lacks {', '.join(lacking[item])}" for item in own]
        found = ", ".join(item.__name__ for item in defined) or "; ".join(unfinished) or "none"
        raise UserError(
            f"{where} must define exactly one subclass of {base.__name__}, found: {found}."
        )
    return defined[0]

"""What the process that all cells are forked from imports once, so that no cell does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.user_files import user_name
from mmea_bench.methods.core.catalogue import built_in_methods, get_method

FIRST_OPTIMISER = "torch._dynamo"
"""What PyTorch imports with the first optimiser of a process: more than a second of each cell."""


def preloaded_modules(methods: Iterable[str], method_files: Sequence[Path]) -> list[str]:
    """Modules for the server process to import: of methods of the project, and for training.

    Args:
        methods: Names of the methods that will run; they have been loaded here without an error.
        method_files: Files of the user, which are left to the cells that need them.
    """
    names = sorted(set(methods))
    ours = set(built_in_methods()) - {user_name(path) for path in method_files}
    modules = [f"mmea_bench.methods.{name}" for name in names if name in ours]
    if any(_trains(name, method_files) for name in names):
        modules.append(FIRST_OPTIMISER)
    return modules


def _trains(method: str, method_files: Sequence[Path]) -> bool:
    try:
        return hasattr(get_method(method, method_files).Params, "epochs")
    except UserError:
        return False  # its file was broken a moment ago, which its cells will say

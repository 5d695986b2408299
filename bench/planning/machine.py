"""Facts about program, libraries and hardware that travel with every number."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("mmea-bench", "torch", "torch-geometric", "numpy", "scipy", "pandas")
UNKNOWN = "unknown"


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers can depend on, by name."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions


@cache
def code_version() -> str:
    """Short commit of the program, ``-dirty`` when files differ from it.

    The checkout is the one that the running code lies in, wherever the user stands; "unknown"
    outside a checkout or without git.
    """
    # A package installed into an environment that itself lies in some checkout is none of ours.
    if _git(_CHECKOUT, "rev-parse", "--show-prefix") != "":
        return UNKNOWN
    return _commit(_CHECKOUT) or UNKNOWN


@cache
def commit_of(folder: Path) -> str | None:
    """Short commit of the checkout that a folder lies in, ``-dirty`` when files differ from it.

    None outside a checkout or without git.
    """
    return _commit(folder)


def _commit(folder: Path) -> str | None:
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changed else commit


def n_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of_cell(n_at_once: int, environment: Mapping[str, str]) -> int:
    """Threads that each of several concurrent cells computes with: its share of the cores.

    Args:
        n_at_once: Cells at the same time.
        environment: ``OMP_NUM_THREADS`` in it is the most, as for every program that computes.
    """
    share = max(1, n_cores() // n_at_once)
    most = environment.get("OMP_NUM_THREADS", "")
    return min(share, int(most)) if most.isdecimal() and int(most) else share


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no text of the user
            ["git", *arguments],  # noqa: S607 - git belongs to the user's path
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

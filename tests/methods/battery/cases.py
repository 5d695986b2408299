"""The checks of the battery that ships with the package, a part of the methods at a time.

One file holds each part, since a file's tests run in one process, where checks of a method share
its trainings; the parts run side by side.
"""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.bench.battery.run import CHECKS, Check
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries

N_PARTS = 6


def cases(part: int) -> list[object]:
    """Checks and their cases of every sixth method, as parameters of a test.

    Args:
        part: From 0 to 5.
    """
    entries = [entry for entry in catalogue_entries() if entry.method_type is not None]
    return [
        # Method by method, so that its trainings are still at hand when the next check wants them.
        pytest.param(entry.method_type, check, case, id=f"{entry.name}-{check.name}-{case}")
        for entry in entries[part::N_PARTS]
        if entry.method_type is not None
        for check in CHECKS
        for case in check.cases_of(entry.method_type)
    ]


def run_check(method_type: type[Method], check: Check, case: str) -> None:
    """Does a check, or skips the test with the reason why it cannot be done."""
    try:
        check(method_type, case)
    except NotApplicableError as reason:
        pytest.skip(str(reason))

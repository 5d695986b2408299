"""Every method of the catalogue goes through the battery that ships with the package."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.bench.battery.run import CHECKS, Check
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries

CASES = [
    # Method by method, so that its trainings are still at hand when the next check wants them.
    pytest.param(entry.method_type, check, case, id=f"{entry.name}-{check.name}-{case}")
    for entry in catalogue_entries()
    if entry.method_type is not None
    for check in CHECKS
    for case in check.cases_of(entry.method_type)
]


def test_no_method_file_is_broken() -> None:
    assert [entry.error for entry in catalogue_entries() if entry.error] == []


@pytest.mark.parametrize(("method_type", "check", "case"), CASES)
def test_a_method_passes(method_type: type[Method], check: Check, case: str) -> None:
    try:
        check(method_type, case)
    except NotApplicableError as reason:
        pytest.skip(str(reason))

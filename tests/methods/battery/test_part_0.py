"""Every method of the catalogue goes through the battery: part 1 of 6."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.run import Check
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries
from tests.methods.battery.cases import N_PARTS, cases, run_check


@pytest.mark.parametrize(("method_type", "check", "case"), cases(0))
def test_a_method_passes(method_type: type[Method], check: Check, case: str) -> None:
    run_check(method_type, check, case)


def test_no_method_file_is_broken() -> None:
    assert [entry.error for entry in catalogue_entries() if entry.error] == []


def test_every_method_is_in_one_part() -> None:
    found = {case.values[0] for part in range(N_PARTS) for case in cases(part)}  # type: ignore[attr-defined]
    assert found == {each.method_type for each in catalogue_entries() if each.method_type}

"""Every method of the catalogue goes through the battery: part 2 of 6."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.run import Check
from mmea_bench.methods.core.base import Method
from tests.methods.battery.cases import cases, run_check


@pytest.mark.parametrize(("method_type", "check", "case"), cases(1))
def test_a_method_passes(method_type: type[Method], check: Check, case: str) -> None:
    run_check(method_type, check, case)

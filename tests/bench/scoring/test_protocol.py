"""On what a protocol lets a training choose its checkpoint."""

from __future__ import annotations

import pytest

from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.methods.core.base import StopRule


@pytest.mark.parametrize(
    ("protocol", "paper_stop", "n_valid", "rule"),
    [
        ("strict", "test", 10, "valid"),
        ("paper", "test", 0, "test"),
        ("paper", "last", 0, "last"),
        ("paper", "valid", 10, "valid"),
        # Without validation links the last epoch is taken, and the row says so.
        ("paper", "valid", 0, "last"),
        ("strict", "last", 0, "last"),
    ],
)
def test_a_row_says_valid_only_where_there_were_validation_links(
    protocol: str, paper_stop: StopRule, n_valid: int, rule: StopRule
) -> None:
    assert Protocol(name=protocol).stop_rule(paper_stop, n_valid) == rule  # type: ignore[arg-type]

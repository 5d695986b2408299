"""A training that promotes pairs in rounds says how long one is, so that patience covers it."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.small_pairs import tiny_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.catalogue import get_method, method_names
from mmea_bench.methods.core.training.loop import Schedule


class FoundError(Exception):
    """Ends a training before its first epoch, with what its schedule says of rounds."""


def round_of(name: str, variant: str, monkeypatch: pytest.MonkeyPatch) -> int:
    def found(schedule: Schedule, *_: object) -> int:
        raise FoundError(schedule.round_epochs)

    monkeypatch.setattr(Schedule, "patience", found)
    kind = get_method(name)
    method = kind.configure(name, variant, kind.test_params)
    with pytest.raises(FoundError) as raised:
        method.fit(tiny_view(tiny_pair()), RunContext(rng_seed=1))
    return int(str(raised.value))


@pytest.mark.parametrize(
    "name", [name for name in method_names() if "iterative" in get_method(name).variants]
)
def test_an_iterative_variant_names_its_round(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert round_of(name, "iterative", monkeypatch) > 0


def test_iptranse_looks_for_labels_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert round_of("iptranse", "full", monkeypatch) == 20
    assert round_of("iptranse", "w/o soft labels", monkeypatch) == 0

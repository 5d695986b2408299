"""How long cells take, judged by those that have ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mmea_bench.bench.planning.job import Length
from mmea_bench.bench.running.estimate import CellTimes
from tests.reports.reports_factory import make_record

ENDED = make_record("eva", 0.5, fit_s=8.0, eval_s=2.0, epochs=100, epoch_s=0.06)


def asked(parameters: object) -> CellTimes:
    return CellTimes([replace(ENDED, configuration={"parameters": parameters})])


def test_a_cell_takes_what_its_epochs_take() -> None:
    times = asked({"epochs": 100})
    assert times.seconds(ENDED.cell, Length(500)) == pytest.approx(2.0 + 500 * 0.06 + 2.0)
    assert times.seconds(ENDED.cell) == 10.0


def test_an_unknown_method_takes_the_mean_of_all() -> None:
    times = asked({"epochs": 100})
    assert times.seconds({**ENDED.cell, "method": "seu"}) == 10.0
    assert not times.knows("seu")
    assert CellTimes().seconds(ENDED.cell) is None


@pytest.mark.parametrize("words", [{}, {"method": ["eva"]}, {"method": None, "seed_ratio": {}}])
def test_cells_of_a_damaged_plan_have_a_time(words: dict[str, Any]) -> None:
    assert asked({"epochs": 100}).seconds(words, Length(500)) == pytest.approx(34.0)


@pytest.mark.parametrize("parameters", [None, [], {}, {"epochs": "many"}, {"epochs": None}])
def test_a_record_that_does_not_say_its_epochs_counts_as_it_is(parameters: object) -> None:
    assert asked(parameters).seconds(ENDED.cell, Length(500)) == 10.0

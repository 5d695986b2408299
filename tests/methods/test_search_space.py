"""What a method declares that a tuning may try."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.declarations import check_metadata
from mmea_bench.bench.battery.failures import CheckFailedError
from mmea_bench.methods.core.search_space import Choice, Float, Int
from mmea_bench.methods.gcn_align import GCNAlign


def test_an_interval_holds_its_ends() -> None:
    assert all(Float(0.1, 1.0).holds(value) for value in (0.1, 0.5, 1))
    assert not any(Float(0.1, 1.0).holds(value) for value in (0.09, 1.1, "0.5", True, None))


def test_whole_numbers_come_in_steps() -> None:
    assert [value for value in range(12) if Int(1, 10, step=3).holds(value)] == [1, 4, 7, 10]
    assert not Int(0, 5).holds(True)
    assert not Int(0, 5).holds(2.0)


def test_a_choice_holds_lists_too() -> None:
    assert Choice((("word", "char"), ("word",))).holds(("word",))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Float(1.0, 1.0),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Float(0.0, float("inf")),
        lambda: Int(1, 10, step=2),
        lambda: Int(1, 10, step=0),
        lambda: Int(1, 9, step=2, log=True),
        lambda: Choice((1,)),
    ],
)
def test_what_is_no_space_is_refused(make: object) -> None:
    with pytest.raises(ValueError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"learning_rate": Float(1.0, 2.0)}, "lacks its default, 20.0"),
        ({"margins": Float(1.0, 2.0)}, "search_space of 'margins' of GCNAlign"),
        ({"n_negatives": Choice((5, "many"))}, "search_space of 'n_negatives' of GCNAlign"),
    ],
)
def test_the_battery_refuses_a_space_that_does_not_fit(
    space: dict[str, object], sentence: str
) -> None:
    wrong = type("GCNAlign", (GCNAlign,), {"search_space": space, "__doc__": "A method."})
    with pytest.raises(CheckFailedError, match=sentence):
        check_metadata(wrong)

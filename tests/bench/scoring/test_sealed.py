"""A sealed function answers, and its attributes and closures lead nowhere."""

from __future__ import annotations

import pytest

from mmea_bench.bench.battery.reachable import reachable
from mmea_bench.bench.scoring.sealed import sealed


class Secret:
    def ask(self, number: int, *, twice: bool = False) -> int:
        if number < 0:
            raise ValueError("no number below 0")
        return number * (2 if twice else 1)


def test_it_answers_every_call() -> None:
    ask = sealed(Secret().ask)
    assert [ask(3), ask(4, twice=True), ask(5)] == [3, 8, 5]


def test_an_error_is_the_callers_and_the_next_call_is_answered() -> None:
    ask = sealed(Secret().ask)
    with pytest.raises(ValueError, match="below 0"):
        ask(-1)
    assert ask(2) == 2


def test_what_it_refers_to_is_not_reached() -> None:
    secret = Secret()
    assert any(item is secret for item in reachable(secret.ask))
    assert not any(item is secret for item in reachable(sealed(secret.ask)))

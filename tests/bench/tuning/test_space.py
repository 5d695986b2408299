"""The values that a tuning tries: declared, else the usual ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from mmea_bench.bench.tuning.space import rounded, space_of, spell_space
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import get_method, method_names
from mmea_bench.methods.core.search_space import Choice, Float, Int


@dataclass(frozen=True)
class Params:
    tau: float = 0.1
    depth: int = 2
    learning_rate: float = 0.01
    dropout: float = 0.3


class Plain(Method):
    Params = Params

    def fit(self, view, ctx):
        raise NotImplementedError


class WithGrid(Plain):
    grid: ClassVar = {"tau": (0.2, 0.4), "depth": (1, 2)}


class Declared(WithGrid):
    search_space: ClassVar = {"tau": Float(0.01, 1.0, log=True), "depth": Int(1, 3)}


def test_a_declared_space_is_taken_as_it_is() -> None:
    space = space_of(Declared(), "declared", {})
    assert space.dimensions == Declared.search_space
    assert space.default == {"tau": 0.1, "depth": 2}
    assert space.origin == "search_space"


def test_without_one_the_sweep_gets_its_default_and_the_usual_ranges_join() -> None:
    space = space_of(WithGrid(), "with_grid", {})
    assert space.dimensions == {
        "tau": Choice((0.2, 0.4, 0.1)),
        "depth": Choice((1, 2)),
        "learning_rate": Float(0.001, 0.1, log=True),
        "dropout": Float(0.0, 0.6),
    }
    assert spell_space(space).startswith("tau 0.2 or 0.4 or 0.1; depth 1 or 2; learning_rate 0.001")


def test_fixed_parameters_are_not_varied() -> None:
    assert set(space_of(Declared(), "declared", {"tau": 0.3}).dimensions) == {"depth"}
    with pytest.raises(UserError, match="There is nothing to tune of declared"):
        space_of(Declared(), "declared", {"tau": 0.3, "depth": 1})


def test_a_default_outside_of_the_space_is_refused() -> None:
    with pytest.raises(UserError, match="lacks the default of 'tau'"):
        space_of(Declared(Params(tau=5.0)), "declared", {})


def test_values_equal_to_the_default_are_no_override() -> None:
    space = space_of(Declared(), "declared", {})
    assert space.changes({"tau": 0.1, "depth": 3}) == {"depth": 3}


def test_numbers_have_three_digits_and_stay_inside() -> None:
    assert rounded(Float(0.0, 1.0), 0.123456) == 0.123
    assert rounded(Float(0.12345, 1.0), 0.12346) == 0.12345
    assert rounded(Int(1, 3), 2) == 2
    assert rounded(Choice((1, 2)), 2) == 2


@pytest.mark.parametrize("name", ["gcn_align", "mclea", "eva", "rrea", "seu", "transe"])
def test_methods_that_declare_a_space(name: str) -> None:
    assert space_of(get_method(name)(), name, {}).origin == "search_space"


def test_every_method_has_a_space_that_holds_its_defaults_or_says_why_not() -> None:
    for name in method_names():
        try:
            space = space_of(get_method(name)(), name, {})
        except UserError as error:
            assert "There is nothing to tune" in str(error)  # noqa: PT017
        else:
            assert all(dim.holds(space.default[key]) for key, dim in space.dimensions.items())

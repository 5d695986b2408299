"""What a part of a method reads of its parameters, and what a variant leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mmea_bench.methods.core.settings import taken_from, without


@dataclass(frozen=True)
class Params:
    dim: int = 4
    tau: float = 0.1
    epochs: int = 10


def test_settings_take_the_parameters_of_their_names() -> None:
    @dataclass(frozen=True)
    class Settings:
        tau: float
        dim: int

    assert taken_from(Params(dim=7), Settings) == Settings(tau=0.1, dim=7)


def test_a_parameter_that_the_method_lacks_is_an_error() -> None:
    @dataclass(frozen=True)
    class Settings:
        temperature: float

    with pytest.raises(AttributeError, match="temperature"):
        taken_from(Params(), Settings)


def test_a_variant_encodes_all_modalities_but_one() -> None:
    assert without(("structure", "image", "name"), "image") == {"modalities": ("structure", "name")}

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.options import (
    build_options,
    changed_options,
    format_address,
    parse_address,
)


@dataclass(frozen=True)
class Options:
    n: int = 10
    share: float = 0.5
    is_easy: bool = False
    kind: Literal["a", "b"] = "a"
    parts: tuple[str, ...] = ("x",)
    limit: int | None = None


@pytest.mark.parametrize(
    ("address", "name", "options"),
    [
        ("eva", "eva", {}),
        (" eva[] ", "eva", {}),
        ("fb15k-db15k", "fb15k-db15k", {}),
        ("synthetic[n=1000, seed = 3]", "synthetic", {"n": "1000", "seed": "3"}),
    ],
)
def test_addresses(address: str, name: str, options: dict[str, str]) -> None:
    assert parse_address(address) == (name, options)


@pytest.mark.parametrize("address", ["", "eva[", "eva[n]", "eva[=1]", "eva[n=]", "a b", "[n=1]"])
def test_unreadable_addresses(address: str) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        parse_address(address)


def test_an_option_given_twice() -> None:
    with pytest.raises(UserError, match="'n' stands twice"):
        parse_address("eva[n=1,n=2]")


def test_an_address_survives_the_round_trip() -> None:
    given = {"parts": ("p", "q"), "is_easy": True, "n": 3}
    address = format_address("eva", given)
    assert address == "eva[is_easy=true,n=3,parts=p+q]"
    name, raw = parse_address(address)
    options = build_options("option of eva", Options, raw)
    assert changed_options(options) == {"n": 3, "is_easy": True, "parts": ("p", "q")}
    assert format_address(name, changed_options(options)) == address


def test_values_get_the_type_of_their_field() -> None:
    raw = {"n": "7", "share": "0.25", "is_easy": "yes", "kind": "b", "parts": "", "limit": "4"}
    assert build_options("x", Options, raw) == Options(7, 0.25, True, "b", (), 4)
    assert build_options("x", Options, {"limit": "none"}) == Options()
    assert build_options("x", Options, {"parts": ["p"], "n": 2.0}) == Options(n=2, parts=("p",))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"m": 1}, "Unknown option of x 'm'. Did you mean"),
        ({"n": "many"}, "'n' must be int, not 'many'"),
        ({"n": 2.5}, "a whole number is needed"),
        ({"is_easy": "False?"}, "write true or false"),
        ({"n": True}, "a number is needed"),
        ({"n": -1}, "option of x 'n' must not be below 0: -1."),
        ({"kind": "c"}, "valid are a, b"),
        ({"kind": "B"}, "valid are a, b"),
        ({"n": "none"}, "'n' must be int"),
    ],
)
def test_bad_options_are_explained(raw: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        build_options("option of x", Options, raw)
    assert words.removesuffix(" Did you mean") in str(caught.value)

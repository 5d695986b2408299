"""Addresses such as ``synthetic[n=1000]`` and the frozen option dataclasses that they fill."""

from __future__ import annotations

import dataclasses
import re
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from mmea_bench.datasets.core.errors import UserError, shown, unknown_name

OptionsT = TypeVar("OptionsT")

_ADDRESS = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)(\[(?P<options>[^\[\]]*)\])?$")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_WHOLE_NUMBER = re.compile(r"^\s*[+-]?[0-9]+(_[0-9]+)*\s*$")


def parse_address(address: str) -> tuple[str, dict[str, str]]:
    """Name and raw options of an address: ``eva[dim=300]`` gives ``("eva", {"dim": "300"})``.

    Raises:
        UserError: If the text is not ``name`` or ``name[key=value,...]``.
    """
    match = _ADDRESS.match(address.strip())
    if match is None:
        raise UserError(
            f"Cannot read the address {shown(address)}. "
            "Write `name` or `name[key=value,key=value]`."
        )
    return match["name"], _options_of(match["options"] or "", address)


def split_address(address: str) -> tuple[str, dict[str, str]]:
    """As ``parse_address``, for what may be a path: whatever stands before the brackets.

    Raises:
        UserError: If what stands in the brackets is not ``key=value,...``.
    """
    if not (address.endswith("]") and "[" in address):
        return address, {}
    name, _, inner = address[:-1].rpartition("[")
    return name, _options_of(inner, address)


def _options_of(inner: str, address: str) -> dict[str, str]:
    """The options between the brackets of an address."""
    options: dict[str, str] = {}
    for part in filter(None, (text.strip() for text in inner.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UserError(
                f"Cannot read {shown(part)} in the address {shown(address)}. Write `key=value`."
            )
        if key.strip() in options:
            raise UserError(f"{shown(key.strip())} stands twice in the address {shown(address)}.")
        options[key.strip()] = value.strip()
    return options


def format_address(name: str, options: Mapping[str, object]) -> str:
    """Canonical address: keys sorted, so that one configuration has one spelling."""
    if not options:
        return name
    inner = ",".join(f"{key}={_spell(options[key])}" for key in sorted(options))
    return f"{name}[{inner}]"


def build_options(kind: str, options_type: type[OptionsT], given: Mapping[str, object]) -> OptionsT:
    """An options dataclass with some fields replaced; text is converted to the field's type.

    Args:
        kind: Words for the error text, such as "parameter of mclea".
        options_type: A frozen dataclass in which every field has a default.
        given: Field name to value; values may be text (command line) or typed (TOML).

    Raises:
        UserError: If a field does not exist or a value does not fit its type.
    """
    if not dataclasses.is_dataclass(options_type):
        raise TypeError(f"{options_type!r} is not a dataclass")
    hints = typing.get_type_hints(options_type)
    fields = {field.name for field in dataclasses.fields(options_type)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in fields:
            raise UserError(unknown_name(kind, key, fields))
        try:
            values[key] = _convert(value, hints[key])
        except (ValueError, TypeError, OverflowError) as error:
            is_choice = typing.get_origin(hints[key]) is typing.Literal
            wanted = "a choice" if is_choice else getattr(hints[key], "__name__", str(hints[key]))
            why = shown(error, quote="")
            raise UserError(
                f"{kind} '{key}' must be {wanted}, not {_found(value)}: {why}."
            ) from None
    try:
        made = options_type(**values)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{kind}: {error}") from None
    _check_counts(kind, made, values)
    return made


def _check_counts(kind: str, made: object, given: Iterable[str]) -> None:
    """A whole number whose default is none below zero is a count, and stays one."""
    for field in dataclasses.fields(typing.cast(Any, made)):
        value = getattr(made, field.name)
        is_count = type(field.default) is int and field.default >= 0
        if field.name in given and is_count and type(value) is int and value < 0:
            raise UserError(f"{kind} '{field.name}' must not be below 0: {value}.")


def _found(value: object) -> str:
    """The value for an error text, also where it is a list or table of any depth."""
    return reprlib.repr(value) if isinstance(value, (list, tuple)) else shown(value)


def changed_options(options: object) -> dict[str, object]:
    """The fields of an options dataclass that differ from their defaults."""
    if not dataclasses.is_dataclass(options) or isinstance(options, type):
        raise TypeError(f"{options!r} is not a dataclass instance")
    defaults = type(options)()
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if getattr(options, field.name) != getattr(defaults, field.name)
    }


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "+".join(_spell(item) for item in value)
    return str(value)


def _convert(value: object, wanted: Any) -> Any:
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, typing.get_args(wanted))
    if origin is typing.Literal:
        return _convert_literal(value, typing.get_args(wanted))
    if origin is tuple:
        items = value.split("+") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            raise ValueError("give a list, or text joined by '+'")
        return tuple(_convert(item, typing.get_args(wanted)[0]) for item in items if item != "")
    return convert_plain(value, wanted)


def _convert_union(value: object, choices: tuple[Any, ...]) -> Any:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        if type(None) in choices:
            return None
        raise ValueError("a value is needed")
    for choice in choices:
        if choice is not type(None):
            return _convert(value, choice)
    raise ValueError("no type fits")


def _convert_literal(value: object, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if value == choice or str(value) == str(choice):
            return choice
    names = [str(choice) for choice in choices]
    close = get_close_matches(shown(value, quote=""), names, n=1)
    meant = f"did you mean '{close[0]}'? " if close else ""
    raise ValueError(f"{meant}valid are {', '.join(names)}")


def convert_plain(value: object, wanted: Any) -> Any:
    """A value in a plain type, from text or from what TOML gives.

    Raises:
        ValueError: If it cannot be.
    """
    if wanted is bool:
        text = str(value).lower()
        if text in _TRUE | _FALSE:
            return text in _TRUE
        raise ValueError("write true or false")
    if wanted in (int, float) and isinstance(value, bool):
        raise ValueError("a number is needed")
    if wanted is int:
        if isinstance(value, str) and not _WHOLE_NUMBER.match(value):
            raise ValueError("a whole number is needed")
        if isinstance(value, float) and not value.is_integer():
            raise ValueError("a whole number is needed")
        return int(typing.cast(Any, value))
    if wanted is float:
        return float(typing.cast(Any, value))
    return str(value) if wanted is str else value

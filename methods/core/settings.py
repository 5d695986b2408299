"""Parameters handed on: to a part, as a dataclass of its own; to a variant, as overrides."""

from __future__ import annotations

import dataclasses
import inspect
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.pair import MODALITIES, Task

Settings = TypeVar("Settings")


def taken_from(params: Any, kind: type[Settings]) -> Settings:
    """Settings of a part: the parameters of a method with the names of its fields.

    So a method's file holds each parameter once, with its default and source, and a part does not
    know the method. A field with a default keeps it where the method has no such parameter.

    Args:
        params: Parameters of a method.
        kind: Dataclass of what a part reads.

    Raises:
        AttributeError: If the method has no parameter of the name of a field without default.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return kind(
        **{
            field.name: getattr(params, field.name)
            for field in fields
            if field.default is dataclasses.MISSING or hasattr(params, field.name)
        }
    )


def without(modalities: tuple[str, ...], name: str) -> dict[str, tuple[str, ...]]:
    """Overrides of a variant that encodes all of ``modalities`` but one."""
    return {"modalities": tuple(each for each in modalities if each != name)}


def check_modalities(name: str, params: Any, declared: tuple[str, ...]) -> None:
    """Refuses a misspelt modality, which the method would go without, and one said twice.

    Args:
        name: Catalogue name, for error texts.
        params: Parameters of a method; those count whose default is a list of its modalities.
        declared: Modalities that the method can use.

    Raises:
        UserError: If the method does not know a modality, or one stands twice.
    """
    for field in dataclasses.fields(params):
        default = field.default
        if not isinstance(default, tuple) or not default or set(default) - set(declared):
            continue
        for modality, times in Counter(getattr(params, field.name)).items():
            if modality not in declared:
                what = f"modality in '{field.name}' of {name}"
                raise UserError(unknown_name(what, modality, declared))
            if times > 1:
                raise UserError(
                    f"parameter of {name} '{field.name}' names {modality} {times} times. "
                    "Keep one of them."
                )


def check_declarations(kind: type[Any], where: str) -> None:
    """Refuses another's method whose class attributes cannot be read as what they declare.

    Args:
        kind: A subclass of ``Method``.
        where: Its file or package, for the sentence.

    Raises:
        UserError: If one of them has another form, or names what does not exist.
    """
    words = {"modalities": MODALITIES, "requires": MODALITIES, "tasks": get_args(Task)}
    for name, valid in words.items():
        given = getattr(kind, name)
        if not isinstance(given, tuple | list):
            example = f'("{valid[0]}",)'
            raise UserError(f"{where}: `{name}` must be a tuple such as {example}, not {given!r}.")
        for word in given:
            if word not in valid:
                raise UserError(unknown_name(f"word in `{name}` of {where}", str(word), valid))
    if not dataclasses.is_dataclass(kind.Params):
        raise UserError(f"{where}: `Params` must be a dataclass, not {kind.Params!r}.")
    if not isinstance(kind.variants, Mapping) or not all(
        isinstance(overrides, Mapping) for overrides in kind.variants.values()
    ):
        raise UserError(f"{where}: `variants` must map names to overrides, not {kind.variants!r}.")
    try:
        inspect.signature(kind).bind(None)
    except TypeError:
        raise UserError(
            f"{where}: `__init__` must take the parameters; best leave it out."
        ) from None

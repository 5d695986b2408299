"""Parameters handed on: to a part, as a dataclass of its own; to a variant, as overrides."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any, TypeVar

from mmea_bench.datasets.core.errors import UserError, unknown_name

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

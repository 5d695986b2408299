"""Parameters handed on: to a part, as a dataclass of its own; to a variant, as overrides."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

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

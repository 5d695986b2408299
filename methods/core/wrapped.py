"""A method that stands in for another one."""

from __future__ import annotations

from typing import Any

from mmea_bench.methods.core.base import Method


class WrappedMethod:
    """The method in all but what a subclass says anew; the method itself stays as it is."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)

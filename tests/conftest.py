"""Garbage collection of the whole session: thousands of collected tests are no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Goes without garbage collection, and sets apart what was made for the rest of the session.

    Modules and tests are made by the hundred thousand, and they stay until the end.
    """
    gc.disable()
    yield
    gc.enable()
    gc.freeze()

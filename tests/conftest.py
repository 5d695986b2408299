"""Garbage collection of the whole session: thousands of collected tests are no garbage."""

from __future__ import annotations

import gc

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Modules and tests are made by the hundred thousand; going through them finds nothing."""
    gc.disable()


def pytest_collection_finish() -> None:
    """They stay until the end, so no collection need go through them again."""
    gc.enable()
    gc.freeze()

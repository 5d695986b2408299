"""Small methods on disk, so that the harness is tested without real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cases.small_methods import random_method

MethodMaker = Callable[..., Path]


@pytest.fixture
def make_method(tmp_path: Path) -> MethodMaker:
    """Writes a method file; ``body`` are the lines that run before it returns its vectors."""

    def make(
        name: str, body: str = "", variants: dict[str, dict[str, object]] | None = None
    ) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(random_method(body, variants), encoding="utf-8")
        return path

    return make

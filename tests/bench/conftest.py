"""Small methods on disk, so that the harness is tested without real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

METHOD = """
from dataclasses import dataclass
import os, signal, time
from pathlib import Path
import torch
from mmea_bench.methods.core.base import DivergedError, Embeddings, Method


@dataclass(frozen=True)
class Params:
    epochs: int = 3
    tau: float = 0.1
    size: int = 4
    use_image: bool = True
    is_odd: bool = False

    def __post_init__(self):
        if self.is_odd and self.size % 2 == 0:
            raise ValueError("is_odd needs an odd size")


class Fake(Method):
    Params = Params
    grid = {{"tau": (0.1, 0.2, 0.4)}}
    variants = {variants}
    test_params = {{"epochs": 1}}

    def fit(self, view, ctx):
        generator = ctx.generator("vectors")
{body}
        sides = (view.source.n_entities, view.target.n_entities)
        source, target = (torch.randn(n, self.params.size, generator=generator) for n in sides)
        return Embeddings(source, target)
"""

VARIANTS = {"w/o image": {"use_image": False}}

MethodMaker = Callable[..., Path]


@pytest.fixture
def make_method(tmp_path: Path) -> MethodMaker:
    """Writes a method file; ``body`` are the lines that run before it returns its vectors."""

    def make(
        name: str, body: str = "", variants: dict[str, dict[str, object]] | None = None
    ) -> Path:
        path = tmp_path / f"{name}.py"
        lines = "".join(f"        {line}\n" for line in body.splitlines())
        text = METHOD.format(body=lines, variants=VARIANTS if variants is None else variants)
        path.write_text(text, encoding="utf-8")
        return path

    return make

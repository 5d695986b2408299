"""Methods of a few lines as text, for tests that need a method file on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIANTS: Mapping[str, Mapping[str, object]] = {"w/o image": {"use_image": False}}

_RANDOM = """
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

_WALK = """
import os
import time
from dataclasses import dataclass

import torch

from mmea_bench.methods.core.base import Embeddings, Method
from mmea_bench.methods.core.training.loop import Schedule, train


@dataclass(frozen=True)
class Params:
    epochs: int = {epochs}


class Walk(Method):
    Params = Params

    def fit(self, view, ctx):
{body}
        generator = ctx.generator("steps")
        sides = (view.source.n_entities, view.target.n_entities)
        vectors = [torch.nn.Parameter(torch.zeros(n, 4)) for n in sides]

        def step(epoch):
            time.sleep({epoch_s})
            with torch.no_grad():
                for part in vectors:
                    part += torch.randn(part.shape, generator=generator) + torch.rand(1)
            return 1.0

        def embed():
            return Embeddings(*(part.detach().clone() for part in vectors))

        return train(vectors, step, embed, Schedule(self.params.epochs, None, eval_every=5), ctx)
"""


def random_method(
    body: str = "", variants: Mapping[str, Mapping[str, object]] | None = None
) -> str:
    """A method that returns random vectors.

    Args:
        body: Lines that run before; ``view``, ``ctx``, ``os``, ``signal``, ``time``, ``Path`` and
            ``DivergedError`` are there.
        variants: Of the method.
    """
    return _RANDOM.format(body=_indented(body), variants=VARIANTS if variants is None else variants)


def walking_method(epochs: int = 40, body: str = "", epoch_s: float = 0.05) -> str:
    """A method whose vectors walk at random: every number drawn counts.

    Args:
        epochs: Of a training.
        body: Lines that run when a training starts.
        epoch_s: Seconds that an epoch takes.
    """
    return _WALK.format(epochs=epochs, body=_indented(body), epoch_s=epoch_s)


def notes_start(log: Path, then: str = "pass", who: str = "os.getpid()") -> str:
    """Lines for a body: process (or ``who``) and seed of a training go into a file as it starts.

    Args:
        log: One line per start.
        then: What follows.
    """
    line = f"f'{{{who}}} {{ctx.rng_seed}}\\n'"
    return f"with open({str(log)!r}, 'a') as file: file.write({line})\n{then}"


def _indented(body: str) -> str:
    return "".join(f"        {line}\n" for line in body.splitlines())

"""Operations with gradients of their own compute in float32, whatever the region around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from mmea_bench.methods.core.layers.encoders import DiagonalGATLayer
from mmea_bench.methods.core.layers.sparse import SparsePattern

METHODS = Path(__file__).resolve().parents[2] / "methods"


def _own_operations() -> Iterator[ast.ClassDef]:
    for path in sorted(METHODS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            bases = node.bases if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base) in ("Function", "torch.autograd.Function") for base in bases
            ):
                yield node


@pytest.mark.parametrize("operation", [*_own_operations()], ids=lambda each: each.name)
def test_both_directions_of_an_operation_are_left_out_of_autocast(operation: ast.ClassDef) -> None:
    ways = [
        each
        for each in operation.body
        if isinstance(each, ast.FunctionDef) and each.name in ("forward", "backward")
    ]
    assert len(ways) == 2
    for way in ways:
        assert "in_single" in [ast.unparse(decorator) for decorator in way.decorator_list]


def test_gradients_of_attention_are_those_of_single_precision() -> None:
    generator = torch.Generator().manual_seed(1)
    layer = DiagonalGATLayer(6, 2, -1, "mean", generator)
    wanted = SparsePattern.of_csr(csr_matrix(np.tril(np.ones((5, 5), dtype=np.float32))))
    inputs = torch.randn(5, 6, generator=generator)
    scale = torch.randn(5, 6, generator=generator)

    def gradients(region: torch.autocast | nullcontext[None]) -> list[Tensor]:
        with region:
            return list(
                torch.autograd.grad((layer(inputs, wanted) * scale).sum(), [*layer.parameters()])
            )

    plain = gradients(nullcontext())
    mixed = gradients(torch.autocast("cpu", dtype=torch.bfloat16))
    assert all(torch.equal(one, other) for one, other in zip(plain, mixed, strict=True))

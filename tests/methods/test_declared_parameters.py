"""What a method declares has a reader."""

from __future__ import annotations

import ast
import dataclasses

import pytest

from mmea_bench.methods.core.catalogue import get_method, method_names, method_sources


def names_read(source: str) -> set[str]:
    """Attributes that are read somewhere, and names that ``getattr`` asks for."""
    tree = ast.parse(source)
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
            found |= {str(item.value) for item in node.args if isinstance(item, ast.Constant)}
    return found


@pytest.mark.parametrize("name", method_names())
def test_every_parameter_is_read_somewhere(name: str) -> None:
    params = get_method(name).Params
    read = set().union(*(names_read(path.read_text("utf-8")) for path in method_sources(name)))
    unread = sorted({entry.name for entry in dataclasses.fields(params)} - read)
    assert unread == [], f"{name} declares parameters that nothing reads: {', '.join(unread)}"

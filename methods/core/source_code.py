"""What of a source file can change a result."""

from __future__ import annotations

import ast
from functools import lru_cache

_DECLARATIONS = ("variants", "no_op_variants", "grid", "test_params")
"""What a class only declares; the values that a training takes from it are in its parameters."""

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@lru_cache(maxsize=4096)
def bare_code(source: bytes) -> bytes:
    """A Python file without what cannot change a result, for hashing.

    Comments, docstrings and layout are gone, and what a method declares about variants, sweeps and
    tests, unless its code reads that. What is no Python stays as it is, line ends aside.
    """
    plain = source.replace(b"\r\n", b"\n")
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError):
        return plain
    read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if not isinstance(node, _DOCUMENTED):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.ClassDef):
            node.body = [item for item in node.body if not _declared(item) - read]
        node.body = node.body or [ast.Pass()]
    return ast.unparse(tree).encode()


def _declared(node: ast.stmt) -> set[str]:
    """The declarations that a statement of a class body makes."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)} & set(_DECLARATIONS)

"""``list parameters``: every parameter of a method with default, source and published settings."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.listing.catalogues import list_app, show_rows
from mmea_bench.bench.cli.texts import AsJson, MethodFiles, user_errors

if TYPE_CHECKING:
    from mmea_bench.methods.core.base import Method


@list_app.command("parameters", epilog="Example: mmea-bench list parameters mclea")
def list_parameters(
    method: Annotated[str, typer.Argument(help="Method, or a method file.")],
    method_files: MethodFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Every parameter: default, meaning and source, its published sweep and settings by dataset.

    `--set METHOD.PARAMETER=VALUE` of `run` changes one.
    """
    with user_errors():
        _, kind = named_method(method, method_files)
    show_rows(list(parameter_rows(kind)), as_json=as_json)


def named_method(method: str, method_files: Sequence[Path] | None) -> tuple[str, type[Method]]:
    """Catalogue name and class of a method that is named, or whose file is.

    Args:
        method: Name, or path of a method file.
        method_files: The user's own methods.

    Raises:
        UserError: If there is none of that name, or a file cannot be read.
    """
    from mmea_bench.methods.core.catalogue import get_method

    files = list(method_files or ())
    if method.endswith(".py"):
        files, method = [*files, Path(method)], Path(method).stem
    return method.replace("-", "_"), get_method(method, files)


def parameter_rows(kind: type[Method]) -> Iterator[dict[str, object]]:
    """One row for each parameter of a method."""
    comments = _comments(kind.Params)
    for field in dataclasses.fields(kind.Params):
        published = [
            f"{pattern}: {overrides[field.name]}"
            for pattern, overrides in kind.published_settings.items()
            if field.name in overrides
        ]
        sweep = kind.grid.get(field.name, ())
        yield {
            "parameter": field.name,
            "default": _default(field),
            "type": field.type if isinstance(field.type, str) else str(field.type),
            "meaning and source": comments.get(field.name, ""),
            "published settings": "; ".join(published),
            "sweep": ", ".join(map(str, sweep)),
        }


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return str(field.default)
    return "" if field.default_factory is dataclasses.MISSING else str(field.default_factory())


def _comments(params: type) -> Mapping[str, str]:
    """Comment beside each field, of the class that declares it last."""
    found: dict[str, str] = {}
    for kind in reversed(params.__mro__):
        if dataclasses.is_dataclass(kind):
            try:
                found |= _own_comments(inspect.getsource(kind))
            except (OSError, TypeError, SyntaxError, tokenize.TokenError):
                continue  # made by a program; it has no text
    return found


def _own_comments(source: str) -> dict[str, str]:
    text = inspect.cleandoc("\n" + source)
    by_line = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    (body,) = (node.body for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    return {
        node.target.id: by_line.get(node.end_lineno or node.lineno, "")
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }

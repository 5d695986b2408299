"""Where the templates of the text formats are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def environment(
    escape_text: Callable[[str], str], filters: Mapping[str, Callable[..., Any]] | None = None
) -> jinja2.Environment:
    """Environment of the text templates.

    Args:
        escape_text: What the filter ``e`` does to names.
        filters: Further filters of the format.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        # The formats are not HTML; names pass through the filter "e" below instead.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # LaTeX and Markdown both use braces and hashes.
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    made.filters["e"] = escape_text
    made.filters["kind"] = lambda block: type(block).__name__
    made.filters.update(filters or {})
    return made


def html_environment(filters: Mapping[str, Callable[..., Any]] | None = None) -> jinja2.Environment:
    """Environment of the HTML templates; every text is escaped.

    Args:
        filters: Further filters of the page.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(filters or {})
    return made

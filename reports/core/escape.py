"""Text made safe for a format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_LATEX: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        # A row that starts with a bracket would be read as an option of the line break above.
        "[": "{[}",
        "]": "{]}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "–": "--",
        "†": r"$^{\dagger}$",
        "‡": r"$^{\ddagger}$",
    }
)


def latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    # A straight double quote needs a font encoding that not every paper loads.
    escaped = "".join("''" if letter == '"' else _LATEX.get(letter, letter) for letter in text)
    return " ".join(escaped.split())


def markdown(text: str) -> str:
    """Text that Markdown prints as it stands, also inside a table."""
    escaped = re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", text)
    return " ".join(escaped.split())

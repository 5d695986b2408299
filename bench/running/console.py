"""Plain lines on a console."""

from __future__ import annotations

from rich.console import Console


def say(console: Console, text: str) -> None:
    """One line of plain text, as long as it is: brackets are no markup, and nothing is cut."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)

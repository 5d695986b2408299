"""Everything that the program prints goes through here, and loses what a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mmea_bench.results.core.safe_text import plain


class PlainConsole(Console):
    """A console that prints names of files and records as text, whatever they hold.

    What others wrote reaches a terminal as the text of a segment; colours and the cursor's moves
    are rich's own and stay.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich renders, with the text of each segment made plain."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(plain(segment.text), segment.style)


def say(console: Console, text: str) -> None:
    """One line of plain text, as long as it is: brackets are no markup, and nothing is cut."""
    console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


def echo(text: str = "", *, err: bool = False) -> None:
    """One line on standard output, or on standard error, where no console is at hand."""
    typer.echo(plain(text), err=err)

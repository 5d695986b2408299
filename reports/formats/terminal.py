"""Documents in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from mmea_bench.reports.core.document import Cell, Document, Figure, Table, Text


def render_terminal(document: Document, console: Console) -> None:
    """Prints a document; tables wider than the console are split into narrower ones."""
    console.print(RichText(document.title, style="bold"))
    for block in document.blocks:
        console.print()
        if isinstance(block, Table):
            console.print(RichText(block.title, style="bold"))
            for part in _fitting(block.without_title_level(), console.width):
                console.print(_rich_table(part))
            for note in block.notes:
                console.print(RichText(note, style="dim"))
        elif isinstance(block, Figure):
            console.print(RichText(f"Figure: {block.title}"))
        elif isinstance(block, Text):
            console.print(RichText(block.text))
    if document.notes:
        console.print()
    for note in document.notes:
        console.print(RichText(note, style="dim"))


def _fitting(table: Table, width: int) -> list[Table]:
    if _width(table) <= width:
        return [table]
    parts = list(table.split())
    if len(parts) == 1:
        return parts
    return [narrow for part in parts for narrow in _fitting(part, width)]


def _width(table: Table) -> int:
    label_widths = [
        max(len(name), *(len(row.labels[place]) for row in table.rows), 0)
        for place, name in enumerate(table.label_names)
    ]
    cell_widths = [
        max(*(len(word) for word in words), *(len(row.cells[place].plain) for row in table.rows), 0)
        for place, words in enumerate(table.columns)
    ]
    # Two spaces of padding for each column, and a mark or two behind the first label.
    return sum(label_widths) + sum(cell_widths) + 2 * len(label_widths + cell_widths) + 2


def _rich_table(table: Table) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in table.label_names:
        rich.add_column(RichText(name), vertical="top", overflow="fold")
    for position, words in enumerate(table.columns):
        above = table.columns[position - 1] if position else ()
        # A word of an outer level stands above its first column only.
        shown = [
            "" if words[: level + 1] == above[: level + 1] and level < len(words) - 1 else word
            for level, word in enumerate(words)
        ]
        rich.add_column(RichText("\n".join(shown)), justify="right", no_wrap=True)
    for row in table.rows:
        if row.has_rule_above:
            rich.add_section()
        labels = [RichText(label) for label in table.marked_labels(row)]
        rich.add_row(*labels, *(_rich_cell(cell) for cell in row.cells))
    return rich


def _rich_cell(cell: Cell) -> RichText:
    style = "bold" if cell.is_best else "underline" if cell.is_second else ""
    text = RichText(cell.mean_text, style=style)
    rest = cell.plain[len(cell.mean_text) :]
    return RichText.assemble(text, rest)

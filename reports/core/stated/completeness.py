"""What a folder was asked for and what of it is there, said in every report, table and figure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from mmea_bench.reports.core.document import Block, Document, Figure, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.rows.identity import protocol_name
from mmea_bench.reports.core.rows.select import current_cells, percent
from mmea_bench.reports.core.stated.row_meanings import NAMING, Pair, RowMeanings, swept
from mmea_bench.reports.core.swept_points import settings_of, without_settings
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.table import Tables

INCOMPLETE = "°"
INCOMPLETE_NOTE = f"{INCOMPLETE} incomplete: some of its planned cells failed or are missing."


def state_sentence(tables: Tables) -> str:
    """How many cells were planned, and how many are done, failed or missing."""
    state = tables.completeness
    text = f"State: {state.counts().sentence()}."
    if state.has_plan or not state.cells:
        return text
    return f"{text} The folder has no plan, so that missing cells cannot be told."


def with_state(document: Document, tables: Tables, names: Names) -> Document:
    """The document with the state of its folder, and a mark at every row that lacks cells.

    Tables and figures, which may be taken out of the report, say it by themselves where anything
    failed or is missing.

    Args:
        document: A report.
        tables: What it was made from.
        names: How methods and datasets are printed in it.
    """
    counts = tables.completeness.counts()
    notes = (state_sentence(tables), *document.notes)
    if counts.is_complete:
        return replace(document, notes=notes)
    folder = _folder(tables, names)
    sentence = f"Incomplete: {counts.sentence()}."
    blocks = tuple(_stated(block, sentence, folder) for block in document.blocks)
    return replace(document, notes=notes, blocks=blocks)


def _stated(block: Block, sentence: str, folder: _Folder) -> Block:
    if isinstance(block, Figure):
        return replace(block, notes=(*block.notes, sentence), stamp=sentence)
    if not isinstance(block, Table) or not block.columns:
        return block
    lacking = _lacking(block, folder)
    rows = tuple(
        replace(row, marks=(*row.marks, INCOMPLETE)) if lacks else row
        for row, lacks in zip(block.rows, lacking, strict=True)
    )
    notes = (*block.notes, sentence, *((INCOMPLETE_NOTE,) if any(lacking) else ()))
    return replace(block, rows=rows, notes=notes)


class _Cells(NamedTuple):
    """Cells that differ in nothing but their repeat."""

    method: str
    variant: str
    dataset: str
    seed_ratio: float
    protocol: str

    @property
    def pair(self) -> Pair:
        return self.method, self.variant


@dataclass(frozen=True)
class _Folder:
    """Everything that tables may print, and what of it lacks cells.

    A row holds texts, not keys. Each text is looked up among the printed names of all that the
    folder has, so that it is read as the one thing it names, not as whatever it contains.

    Attributes:
        names: How things are printed.
        known: All cells that were run or planned.
        gaps: Those of them that failed or are missing.
    """

    names: Names
    known: frozenset[_Cells]
    gaps: frozenset[_Cells]

    @property
    def pairs(self) -> frozenset[Pair]:
        """Every method and variant."""
        return frozenset(cells.pair for cells in self.known)


def _folder(tables: Tables, names: Names) -> _Folder:
    columns = [*_Cells._fields, "repeat", "status"]
    current = current_cells(tables).tables.cells
    known, gaps, there = set(), set(), set()
    for *words, repeat, status in current[columns].itertuples(index=False, name=None):
        cells = _Cells(*words)
        known.add(cells)
        there.add((*cells[:-1], protocol_name(cells.protocol), repeat))
        if status not in DONE_STATUSES:
            gaps.add(cells)
    for planned in tables.completeness.words("missing"):
        if not set(columns[:-1]) <= set(planned):
            continue  # plans of older versions say keys alone
        cells = _Cells(*(planned[column] for column in _Cells._fields))
        known.add(cells)
        # A cell that was run under another key, of changed code, is there.
        if (*cells[:-1], protocol_name(cells.protocol), planned["repeat"]) not in there:
            gaps.add(cells)
    return _Folder(names, frozenset(known), frozenset(gaps))


def _lacking(table: Table, folder: _Folder) -> list[bool]:
    """Whether each row stands for cells that lack; what a table does not tell is not asked."""
    if not folder.gaps:
        return [False] * len(table.rows)
    meanings = RowMeanings(folder.names, folder.pairs).of(table)
    shared = [table.title, *(word for words in table.columns for word in words)]
    protocols = _protocols_in(table.title, folder)
    forms = _dataset_forms(folder, swept(table))
    found = []
    for row, pairs in zip(table.rows, meanings, strict=True):
        labels = zip(table.label_names, row.labels, strict=True)
        texts = [*shared, *(text for of, text in labels if of not in NAMING)]
        datasets, ratios = _datasets_in(texts, forms), _ratios_in(texts, folder)
        found.append(
            any(
                gap.pair in pairs
                and gap.dataset in datasets
                and (not ratios or gap.seed_ratio in ratios)
                and (not protocols or any(_agree(gap.protocol, told) for told in protocols))
                for gap in folder.gaps
            )
        )
    return found


def _dataset_forms(folder: _Folder, swept: Collection[str]) -> dict[str, set[str]]:
    """Printed dataset to what it means; options that columns tell are not in its name."""
    forms: dict[str, set[str]] = {}
    for address in {cells.dataset for cells in folder.known}:
        for shown in {address, without_settings(address, swept)}:
            forms.setdefault(folder.names.dataset(shown), set()).add(address)
    return forms


def _datasets_in(texts: Iterable[str], forms: Mapping[str, set[str]]) -> set[str]:
    longest_first = sorted(filter(None, forms), key=len, reverse=True)
    if not longest_first:
        return set()
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w\[-])")
    return {address for text in texts for name in pattern.findall(text) for address in forms[name]}


def _ratios_in(texts: Iterable[str], folder: _Folder) -> set[float]:
    """Seed ratios that are named; a share that anything else has is followed by other words."""
    printed = {percent(cells.seed_ratio): cells.seed_ratio for cells in folder.known}
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, printed))})(?= seeds|,|$)")
    return {printed[name] for text in texts for name in pattern.findall(text)}


def _protocols_in(title: str, folder: _Folder) -> set[str]:
    known = {cells.protocol for cells in folder.known}
    return {name for name in known if re.search(rf"(?<![\w-]){re.escape(name)} protocol", title)}


def _agree(one: str, other: str) -> bool:
    """Whether two protocols may be one: a cell that failed early does not tell all its settings."""
    settings = [settings_of(protocol, "{}") for protocol in (one, other)]
    words = [{name for name, value in own.items() if value == ""} for own in settings]
    shared = settings[0].keys() & settings[1].keys()
    return (
        protocol_name(one) == protocol_name(other)
        and all(settings[0][name] == settings[1][name] for name in shared)
        and (words[0] == words[1] or not all(words))
    )

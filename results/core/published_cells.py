"""Published numbers cell by cell: what every source prints for the same thing, side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.published_files import METRICS
from mmea_bench.results.core.published_trust import SELECTORS, id_number, rows_concerned

_PRINTED_NAME = re.compile(r'printed as (?:"([^"]+)"|(\S+))')


_CellKey = tuple[str, str, float, str, str, str]
"""Method, dataset, seed ratio, variant, metric, setting."""


@dataclass(frozen=True)
class PrintedNumber:
    """What one source prints for a cell.

    Attributes:
        source: Key of the source.
        table: Table of the paper, or file of the repository.
        printed: The number with its digits.
        value: The same as a fraction.
        use_value: The number to compare with.
        trust: ``trusted``, ``loose`` or ``avoid``.
        tolerance: Largest difference that counts as agreement; None unless ``loose``.
        contradictions: Ids of the contradictions that concern it.
        why: What they say.
        note: What the table or its transcription adds.
    """

    source: str
    table: str
    printed: str
    value: float
    use_value: float
    trust: str
    tolerance: float | None
    contradictions: tuple[str, ...]
    why: str
    note: str

    @property
    def mark(self) -> str:
        """What a reader must know beside the number, such as ``!C1 use 0.251``; "" for nothing."""
        if not self.contradictions:
            return ""
        words = ["!" + ",".join(self.contradictions)]
        if self.use_value != self.value:
            words.append(f"use {self.use_value:g}")
        if self.trust == "avoid":
            words.append("avoid")
        elif self.tolerance is not None:
            words.append(f"±{self.tolerance:g}")
        return " ".join(words)


@dataclass(frozen=True)
class PublishedCell:
    """One method, dataset and metric with all numbers that were printed for it.

    Attributes:
        method: Name as printed.
        dataset: Name as this program calls it.
        seed_ratio: None where there is none.
        variant: "" for the full model.
        metric: The metric that the numbers really are.
        setting: "" where the sources say nothing.
        numbers: In printing order.
    """

    method: str
    dataset: str
    seed_ratio: float | None
    variant: str
    metric: str
    setting: str
    numbers: tuple[PrintedNumber, ...]


@dataclass(frozen=True)
class Explanation:
    """One sentence about a contradiction, and the sources and methods that it is about."""

    contradiction: str
    sources: tuple[str, ...]
    methods: tuple[str, ...]
    why: str


def cells_of(frame: pd.DataFrame) -> list[PublishedCell]:
    """The cells of published results, sorted; settings of the same thing follow each other.

    Args:
        frame: Rows of ``Published.all_results``.
    """
    numbers: dict[_CellKey, list[PrintedNumber]] = {}
    for row in frame.to_dict("records"):
        ratio = float(row["seed_ratio"])
        # NaN is not equal to itself, and would make every such row a cell of its own.
        said_ratio = -1.0 if math.isnan(ratio) else ratio
        key: _CellKey = (
            str(row["method"]),
            str(row["dataset"]),
            said_ratio,
            str(row["variant"]),
            str(row["reads_as"]),
            str(row["setting"]),
        )
        numbers.setdefault(key, []).append(_number({str(name): row[name] for name in row}))
    cells = []
    for key in sorted(numbers, key=_sort_key):
        method, dataset, ratio, variant, metric, setting = key
        said = None if ratio < 0 else ratio
        found = tuple(numbers[key])
        cells.append(PublishedCell(method, dataset, said, variant, metric, setting, found))
    return cells


def _sort_key(key: _CellKey) -> tuple[object, ...]:
    method, dataset, ratio, variant, metric, setting = key
    # Settings of one metric are of interest beside each other, so the setting comes last.
    return (method.lower(), dataset, ratio, variant, METRICS.index(metric), setting)


def _number(row: Mapping[str, object]) -> PrintedNumber:
    tolerance = float(str(row["tolerance"]))
    return PrintedNumber(
        source=str(row["source"]),
        table=str(row["table"]),
        printed=str(row["printed"]),
        value=float(str(row["value"])),
        use_value=float(str(row["use_value"])),
        trust=str(row["trust"]),
        tolerance=None if math.isnan(tolerance) else tolerance,
        contradictions=tuple(str(row["contradictions"]).split()),
        why=str(row["why"]),
        note=str(row["note"]),
    )


def explanations(frame: pd.DataFrame, contradictions: pd.DataFrame) -> list[Explanation]:
    """What the contradictions say about some rows; each sentence once, sorted by contradiction.

    Args:
        frame: Rows of ``Published.all_results``.
        contradictions: ``Published.contradictions``.
    """
    concerned: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for row in contradictions.to_dict("records"):
        selector = {column: str(row[column]) for column in SELECTORS}
        rows = frame[rows_concerned(frame, selector)]
        if not rows.empty:
            concerned.setdefault((str(row["id"]), str(row["why"])), []).append(rows)
    found = []
    for (identity, why), parts in concerned.items():
        rows = pd.concat(parts)
        sources, methods = (tuple(dict.fromkeys(rows[name])) for name in ("source", "method"))
        found.append(Explanation(identity, sources, methods, why))
    return sorted(found, key=lambda explanation: id_number(explanation.contradiction))


def method_names(frame: pd.DataFrame) -> dict[str, str]:
    """The normal form (``name_key``) of every spelling of a method, to its name in the tables.

    Spellings that a source prints and the tables replace stand in the notes.
    """
    spellings: dict[str, str] = {}
    pairs = frame[["method", "note"]].drop_duplicates()
    for method, note in pairs.itertuples(index=False):
        for quoted, plain in _PRINTED_NAME.findall(str(note)):
            spellings.setdefault(name_key(quoted or plain), str(method))
    return spellings | {name_key(name): name for name in dict.fromkeys(frame["method"])}


def has_setting(settings: pd.Series, wanted: Collection[str]) -> pd.Series:
    """Whether a setting has all words of one of the wanted ones; "" wants an unstated setting."""
    choices = [set(words.split(";")) if words else {""} for words in wanted]
    meant = settings.map(lambda held: any(words <= set(held.split(";")) for words in choices))
    return meant.astype(bool)

"""The leaderboard: who is best where, never across inputs that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmea_bench.reports.core.document import Block, Document, Table, Text
from mmea_bench.reports.core.evidence.leaderboard_rows import Entries, board_table, csls_words
from mmea_bench.reports.core.evidence.order import dataset_order
from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.published.measured import made_up_inputs
from mmea_bench.reports.core.published.scoring import PUBLISHED_DIRECTION
from mmea_bench.reports.core.published.settings import with_own_protocols
from mmea_bench.reports.core.rows.select import (
    PAIRS,
    choose_csls,
    current_cells,
    dataset_labels,
    input_words,
    percent,
    with_sections,
)
from mmea_bench.results.core.schema import NO_DECODER
from mmea_bench.results.core.table import Tables

NAME = "leaderboard"

_BOARD = [
    *("protocol", "dataset", "dataset_version", "seed_ratio", "input", "decoded", "simulated"),
    *("candidates", "ties"),
]


@dataclass(frozen=True)
class Board:
    """One ranking: methods that were given the same and scored alike.

    Attributes:
        title: Says dataset, seeds, protocol and what the methods were given.
        dataset: Its address.
        table: Its rows, best first.
    """

    title: str
    dataset: str
    table: Table


@dataclass(frozen=True, eq=False)
class _Place:
    """What a board is about, whether or not it has any rows."""

    order: tuple[object, ...]
    title: str
    dataset: str
    entries: Entries


def boards(tables: Tables, names: Names = BY_ID, most_rows: int | None = None) -> list[Board]:
    """The rankings of all results, each method scored by its own similarity.

    Names or none, pseudo-labels or none, decoders, simulated inputs, protocols, rules of scoring,
    datasets and seed ratios each have boards of their own.

    Args:
        tables: The reference runs.
        names: How methods and datasets are printed.
        most_rows: How many rows of each board are shown; None for all.
    """
    return _boards(_places(tables, names), most_rows)


def leaderboard(tables: Tables, command: str = "", names: Names = BY_ID) -> Document:
    """All boards as a document.

    Args:
        tables: The reference runs.
        command: How the page is made again.
        names: How methods and datasets are printed.
    """
    places = _places(tables, names)
    blocks: list[Block] = [board.table for board in _boards(places)]
    if not blocks:
        blocks = [Text("Nothing has been measured yet.")]
    made = (f"Made by {command} from the records alone.",) * bool(command)
    return Document(NAME, "Leaderboard", tuple(blocks), (*made, *_notes(places)))


def first_lines(tables: Tables, most_boards: int = 4, most_rows: int = 5) -> Document:
    """The first rows of the boards of the first dataset, for a page that has room for no more."""
    found = boards(tables, most_rows=most_rows)
    of_first = [board.table for board in found if board.dataset == found[0].dataset]
    return Document(NAME, "Leaderboard", tuple(of_first[:most_boards]))


def _boards(places: list[_Place], most_rows: int | None = None) -> list[Board]:
    return [
        Board(place.title, place.dataset, board_table(place.title, place.entries, most_rows))
        for place in places
        if len(place.entries.numbers)
    ]


def _places(tables: Tables, names: Names) -> list[_Place]:
    current = current_cells(with_own_protocols(tables)).tables
    shown = with_sections(current.in_own_similarity())
    shown = shown[shown["direction"].isin((PUBLISHED_DIRECTION, PAIRS)) & (shown["modality"] == "")]
    if shown.empty:
        return []
    csls = choose_csls(set(shown.loc[shown["is_ranked"], "csls"]), None)
    simulated = {key: " ".join(made_up_inputs(own)[0]) for key, own in current.cells.groupby("key")}
    inputs = zip(shown["names"], shown["iterative"], strict=True)
    shown = shown.assign(
        simulated=shown["key"].map(simulated),
        input=[", ".join(input_words(*words)) for words in inputs],
        # The parameters of a decoder belong to the method, as its similarity does.
        decoded=shown["decoder"].str.partition("[")[0].replace(NO_DECODER, ""),
        candidates=shown["candidates"].fillna("test"),
        ties=shown["ties"].fillna(""),
    )
    labels = dataset_labels(shown, names)
    found = []
    for place, group in shown.groupby(_BOARD, sort=True):
        words: dict[str, Any] = dict(zip(_BOARD, place, strict=True))
        title = _title(words, labels[words["dataset"], words["dataset_version"]])
        is_scored_so = ~group["is_ranked"] | (group["csls"] == csls)
        numbers, others = group[is_scored_so], group[~is_scored_so]
        entries = Entries(numbers, others, csls, current.cells, tables.cells, names)
        found.append(_Place(_order(words), title, words["dataset"], entries))
    return sorted(found, key=lambda place: place.order)


def _order(words: dict[str, Any]) -> tuple[object, ...]:
    given = str(words["input"]).split(", ")
    return (
        # What the papers print comes first; decoders and made-up inputs are a matter of their own.
        (str(words["protocol"]) != "paper", bool(words["simulated"]), bool(words["decoded"])),
        (dataset_order(words["dataset"]), words["seed_ratio"], words["dataset_version"]),
        ("names" in given, "iterative" in given, words["decoded"]),
        (words["simulated"], words["protocol"], words["candidates"], words["ties"]),
    )


def _title(words: dict[str, Any], dataset: str) -> str:
    simulated = words["simulated"] and f"simulated {words['simulated'].replace(' ', ' and ')}"
    candidates = "" if words["candidates"] == "test" else f"{words['candidates']} candidates"
    decoder = words["decoded"] and f"decoder {words['decoded']}"
    parts = (dataset, f"{percent(words['seed_ratio'])} seeds", words["input"], simulated, decoder)
    return ", ".join(filter(None, (*parts, f"{words['protocol']} protocol", candidates)))


def _notes(places: list[_Place]) -> Iterator[str]:
    yield (
        "Boards never mix methods that read entity names with those that do not, pseudo-labels "
        "with none, decoded scores with ranked ones, or simulated inputs with measured ones."
    )
    csls = places[0].entries.csls if places else None
    scored = "" if csls is None else f", {csls_words(csls)} where links are ranked by scores"
    yield (
        f"Source to target, each method by its own similarity{scored}: one rule for all, not what "
        "each paper printed with; that is in the fidelity table."
    )
    yield "Mean ± standard deviation over repeats. Minutes are training and scoring of one repeat."
    for place in places:
        if not len(place.entries.numbers):
            yield f"{place.title}: {place.entries.left_out}"

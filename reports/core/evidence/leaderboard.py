"""The leaderboard: who is best where, never across inputs that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import NOTHING, Block, Cell, Document, Row, Table, Text
from mmea_bench.reports.core.evidence.order import dataset_order
from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.published.measured import made_up_inputs
from mmea_bench.reports.core.published.scoring import PUBLISHED_DIRECTION
from mmea_bench.reports.core.rows.remarks import partial_copies
from mmea_bench.reports.core.rows.select import (
    DEFAULT_CSLS,
    PAIRS,
    choose_csls,
    current_cells,
    dataset_labels,
    in_own_similarity,
    input_words,
    percent,
    with_sections,
)
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import NO_DECODER
from mmea_bench.results.core.table import Tables

NAME = "leaderboard"
RANK_COLUMNS = ("hits@1", "hits@10", "mrr")
PAIR_COLUMNS = ("f1", "precision", "recall")
STAND_IN, PARTIAL, FAILED = "*", "‡", "§"

_BOARD = [
    *("protocol", "dataset", "dataset_version", "seed_ratio", "input", "decoded", "simulated"),
    *("candidates", "ties"),
]
_ROW = ["method", "variant", "similarity", "inference", "csls", "decoder"]


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


def boards(tables: Tables, names: Names = BY_ID) -> list[Board]:
    """The rankings of all results, each method scored by its own similarity.

    Names or none, pseudo-labels or none, decoders, simulated inputs, protocols, rules of scoring,
    datasets and seed ratios each have boards of their own.
    """
    current = current_cells(tables).tables
    cells = current.cells
    shown = with_sections(in_own_similarity(current))
    shown = shown[shown["direction"].isin((PUBLISHED_DIRECTION, PAIRS)) & (shown["modality"] == "")]
    if shown.empty:
        return []
    csls = choose_csls(set(shown.loc[shown["is_ranked"], "csls"]), None)
    shown = shown[~shown["is_ranked"] | (shown["csls"] == csls)]
    simulated = {key: " ".join(made_up_inputs(own)[0]) for key, own in cells.groupby("key")}
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
    made = []
    for place, group in shown.groupby(_BOARD, sort=True):
        words: dict[str, Any] = dict(zip(_BOARD, place, strict=True))
        title = _title(words, labels[words["dataset"], words["dataset_version"]])
        made.append(
            (_order(words), Board(title, words["dataset"], _table(title, group, cells, names)))
        )
    return [board for _order_of, board in sorted(made, key=lambda pair: pair[0])]


def leaderboard(tables: Tables, command: str = "", names: Names = BY_ID) -> Document:
    """All boards as a document.

    Args:
        tables: The reference runs.
        command: How the page is made again.
        names: How methods and datasets are printed.
    """
    blocks: list[Block] = [board.table for board in boards(tables, names)]
    if not blocks:
        blocks = [Text("Nothing has been measured yet.")]
    made = (f"Made by {command} from the records alone.",) * bool(command)
    return Document(NAME, "Leaderboard", tuple(blocks), (*made, *_notes()))


def first_lines(tables: Tables, most_boards: int = 4, most_rows: int = 5) -> Document:
    """The first rows of the boards of the first dataset, for a page that has room for no more."""
    found = boards(tables)
    of_first = [board for board in found if board.dataset == found[0].dataset][:most_boards]
    blocks = tuple(
        replace(board.table, rows=board.table.rows[:most_rows], notes=()) for board in of_first
    )
    return Document(NAME, "Leaderboard", blocks)


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


def _table(title: str, group: pd.DataFrame, cells: pd.DataFrame, names: Names) -> Table:
    is_pairs = bool((group["inference"] != "").all())
    metrics = [m for m in (PAIR_COLUMNS if is_pairs else RANK_COLUMNS) if m in set(group["metric"])]
    rows = []
    for place, own in group[group["metric"].isin(metrics)].groupby(_ROW, sort=True):
        values = {
            str(metric): with_certain(_cell(numbers.groupby("repeat")["value"].mean()), numbers)
            for metric, numbers in own.groupby("metric")
        }
        of_row = cells[cells["key"].isin(set(own["key"]))]
        rows.append(
            _row(
                _name(place, group, names),
                tuple(values.get(metric, Cell()) for metric in metrics),
                of_row,
                cells,
            )
        )
    rows.sort(key=lambda row: (-(row.cells[0].mean or 0.0), row.labels))
    best = [row.cells[0].mean for row in rows]
    ranked = [
        replace(row, labels=(str(best.index(row.cells[0].mean) + 1), *row.labels)) for row in rows
    ]
    columns = tuple((METRIC_NAMES[metric],) for metric in metrics)
    labels = ("rank", "method", "repeats", "minutes")
    own_cells = cells[cells["key"].isin(set(group["key"]))]
    notes = tuple(_table_notes(ranked, own_cells))
    return explained(Table(title, labels, ("metric",), columns, tuple(ranked), notes))


def _name(place: tuple[Any, ...], group: pd.DataFrame, names: Names) -> str:
    """Method and variant, with the words of scoring in which its own rows differ."""
    row = dict(zip(_ROW, place, strict=True))
    same = group[(group["method"] == row["method"]) & (group["variant"] == row["variant"])]
    words = {
        "similarity": str(row["similarity"]),
        "inference": str(row["inference"]),
        "csls": f"CSLS {row['csls']}",
        "decoder": str(row["decoder"]),
    }
    told = [word for column, word in words.items() if same[column].nunique() > 1]
    return ", ".join((names.of(row["method"], row["variant"]), *told))


def _row(name: str, made: tuple[Cell, ...], own: pd.DataFrame, cells: pd.DataFrame) -> Row:
    is_partial = bool(own["partial_copy"].notna().any())
    marks = STAND_IN * bool(made_up_inputs(own)[1]) + PARTIAL * is_partial
    marks += FAILED * bool(_n_failed(own, cells))
    seconds = own["fit_s"].astype(float) + own["eval_s"].fillna(0.0).astype(float)
    minutes = NOTHING if seconds.isna().all() else f"{seconds.mean() / 60:.1f}"
    n = max(cell.n for cell in made)
    return Row((name + f" {marks}" * bool(marks), str(n), minutes), made)


def _cell(values: pd.Series[float]) -> Cell:
    sd = float(values.std(ddof=1)) if len(values) >= 2 else None
    return Cell(float(values.mean()), sd, len(values))


def _n_failed(own: pd.DataFrame, cells: pd.DataFrame) -> int:
    same = ["method", "variant", "dataset", "seed_ratio", "protocol"]
    first = own.iloc[0]
    beside = cells[(cells[same] == first[same]).all(axis=1)]
    failed = beside[~beside["status"].isin(("ok", "skipped"))]
    return len(set(failed["repeat"]) - set(own["repeat"]))


def _table_notes(rows: Sequence[Row], own: pd.DataFrame) -> Iterator[str]:
    marks = {mark for row in rows for mark in row.labels[1].rpartition(" ")[2]}
    if STAND_IN in marks:
        yield f"{STAND_IN} {'; '.join(made_up_inputs(own)[1])}."
    if PARTIAL in marks:
        yield f"{PARTIAL} {'; '.join(partial_copies(own))}"
    if FAILED in marks:
        yield f"{FAILED} another repeat failed, and is not in the mean."


def _notes() -> tuple[str, ...]:
    return (
        "Boards never mix methods that read entity names with those that do not, pseudo-labels "
        "with none, decoded scores with ranked ones, or simulated inputs with measured ones.",
        f"Source to target, each method by its own similarity, CSLS of k = {DEFAULT_CSLS} where "
        "links are ranked by scores: one rule for all, not what each paper printed with; that is "
        "in the fidelity table.",
        "Mean ± standard deviation over repeats. Minutes are training and scoring of one repeat.",
    )

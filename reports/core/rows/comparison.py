"""Numbers side by side: one row per cell and metric, with what keeps them comparable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mmea_bench.reports.core.document import Cell, NumberStyle
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.origins import origin_notes, origins
from mmea_bench.reports.core.rows.remarks import early_checkpoints, early_notes
from mmea_bench.reports.core.rows.select import (
    PAIRS,
    choose_csls,
    current_cells,
    dataset_labels,
    percent,
    with_sections,
)
from mmea_bench.results.core.schema import (
    DANGLING_METRICS,
    NO_DECODER,
    PAIR_METRICS,
    RANK_METRICS,
)
from mmea_bench.results.core.table import Tables

SIMULATED = "†"
SIMULATED_NOTE = f"{SIMULATED} with simulated features, not measured ones."
STOPPED_ON_TEST = "‡"
STOPPED_ON_TEST_NOTE = (
    f"{STOPPED_ON_TEST} the checkpoint was chosen on the test links, as in the released code of "
    "the method: such a number flatters."
)
_LONGEST_SLUG_BYTES = 140  # file systems allow 255 for a whole name
_PLACE = ["protocol", "rules", "dataset", "dataset_version", "seed_ratio"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparable numbers of one dataset, seed ratio and protocol.

    Attributes:
        title: Says the place.
        slug: The place as part of a file name.
        numbers: Columns ``method``, ``variant``, ``base`` (the variant without its overrides),
            ``overrides`` (their JSON), ``inference``, ``repeat``, ``metric``, ``value``, ``key``,
            ``on_test`` (the checkpoint was chosen on test links), ``simulated``, ``origin`` (what
            the cell was made with), ``is_early`` (it precedes learning from pseudo-labels),
            ``printed`` (name of method and variant).
        metrics: Metrics in printing order; the first is the one that figures show.
        dataset: Printed name of the dataset.
        seed_ratio: Share of the anchor links, None where all ratios are together.
        protocol: Name of the protocol.
        rules: Rules of scoring that its numbers share.
        conditions: The protocol, and those of the rules that not all numbers of the protocol
            share: alike in every place of equal protocol and rules, whatever else a place has.
    """

    title: str
    slug: str
    numbers: pd.DataFrame
    metrics: tuple[str, ...]
    dataset: str = ""
    seed_ratio: float | None = None
    protocol: str = ""
    rules: str = ""
    conditions: str = ""

    @property
    def place(self) -> str:
        """Dataset and seed ratio."""
        return self.place_lines.replace("\n", " ")

    @property
    def place_lines(self) -> str:
        """The same, the seed ratio in a line of its own."""
        ratio = "" if self.seed_ratio is None else f"\n{percent(self.seed_ratio)}"
        return f"{self.dataset}{ratio}"

    def values(self, rows: pd.DataFrame, metric: str) -> pd.Series[float]:
        """Value per repeat of one method's rows."""
        chosen = rows[rows["metric"] == metric]
        return chosen.groupby("repeat")["value"].mean()


def shown_numbers(tables: Tables, options: ReportOptions) -> pd.DataFrame:
    """All numbers in the reader's direction and CSLS size, with their sections.

    Decoded numbers have no such size to choose; their rules keep them apart from all others.
    """
    current = current_cells(tables).tables
    results = with_sections(current.in_own_similarity())
    is_decoded = results["decoder"] != NO_DECODER
    is_of_ranks = results["metric"].isin((*RANK_METRICS, *DANGLING_METRICS))
    csls = choose_csls(set(results.loc[is_of_ranks & ~is_decoded, "csls"]), options.csls)
    is_asked = results["direction"] == options.direction
    is_wanted = is_asked & (results["csls"] == csls)
    is_wanted_decoded = is_asked | (results["direction"] == PAIRS)
    shown = results[is_wanted_decoded.where(is_decoded, is_wanted | ~is_of_ranks)]
    shown = shown.assign(base=shown["variant"].str.split("[").str[0])
    cells = current.cells.set_index("key")
    return shown.assign(
        overrides=shown["key"].map(cells["overrides"]).fillna("{}"),
        on_test=shown["key"].map(cells["stopped_on"]) == "test",
        simulated=shown["key"].map(cells["simulated_features"]).notna(),
        origin=shown["key"].map(origins(cells)),
        is_early=shown["key"].isin(early_checkpoints(current.cells)),
        printed=[
            options.names.of(*pair) for pair in zip(shown["method"], shown["variant"], strict=True)
        ],
    )


def comparisons(
    numbers: pd.DataFrame, options: ReportOptions, *, all_ratios: bool = False
) -> Iterator[Comparison]:
    """Comparable groups of ``shown_numbers``, in a fixed order.

    Args:
        numbers: What ``shown_numbers`` returned.
        options: Choices of the reader.
        all_ratios: Whether all seed ratios of a dataset stay together.
    """
    numbers = numbers[numbers["modality"] == ""]
    labels = dataset_labels(numbers, options.names)
    place = _PLACE[:-1] if all_ratios else _PLACE
    rules_at = _rules_by(numbers, [name for name in place if name != "rules"])
    rules_under = _rules_by(numbers, ["protocol"])
    for key, group in numbers.groupby(place, sort=True):
        metrics = _metrics(group, options)
        group = group[group["metric"].isin(metrics)]
        if group.empty:
            continue
        protocol, rules, dataset, version = (str(part) for part in key[:4])
        label = labels.get((dataset, version), dataset)
        ratio = None if all_ratios else float(str(key[4]))
        seeds = "" if ratio is None else f", {percent(ratio)} seeds"
        head = f"{label}{seeds}, {protocol} protocol"
        title = _with_words(head, rules, rules_at[(protocol, *map(str, key[2:]))])
        conditions = _with_words(f"{protocol} protocol", rules, rules_under[(protocol,)])
        yield Comparison(
            title, slug_of(title), group, metrics, label, ratio, protocol, rules, conditions
        )


def _rules_by(numbers: pd.DataFrame, columns: list[str]) -> dict[tuple[str, ...], set[str]]:
    """All rules under which there are numbers, by the values of these columns."""
    return {tuple(map(str, key)): set(own) for key, own in numbers.groupby(columns)["rules"]}


def _with_words(head: str, rules: str, all_rules: set[str]) -> str:
    """The head and the words of these rules that not all rules have."""
    shared = set.intersection(*(set(other.split()) for other in all_rules))
    return ", ".join((head, *(word for word in rules.split() if word not in shared)))


def name_marks(numbers: pd.DataFrame) -> str:
    """Marks behind a name that stands for all of these rows."""
    return SIMULATED * bool(numbers["simulated"].any()) + STOPPED_ON_TEST * bool(
        numbers["on_test"].any()
    )


def mark_notes(numbers: pd.DataFrame) -> tuple[str, ...]:
    """What the marks behind the names of these rows mean; nothing for marks that do not occur.

    Also which means are over unlike repeats, and which of the rows, iterative by name, are of a
    checkpoint from before the second stage.
    """
    notes = {"simulated": SIMULATED_NOTE, "on_test": STOPPED_ON_TEST_NOTE}
    marks = tuple(note for column, note in notes.items() if numbers[column].any())
    return (*marks, *origin_notes(numbers), *early_notes(numbers))


def overrides_of(text: str) -> Mapping[str, Any]:
    """Parameters changed on top of a variant, from the column ``overrides``."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def bracket(variant: str) -> str:
    """What stands in brackets behind a variant's name; empty for nothing."""
    return variant.partition("[")[2].removesuffix("]")


def _metrics(group: pd.DataFrame, options: ReportOptions) -> tuple[str, ...]:
    found = set(group["metric"])
    of_pairs = tuple(metric for metric in ("f1", "precision", "recall") if metric in found)
    if (group["direction"] == PAIRS).any():
        return of_pairs
    if (group["decoder"] != NO_DECODER).any():
        # One-to-one decoders give pairs, those that spread scores give ranks.
        of_ranks = (m for m in options.metrics if m in found and m not in PAIR_METRICS)
        return (*of_pairs, *of_ranks)
    return tuple(metric for metric in options.metrics if metric in found)


def metric_style(metric: str) -> NumberStyle:
    """How numbers of a metric are printed."""
    return "rank" if metric == "mean_rank" else "fraction"


def repeat_cell(values: pd.Series[float], style: NumberStyle = "fraction") -> Cell:
    """Mean and deviation of one value per repeat; an empty cell for none."""
    if values.empty:
        return Cell()
    sd = float(values.std(ddof=1)) if len(values) >= 2 else None
    return Cell(float(values.mean()), sd, len(values), style=style)


def slug_of(title: str) -> str:
    """A title as part of a file name; a long one is cut, and stays apart from its like."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    slug = "-".join(part for part in letters.split("-") if part)
    encoded = slug.encode("utf-8")
    if len(encoded) <= _LONGEST_SLUG_BYTES:
        return slug
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[:_LONGEST_SLUG_BYTES].decode('utf-8', 'ignore')}-{digest}"

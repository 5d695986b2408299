"""Dataset statistics: what the loaded files hold, beside what the papers print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mmea_bench.reports.core.document import Cell, Document, Missing, NumberStyle, Row, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import SIMULATED, SIMULATED_NOTE
from mmea_bench.reports.core.rows.lacking import cannot_be_made
from mmea_bench.reports.core.rows.select import current_cells, dataset_labels, files_version
from mmea_bench.reports.core.words import ordered_modalities
from mmea_bench.results.core.published import Published, read_published
from mmea_bench.results.core.schema import COVERAGE
from mmea_bench.results.core.table import Tables

NAME = "dataset_statistics"
PAIR = ""
"""KG under which numbers of the whole pair stand."""

_GRAPH_COLUMNS: Mapping[tuple[str, ...], str] = {
    ("entities",): "entities",
    ("relations",): "relations",
    ("attributes",): "attributes",
    ("relation triples",): "relation_triples",
    ("attribute triples",): "attribute_triples",
    ("images",): "images",
    ("pairs",): "pairs",
}
"""Columns of MCLEA 2022, Table 5, with their statistics."""

_NODE_COLUMNS: Mapping[tuple[str, ...], str] = {
    ("entities", "text"): "text_nodes",
    ("entities", "visual"): "visual_nodes",
    ("relations", "TT"): "tt_relations",
    ("relations", "TV"): "tv_relations",
    ("relations", "VV"): "vv_relations",
    ("attributes", "text"): "text_attributes",
    ("attributes", "visual"): "visual_attributes",
    ("triples", "relation"): "relation_triples",
    ("triples", "attribute"): "attribute_triples",
    ("pairs", "all"): "pairs",
    ("pairs", "TT"): "tt_share",
    ("pairs", "VV"): "vv_share",
    ("pairs", "TV"): "tv_share",
}
"""Columns of CrossEA 2025, Table 1, and the shares of pairs of its section 3."""

_PAIR_KINDS = ("tt", "vv", "tv")
_SHARE_DIGITS = 4  # of 15,000 entities, one that lacks an image shows
_SHARE = "_share"
_PRINTED_NAMES = {
    "entities_textual": "text_nodes",
    "entities_visual": "visual_nodes",
    "relations_textual_textual": "tt_relations",
    "relations_textual_visual": "tv_relations",
    "relations_visual_visual": "vv_relations",
    "attributes_textual": "text_attributes",
    "attributes_visual": "visual_attributes",
    "pairs_share_textual_textual": "tt_share",
    "pairs_share_visual_visual": "vv_share",
    "pairs_share_textual_visual": "tv_share",
}
"""Statistic of the published files to ours, where they differ."""

_NOTES = (
    "Files: counted from the loaded files. Published: the number that the papers print; of "
    "contradicting ones, the one that the list of contradictions trusts. Difference: files minus "
    "published, for datasets that differ.",
    "An image counts where its entity has a feature that methods can use.",
)

Key = tuple[str, str]
"""KG (empty for the pair) and statistic."""


@dataclass(frozen=True)
class Counted:
    """What is known of one dataset version.

    Attributes:
        label: Printed name.
        address: Name without options, as the published files have it.
        graphs: Names of the KGs, source first.
        found: Counts of the files.
        simulated: Modalities with made-up features.
    """

    label: str
    address: str
    graphs: tuple[str, ...]
    found: Mapping[Key, float]
    simulated: frozenset[str]

    @property
    def is_of_nodes(self) -> bool:
        """Whether its nodes are texts and images (N-MMKG)."""
        return any(statistic == "text_nodes" for _, statistic in self.found)


@dataclass(frozen=True)
class Printed:
    """Published counts of one dataset and where they stand."""

    values: Mapping[Key, float]
    sources: Mapping[Key, str]


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Counts of the datasets that cells loaded, after the tables of MCLEA and of CrossEA."""
    cells = current_cells(tables).tables.cells
    datasets = list(_counted(tables.datasets, cells, options.names))
    if not datasets:
        return cannot_be_made(
            "No record tells the counts of its dataset: no cell got as far as loading one, or an "
            "older version of the program wrote the records.",
            tables,
            options,
        )
    published = read_published()
    plain = [dataset for dataset in datasets if not dataset.is_of_nodes]
    of_nodes = [dataset for dataset in datasets if dataset.is_of_nodes]
    made = [
        _table("Datasets", plain, ("statistic",), _GRAPH_COLUMNS, published),
        _table(
            "Datasets of text and image nodes", of_nodes, ("of", "kind"), _NODE_COLUMNS, published
        ),
        _coverage_table(datasets),
    ]
    notes = (
        *_NOTES,
        *((SIMULATED_NOTE,) if any(dataset.simulated for dataset in datasets) else ()),
        *_contradiction_notes(datasets, published),
        *_uncounted_notes(tables.datasets, cells, options.names),
    )
    return Document(NAME, "Dataset statistics", tuple(filter(None, made)), notes)


def _counted(counts: pd.DataFrame, cells: pd.DataFrame, names: Names) -> Iterator[Counted]:
    """The dataset versions of cells that count, by name."""
    cells = cells.assign(dataset_version=files_version(cells["dataset_version"]))
    used = set(zip(cells["dataset"], cells["dataset_version"], strict=True))
    pairs = zip(counts["dataset"], counts["dataset_version"], strict=True)
    counts = counts[pd.Series([pair in used for pair in pairs], counts.index, dtype=bool)]
    labels = dataset_labels(counts, names)
    counts = counts.assign(kg=counts["kg"].fillna(PAIR))
    for (dataset, version), own in counts.groupby(["dataset", "dataset_version"], sort=True):
        found = dict(zip(zip(own["kg"], own["statistic"], strict=True), own["value"], strict=True))
        n_pairs = found.get((PAIR, "pairs"), 0.0)
        for kind in _PAIR_KINDS:
            if n_pairs and (PAIR, f"{kind}_pairs") in found:
                found[PAIR, f"{kind}{_SHARE}"] = found[PAIR, f"{kind}_pairs"] / n_pairs
        is_own = (cells["dataset"] == dataset) & (cells["dataset_version"] == version)
        made_up = " ".join(cells.loc[is_own, "simulated_features"].dropna())
        yield Counted(
            labels[str(dataset), str(version)],
            str(dataset).partition("[")[0],
            tuple(kg for kg in dict.fromkeys(own["kg"]) if kg != PAIR),
            found,
            frozenset(made_up.replace(",", " ").split()),
        )


def printed_counts(published: Published, dataset: str) -> Printed:
    """Published counts of a dataset, one for each statistic.

    A number that the list of contradictions refutes is left out; of several sources the first of
    the file counts.
    """
    false = published.statements[published.statements["holds"] == "no"]
    place = ["source", "dataset", "kg", "statistic"]
    trusted = dict(
        zip(
            false[[*place, "place"]].itertuples(index=False, name=None),
            false["use_value"],
            strict=True,
        )
    )
    values: dict[Key, float] = {}
    sources: dict[Key, str] = {}
    own = published.datasets[published.datasets["dataset"] == dataset]
    names = own[[*place, "table"]].astype(str).itertuples(index=False, name=None)
    for (source, _, kg, statistic, table), value in zip(names, own["value"], strict=True):
        key = (kg, _PRINTED_NAMES.get(statistic, statistic))
        # A sentence can be wrong about a number that is right; it then names the same number.
        is_refuted = trusted.get((source, dataset, kg, statistic, table), value) != value
        if key not in values and not is_refuted:
            values[key], sources[key] = float(value), f"{source} {table}"
    return Printed(values, sources)


def _table(
    title: str,
    datasets: Sequence[Counted],
    level_names: tuple[str, ...],
    columns: Mapping[tuple[str, ...], str],
    published: Published,
) -> Table | None:
    if not datasets:
        return None
    rows: list[Row] = []
    sources: dict[str, list[str]] = {}
    for dataset in datasets:
        printed = printed_counts(published, dataset.address)
        rows += _rows(dataset, printed, list(columns.values()), has_rule_above=bool(rows))
        for graph in (*dataset.graphs, PAIR):
            for statistic in columns.values():
                source = printed.sources.get((graph, statistic))
                if source and dataset.label not in sources.setdefault(source, []):
                    sources[source].append(dataset.label)
    notes = tuple(f"Published in {source}: {', '.join(of)}." for source, of in sources.items())
    labels = ("dataset", "KG", "counts")
    return Table(title, labels, level_names, tuple(columns), tuple(rows), notes, is_grouped=True)


def _rows(
    dataset: Counted, printed: Printed, statistics: Sequence[str], *, has_rule_above: bool
) -> list[Row]:
    """Files, published and difference of each KG; numbers of the pair stand with the first."""
    rows: list[Row] = []
    for graph in dataset.graphs:
        owners = [PAIR if _is_of_pair(name) else graph for name in statistics]
        # A blank, not a gap: the row of the first KG holds the number.
        is_blank = [owner == PAIR and graph != dataset.graphs[0] for owner in owners]
        found, expected = (
            [values.get((owner, name)) for owner, name in zip(owners, statistics, strict=True)]
            for values in (dataset.found, printed.values)
        )
        differences = [
            None if here is None or there is None else here - there
            for here, there in zip(found, expected, strict=True)
        ]
        lines = {"files": found}
        if any(value is not None for value in expected):
            lines["published"] = expected
        if any(
            _is_printed(value, name) for value, name in zip(differences, statistics, strict=True)
        ):
            lines["difference"] = differences
        for kind, values in lines.items():
            cells = tuple(
                Cell(text="") if blank else _count_cell(value, name, dataset, kind)
                for value, name, blank in zip(values, statistics, is_blank, strict=True)
            )
            labels = (dataset.label, graph, kind)
            rows.append(Row(labels, cells, has_rule_above=has_rule_above and not rows))
    return rows


def _count_cell(value: float | None, statistic: str, dataset: Counted, kind: str) -> Cell:
    is_simulated = kind == "files" and statistic == "images" and "image" in dataset.simulated
    style: NumberStyle = "fraction" if statistic.endswith(_SHARE) else "count"
    marks = (SIMULATED,) * is_simulated
    return Cell(value, None, 1, style=style, digits=_SHARE_DIGITS, marks=marks)


def _is_of_pair(statistic: str) -> bool:
    return statistic == "pairs" or statistic.endswith(_SHARE)


def _is_printed(difference: float | None, statistic: str) -> bool:
    """Whether a difference is large enough to be seen: papers round shares to 0.01 %."""
    smallest = 1e-4 if statistic.endswith(_SHARE) else 0.5
    return difference is not None and abs(difference) >= smallest


def _coverage_table(datasets: Sequence[Counted]) -> Table:
    """Share of the entities of each KG that have a modality."""
    names = {
        statistic.removeprefix(COVERAGE)
        for dataset in datasets
        for _, statistic in dataset.found
        if statistic.startswith(COVERAGE)
    }
    order = ordered_modalities(names)
    rows: list[Row] = []
    for dataset in datasets:
        for graph in dataset.graphs:
            cells = tuple(
                Cell(
                    dataset.found.get((graph, f"{COVERAGE}{name}")),
                    None,
                    1,
                    digits=_SHARE_DIGITS,
                    marks=(SIMULATED,) * (name in dataset.simulated),
                )
                for name in order
            )
            is_first = graph == dataset.graphs[0]
            rows.append(Row((dataset.label, graph), cells, has_rule_above=is_first and bool(rows)))
    columns = tuple((name,) for name in order)
    title = "Share of the entities that have a modality"
    return Table(title, ("dataset", "KG"), ("modality",), columns, tuple(rows), is_grouped=True)


def _contradiction_notes(datasets: Iterable[Counted], published: Published) -> Iterator[str]:
    """What the list of contradictions says of the counts that are shown."""
    shown = {
        (dataset.address, *key)
        for dataset in datasets
        for key in printed_counts(published, dataset.address).values
    }
    told: set[tuple[str, str]] = set()
    for row in published.statements.itertuples(index=False):
        statistic = _PRINTED_NAMES.get(str(row.statistic), str(row.statistic))
        if (row.dataset, row.kg, statistic) in shown and (row.id, row.says) not in told:
            told.add((str(row.id), str(row.says)))
            yield f"{row.id}: {row.source} {row.place} prints {row.says}. {row.found}"


def _uncounted_notes(counts: pd.DataFrame, cells: pd.DataFrame, names: Names) -> Iterator[str]:
    """Datasets of the cells that no record counts."""
    lacking = sorted(set(cells["dataset"]) - set(counts["dataset"]))
    if lacking:
        listed = ", ".join(map(names.dataset, lacking))
        yield f"Not counted, since no cell tells what it loaded: {listed}."

"""The written schema of every result table: columns, kinds, units and the checks on them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mmea_bench.results.core.errors import ResultsError, shown

SCHEMA_VERSION = 2
"""Raised whenever a column changes its name or meaning; ``upgrades`` brings old records here."""

STATUSES = ("ok", "skipped", "failed", "timeout", "out_of_memory", "diverged")
"""Every way a cell can end."""

DONE_STATUSES = ("ok", "skipped")
"""Statuses after which a resumed run leaves the cell alone."""

RANK_METRICS = ("hits@1", "hits@5", "hits@10", "mrr", "mean_rank")
PAIR_METRICS = ("precision", "recall", "f1")
PAIR_KINDS = ("tt", "vv", "tv")
COSINE_METRICS = tuple(f"cosine@{rank}" for rank in range(1, 11))
WEIGHT = "weight"
DANGLING_METRICS = ("dangling_precision", "dangling_recall", "dangling_f1", "consolidated_hits@1")
METRICS = (
    *RANK_METRICS,
    *PAIR_METRICS,
    *(f"{metric}_{kind}" for kind in PAIR_KINDS for metric in PAIR_METRICS),
    *(*COSINE_METRICS, WEIGHT, *DANGLING_METRICS),
)
"""Metrics of ranked links; of predicted pairs, over all pairs and per kind (N-MMKG); mean cosine of
the test entities to the counterpart predicted at a rank, by the modality that its column names;
share of it in the fusion, mean over the entities of both KGs; of entities without a partner."""

DIRECTIONS = ("src2tgt", "tgt2src", "mean", "pairs")
"""Which KG asks, the mean of both, or neither: pairs are predicted as a whole."""

STOP_RULES = ("last", "valid", "test")
LINK_SETS = ("valid", "test")

_MOST_LISTED = 10

LONGEST_PROSE = 2**20
"""Letters of a reason or of the notes of a cell."""

Kind = Literal["text", "word", "int", "float", "fraction", "json"]
TEXT_KINDS = ("text", "word")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Header.
        kind: ``int`` is 0 or more, ``fraction`` lies in [0, 1], ``json`` is the JSON text of an
            object, ``word`` a text without spaces; no kind allows NaN or infinity.
        unit: Unit of the number, empty for none.
        meaning: What the column says, in one line.
        nullable: Whether it may be empty.
        choices: Every value allowed; empty for no such list.
        longest: Most letters of a text. Labels stand in every row, so that one long label in a
            small record would fill the memory; the sentences of a cell stand there once.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    nullable: bool = False
    choices: tuple[str, ...] = ()
    longest: int = 2000


_KEY = Column("key", "text", "", "name of the cell's record; hash of everything it depends on")
_METHOD = Column("method", "text", "", "catalogue name of the method")
_VARIANT = Column("variant", "text", "", "'full' or a named variant; overrides in [brackets]")
_DATASET = Column("dataset", "text", "", "canonical dataset address")
_VERSION = Column("dataset_version", "text", "", "content hash of the dataset")
_RATIO = Column("seed_ratio", "fraction", "", "training share of the anchor links")
_REPEAT = Column("repeat", "int", "", "number of the repetition, counted from 1")
_PROTOCOL = Column("protocol", "text", "", "rules of training and stopping: strict, paper")
_SPLIT = Column(
    "split",
    "word",
    "",
    "where seed and test links come from; empty (older records) is random",
    nullable=True,
    choices=("random", "published"),
)
NO_SUITE = "custom"  # what the column ``suite`` says of cells that were asked for without one
_SUITE = Column("suite", "text", "", "suite that asked for the cell")
_NAMES = Column("names", "word", "", "whether entity names were read", choices=("yes", "no"))
_ITERATIVE = Column(
    "iterative", "word", "", "whether it learned from pseudo-labels", choices=("yes", "no")
)
NO_DECODER = "none"
SCORING_COLUMNS = (
    Column("similarity", "word", "", "how vectors were compared; distances count negated"),
    Column("csls", "int", "", "neighbourhood size of CSLS; 0 is the plain similarity"),
    Column("decoder", "word", "", "what turned scores into pairs; 'none' where scores rank"),
    Column("candidates", "word", "", "test, unseeded, all, untrained, all-pairs", nullable=True),
    Column("ties", "word", "", "rank among equal scores", nullable=True),
    Column("inference", "word", "", "thresholds that predicted pairs (N-MMKG)", nullable=True),
    Column("modality", "word", "", "whose vectors or weight; empty for the joint", nullable=True),
)
"""How a number was scored; with metric and direction, what tells the numbers of a cell apart."""

_METRIC = Column("metric", "text", "", "what was measured", choices=METRICS)
_DIRECTION = Column(
    "direction", "text", "", "which KG asks, the mean, or pairs", choices=DIRECTIONS
)
_VALUE = Column(
    "value", "float", "", "fraction in [0, 1]; mean_rank is 1 or more, cosines lie in [-1, 1]"
)

RESULT_COLUMNS = (
    _SUITE,
    _METHOD,
    _VARIANT,
    _DATASET,
    _VERSION,
    _RATIO,
    _REPEAT,
    _PROTOCOL,
    _NAMES,
    _ITERATIVE,
    *SCORING_COLUMNS,
    _METRIC,
    _DIRECTION,
    _VALUE,
    Column("n", "int", "links", "test links behind it; entities where weighed or judged"),
    _KEY,
    _SPLIT,
)
"""results.csv: one row per number."""

CELL_COLUMNS = (
    _KEY,
    _METHOD,
    _VARIANT,
    _DATASET,
    _RATIO,
    _REPEAT,
    Column("rng_seed", "int", "", "seed of the training", nullable=True),
    _PROTOCOL,
    Column("status", "text", "", "how the cell ended", choices=STATUSES),
    Column("reason", "text", "", "why it did not end ok", nullable=True, longest=LONGEST_PROSE),
    Column("epochs", "int", "epochs", "epochs trained", nullable=True),
    Column("best_epoch", "int", "epochs", "epoch of the scored embeddings", nullable=True),
    Column("stopped_on", "text", "", "links that chose it", nullable=True, choices=STOP_RULES),
    Column("n_train", "int", "links", "seed links trained on", nullable=True),
    Column("n_valid", "int", "links", "seed links held out", nullable=True),
    Column("n_test", "int", "links", "links scored", nullable=True),
    Column("n_parameters", "int", "", "trainable numbers", nullable=True),
    Column("fit_s", "float", "s", "wall time of the training", nullable=True),
    Column("eval_s", "float", "s", "wall time of the scoring", nullable=True),
    Column("peak_memory_mib", "float", "MiB", "largest resident memory", nullable=True),
    Column("peak_gpu_memory_mib", "float", "MiB", "largest GPU memory", nullable=True),
    Column("device", "text", "", "where it was trained", nullable=True),
    Column("simulated_features", "text", "", "made-up inputs, separated by spaces", nullable=True),
    Column("started_at", "text", "", "ISO 8601, UTC", nullable=True),
    Column("finished_at", "text", "", "ISO 8601, UTC", nullable=True),
    Column("git_commit", "text", "", "commit of the program, '-dirty' if changed", nullable=True),
    Column("versions", "json", "", "versions of Python and the libraries"),
    _SUITE,
    Column("dataset_version", "text", "", "content hash of the dataset", nullable=True),
    Column("split_seed", "int", "", "seed of the split; shared by all methods", nullable=True),
    Column("overrides", "json", "", "single parameters changed on top of the variant"),
    Column("notes", "text", "", "sentences for the reader", nullable=True, longest=LONGEST_PROSE),
    Column(
        "modalities",
        "text",
        "",
        "what the method reads of the dataset, with spaces; empty for nothing, or if not known",
        nullable=True,
    ),
    replace(_NAMES, nullable=True),
    replace(_ITERATIVE, nullable=True),
    Column("own_similarity", "word", "", "how the method itself compares pairs", nullable=True),
    Column(
        "lacking",
        "text",
        "",
        "what the method reads and the copy has in part only: modalities, entities, pairs",
        nullable=True,
    ),
    replace(
        Column("partial_copy", "text", "", "the same in counts: found and published"),
        nullable=True,
        longest=LONGEST_PROSE,
    ),
    _SPLIT,
    Column(
        "protocol_settings",
        "json",
        "",
        "rules behind the name of the protocol: candidates, ties, stopping; empty if not known",
        nullable=True,
    ),
    Column("energy_kwh", "float", "kWh", "estimated energy of its process", nullable=True),
    Column("co2_kg", "float", "kg", "estimated CO2 equivalents of that energy", nullable=True),
    Column("epoch_s", "float", "s", "mean wall time of an epoch after the first", nullable=True),
    Column("interpretation", "text", "", "why no released code is followed, if so", nullable=True),
)
"""cells.csv: one row per cell."""

GAINED_COLUMNS = (
    *("split", "protocol_settings", "energy_kwh", "co2_kg", "epoch_s", "interpretation"),
)
"""Columns that this schema has gained since; older records and tables leave them empty."""

CURVE_COLUMNS = (
    _KEY,
    _METHOD,
    _VARIANT,
    _DATASET,
    _RATIO,
    _REPEAT,
    Column("epoch", "int", "epochs", "epochs trained so far"),
    Column("loss", "float", "", "training loss", nullable=True),
    Column("links", "text", "", "links scored", choices=LINK_SETS),
    _NAMES,
    _ITERATIVE,
    *SCORING_COLUMNS,
    _METRIC,
    _DIRECTION,
    _VALUE,
)
"""curves.csv: one row per number measured while training."""

COVERAGE = "coverage_"
"""Start of the statistics that say which share of the entities has a modality, in [0, 1]."""

DATASET_COLUMNS = (
    _DATASET,
    _VERSION,
    Column("kg", "text", "", "name of the KG; empty for the pair", nullable=True),
    Column("statistic", "text", "", "what was counted, or the modality covered"),
    Column("value", "float", "", "count, or a fraction for a coverage"),
)
"""datasets.csv: one row per count of a dataset that a cell loaded."""


def check_record(record: Mapping[str, Any]) -> None:
    """Raises unless a row of cells.csv follows the schema and agrees with itself.

    Raises:
        ResultsError: At the first violation.
    """
    what = f"cell {shown(record.get('key', 'without a key'))}"
    check_names(list(record), CELL_COLUMNS, what, ordered=False)
    check_columns({name: [value] for name, value in record.items()}, CELL_COLUMNS, what)
    if record["status"] != "ok" and not record["reason"]:
        raise ResultsError(
            f"{what}: status {record['status']} comes without a reason. Say in column 'reason' why."
        )


def check_names(
    found: Sequence[str], columns: Sequence[Column], what: str, *, ordered: bool = True
) -> None:
    """Raises unless exactly these columns are there.

    Raises:
        ResultsError: If one is missing, unknown, doubled or (when ``ordered``) out of place.
    """
    names = [column.name for column in columns]
    missing = [name for name in names if name not in found]
    extra = [name for name in found if name not in names]
    remedy = f"Schema {SCHEMA_VERSION} has: {', '.join(names)}."
    if missing:
        raise ResultsError(f"{what}: column {_listed(missing)} is missing. {remedy}")
    if extra:
        raise ResultsError(f"{what}: column {_listed(extra)} is not in the schema. {remedy}")
    if len(found) != len(names) or (ordered and list(found) != names):
        raise ResultsError(f"{what}: columns are doubled or out of order. {remedy}")


def check_columns(
    values: Mapping[str, Sequence[Any]], columns: Sequence[Column], what: str
) -> None:
    """Raises unless all values fit their columns; works by column, so that it is quick.

    Args:
        values: Column name to its values, None for empty.
        columns: Schema of exactly these columns.
        what: Name of the table or file, for the message.

    Raises:
        ResultsError: At the first violation, naming column, value and row.
    """
    for column in columns:
        _check_column(values[column.name], column, what)
    if "metric" in values:
        _check_values(values["metric"], values["value"], what)
    if "statistic" in values:
        _check_statistics(values["statistic"], values["value"], what)


def _check_column(values: Sequence[Any], column: Column, what: str) -> None:
    filled = values
    if None in values or (column.kind in TEXT_KINDS and "" in values):
        if not column.nullable:
            row = next(row for row, value in enumerate(values, 1) if value is None or value == "")
            raise ResultsError(f"{what}: column '{column.name}' is empty in row {row}. Fill it.")
        filled = [value for value in values if value is not None and value != ""]
    allowed, says, fits = _KINDS[column.kind]
    # Most columns hold few distinct values or pass the type test at once; only a failure pays
    # for finding the row.
    right_type = set(map(type, filled)) <= allowed
    if not (right_type and all(map(fits, set(filled)))):
        bad = next(value for value in filled if type(value) not in allowed or not fits(value))
        raise ResultsError(
            f"{what}: column '{column.name}' must hold {says}, not {shown(bad)} "
            f"(row {_row_of(bad, values)})."
        )
    if column.kind in TEXT_KINDS and max(map(len, set(filled)), default=0) > column.longest:
        bad = next(value for value in filled if len(value) > column.longest)
        raise ResultsError(
            f"{what}: column '{column.name}' holds {len(bad)} letters, more than "
            f"{column.longest} (row {_row_of(bad, values)}). Shorten it."
        )
    if column.choices and not set(filled) <= set(column.choices):
        bad = next(value for value in filled if value not in column.choices)
        raise ResultsError(
            f"{what}: column '{column.name}' must be one of {', '.join(column.choices)}, not "
            f"{shown(bad)} (row {_row_of(bad, values)})."
        )


def _check_values(metrics: Sequence[str], values: Sequence[float], what: str) -> None:
    for row, (metric, value) in enumerate(zip(metrics, values, strict=True), 1):
        if metric == "mean_rank":
            if value < 1.0:
                raise ResultsError(f"{what}: mean_rank must be 1 or more, not {value} (row {row}).")
        elif metric in COSINE_METRICS:
            if not -1.0 <= value <= 1.0:
                raise ResultsError(
                    f"{what}: {metric} must lie in [-1, 1], not {value} (row {row})."
                )
        elif not 0.0 <= value <= 1.0:
            raise ResultsError(
                f"{what}: {metric} must be a fraction between 0 and 1, not {value} (row {row}). "
                "Percentages need dividing by 100."
            )


def _check_statistics(names: Sequence[str], values: Sequence[float], what: str) -> None:
    for row, (name, value) in enumerate(zip(names, values, strict=True), 1):
        if value < 0 or (name.startswith(COVERAGE) and value > 1):
            allowed = "a fraction between 0 and 1" if name.startswith(COVERAGE) else "0 or more"
            raise ResultsError(f"{what}: {name} must be {allowed}, not {value} (row {row}).")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and _is_text(text)
    except (ValueError, RecursionError):
        return False


def _is_text(text: str) -> bool:
    """Whether the text can be written to a file: JSON can hold halves of characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_word(text: str) -> bool:
    """Whether the text can stand in a column of words: printable, and without spaces."""
    return text.isprintable() and " " not in text


_LARGEST_FLOAT = sys.float_info.max  # a comparison, because isfinite() fails for huge integers

_KINDS: Mapping[str, tuple[frozenset[type], str, Callable[[Any], bool]]] = {
    "text": (frozenset({str}), "text of whole characters", _is_text),
    "word": (frozenset({str}), "a word of printable letters", is_word),
    "json": (frozenset({str}), "JSON text of an object", _is_json),
    # Larger integers do not fit the tables' 64-bit columns.
    "int": (frozenset({int}), "a whole number from 0 to 2^63 - 1", lambda v: 0 <= v < 2**63),
    "float": (frozenset({float, int}), "a finite number", lambda v: abs(v) <= _LARGEST_FLOAT),
    "fraction": (frozenset({float, int}), "a fraction between 0 and 1", lambda v: 0 <= v <= 1),
}


def _row_of(value: object, values: Sequence[Any]) -> int:
    return next(row for row, item in enumerate(values, 1) if item is value or item == value)


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - _MOST_LISTED} more"] if len(names) > _MOST_LISTED else []
    return ", ".join([*map(shown, names[:_MOST_LISTED]), *more])

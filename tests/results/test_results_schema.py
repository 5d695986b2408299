from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import (
    CELL_COLUMNS,
    CURVE_COLUMNS,
    DATASET_COLUMNS,
    RESULT_COLUMNS,
    Column,
    check_columns,
    check_names,
    check_record,
)
from tests.results.results_factory import (
    make_cell,
    make_count,
    make_number,
    make_point,
    make_record,
)


def _names(columns: Sequence[Column]) -> str:
    return " ".join(column.name for column in columns)


def test_columns_are_the_published_ones() -> None:
    assert _names(RESULT_COLUMNS) == (
        "suite method variant dataset dataset_version seed_ratio repeat protocol names iterative "
        "similarity csls decoder candidates ties inference modality metric direction value n key "
        "split"
    )
    assert _names(CELL_COLUMNS) == (
        "key method variant dataset seed_ratio repeat rng_seed protocol status reason epochs "
        "best_epoch stopped_on n_train n_valid n_test n_parameters fit_s eval_s peak_memory_mib "
        "peak_gpu_memory_mib device simulated_features started_at finished_at git_commit versions "
        "suite dataset_version split_seed overrides notes modalities names iterative "
        "own_similarity lacking partial_copy split protocol_settings energy_kwh co2_kg epoch_s "
        "interpretation"
    )
    assert _names(CURVE_COLUMNS) == (
        "key method variant dataset seed_ratio repeat epoch loss links names iterative similarity "
        "csls decoder candidates ties inference modality metric direction value"
    )
    assert _names(DATASET_COLUMNS) == "dataset dataset_version kg statistic value"
    columns = (*RESULT_COLUMNS, *CELL_COLUMNS, *CURVE_COLUMNS, *DATASET_COLUMNS)
    assert all(column.meaning for column in columns)


def test_rules_that_do_not_apply_may_be_left_out() -> None:
    number = {**make_number(metric="weight"), "candidates": None, "modality": "image"}
    del number["ties"]
    (row,) = Record.of(make_cell(), [number]).results
    assert (row["candidates"], row["ties"], row["modality"]) == (None, None, "image")


def test_rows_take_the_identity_of_the_cell() -> None:
    record = make_record(method="beta", suite="paper")
    assert {row["method"] for row in record.results + record.curves} == {"beta"}
    assert {row["suite"] for row in record.results} == {"paper"}
    assert list(record.cell) == [column.name for column in CELL_COLUMNS]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"status": "lost"}, "column 'status' must be one of ok, skipped, .* not 'lost'"),
        ({"status": "failed"}, "status failed comes without a reason"),
        ({"seed_ratio": 20.0}, "'seed_ratio' must hold a fraction between 0 and 1, not 20.0"),
        ({"epochs": -1}, "'epochs' must hold a whole number"),
        ({"epochs": 1.5}, "'epochs' must hold a whole number"),
        ({"epochs": True}, "'epochs' must hold a whole number"),
        ({"fit_s": math.nan}, "'fit_s' must hold a finite number, not nan"),
        ({"versions": "{"}, "'versions' must hold JSON text"),
        ({"method": None}, "column 'method' is empty in row 1"),
        ({"suite": ""}, "column 'suite' is empty"),
        ({"stopped_on": "train"}, "must be one of last, valid, test, not 'train'"),
        ({"colour": "red"}, "column 'colour' is not in the schema"),
        ({"key": "../x"}, "a key holds letters"),
    ],
)
def test_cell_that_breaks_the_schema_says_so(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ResultsError, match=sentence):
        Record.of(make_cell(**changes))


def test_missing_column_says_so() -> None:
    cell = dict(make_record().cell)
    del cell["device"]
    with pytest.raises(ResultsError, match=r"column 'device' is missing\. Schema 2 has: key"):
        check_record(cell)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"value": 44.5}, "hits@1 must be a fraction between 0 and 1, not 44.5 .row 1.*dividing"),
        ({"value": -0.1}, "hits@1 must be a fraction"),
        ({"value": math.inf}, "'value' must hold a finite number"),
        ({"metric": "mean_rank", "value": 0.5}, "mean_rank must be 1 or more, not 0.5"),
        ({"metric": "weight", "value": 1.5}, "weight must be a fraction between 0 and 1, not 1.5"),
        ({"metric": "f2"}, "'metric' must be one of"),
        ({"direction": "up"}, "'direction' must be one of"),
        ({"similarity": "two words"}, "'similarity' must hold a word of printable letters"),
        ({"decoder": ""}, "column 'decoder' is empty"),
        ({"csls": -1}, "'csls' must hold a whole number"),
        ({"names": "yes"}, "column 'names' differs from the cell, which has 'no'"),
        ({"n": None}, "column 'n' is empty"),
        ({"method": "other"}, "column 'method' differs from the cell, which has 'alpha'"),
        ({"extra": 1}, "column 'extra' is not in the schema"),
    ],
)
def test_number_that_breaks_the_schema_says_so(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ResultsError, match=sentence):
        Record.of(make_cell(), [make_number(**changes)])


def test_curve_and_failed_cell_are_checked() -> None:
    with pytest.raises(ResultsError, match="'links' must be one of valid, test, not 'train'"):
        Record.of(make_cell(), [], [make_point(links="train")])
    with pytest.raises(ResultsError, match="has results although its status is timeout"):
        Record.of(make_cell(status="timeout", reason="slow"), [make_number()])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"value": -1.0}, r"dataset: entities must be 0 or more, not -1.0 \(row 1\)"),
        ({"statistic": "coverage_image", "value": 1.5}, "coverage_image must be a fraction"),
        ({"statistic": ""}, "column 'statistic' is empty"),
        ({"dataset": "other"}, "column 'dataset' differs from the cell"),
        ({"extra": 1}, "column 'extra' is not in the schema"),
    ],
)
def test_count_that_breaks_the_schema_says_so(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ResultsError, match=sentence):
        Record.of(make_cell(), dataset=[make_count(**changes)])


def test_columns_of_a_file_are_checked() -> None:
    names = [column.name for column in RESULT_COLUMNS]
    check_names(names, RESULT_COLUMNS, "results.csv")
    with pytest.raises(ResultsError, match=r"results.csv: column 'split' is missing"):
        check_names(names[:-1], RESULT_COLUMNS, "results.csv")
    with pytest.raises(ResultsError, match="out of order"):
        check_names(names[::-1], RESULT_COLUMNS, "results.csv")
    values = {"metric": ["mrr"] * 3, "value": [0.5, 0.5, 7.0]}
    columns = [column for column in RESULT_COLUMNS if column.name in values]
    with pytest.raises(ResultsError, match=r"mrr must be a fraction .* not 7.0 \(row 3\)"):
        check_columns(values, columns, "results.csv")

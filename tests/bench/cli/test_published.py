"""``bench published``: printed numbers side by side, with contradictions marked and explained."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.evidence.published import chosen_rows
from mmea_bench.bench.cli.evidence.published_view import show_cells, show_summary
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.published_cells import cells_of, explanations

MCLEA = ("--method", "mclea", "--dataset", "fb15k-db15k", "--seed-ratio", "0.2")


def published(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["published", *arguments])


def cells(*arguments: str) -> list[dict[str, Any]]:
    done = published(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["cells"]
    assert isinstance(found, list)
    return found


def printed_by(cell: dict[str, Any]) -> dict[str, str]:
    return {number["source"]: number["printed"] for number in cell["numbers"]}


def shown(width: int, filters: dict[str, list[str]]) -> list[str]:
    """The lines that a terminal of some width would show."""
    tables = read_published()
    rows = chosen_rows(tables.all_results, filters)
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    show_cells(cells_of(rows), explanations(rows, tables.contradictions), console)
    return stream.getvalue().splitlines()


def test_without_a_filter_it_says_what_there_is() -> None:
    done = published()
    assert done.exit_code == 0, done.output
    assert "1479 printed numbers of 48 methods on 10 datasets" in done.stdout
    for source in read_published().sources:
        assert source in done.stdout
    for word in ("SE-CLIP-MMEA+", "dbp15k-ja-en", "non-iterative", "--seed-ratio", "Examples"):
        assert word in done.stdout


def test_the_summary_can_be_read_by_programs() -> None:
    summary = json.loads(published("--json").stdout)
    assert summary["sources"]["mclea2022"]["numbers"] == 312
    assert summary["sources"]["pmf_repo"]["tables"] == 2
    assert len(summary["methods"]) == 48
    assert {row["id"] for row in summary["statements"]} >= {"C17", "C35"}
    assert summary["statements"][0]["use_value"] is None


def test_sources_stand_side_by_side_with_their_digits() -> None:
    (cell,) = cells(
        "--method", "PoE", "--dataset", "fb15k-db15k", "--seed-ratio", "0.2", "--metric", "hits@10"
    )
    assert printed_by(cell) == {"mclea2022": "0.251", "loginmea2024": "0.151"}
    line = next(
        line
        for line in published("--method", "PoE", "--seed-ratio", "0.2").stdout.splitlines()
        if "0.151" in line
    )
    assert "mclea2022 0.251 !C1" in line
    assert "loginmea2024 0.151 !C1,C16 use 0.251" in line


def test_contradictions_are_marked_and_explained_once() -> None:
    output = published(*MCLEA).stdout
    assert "clamea2025 0.441 !C4 avoid" in output
    assert "pmf_repo 0.395 !C4 ±0.05" in output
    table, _, below = output.partition("\n\n")
    assert table.count("!C4") == 14
    assert below.count("!C4") == 1
    assert "mclea2022, loginmea2024: Use mclea2022 for iterative MCLEA" in below
    assert "clamea2025: Said to come from the original paper" in below


def test_contradictions_of_other_rows_stay_away() -> None:
    output = published("--method", "transe").stdout
    assert "0.064" in output
    assert "!C" not in output


@pytest.mark.parametrize("name", ["se_clip_mmea_plus", "SE-CLIP-MMEA+", "se-clip-mmea+"])
def test_names_are_ours_or_the_printed_ones(name: str) -> None:
    found = cells("--method", name, "--seed-ratio", "0.5")
    assert {cell["method"] for cell in found} == {"SE-CLIP-MMEA+"}
    assert len(found) == 3


@pytest.mark.parametrize(
    ("printed", "method"),
    [("Chen et al.", "MMEA"), ("ACK-MMKG", "ACK-MMEA"), ("ALINET", "AliNet"), ("POE", "PoE")],
)
def test_names_that_the_tables_replace_are_understood(printed: str, method: str) -> None:
    assert {cell["method"] for cell in cells("--method", printed)} == {method}


def test_filters_take_several_words_and_hold_together() -> None:
    found = cells("--method", "eva,mclea", "--dataset", "FB15K-DB15K", "--metric", "hits@1,MRR")
    assert {cell["method"] for cell in found} == {"EVA", "MCLEA"}
    assert {cell["dataset"] for cell in found} == {"fb15k-db15k"}
    assert {cell["metric"] for cell in found} == {"hits@1", "mrr"}


def test_sources_can_be_chosen() -> None:
    found = cells("--source", "selfmea2022", "--method", "eva")
    assert {source for cell in found for source in printed_by(cell)} == {"selfmea2022"}


def test_a_setting_needs_all_its_words() -> None:
    both = cells(*MCLEA, "--setting", "no-names;iterative")
    assert {cell["setting"] for cell in both} == {"no-names;iterative"}
    either = cells(*MCLEA, "--setting", "iterative,none")
    assert {cell["setting"] for cell in either} == {"no-names;iterative", "iterative", ""}


def test_rows_without_a_ratio_can_be_chosen() -> None:
    found = cells("--dataset", "fb15k-db15k", "--seed-ratio", "none")
    assert {cell["seed_ratio"] for cell in found} == {None}
    assert {cell["method"] for cell in found} >= {"DESAlign", "PoE"}


def test_the_full_model_can_be_parted_from_its_variants() -> None:
    every = {cell["variant"] for cell in cells("--method", "clamea")}
    assert {"", "w/o IT"} <= every
    assert {cell["variant"] for cell in cells("--method", "clamea", "--variant", "full")} == {""}
    assert len(cells("--method", "clamea", "--variant", "w/o it")) == 6


def test_a_number_counts_as_the_metric_that_it_really_is() -> None:
    log = ("--method", "pmf", "--dataset", "fb15k-yago15k", "--setting", "no-names")
    as_printed = cells(*log, "--metric", "hits@5")
    assert as_printed == cells(*log, "--metric", "hits@10")
    assert {cell["metric"] for cell in as_printed} == {"hits@10"}
    first = as_printed[0]["numbers"][0]
    assert first["contradictions"] == ["C12", "C13"]
    assert (first["trust"], first["tolerance"]) == ("loose", 0.016)


def test_several_numbers_of_one_source_name_their_table() -> None:
    output = published("--method", "pmf", "--dataset", "fb15k-yago15k").stdout
    assert "pmf_repo L11-l 0.5536" in output
    assert "pmf_repo L11-r 0.5587" in output
    output = published("--method", "clamea", "--metric", "hits@1", "--variant", "full").stdout
    assert "clamea2025 Table 1 0.8176   clamea2025 Table 2 0.8176 !C27" in output


def test_datasets_that_the_program_does_not_run_are_there_too() -> None:
    output = published("--dataset", "openea-en-fr-v1", "--metric", "mrr").stdout
    assert output.count("!C29") == output.count(" avoid") + 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--method", "meaformr"], "Did you mean 'meaformer'?"),
        (["--method", "image_only"], "Unknown method of a published number 'image_only'"),
        (["--dataset", "fb15k-db51k"], "Did you mean 'fb15k-db15k'?"),
        (["--metric", "hits@100"], "Did you mean 'hits@10'?"),
        (["--source", "mclea2023"], "Did you mean 'mclea2022'?"),
        (["--setting", "iterativ"], "Did you mean 'iterative'?"),
        (["--variant", "w/o structur"], "Did you mean 'w/o structure'?"),
        (["--seed-ratio", "half"], "--seed-ratio takes fractions such as 0.2, or none, not 'half'"),
        (["--seed-ratio", "20"], "--seed-ratio takes fractions"),
    ],
)
def test_errors_are_sentences_with_exit_code_2(arguments: list[str], part: str) -> None:
    done = published(*arguments)
    assert done.exit_code == 2
    assert part in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_filters_that_fit_nothing_say_so() -> None:
    done = published("--method", "crossea", "--dataset", "fb15k-db15k")
    assert done.exit_code == 0
    assert "No printed number fits all of these filters" in done.stderr
    assert done.stdout == ""
    assert cells("--method", "crossea", "--dataset", "fb15k-db15k") == []


SELECTIONS = (
    {"method": ["meaformer", "crossea"], "metric": ["hits@1", "f1"]},
    {"method": ["pmf"], "dataset": ["fb15k-yago15k"]},
    {"method": ["loginmea"]},
    {"dataset": ["fb15k-yago15k"], "seed_ratio": ["0.2"], "variant": ["full"]},
)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("filters", SELECTIONS)
def test_nothing_is_cut_on_a_narrow_terminal(width: int, filters: dict[str, list[str]]) -> None:
    lines = shown(width, filters)
    rows = chosen_rows(read_published().all_results, filters)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    text = "\n".join(lines)
    assert all(number in text for number in rows["printed"])
    # A number stands on one line with its source and its mark.
    assert not any(line.strip() and line.split()[0] in {"use", "avoid"} for line in lines)


def test_what_all_rows_share_stands_above_the_table() -> None:
    lines = shown(80, {"method": ["eva"], "dataset": ["fb15k-db15k"], "seed_ratio": ["0.2"]})
    assert lines[0] == "All rows: method EVA, dataset fb15k-db15k, ratio 0.2"
    assert lines[1].split() == ["metric", "setting", "printed", "numbers"]


def test_first_columns_become_headings_on_a_narrow_terminal() -> None:
    filters = {"method": ["meaformer", "crossea"], "metric": ["hits@1", "f1"]}
    narrow = shown(80, filters)
    assert narrow[0] == "CrossEA, nmmea, ratio 0.1"
    assert "MEAformer, nmmea, no ratio" in narrow
    assert sum("printed numbers" in line for line in narrow) == 1
    wide = shown(200, filters)
    assert wide[0].split()[:3] == ["method", "dataset", "ratio"]


def test_explanations_name_the_method_where_there_are_several() -> None:
    lines = "\n".join(shown(200, {"method": ["meaformer", "crossea"], "dataset": ["nmmea"]}))
    assert "!C18 CrossEA in crossea2025: Precision .826" in lines
    alone = "\n".join(shown(200, {"method": ["crossea"]}))
    assert "!C18 crossea2025: Precision .826" in alone


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_fits(width: int) -> None:
    stream = io.StringIO()
    show_summary(read_published(), Console(file=stream, width=width))
    assert max(map(len, stream.getvalue().splitlines())) <= width


def run_python(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_it_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from mmea_bench.bench.cli.app import app;"
        "done = CliRunner().invoke(app, ['published', '--method', 'eva']);"
        "print(done.exit_code, 'torch' in sys.modules)"
    )
    assert run_python(["-c", code]).stdout.split() == ["0", "False"]


def test_the_help_ends_with_an_example() -> None:
    done = published("--help")
    assert done.exit_code == 0
    assert "Example: mmea-bench published --method mclea" in done.stdout.strip().splitlines()[-1]

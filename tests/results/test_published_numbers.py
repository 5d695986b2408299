"""The published numbers that come with the program: complete, unique, and possible or listed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from mmea_bench.methods.core.catalogue import catalogue_entries
from mmea_bench.results.core.published import (
    PACKAGED_FOLDER,
    Published,
    find,
    name_key,
    read_published,
)
from mmea_bench.results.core.published_files import METRICS
from mmea_bench.results.core.published_trust import SELECTORS, rows_concerned

ROWS = {
    "mclea2022": {"Table 1": 120, "Table 2": 84, "Table 3": 48, "Table 4": 60},
    "loginmea2024": {"Table 1": 264, "Table 2": 108, "Table 3": 54},
    "crossea2025": {"Table 2": 81, "Table 3": 24, "Table 4": 15, "Table 5": 9},
    "selfmea2022": {"Table 1": 72},
    "clamea2025": {"Table 1": 95, "Table 2": 78},
    "meaformer_readme": {"README results": 15},
    "umaea_readme": {"README results": 15},
    "pmf_repo": {"results/report.csv": 60, "images/results.png": 124},
    "eae_repo": {"logs": 9},
}
OTHER_ROWS = {"pmf_repo": {"results/report.csv": 48, "images/results.png": 96}}
DATASET_ROWS = {
    "mclea2022": {"Table 5": 65},
    "crossea2025": {"Table 1": 38, "Section 1": 1, "Section 3": 8},
    "clamea2025": {"Table 3": 11},
    "loginmea2024": {"Section 5.1": 6},
    "selfmea2022": {"text": 6},
    "umaea_readme": {"README dataset table": 3},
}
BASELINES = {"image_only", "name_match", "random_scores"}
UNPRINTED = {"lightea"}
"""Methods that no source here prints: the field's record for speed."""
ROW_OF_A_TABLE = ["source", "table", "method", "variant", "dataset", "seed_ratio", "setting"]


@pytest.fixture(scope="module")
def published() -> Published:
    return read_published()


def counts(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    table = frame["table"].str.partition("#")[0]
    sizes = frame.groupby([frame["source"], table], sort=False).size()
    found: dict[str, dict[str, int]] = {}
    for (source, name), size in sizes.items():
        found.setdefault(source, {})[name] = int(size)
    return found


def one(frame: pd.DataFrame, **values: object) -> pd.Series:
    for column, value in values.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def test_every_table_has_all_its_cells(published: Published) -> None:
    assert counts(published.results) == ROWS
    assert counts(published.other_results) == OTHER_ROWS
    assert counts(published.datasets) == DATASET_ROWS
    assert counts(published.significance) == {"crossea2025": {"Table 6": 20}}
    assert len(published.results) == 1335


def test_the_documentation_counts_the_same_rows() -> None:
    text = (PACKAGED_FOLDER / "README.md").read_text(encoding="utf-8")
    for source, tables in ROWS.items():
        for table, size in tables.items():
            pattern = rf"\| {source} \| {re.escape(table)} \|.*\| (\d+) \| (\d+) \| {size} \|"
            (found,) = re.findall(pattern, text)
            assert int(found[0]) - int(found[1]) == size


def test_the_documentation_explains_every_source_and_contradiction(published: Published) -> None:
    text = (PACKAGED_FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\w+\d{4}|\w+_readme|\w+_repo) \| \w", text, re.M)) == set(
        published.sources
    )
    explained = {
        f"C{number}"
        for first, last in re.findall(r"\bC(\d+)(?: to C(\d+))?", text)
        for number in range(int(first), int(last or first) + 1)
    }
    listed = {*published.contradictions["id"], *published.statements["id"]}
    assert explained == listed == {f"C{number}" for number in range(1, 38)}


def test_every_cell_is_there_once(published: Published) -> None:
    everything = published.all_results
    assert not everything.duplicated(list(SELECTORS)).any()


def test_values_keep_their_printed_digits(published: Published) -> None:
    everything = published.all_results
    assert (everything["printed"].map(float) == everything["value"]).all()
    assert {"0.61", "1.00", "0.9204"} <= set(everything["printed"])
    assert published.results["row"].tolist() == list(range(1, 1336))


def test_missing_ratios_are_nan_and_missing_texts_are_empty(published: Published) -> None:
    results = published.results
    assert int(results["seed_ratio"].isna().sum()) == 135
    assert not results.drop(columns=["seed_ratio", "tolerance"]).isna().any(axis=None)
    assert set(results["metric"]) == set(METRICS)


def metric_values(published: Published) -> Iterator[tuple[tuple[object, ...], dict[str, float]]]:
    """Each printed row of a table with its values by metric, as the metric really is."""
    for key, rows in published.all_results.groupby(ROW_OF_A_TABLE, dropna=False, sort=False):
        yield key, dict(zip(rows["reads_as"], rows["value"], strict=True))


def ordered(values: dict[str, float], *metrics: str) -> bool:
    present = [values[metric] for metric in metrics if metric in values]
    return present == sorted(present)


def listed(published: Published, identity: str, verdict: str) -> set[tuple[object, ...]]:
    """The rows of tables that a contradiction lists with a verdict."""
    keys: set[tuple[object, ...]] = set()
    everything = published.all_results
    chosen = published.contradictions[
        (published.contradictions["id"] == identity)
        & (published.contradictions["verdict"] == verdict)
    ]
    for selector in chosen[list(SELECTORS)].to_dict("records"):
        rows = everything[rows_concerned(everything, selector)]
        keys |= {tuple(row) for row in rows[ROW_OF_A_TABLE].itertuples(index=False)}
    return keys


def test_hits_grow_with_k(published: Published) -> None:
    broken = [
        key
        for key, values in metric_values(published)
        if not ordered(values, "hits@1", "hits@5", "hits@10")
    ]
    assert broken == []


def test_mrr_is_not_below_hits_at_1_except_where_listed(published: Published) -> None:
    broken = {
        key for key, values in metric_values(published) if not ordered(values, "hits@1", "mrr")
    }
    assert broken == listed(published, "C15", "avoid")
    assert len(broken) == 2


def test_mrr_is_not_above_hits_at_10_except_where_listed(published: Published) -> None:
    broken = {
        key for key, values in metric_values(published) if not ordered(values, "mrr", "hits@10")
    }
    assert broken == listed(published, "C16", "use")
    assert len(broken) == 1


def f1_bounds(precision: float, recall: float) -> tuple[float, float]:
    """The least and greatest F1 of inputs that were rounded to three digits, rounded alike."""
    half = 0.0005
    low, high = (
        2 * (precision + shift) * (recall + shift) / (precision + recall + 2 * shift)
        for shift in (-half, half)
    )
    return low - half, high + half


def test_f1_follows_from_precision_and_recall_except_where_listed(published: Published) -> None:
    broken = set()
    for key, values in metric_values(published):
        if "f1" in values:
            low, high = f1_bounds(values["precision"], values["recall"])
            if not low <= values["f1"] <= high:
                broken.add(key)
    assert broken == listed(published, "C18", "loose")
    assert len(broken) == 1


def test_every_contradiction_concerns_a_cell(published: Published) -> None:
    everything = published.all_results
    for row in published.contradictions.to_dict("records"):
        assert rows_concerned(everything, row).any(), row


def test_statements_about_counts_concern_a_count(published: Published) -> None:
    about_counts = published.statements[published.statements["statistic"] != ""]
    assert set(about_counts["id"]) == {"C31", "C32", "C33", "C34", "C35"}
    for row in about_counts.to_dict("records"):
        found = one(
            published.datasets.rename(columns={"table": "place"}),
            **{name: row[name] for name in ("source", "place", "dataset", "kg", "statistic")},
        )
        assert math.isfinite(row["use_value"])
        # C31 and C35 confirm the printed count; the others correct it.
        assert (found["value"] == row["use_value"]) == (row["id"] in {"C31", "C35"})


def test_image_coverage_to_use_follows_from_the_counts_of_mclea(published: Published) -> None:
    counted = published.datasets[published.datasets["source"] == "mclea2022"]
    for row in published.statements[published.statements["id"] == "C34"].to_dict("records"):
        by_statistic = counted[counted["dataset"] == row["dataset"]].groupby("statistic")["value"]
        sums = by_statistic.sum()
        assert row["use_value"] == pytest.approx(sums["images"] / sums["entities"], abs=5e-5)


def test_printed_p_value_can_be_computed_again(published: Published) -> None:
    runs = {name: rows["value"] for name, rows in published.significance.groupby("method")}
    test = stats.ttest_ind(runs["CrossEA"], runs["DESAlign"])
    assert test.pvalue == pytest.approx(2.1265e-17, rel=1e-4)
    assert runs["CrossEA"].mean() == pytest.approx(0.7662, abs=5e-5)


def poe(published: Published, source: str) -> pd.Series:
    rows = find(published.results, method="poe", dataset="fb15k-db15k", seed_ratio=0.2)
    return one(rows, source=source, metric="hits@10")


def test_c1_and_c16_replace_the_misprint(published: Published) -> None:
    row = poe(published, "loginmea2024")
    assert (row.value, row.use_value, row.trust) == (0.151, 0.251, "trusted")
    assert row.contradictions == "C1 C16"
    assert "misprint" in row.why.lower()
    original = poe(published, "mclea2022")
    assert (original.value, original.use_value, original.contradictions) == (0.251, 0.251, "C1")


def test_c2_trusts_the_picture_alone(published: Published) -> None:
    rows = find(
        published.results, method="eva", dataset="fb15k-db15k", seed_ratio=0.2, metric="hits@1"
    )
    trust = {(row.source, row.setting): (row.trust, row.value) for row in rows.itertuples()}
    assert trust == {
        ("mclea2022", "no-names"): ("loose", 0.134),
        ("loginmea2024", "no-names"): ("loose", 0.134),
        ("clamea2025", ""): ("avoid", 0.556),
        ("pmf_repo", "non-iterative"): ("trusted", 0.199),
        ("pmf_repo", "iterative"): ("trusted", 0.231),
    }


def test_c4_separates_iterative_and_non_iterative_mclea(published: Published) -> None:
    rows = find(
        published.results, method="mclea", dataset="fb15k-db15k", seed_ratio=0.2, metric="hits@1"
    )
    trusted = rows[(rows["variant"] == "") & (rows["trust"] == "trusted")]
    assert dict(zip(trusted["source"], trusted["value"], strict=True)) == {
        "mclea2022": 0.445,
        "loginmea2024": 0.445,
        "pmf_repo": 0.295,
    }
    assert one(rows, source="clamea2025").trust == "avoid"
    iterative = one(rows, source="pmf_repo", setting="iterative")
    assert (iterative.trust, iterative.tolerance) == ("loose", 0.05)


def test_tolerances_of_another_pipeline_reach_to_the_original(published: Published) -> None:
    picture = published.results[published.results["table"] == "images/results.png"]
    loose = picture[(picture["contradictions"] == "C4") & (picture["trust"] == "loose")]
    assert len(loose) == 10
    for row in loose.itertuples():
        rows = find(published.results, method="MCLEA", dataset=str(row.dataset), variant="")
        rows = rows[(rows["seed_ratio"] == row.seed_ratio) & (rows["setting"] != "names;iterative")]
        original = one(rows, source="mclea2022", metric=row.metric)
        # Equal digits may still differ by the last one that is printed.
        gap = max(abs(original.value - row.value), 0.001)
        assert gap == pytest.approx(row.tolerance, abs=1e-9)


@pytest.mark.parametrize(
    ("method", "group"), [("MEAformer", "iterative"), ("MSNEA", "non-iterative")]
)
def test_c5_baselines_repeat_the_group_that_they_are_said_to(
    published: Published, method: str, group: str
) -> None:
    rows = find(published.results, method=method)
    listed = rows[(rows["source"] == "loginmea2024") & rows["contradictions"].str.contains("C5")]
    picture = rows[(rows["table"] == "images/results.png") & (rows["setting"] == group)]
    both = listed.merge(picture, on=["dataset", "seed_ratio", "metric"])
    assert len(both) == 2 * listed["dataset"].nunique()
    assert (both["value_x"] == both["value_y"]).all()


def test_c10_and_c11_fill_in_the_ratio(published: Published) -> None:
    table = published.results[published.results["table"] == "Table 4"]
    table = table[table["source"] == "crossea2025"]
    mclea = one(table, method="MCLEA", dataset="fb15k-yago15k")
    assert (mclea.printed, mclea.use_value) == ("0.667", 0.653)
    assert mclea.contradictions == "C10 C27"
    assert one(table, method="MEAformer", dataset="fb15k-db15k").use_value == 0.784
    assert set(table[table["dataset"] == "nmmea"]["trust"]) == {"avoid"}


def test_c12_tolerances_cover_the_gap_between_picture_and_log(published: Published) -> None:
    pmf = published.results[published.results["source"] == "pmf_repo"]
    pmf = find(pmf, method="PMF").assign(
        setting=lambda frame: frame["setting"].str.removeprefix("no-names;")
    )
    picture = pmf[pmf["table"] == "images/results.png"]
    log = pmf[pmf["table"] != "images/results.png"]
    both = log.merge(picture, on=["dataset", "setting", "metric"], suffixes=("", "_picture"))
    gap = (both["value"] - both["value_picture"]).abs()
    assert len(both) == 40
    # The gaps are stated to the third digit.
    assert (gap.round(3) <= both["tolerance"]).all()


def test_c13_reads_hits_at_5_as_hits_at_10(published: Published) -> None:
    everything = published.all_results
    in_log = everything["table"].str.startswith("results/report.csv")
    assert set(everything[in_log & (everything["metric"] == "hits@5")]["reads_as"]) == {"hits@10"}
    untouched = everything[~(in_log & (everything["metric"] == "hits@5"))]
    assert (untouched["reads_as"] == untouched["metric"]).all()


def test_c18_keeps_the_printed_f1_loosely(published: Published) -> None:
    rows = find(published.results, method="crossea", dataset="nmmea", seed_ratio=0.1, metric="f1")
    row = one(rows)
    assert (row.use_value, row.tolerance, row.trust) == (0.766, 0.002, "loose")


def test_least_trust_holds_where_contradictions_meet(published: Published) -> None:
    row = one(
        find(published.results, method="GMN", dataset="dbp15k-zh-en", metric="mrr"),
        source="selfmea2022",
    )
    assert (row.trust, row.contradictions) == ("avoid", "C19 C27 C28 C36")


def test_rows_without_contradiction_are_compared_as_printed(published: Published) -> None:
    plain = published.all_results[published.all_results["contradictions"] == ""]
    assert set(plain["trust"]) == {"trusted"}
    assert (plain["use_value"] == plain["value"]).all()
    assert plain["tolerance"].isna().all()
    assert set(plain["why"]) == {""}


def test_loose_rows_and_only_they_have_a_tolerance(published: Published) -> None:
    everything = published.all_results
    loose = everything[everything["trust"] == "loose"]
    assert loose["tolerance"].gt(0).all()
    assert everything[everything["trust"] != "loose"]["tolerance"].isna().all()


@pytest.mark.parametrize(
    ("ours", "printed"),
    [
        ("gcn_align", "GCN-Align"),
        ("se_clip_mmea_plus", "SE-CLIP-MMEA+"),
        ("poe", "POE"),
        ("mclea", "MCLEA†"),
        ("fb15k-db15k", "FB15K-DB15K"),
    ],
)
def test_our_names_and_printed_names_have_one_normal_form(ours: str, printed: str) -> None:
    assert name_key(ours) == name_key(printed)


def test_different_methods_keep_different_normal_forms(published: Published) -> None:
    methods = sorted(set(published.all_results["method"]))
    assert len({name_key(name) for name in methods}) == len(methods)
    assert name_key("SE-CLIP-MMEA") != name_key("SE-CLIP-MMEA+")


def test_every_method_but_the_baselines_and_a_record_for_speed_is_published(
    published: Published,
) -> None:
    printed = {name_key(name) for name in published.results["method"]}
    ours = {entry.name for entry in catalogue_entries()} - BASELINES
    assert {name for name in ours if name_key(name) not in printed} == UNPRINTED


def test_find_takes_rows_without_a_ratio(published: Published) -> None:
    rows = find(published.results, method="selfmea", seed_ratio=math.nan, metric="mrr")
    assert len(rows) == 3
    assert find(published.results, method="unheard-of").empty


def test_the_packaged_files_are_read_once() -> None:
    assert read_published() is read_published()
    assert read_published(Path(PACKAGED_FOLDER)) is not read_published()

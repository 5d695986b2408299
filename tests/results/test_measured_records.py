"""Reference runs: slim records, their origin, the limit on their size, and remarks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.measured.folder import add_runs, problems_of
from mmea_bench.results.core.measured.provenance import command_of, read_provenance
from mmea_bench.results.core.measured.remarks import (
    Remark,
    read_origins,
    read_remarks,
    remark_on,
)
from mmea_bench.results.core.measured.slim import MOST_POINTS, chosen_epochs, slim
from mmea_bench.results.core.published import name_key, read_published
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.results.results_factory import make_cell, make_number, make_point

MACHINE = "2 cores, no GPU"


def record(key: str = "k1", **changes: Any) -> Record:
    cell = make_cell(key, protocol="paper", finished_at="2026-01-01T00:00:00+00:00", **changes)
    if cell["status"] != "ok":
        return Record.of(cell)
    points = [
        make_point(epoch=epoch, metric=metric, links="test")
        for epoch in range(1, 101)
        for metric in ("hits@1", "hits@10", "mrr")
    ]
    return Record.of(cell, [make_number()], points)


def run(folder: Path, *records: Record) -> Path:
    for each in records:
        ResultStore(folder).write(each)
    return folder


def test_chosen_epochs_hold_first_last_and_best() -> None:
    chosen = chosen_epochs(range(1, 101), 37)
    assert {1, 37, 100} <= chosen
    assert len(chosen) <= MOST_POINTS
    assert chosen_epochs([5, 10], None) == {5, 10}


def test_a_slim_record_keeps_its_numbers_and_thins_its_curves() -> None:
    full = record(best_epoch=37)
    thin = slim(full)
    assert thin.results == full.results
    assert {row["metric"] for row in thin.curves} == {"hits@1", "mrr"}
    assert {1, 37, 100} <= {row["epoch"] for row in thin.curves}
    assert len({row["epoch"] for row in thin.curves}) <= MOST_POINTS
    assert slim(thin) == thin


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("vectors of /home/me/data/glove.txt", "vectors of glove.txt"),
        (r"vectors of C:\Users\me\glove.txt", "vectors of glove.txt"),
        ("see https://a.org/b/c", "see https://a.org/b/c"),
        ("within 0.5/0.8 of it", "within 0.5/0.8 of it"),
    ],
)
def test_a_slim_record_names_no_folder_of_the_machine(text: str, kept: str) -> None:
    thin = slim(replace(record(notes=text), configuration={"parameters": {"file": [text]}}))
    assert thin.cell["notes"] == kept
    assert thin.configuration == {"parameters": {"file": [kept]}}


def test_a_record_of_a_users_own_method_does_not_ship() -> None:
    own = replace(record(), configuration={"method_files": [{"name": "mine.py"}]})
    with pytest.raises(ResultsError, match="Only methods of the program"):
        slim(own)


def test_runs_join_the_folder_with_their_origin(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    added = add_runs([run(tmp_path / "run", record(git_commit="abc"))], to, MACHINE)
    assert (added.n_added, added.n_equal, added.n_dirty) == (1, 0, 0)
    (line,) = read_provenance(to).values()
    assert (line.key, line.commit, line.machine, line.seconds) == ("k1", "abc", MACHINE, "1.2")
    assert "--methods alpha --datasets synthetic --seed-ratios 0.2 --repeats 1" in line.command
    assert problems_of(to) == []
    assert len(read_tables(to).cells) == 1


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    source, to = run(tmp_path / "run", record()), tmp_path / "measured"
    add_runs([source], to, MACHINE)
    before = {path: path.read_bytes() for path in to.rglob("*") if path.is_file()}
    assert add_runs([source], to, "another machine").n_equal == 1
    assert {path: path.read_bytes() for path in to.rglob("*") if path.is_file()} == before


def test_a_newer_record_of_the_same_cell_replaces_the_older(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    add_runs([run(tmp_path / "old", record("k1"))], to, MACHINE)
    newer = replace(record("k2"), cell={**record("k2").cell, "finished_at": "2027"})
    added = add_runs([run(tmp_path / "new", newer)], to, MACHINE)
    assert len(added.replaced) == 1
    assert [each.key for each in ResultStore(to).records()] == ["k2"]
    assert set(read_provenance(to)) == {"k2"}


def test_other_candidates_or_stopping_rules_stand_beside_the_reference(tmp_path: Path) -> None:
    usual = {"candidates": "test", "csls": [0, 3], "patience": 5}
    settings = [usual, {**usual, "candidates": "all"}, {**usual, "patience": 10}]
    to = tmp_path / "measured"
    for key, own in zip(("k1", "k2", "k3"), settings, strict=True):
        each = record(key, protocol_settings=json.dumps(own))
        added = add_runs([run(tmp_path / key, each)], to, MACHINE)
        assert added.replaced == []
    assert {each.key for each in ResultStore(to).records()} == {"k1", "k2", "k3"}


def test_more_csls_sizes_make_no_other_cell(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    for key, sizes in (("k1", [0, 3]), ("k2", [0, 3, 10])):
        each = record(key, protocol_settings=json.dumps({"candidates": "test", "csls": sizes}))
        add_runs([run(tmp_path / key, each)], to, MACHINE)
    assert {each.key for each in ResultStore(to).records()} == {"k2"}


def test_a_failed_repeat_is_kept_but_takes_no_place_of_a_good_one(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    add_runs([run(tmp_path / "good", record("k1"))], to, MACHINE)
    failed = [
        record("k2", status="failed", reason="no luck"),
        record("k3", status="failed", reason="no luck", repeat=2),
    ]
    added = add_runs([run(tmp_path / "bad", *failed)], to, MACHINE)
    assert (added.n_added, len(added.left_out)) == (1, 1)
    assert {each.key for each in ResultStore(to).records()} == {"k1", "k3"}


def test_what_weighs_too_much_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    with pytest.raises(ResultsError, match="more than"):
        add_runs([run(tmp_path / "run", record())], to, MACHINE, most_bytes=1000)
    assert not to.exists()


@pytest.mark.parametrize("machine", ["", "host at /home/me", "two\nlines"])
def test_a_machine_is_said_in_words(tmp_path: Path, machine: str) -> None:
    with pytest.raises(ResultsError, match="Say in words"):
        add_runs([run(tmp_path / "run", record())], tmp_path / "measured", machine)


def test_a_folder_whose_origin_is_missing_is_found_out(tmp_path: Path) -> None:
    to = tmp_path / "measured"
    add_runs([run(tmp_path / "run", record())], to, MACHINE)
    run(to, record("k9", repeat=9))
    problems = problems_of(to)
    assert any("no line of provenance for k9" in text for text in problems)
    assert any("k9 is not slim" in text for text in problems)


def test_a_command_names_variant_and_overrides() -> None:
    cell = record(variant="w/o names[dim=5]", overrides='{"dim": 5, "deep": true}').cell
    words = "--variants 'w/o names' --set deep=true --set dim=5"
    assert words in command_of(cell)


def test_the_remark_that_names_most_counts() -> None:
    remarks = [
        Remark("alpha", "", "", "", "any"),
        Remark("alpha", "", "synthetic", "", "on this dataset"),
        Remark("alpha", "semi", "synthetic", "0.3", "this row"),
    ]
    assert remark_on(remarks, "alpha", "semi", "synthetic", 0.3) == "this row"
    assert remark_on(remarks, "alpha", "full", "synthetic", 0.3) == "on this dataset"
    assert remark_on(remarks, "alpha", "full", "other", 0.3) == "any"
    assert remark_on(remarks, "beta", "full", "other", 0.3) == ""


def test_remarks_are_checked_line_by_line(tmp_path: Path) -> None:
    header = "method,variant,dataset,seed_ratio,sentence\n"
    (tmp_path / "remarks.csv").write_text(header + "alpha,,synthetic,0.30,Why.\n")
    assert read_remarks(tmp_path) == (Remark("alpha", "", "synthetic", "0.3", "Why."),)
    (tmp_path / "remarks.csv").write_text(header + "alpha,,synthetic,much,Why.\n")
    with pytest.raises(ResultsError, match="line 2, column 'seed_ratio'"):
        read_remarks(tmp_path)
    assert read_remarks(tmp_path / "nowhere") == ()


def test_every_published_method_has_an_origin() -> None:
    published = {name_key(name) for name in read_published().all_results["method"]}
    assert published <= set(read_origins())

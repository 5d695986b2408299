"""Slices, pairs and missed links, against counts made by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.links.misses import missed_links
from mmea_bench.reports.core.links.pairs import pairs_of_systems
from mmea_bench.reports.core.links.slices import Intervals, slices_of
from mmea_bench.reports.core.links.systems import Family, families
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.link_errors import build
from mmea_bench.reports.making.serve import folder_signature
from mmea_bench.results.core.predictions.store import (
    facts_paths,
    predictions_path,
    write_facts,
    write_predictions,
)
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.reports.reports_factory import make_record
from tests.results.predictions.factory import VERSION, made_facts, made_predictions

N = 8
ALPHA = [1, 1, 1, 1, 2, 2, 9, 9]
BETA = [1, 1, 2, 2, 1, 2, 3, 4]
PLACE = {"dataset": "synthetic", "dataset_version": VERSION}


def add(folder: Path, method: str, ranks: list[int], **words: object) -> str:
    record = make_record(method, 0.5, **PLACE, **words)
    ResultStore(folder).write(record)
    write_predictions(folder, made_predictions(record.key, ranks, method, **words))
    return record.key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add(tmp_path, "alpha", ALPHA)
    add(tmp_path, "beta", BETA)
    write_facts(tmp_path, made_facts(N))
    return tmp_path


def only_family(folder: Path, **options: object) -> Family:
    (family,), notes = families(folder, read_tables(folder), ReportOptions(**options))  # type: ignore[arg-type]
    assert notes == ()
    return family


def found(folder: Path) -> dict[tuple[str, str], np.ndarray]:
    return {(each.group, each.name): each.mask for each in slices_of(only_family(folder))}


def test_slices_divide_the_links(folder: Path) -> None:
    masks = found(folder)
    groups = {group for group, _name in masks}
    assert groups == {
        *("all", "degree", "attributes", "image", "name similarity"),
        *("identifying relation", "links of the entity"),
    }
    for group in groups:
        counts = np.sum([mask for (own, _n), mask in masks.items() if own == group], axis=0)
        assert (counts == 1).all(), group


def test_slices_are_what_they_are_called(folder: Path) -> None:
    masks = found(folder)
    assert np.flatnonzero(masks["degree", "1 to 2"]).tolist() == [0, 1]
    assert np.flatnonzero(masks["degree", "7 to 8"]).tolist() == [6, 7]
    assert np.flatnonzero(masks["image", "both"]).tolist() == [0, 2, 4, 6]
    assert np.flatnonzero(masks["name similarity", "equal"]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(masks["name similarity", "below 0.25"]).tolist() == [4, 5, 6, 7]
    assert np.flatnonzero(masks["links of the entity", "several"]).tolist() == [0]
    assert np.flatnonzero(masks["identifying relation", "both"]).tolist() == [0, 3, 6]
    assert masks["attributes", "0"].all()  # quarters of equal values are one slice


def test_a_system_in_a_slice(folder: Path) -> None:
    family = only_family(folder)
    parts = {each.name: each for each in slices_of(family)}
    alpha, beta = family.systems
    measured = Intervals(family).of(alpha, parts["equal"])
    assert (measured.n, measured.hits, measured.mrr) == (4, 1.0, 1.0)
    assert measured.hits_interval == pytest.approx(proportion_confint(4, 4, method="wilson"))
    measured = Intervals(family).of(beta, parts["all"])
    assert measured.hits == 3 / 8
    assert measured.mrr == pytest.approx((3 + 3 / 2 + 1 / 3 + 1 / 4) / 8)
    low, high = measured.mrr_interval
    assert low < measured.mrr < high


def test_pairs_are_counted_link_by_link(folder: Path) -> None:
    add(folder, "gamma", [2] * N)
    pairs = {
        (each.first, each.second): each for each in pairs_of_systems(only_family(folder), "holm")
    }
    pair = pairs["alpha", "beta"]
    assert (pair.wins, pair.losses, pair.both, pair.neither) == (2, 1, 2, 3)
    assert pair.p == pytest.approx(stats.binomtest(2, 3, 0.5).pvalue)
    assert pairs["alpha", "gamma"].p == pytest.approx(2 / 2**4)
    assert pairs["alpha", "gamma"].p_corrected == pytest.approx(3 * 2 / 2**4)


def test_a_link_of_several_repeats_counts_once(folder: Path) -> None:
    """Alpha finds links 0 to 3 in both repeats; beta finds 0 in both and 1 in one of them."""
    add(folder, "alpha", ALPHA, repeat=2)
    add(folder, "beta", [1, 2, 2, 2, 2, 2, 2, 2], repeat=2)
    family = only_family(folder)
    assert len(family.links) == 2 * N
    (pair,) = pairs_of_systems(family, "none")
    # Wins: 1 (both repeats against one), 2, 3; losses: 4, found once; both: 0.
    assert (pair.wins, pair.losses, pair.both, pair.neither) == (3, 1, 1, 3)


def test_links_that_all_miss_come_hardest_first(folder: Path) -> None:
    missed = missed_links(only_family(folder))
    assert [each.source for each in missed] == ["http://s/7", "http://s/6", "http://s/5"]
    assert [each.best_rank for each in missed] == [4.0, 3.0, 2.0]
    assert (missed[0].best_system, missed[0].degrees) == ("beta", (8, 8))


def test_repeats_that_not_all_have_are_left_out(folder: Path) -> None:
    add(folder, "alpha", ALPHA, repeat=2)
    family = only_family(folder)
    assert set(family.repeats.tolist()) == {1}
    assert family.notes == ("Left out: repeats 2, which not all systems have.",)


def test_settings_of_one_protocol_are_no_one_system(folder: Path) -> None:
    """Such cells meet in joined folders; one of the two would hide the other."""
    for patience in (5, 10):
        settings = json.dumps({"patience": patience})
        words = {"key": f"gamma-{patience}", "protocol_settings": settings}
        ResultStore(folder).write(make_record("gamma", 0.5, **PLACE, **words))
        write_predictions(folder, made_predictions(words["key"], ALPHA, "gamma"))
    found, _notes = families(folder, read_tables(folder), ReportOptions())
    shown = {key for family in found for each in family.systems for key in each.keys.values()}
    assert {"gamma-5", "gamma-10"} <= shown


def test_the_report_shows_three_tables_and_a_sentence(folder: Path) -> None:
    document = build(read_tables(folder), ReportOptions())
    assert isinstance(document, Document)
    by_slice, intervals, pairs, missed = document.tables
    assert by_slice.rows[0].cells[0].plain == "8"
    assert [cell.plain for cell in by_slice.rows[0].cells[1:]] == [".500", ".375", ".375"]
    assert by_slice.rows[0].cells[1].is_best
    assert len(intervals.rows) == 2 * len(by_slice.rows)
    assert pairs.rows[0].labels == ("alpha", "beta")
    assert len(missed.rows) == 3
    texts = [block.text for block in document.blocks if hasattr(block, "text")]
    assert "3 of 8 links (37.5 %) are missed by all 2 systems" in texts[0]


def test_without_predictions_the_report_says_how_to_get_them(tmp_path: Path) -> None:
    ResultStore(tmp_path).write(make_record("alpha", 0.5))
    outcome = build(read_tables(tmp_path), ReportOptions())
    assert isinstance(outcome, Missing)
    assert "--keep predictions" in outcome.reason


def test_cells_without_predictions_are_named(folder: Path) -> None:
    ResultStore(folder).write(make_record("gamma", 0.5, **PLACE))
    document = build(read_tables(folder), ReportOptions())
    assert "Without kept predictions: gamma." in document.notes  # type: ignore[union-attr]


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["errors", *words])


def test_the_verb_prints_and_writes(folder: Path) -> None:
    done = invoke(str(folder))
    assert done.exit_code == 0, done.output
    assert "missed by all" in done.stdout
    for suffix in ("csv", "md", "tex"):
        assert (folder / "report" / f"link_errors.{suffix}").is_file()


def test_the_verb_tells_everything_in_json(folder: Path) -> None:
    done = invoke(str(folder), "--json", "--correction", "none")
    told = json.loads(done.stdout)
    (family,) = told["families"]
    assert len(family["missed_by_all"]) == 3
    assert family["pairs"][0]["wins"] == 2
    alike = next(each for each in family["slices"] if each["slice"] == "equal")
    assert alike["systems"]["alpha"]["hits"] == 1.0
    assert any(path.endswith("link_errors.csv") for path in told["files"])


def test_the_page_has_a_section_of_it(folder: Path) -> None:
    assert invoke(str(folder), "--format", "html").exit_code == 0
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert '<a href="#report-link_errors">Errors link by link</a>' in page


def test_a_live_page_is_made_again_when_predictions_come(folder: Path) -> None:
    before = folder_signature(folder)
    write_predictions(folder, made_predictions("later", ALPHA))
    assert folder_signature(folder) != before


def _no_folder(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def _all_damaged(folder: Path) -> None:
    for path in (folder / "predictions").glob("*-strict.parquet"):
        path.write_bytes(b"PAR1")


def _no_facts(folder: Path) -> None:
    facts_paths(folder, VERSION)[0].unlink()


def _small_facts(folder: Path) -> None:
    write_facts(folder, made_facts(3))


@pytest.mark.parametrize("damage", [_no_folder, _all_damaged, _no_facts, _small_facts])
def test_what_cannot_be_shown_is_a_sentence(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    done = invoke(str(folder))
    assert done.exit_code == 2, done.output
    assert "Error: " in done.output
    assert "Traceback" not in done.output


def test_one_damaged_file_takes_no_other_away(folder: Path) -> None:
    key = add(folder, "gamma", [2] * N)
    path = predictions_path(folder, key)
    path.unlink()
    os.mkfifo(path)
    done = invoke(str(folder))
    assert done.exit_code == 0, done.output
    assert "Not shown" in done.stdout
    for words in (("--csls", "77"), ("--direction", "up"), ("--correction", "magic")):
        assert invoke(str(folder), *words).exit_code == 2

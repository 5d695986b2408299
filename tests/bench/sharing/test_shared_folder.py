"""What a run may do to a results folder in which another one runs, and what watching it may not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.running.run_state import PLAN_NAME, run_state
from mmea_bench.bench.running.stale import n_replaced
from mmea_bench.bench.running.status import planned_cells
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.bench.sharing.heartbeats import FOLDER
from mmea_bench.results.core.schema import SCHEMA_VERSION
from mmea_bench.results.core.store import ResultStore
from tests.cases.odd_files import ODD_FILES
from tests.results.results_factory import make_record

CELLS = "run --no-report --methods random_scores --datasets synthetic[n=100] --seed-ratios 0.3"


def bench(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def run(tmp_path: Path, *words: str) -> Result:
    places = ["--out", str(tmp_path / "out"), "--cache-dir", str(tmp_path / "cache")]
    return bench(*CELLS.split(), *places, *words)


def keys(tmp_path: Path) -> set[str]:
    return {path.stem for path in (tmp_path / "out" / "cells").glob("*.json")}


class Watched(Claims):
    """Claims that keep what a run said it plans."""

    plans: list[dict[str, str]]

    def __enter__(self) -> Claims:
        self.plans.append(dict(self._planned or {}))
        return super().__enter__()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What each run of the test plans, in their order."""
    Watched.plans = []
    monkeypatch.setattr("mmea_bench.bench.api.requests.Claims", Watched)
    return Watched.plans


def test_a_run_with_other_settings_may_not_replace_the_cells_of_one_that_goes_on(
    tmp_path: Path, plans: list[dict[str, str]]
) -> None:
    assert run(tmp_path, "--repeats", "2").exit_code == 0
    before = keys(tmp_path)
    with Claims(tmp_path / "out", planned=plans[0]):
        refused = run(tmp_path, "--repeats", "2", "--decoders", "mutual")
        assert refused.exit_code == 2
        assert "is in use by process" in refused.stderr
        assert "other settings, code or data" in refused.stderr
        assert keys(tmp_path) == before
        # Another share of the same suite is no reason to refuse.
        assert run(tmp_path, "--repeats", "3").exit_code == 0
        assert before < keys(tmp_path)
    assert run(tmp_path, "--repeats", "2", "--decoders", "mutual").exit_code == 0
    assert not before & keys(tmp_path)


def test_a_runner_that_does_not_tell_its_plan_is_left_its_records(
    tmp_path: Path, plans: list[dict[str, str]]
) -> None:
    assert run(tmp_path, "--repeats", "1").exit_code == 0
    with Claims(tmp_path / "out"):
        assert run(tmp_path, "--repeats", "1").exit_code == 0
        assert run(tmp_path, "--repeats", "1", "--decoders", "mutual").exit_code == 2
    assert len(plans) == 3


def test_fresh_is_refused_while_a_runner_lives_and_no_longer(tmp_path: Path) -> None:
    assert run(tmp_path, "--repeats", "1").exit_code == 0
    with Claims(tmp_path / "out"):
        refused = run(tmp_path, "--repeats", "1", "--fresh")
        assert refused.exit_code == 2
        assert "whose cells --fresh would run again" in refused.stderr
    assert run(tmp_path, "--repeats", "1", "--fresh").exit_code == 0


def test_a_dead_runner_of_another_host_refuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.bench.sharing.claims._BEATS_TO_WAIT", 0.02)
    assert run(tmp_path, "--repeats", "1").exit_code == 0
    claims = tmp_path / "out" / FOLDER
    claims.mkdir()
    about = {"host": "elsewhere", "pid": 77, "started": 1.0, "beat": 3}
    (claims / "runner-abcdef.json").write_text(json.dumps(about))
    (claims / min(keys(tmp_path))).write_text("abcdef")
    for path in claims.iterdir():
        os.utime(path, (1e9, 1e9))
    assert "elsewhere" not in bench("status", str(tmp_path / "out")).stdout
    assert run(tmp_path, "--repeats", "1", "--fresh").exit_code == 0
    assert not claims.exists()


def test_cells_are_replaced_where_the_same_identity_has_another_key() -> None:
    assert n_replaced({"a": "1", "b": "2"}, {"a": "1", "c": "9"}) == 0
    assert n_replaced({"a": "1", "b": "2"}, {"a": "7", "b": "2"}) == 1


@pytest.mark.parametrize("kind", ODD_FILES)
def test_an_odd_file_in_place_of_the_plan_is_no_plan(tmp_path: Path, kind: str) -> None:
    ResultStore(tmp_path).write(make_record())
    ODD_FILES[kind](tmp_path / PLAN_NAME)
    assert planned_cells(tmp_path) == {}
    assert run_state(tmp_path).n_planned is None


def test_a_deep_plan_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / PLAN_NAME).write_text("[" * 200_000)
    assert planned_cells(tmp_path) == {}
    assert run_state(tmp_path).n_planned is None


@pytest.mark.parametrize("verb", ["status", "report", "check"])
def test_verbs_that_read_leave_every_record_where_it_is(tmp_path: Path, verb: str) -> None:
    store = ResultStore(tmp_path)
    store.write(make_record())
    store.path_of("torn").write_text("{")
    newer = json.loads(make_record("newer").to_json()) | {"schema_version": SCHEMA_VERSION + 1}
    store.path_of("newer").write_text(json.dumps(newer))
    before = {path: path.read_bytes() for path in (tmp_path / "cells").iterdir()}
    done = bench(verb, str(tmp_path))
    assert done.exit_code == 0, done.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "cells").iterdir()} == before
    assert not (tmp_path / "quarantine").exists()


@pytest.mark.parametrize("verb", ["status", "report", "check"])
def test_a_folder_of_a_newer_version_is_said(tmp_path: Path, verb: str) -> None:
    store = ResultStore(tmp_path)
    newer = json.loads(make_record("newer").to_json()) | {"schema_version": SCHEMA_VERSION + 1}
    store.path_of("newer").parent.mkdir()
    store.path_of("newer").write_text(json.dumps(newer))
    done = bench(verb, str(tmp_path))
    assert "Use the version of the program that wrote it" in done.stdout + done.stderr


def test_a_run_sets_broken_records_aside_and_leaves_newer_ones(tmp_path: Path) -> None:
    assert run(tmp_path, "--repeats", "1").exit_code == 0
    store = ResultStore(tmp_path / "out")
    store.path_of("torn").write_text("{")
    again = run(tmp_path, "--repeats", "1")
    assert again.exit_code == 0
    assert "torn.json: broken record" in again.stderr
    assert (store.folder / "quarantine" / "torn.json").is_file()
    (key,) = keys(tmp_path)
    newer = json.loads(store.path_of(key).read_text()) | {"schema_version": SCHEMA_VERSION + 1}
    store.path_of(key).write_text(json.dumps(newer))
    refused = run(tmp_path, "--repeats", "1")
    assert refused.exit_code == 2
    assert "newer version of this program" in refused.stderr
    assert json.loads(store.path_of(key).read_text()) == newer

"""How a cluster is asked for: every mistake is one sentence that says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.clusters import connect as cluster
from mmea_bench.bench.clusters.connect import ClusterRequest, connected, read_profile
from mmea_bench.datasets.core.errors import UserError

GOOD = '[cluster]\nclass = "SLURMCluster"\njobs = 2\n[cluster.options]\ncores = 1\n'
ADAPTIVE = '[cluster]\nclass = "PBSCluster"\nminimum = 1\nmaximum = 8\n'

BAD_PROFILES = {
    "no table": ("jobs = 2", "needs a table [cluster]"),
    "no class": ("[cluster]\njobs = 2", "needs a table [cluster]"),
    "class is no text": ("[cluster]\nclass = 3\njobs = 2", "needs a table [cluster]"),
    "unknown key": (GOOD.replace("jobs", "job"), "key of [cluster]"),
    "options no table": ('[cluster]\nclass = "A"\njobs = 1\noptions = 3', "must be a table"),
    "no number": (GOOD.replace("2", "true"), "jobs must be a number"),
    "no jobs": (GOOD.replace("2", "0"), "from 1 on, not 0"),
    "no minimum": (ADAPTIVE.replace("minimum = 1", "minimum = 0"), "from 1 on, not 0"),
    "both": (GOOD.replace("jobs = 2", "jobs = 2\nmaximum = 4"), "either jobs (fixed) or maximum"),
    "neither": ('[cluster]\nclass = "A"\n', "either jobs (fixed) or maximum"),
    "crossed": (ADAPTIVE.replace("8", "0x0").replace("minimum = 1", "minimum = 9"), "from 1 on"),
    "minimum above": (ADAPTIVE.replace("minimum = 1", "minimum = 9"), "minimum is above maximum"),
    "no TOML": ("[cluster", "cannot be read as a profile"),
}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile.toml"


@pytest.mark.parametrize("text", [GOOD, ADAPTIVE])
def test_a_good_profile_is_read(profile: Path, text: str) -> None:
    profile.write_text(text, encoding="utf-8")
    assert read_profile(profile)["class"] in ("SLURMCluster", "PBSCluster")


@pytest.mark.parametrize(("text", "words"), BAD_PROFILES.values(), ids=BAD_PROFILES)
def test_a_bad_profile_is_explained(profile: Path, text: str, words: str) -> None:
    profile.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_profile(profile)
    assert words in str(error.value)
    assert str(profile) in str(error.value)


def test_a_profile_that_is_not_there_is_explained(profile: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read as a profile: .*No such file"):
        read_profile(profile)


def test_only_one_cluster_can_be_asked_for(profile: Path) -> None:
    with pytest.raises(UserError, match=r"Give one of --scheduler, --scheduler-file and --profile"):
        ClusterRequest(scheduler="tcp://host:8786", profile=profile)


def test_without_dask_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UserError, match=r"pip install 'mmea-bench\[dask\]'"),
        connected(ClusterRequest(scheduler="tcp://127.0.0.1:1")),
    ):
        pass


def test_without_jobqueue_one_sentence_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, profile: Path
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    profile.write_text(GOOD, encoding="utf-8")
    with (
        pytest.raises(UserError, match=r"need dask-jobqueue: pip install 'mmea-bench\[dask\]'"),
        connected(ClusterRequest(profile=profile)),
    ):
        pass


def test_an_unknown_class_names_those_that_there_are(profile: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    profile.write_text(GOOD.replace("SLURM", "SLURN"), encoding="utf-8")
    with (
        pytest.raises(UserError, match=r"SLURMCluster"),
        connected(ClusterRequest(profile=profile)),
    ):
        pass


def test_options_that_a_class_does_not_take_are_explained(profile: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    profile.write_text(GOOD, encoding="utf-8")  # a class needs memory besides cores
    with (
        pytest.raises(UserError, match=r"SLURMCluster cannot be made: .*memory"),
        connected(ClusterRequest(profile=profile)),
    ):
        pass


def test_a_batch_system_that_takes_no_job_is_explained(
    monkeypatch: pytest.MonkeyPatch, profile: Path, tmp_path: Path
) -> None:
    pytest.importorskip("dask_jobqueue")
    submit = tmp_path / "sbatch"
    submit.write_text("#!/bin/sh\necho invalid partition >&2\nexit 1\n", encoding="utf-8")
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    options = 'memory = "1GB"\ninterface = "lo"\n'
    profile.write_text(GOOD + options, encoding="utf-8")
    with (
        pytest.raises(UserError, match=r"SLURMCluster could not submit its job.*invalid partition"),
        connected(ClusterRequest(profile=profile)),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "tcp//:x", "odd://a:1"])
def test_a_scheduler_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_LIMIT_S", 0.5)
    with (
        pytest.raises(UserError, match=r"Cannot reach .*Is `dask scheduler` running?"),
        connected(ClusterRequest(scheduler=address)),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is no file of a Dask scheduler"), ("[]", "is no file"), ('{"address": 3}', "reach 3")],
)
def test_a_scheduler_file_that_is_none_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: str
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_LIMIT_S", 0.5)
    path = tmp_path / "scheduler.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words), connected(ClusterRequest(scheduler_file=path)):
        pass


def test_a_scheduler_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with (
        pytest.raises(UserError, match=r"does not exist. Is the scheduler running?"),
        connected(ClusterRequest(scheduler_file=tmp_path / "nothing.json")),
    ):
        pass


def test_nothing_is_written_before_the_cluster_is_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_LIMIT_S", 0.5)
    words = ["run", "--methods", "random_scores", "--datasets", "synthetic[n=100]"]
    where = ["--out", str(tmp_path / "out"), "--cache-dir", str(tmp_path / "cache")]
    result = CliRunner().invoke(app, [*words, *where, "--scheduler", "tcp://127.0.0.1:9"])
    assert result.exit_code == 2
    assert "Cannot reach tcp://127.0.0.1:9" in result.stderr
    assert not (tmp_path / "out").exists()

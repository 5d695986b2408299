"""``run --keep`` and ``predict``: what is kept, what is said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.predictions.store import kept_keys, read_predictions
from mmea_bench.results.core.predictions.vectors import load_embeddings
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.bench.conftest import MethodMaker

CELL = ("--methods", "name_match", "--datasets", "synthetic[n=100]", "--seed-ratios", "0.3")
RUN = ("run", "--no-report", *CELL)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


def run(folder: Path, *further: str) -> Result:
    cache = str(folder.parent / "cache")
    words = [*RUN, "--repeats", "1", "--out", str(folder), "--cache-dir", cache, *further]
    return invoke(*words)


def only_record(folder: Path) -> Record:
    (record,) = ResultStore(folder).records()
    return record


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A folder whose one cell has no predictions."""
    folder = tmp_path / "out"
    ended = run(folder)
    assert ended.exit_code == 0, ended.output
    return folder


def predict(folder: Path, *words: str) -> Result:
    return invoke("predict", str(folder), *words, "--cache-dir", str(folder.parent / "cache"))


def test_a_run_keeps_what_is_asked_and_says_its_size_before(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    ended = run(folder, "--keep", "predictions,embeddings", "--top-k", "5")
    assert ended.exit_code == 0, ended.output
    key = only_record(folder).key
    assert kept_keys(folder) == {key}
    kept = read_predictions(folder, key, with_candidates=True)
    assert kept.ranked[0].candidates["src2tgt"].shape[1] == 5
    assert load_embeddings(folder, key).words["method"] == "name_match"
    before, _, _after = ended.output.partition("[1/1]")
    assert "at most 0.0 MiB" in before
    assert "for every 300 columns" in before


def test_cells_of_one_training_have_the_same_kept_under_either_key(tmp_path: Path) -> None:
    suite = tmp_path / "twins.toml"
    lines = ('grid_mode = "one at a time"', "[grid.mclea]", "tau1 = [0.1]", "tau2 = [4.0]")
    lines = (
        'methods = ["mclea"]',
        'datasets = ["synthetic[n=100]"]',
        "seed_ratios = [0.3]",
        *lines,
    )
    suite.write_text("\n".join(lines))
    folder, cache = tmp_path / "out", str(tmp_path / "cache")
    words = ("--suite", str(suite), "--repeats", "1", "--set", "epochs=2", "--cache-dir", cache)
    kept = ("--keep", "predictions,embeddings", "--out", str(folder))
    ended = invoke("run", "--no-report", *words, *kept)
    assert ended.exit_code == 0, ended.output
    first, second = (record.key for record in ResultStore(folder).records())
    assert kept_keys(folder) == {first, second}
    vectors = [load_embeddings(folder, key) for key in (first, second)]
    np.testing.assert_array_equal(vectors[0].source, vectors[1].source)
    assert {each.words["variant"] for each in vectors} == {
        "full[epochs=2,tau1=0.1]",
        "full[epochs=2,tau2=4.0]",
    }


def test_a_done_cell_is_not_trained_anew_silently(done: Path) -> None:
    again = run(done, "--keep", "predictions")
    assert "1 cells that are done have no predictions kept" in again.output.replace("\n", " ")
    assert kept_keys(done) == set()


def test_predict_keeps_what_the_run_did_not(done: Path) -> None:
    record = only_record(done)
    made = predict(done, record.key[:8])
    assert made.exit_code == 0, made.output
    assert "numbers are those of the record" in made.output
    kept = read_predictions(done, record.key)
    assert kept.equals_record
    assert only_record(done) == record


def test_predict_tells_files_in_json(done: Path) -> None:
    key = only_record(done).key
    made = predict(done, key, "--keep", "embeddings", "--json")
    told = json.loads(made.stdout)
    assert told["equals_record"] is True
    assert told["files"] == [str(done / "embeddings" / f"{key}.safetensors")]


def test_predict_says_where_numbers_differ(done: Path) -> None:
    record = only_record(done)
    path = ResultStore(done).path_of(record.key)
    content = json.loads(path.read_text())
    columns = content["results"]["columns"]
    content["results"]["rows"][0][columns.index("value")] = 0.123
    path.write_text(json.dumps(content))
    made = predict(done, record.key, "--keep", "predictions,embeddings")
    assert made.exit_code == 1, made.output
    assert "differ from the record" in made.output
    assert not read_predictions(done, record.key).equals_record
    assert load_embeddings(done, record.key).words["equals_record"] == "False"


def test_nothing_is_trained_where_the_data_have_changed(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = only_record(done)
    path = ResultStore(done).path_of(record.key)
    path.write_text(path.read_text().replace(str(record.cell["dataset_version"]), 12 * "a"))
    monkeypatch.setattr("mmea_bench.bench.predict.run_request", None)
    ended = predict(done, record.key, "--keep", "predictions")
    assert ended.exit_code == 2
    assert "have changed since cell" in " ".join(ended.output.split())


def test_a_repetition_that_fails_is_told_and_ends_with_1(
    tmp_path: Path, make_method: MethodMaker
) -> None:
    folder, flag = tmp_path / "out", tmp_path / "flag"
    method = make_method("fails", f"if Path({str(flag)!r}).exists(): raise ValueError('no luck')")
    words = ("--datasets", "synthetic[n=100]", "--seed-ratios", "0.3", "--repeats", "1")
    places = ("--out", str(folder), "--cache-dir", str(tmp_path / "cache"))
    ended = invoke("run", "--no-report", "--method-file", str(method), *words, *places)
    assert ended.exit_code == 0, ended.output
    flag.touch()
    made = predict(folder, only_record(folder).key)
    assert made.exit_code == 1, made.output
    assert "gave nothing to keep" in made.output
    assert "no luck" in made.output


def test_predict_says_what_it_could_not_keep(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    folder = tmp_path / "out"
    assert run(folder, "--ranking", "approximate[k=20]").exit_code == 0
    made = predict(folder, only_record(folder).key, "--keep", "predictions,embeddings")
    assert made.exit_code == 0, made.output
    said = " ".join(made.stderr.split())
    assert "Warning: not all of it is kept" in said
    assert "no predictions are kept: they are made under exact ranking only" in said


def test_wrong_requests_are_sentences(done: Path, tmp_path: Path) -> None:
    for words, sentence in (
        ((str(done), "ffff"), "There is no record 'ffff'"),
        ((str(tmp_path / "nowhere"), "ffff"), "is not a folder"),
        ((str(done), only_record(done).key, "--keep", "vectors"), "Unknown thing to keep"),
        ((str(done), only_record(done).key, "--top-k", "5000"), "--top-k takes 1 to 1000"),
    ):
        ended = invoke("predict", *words)
        assert ended.exit_code == 2, ended.output
        assert sentence in " ".join(ended.output.split())
    ended = run(tmp_path / "other", "--keep", "everything")
    assert ended.exit_code == 2
    assert "embeddings, predictions" in ended.output


def test_a_cluster_cannot_keep(tmp_path: Path) -> None:
    words = ("--keep", "predictions", "--scheduler", "tcp://127.0.0.1:1")
    ended = run(tmp_path / "out", *words)
    assert ended.exit_code == 2
    assert "--keep writes beside the results on this machine" in " ".join(ended.output.split())


def test_an_equal_cell_has_the_predictions_of_the_one_that_was_trained(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    margin = get_method("eva").Params().margin  # type: ignore[attr-defined]
    words = ("--methods", "eva", "--grid", f"eva.margin={margin}", "--set", "eva.epochs=2")
    ended = run(folder, *words, "--keep", "predictions")
    assert ended.exit_code == 0, ended.output
    keys = {record.key for record in ResultStore(folder).records()}
    assert kept_keys(folder) == keys

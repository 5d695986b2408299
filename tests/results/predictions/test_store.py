"""Predictions and vectors on disk: what goes in comes out, and what is foreign is a sentence."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mmea_bench.results.core.errors import NewerSchemaError, ResultsError
from mmea_bench.results.core.predictions import parquet as ours
from mmea_bench.results.core.predictions.schema import KeptEmbeddings, Predictions
from mmea_bench.results.core.predictions.store import (
    facts_paths,
    has_facts,
    kept_keys,
    predictions_path,
    read_facts,
    read_predictions,
    write_facts,
    write_predictions,
)
from mmea_bench.results.core.predictions.vectors import (
    embeddings_paths,
    load_embeddings,
    write_embeddings,
)
from tests.results.predictions.factory import VERSION, made_facts, made_predictions


@pytest.fixture
def kept(tmp_path: Path) -> Predictions:
    predictions = made_predictions("k1", [1, 2, 3, 1.5])
    write_predictions(tmp_path, predictions)
    write_facts(tmp_path, made_facts(4))
    return predictions


def test_predictions_come_back(tmp_path: Path, kept: Predictions) -> None:
    found = read_predictions(tmp_path, "k1", with_candidates=True)
    assert (found.key, found.words, found.equals_record) == ("k1", kept.words, True)
    np.testing.assert_array_equal(found.links, kept.links)
    for mine, other in zip(found.ranked, kept.ranked, strict=True):
        assert mine.scoring == other.scoring
        for name in ("ranks", "candidates", "scores"):
            for way, values in getattr(other, name).items():
                np.testing.assert_array_equal(getattr(mine, name)[way], values)
    assert kept_keys(tmp_path) == {"k1"}


def test_facts_come_back(tmp_path: Path, kept: Predictions) -> None:
    found, wanted = read_facts(tmp_path, VERSION), made_facts(4)
    assert has_facts(tmp_path, VERSION)
    np.testing.assert_array_equal(found.source.degrees, wanted.source.degrees)
    assert found.target.uris.tolist() == wanted.target.uris.tolist()
    np.testing.assert_array_equal(found.name_similarity, wanted.name_similarity)


def test_missing_predictions_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"mmea-bench predict .* k9"):
        read_predictions(tmp_path, "k9")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def _foreign(path: Path) -> None:
    parquet.write_table(pa.table({"a": [1, 2]}), path)


def _text(path: Path) -> None:
    path.write_text("key,rank\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _other_kind(path: Path) -> None:
    ours.write_parquet(path, "entities", {}, {"scoring": [0]})


def _no_links(path: Path) -> None:
    about = {"key": "k1", "words": {}, "scorings": []}
    columns = ("scoring", "source", "target", "rank_src2tgt", "rank_tgt2src")
    ours.write_parquet(path, "predictions", about, {name: [1] for name in columns})


def _bad_rank(path: Path) -> None:
    about, table = ours.read_parquet(path, "predictions", parquet.read_schema(path).names)
    columns = {name: table.column(name) for name in table.column_names}
    columns["rank_src2tgt"] = pa.array([-1.0] * table.num_rows)
    ours.write_parquet(path, "predictions", about, columns)


@pytest.mark.parametrize(
    "damage", [_truncated, _foreign, _text, _empty, _pipe, _other_kind, _no_links, _bad_rank]
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, kept: Predictions, damage: object) -> None:
    damage(predictions_path(tmp_path, "k1"))  # type: ignore[operator]
    with pytest.raises(ResultsError, match=r"k1.*mmea-bench predict"):
        read_predictions(tmp_path, "k1")


def test_predictions_of_another_cell_are_refused(tmp_path: Path, kept: Predictions) -> None:
    predictions_path(tmp_path, "k1").rename(predictions_path(tmp_path, "k2"))
    with pytest.raises(ResultsError, match="belongs to cell 'k1'"):
        read_predictions(tmp_path, "k2")


def test_a_newer_format_is_left_to_its_program(
    tmp_path: Path, kept: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "FORMAT_VERSION", 0)
    with pytest.raises(NewerSchemaError, match="newer version"):
        read_predictions(tmp_path, "k1")


def test_a_small_file_cannot_stand_for_a_huge_one(tmp_path: Path) -> None:
    path = predictions_path(tmp_path, "k1")
    n = 3_000_000
    zeros = pa.array(np.zeros(n, dtype=np.int64))
    ours.write_parquet(path, "predictions", {"key": "k1"}, {"scoring": zeros})
    assert path.stat().st_size < 2**20
    with pytest.raises(ResultsError, match="far more rows"):
        ours.read_parquet(path, "predictions", ["scoring"])


def test_damaged_facts_are_a_sentence(tmp_path: Path, kept: Predictions) -> None:
    entities, links = facts_paths(tmp_path, VERSION)
    _truncated(links)
    assert not has_facts(tmp_path, VERSION)
    with pytest.raises(ResultsError, match="cannot be read"):
        read_facts(tmp_path, VERSION)
    entities.unlink()
    with pytest.raises(ResultsError, match="not there"):
        read_facts(tmp_path, VERSION)
    with pytest.raises(ResultsError, match="no version"):
        read_facts(tmp_path, "../../etc")


def _vectors() -> KeptEmbeddings:
    rng = np.random.default_rng(2)
    source, target = (rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 5))
    names = (tuple(f"s{i}" for i in range(4)), tuple(f"t{i} ü" for i in range(5)))
    return KeptEmbeddings(source, target, *names, "cosine", {"method": "alpha"})


def test_vectors_come_back(tmp_path: Path) -> None:
    write_embeddings(tmp_path, "k1", _vectors())
    found = load_embeddings(tmp_path, "k1")
    np.testing.assert_array_equal(found.source, _vectors().source)
    assert found.target_entities == _vectors().target_entities
    assert (found.similarity, found.words["method"]) == ("cosine", "alpha")


def test_foreign_vectors_are_a_sentence_and_no_pickle_is_opened(tmp_path: Path) -> None:
    path, entities = embeddings_paths(tmp_path, "k1")
    with pytest.raises(ResultsError, match="--keep embeddings"):
        load_embeddings(tmp_path, "k1")
    for damage in (pickle.dumps([1]), b"", b"\xff" * 64):
        write_embeddings(tmp_path, "k1", _vectors())
        path.write_bytes(damage)
        with pytest.raises(ResultsError, match="cannot be used"):
            load_embeddings(tmp_path, "k1")
    write_embeddings(tmp_path, "k1", _vectors())
    entities.write_text('{"key": "k1", "source": [], "target": []}')
    with pytest.raises(ResultsError, match="not equally many"):
        load_embeddings(tmp_path, "k1")

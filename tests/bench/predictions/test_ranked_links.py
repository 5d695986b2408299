"""Kept ranks are those of the row, and kept candidates those that a full matrix gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keeping import Keeping, watching
from mmea_bench.bench.predictions.keep import with_kept
from mmea_bench.bench.predictions.ranked_links import best_candidates
from mmea_bench.bench.scoring.metrics import by_direction
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.results.core.predictions.schema import NO_CANDIDATE
from mmea_bench.results.core.predictions.store import read_facts, read_predictions
from mmea_bench.results.core.predictions.vectors import load_embeddings
from mmea_bench.results.core.record import Record

SINKHORN = Protocol(name="paper", decoders=("sinkhorn", "hungarian"))
BRIEF = {"gcn_align": (("epochs", 20),)}


def kept_cell(
    folder: Path, method: str = "seu", protocol: Protocol = SINKHORN, **changes: object
) -> Record:
    """The record of a small cell whose predictions and vectors lie in ``folder``."""
    cell = Cell(method, "full", BRIEF.get(method, ()), "synthetic[n=150]", 0.3, 1, protocol)
    keeping = Keeping(("predictions", "embeddings"), folder=folder, **changes)  # type: ignore[arg-type]
    job = Job(cell, "key", "suite", None, folder / "cache", "cpu", (), 1, keeping=keeping)
    with watching() as watch:
        record = execute_cell(job)
    return with_kept(job, record, watch)


@pytest.mark.parametrize("method", ["seu", "gcn_align"])
def test_metrics_of_the_kept_ranks_are_those_of_the_row(tmp_path: Path, method: str) -> None:
    record = kept_cell(tmp_path, method)
    kept = read_predictions(tmp_path, "key")
    assert kept.equals_record
    compared = 0
    for each in kept.ranked:
        found = by_direction(each.ranks["src2tgt"], each.ranks["tgt2src"])
        for row in record.results:
            is_own = each.scoring.words.items() <= row.items()
            if is_own and row["metric"] in found.get(row["direction"], {}):
                assert row["value"] == found[row["direction"]][row["metric"]]
                assert row["n"] == len(kept.links)
                compared += 1
    assert compared == len(kept.ranked) * 15


def test_every_way_of_ranking_in_the_record_is_kept(tmp_path: Path) -> None:
    kept_cell(tmp_path, "gcn_align")
    scorings = [each.scoring for each in read_predictions(tmp_path, "key").ranked]
    ways = [(each.similarity, each.csls, each.decoder) for each in scorings]
    assert ways == [
        ("manhattan", 0, "none"),
        ("manhattan", 3, "none"),
        ("manhattan", 0, "sinkhorn"),
    ]
    assert [each.is_published for each in scorings] == [True, False, False]


def test_the_published_scoring_is_among_them(tmp_path: Path) -> None:
    kept_cell(tmp_path, "seu", Protocol(name="paper"))
    published = [
        e.scoring for e in read_predictions(tmp_path, "key").ranked if e.scoring.is_published
    ]
    assert len(published) == 1


def test_candidates_are_the_best_of_rows_and_columns() -> None:
    generator = torch.Generator().manual_seed(3)
    source, target = (torch.randn(n, 8, generator=generator) for n in (70, 50))
    blocks = ScoreMatrix(source, target, "inner", block_rows=16)
    full = torch.cat([block.scores for block in blocks])
    (columns, row_best), (rows, column_best) = best_candidates(blocks, 4)
    assert torch.equal(row_best, full.topk(4, dim=1).values)
    assert torch.equal(columns, full.topk(4, dim=1).indices)
    assert torch.equal(column_best, full.T.topk(4, dim=1).values)
    assert torch.equal(rows, full.T.topk(4, dim=1).indices)


def test_a_link_of_rank_one_has_its_partner_first(tmp_path: Path) -> None:
    kept_cell(tmp_path, n_candidates=3)
    kept = read_predictions(tmp_path, "key", with_candidates=True)
    for each in kept.ranked:
        first = each.ranks["src2tgt"] == 1
        assert (each.candidates["src2tgt"][first, 0] == kept.links[first, 1]).all()
        back = each.ranks["tgt2src"] == 1
        assert (each.candidates["tgt2src"][back, 0] == kept.links[back, 0]).all()
        assert each.candidates["src2tgt"].shape == (len(kept.links), 3)
        assert (np.diff(each.scores["src2tgt"], axis=1) <= 0).all()


def test_fewer_candidates_than_asked_for_are_padded(tmp_path: Path) -> None:
    kept_cell(tmp_path, n_candidates=200)
    kept = read_predictions(tmp_path, "key", with_candidates=True)
    tail = kept.ranked[0].candidates["src2tgt"][:, len(kept.links) :]
    assert tail.size
    assert (tail == NO_CANDIDATE).all()


def test_facts_lie_beside_the_predictions(tmp_path: Path) -> None:
    record = kept_cell(tmp_path)
    facts = read_facts(tmp_path, str(record.cell["dataset_version"]))
    kept = read_predictions(tmp_path, "key")
    known = set(map(tuple, facts.links.tolist()))
    assert set(map(tuple, kept.links.tolist())) <= known
    assert len(facts.name_similarity) == len(facts.links)


def test_vectors_come_back_with_their_entities(tmp_path: Path) -> None:
    record = kept_cell(tmp_path, "gcn_align")
    kept = load_embeddings(tmp_path, "key")
    facts = read_facts(tmp_path, str(record.cell["dataset_version"]))
    assert kept.similarity == "manhattan"
    assert list(kept.source_entities) == facts.source.uris.tolist()
    assert kept.source.shape == (len(facts.source.uris), kept.target.shape[1])
    assert kept.words["method"] == "gcn_align"


def test_what_cannot_be_kept_costs_no_training(tmp_path: Path) -> None:
    (tmp_path / "predictions").write_text("in the way")
    record = kept_cell(tmp_path)
    assert record.cell["status"] == "ok"
    assert "not kept: predictions" in record.cell["notes"]


def test_nothing_is_seen_unless_somebody_watches(tmp_path: Path) -> None:
    cell = Cell("seu", "full", (), "synthetic[n=150]", 0.3, 1, Protocol())
    job = Job(cell, "key", "suite", None, tmp_path / "cache", "cpu", (), 1)
    with watching() as watch:
        pass
    assert execute_cell(job).cell["status"] == "ok"
    assert watch.returned is None
    assert replace(job, keeping=Keeping(("predictions",))).keeping.keeps("predictions") is False

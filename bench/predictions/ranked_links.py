"""Ranks and best candidates of every test link, under the ways of scoring that a record has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.bench.scoring.decoders import Rescored, decoder_address, parse_decoder, rescaled
from mmea_bench.bench.scoring.evaluate import Scored, candidate_task, rank_in
from mmea_bench.bench.scoring.metrics import by_direction
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Alignment, Embeddings, Scoring
from mmea_bench.methods.core.similarity import ScoreBlocks
from mmea_bench.results.core.predictions.schema import (
    NO_CANDIDATE,
    Ids,
    KeptScoring,
    RankedLinks,
    Scores,
)
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import NO_DECODER

_WORDS = ("similarity", "csls", "decoder", "candidates", "ties")


def kept_scorings(
    record: Record, published: Scoring | None, own_similarity: str
) -> list[KeptScoring]:
    """Every way in which the numbers of a record were made from ranks, in its order.

    Matchings (Hungarian, stable, mutual) predict pairs that have no ranks; they are not among them.

    Args:
        record: Record of the cell.
        published: How the method's published numbers were scored; None if it has none.
        own_similarity: Of what the method returned.
    """
    rows = [row for row in record.results if (row["metric"], row["direction"]) == _ANY_NUMBER]
    found = [KeptScoring(**{name: row[name] for name in _WORDS}) for row in rows]
    return [
        replace(scoring, is_published=_is_published(scoring, published, own_similarity))
        for scoring in found
    ]


_ANY_NUMBER = ("mrr", "src2tgt")


def _is_published(scoring: KeptScoring, published: Scoring | None, own_similarity: str) -> bool:
    if published is None:
        return False
    decoder = parse_decoder(published.decoder)
    address, size = NO_DECODER, published.csls or getattr(decoder, "csls_size", 0)
    if isinstance(decoder, Rescored):
        decoder = replace(decoder, csls=published.csls or decoder.csls)
        address, size = decoder_address(decoder), decoder.csls
    asked = (published.similarity or own_similarity, size, address, published.candidates)
    return asked == (scoring.similarity, scoring.csls, scoring.decoder, scoring.candidates)


def ranked_links(
    alignment: Alignment,
    pair: KGPair,
    split: Split,
    scorings: Sequence[KeptScoring],
    n_candidates: int,
) -> Iterator[RankedLinks]:
    """The test links under each way of scoring, by the function that counts a cell's own ranks.

    Scores are kept where a cell's own ranking keeps them, once for each similarity and candidates.

    Args:
        alignment: What the method returned, checked.
        pair: The dataset.
        split: Links of the cell.
        scorings: Ways of scoring.
        n_candidates: Best candidates to keep.
    """
    made: dict[tuple[str, str], Scored] = {}
    for scoring in scorings:
        of_scores = (scoring.similarity, scoring.candidates)
        if of_scores not in made:
            compared = alignment
            if isinstance(alignment, Embeddings):
                compared = replace(alignment, similarity=scoring.similarity)  # type: ignore[arg-type]
            made[of_scores] = Scored(compared, candidate_task(scoring.candidates, pair, split))
        yield _ranked(made[of_scores], scoring, n_candidates)


def _ranked(scored: Scored, scoring: KeptScoring, n_candidates: int) -> RankedLinks:
    layout, ties = scored.layout, scoring.ties
    decoder = parse_decoder(scoring.decoder)
    if isinstance(decoder, Rescored):
        blocks = decoder.plan(rescaled(scored.blocks, scoring.csls))
        found = rank_in(blocks, layout, (0,), ties)[0]  # type: ignore[arg-type]
    else:
        blocks = rescaled(scored.blocks, scoring.csls)
        found = rank_in(scored.blocks, layout, (scoring.csls,), ties)[scoring.csls]  # type: ignore[arg-type]
    (columns, column_scores), (rows, row_scores) = best_candidates(blocks, n_candidates)
    to_target = _of_links(columns, column_scores, layout.rows, layout.targets, n_candidates)
    to_source = _of_links(rows, row_scores, layout.columns, layout.sources, n_candidates)
    return RankedLinks(
        scoring,
        {"src2tgt": found.src2tgt, "tgt2src": found.tgt2src},
        {"src2tgt": to_target[0], "tgt2src": to_source[0]},
        {"src2tgt": to_target[1], "tgt2src": to_source[1]},
    )


def best_candidates(
    blocks: ScoreBlocks, k: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Best columns of every row and best rows of every column, with their scores, best first.

    Args:
        blocks: The scores.
        k: Candidates wanted; never more than there are.

    Returns:
        Columns [n_source, k] and their scores; rows [n_target, k] and their scores.
    """
    columns, scores = [], []
    best: Tensor | None = None
    best_rows = torch.empty(0)
    for block in blocks:
        top = block.scores.topk(min(k, blocks.n_target), dim=1)
        # Copied, so that a small result does not hold the memory of its block.
        columns.append(top.indices.cpu().clone())
        scores.append(top.values.cpu().clone())
        down = block.scores.topk(min(k, len(block.scores)), dim=0)
        values, rows = down.values, down.indices + block.start
        if best is not None:
            values, rows = torch.cat([best, values]), torch.cat([best_rows, rows])
        best, places = values.topk(min(k, len(values)), dim=0)
        best_rows = rows.gather(0, places)
    if best is None:
        raise ValueError("there is no source entity to find candidates of")
    return (torch.cat(columns), torch.cat(scores)), (best_rows.T.cpu(), best.T.cpu())


def _of_links(
    chosen: Tensor, scores: Tensor, place: Tensor, entities: NDArray[np.integer], k: int
) -> tuple[Ids, Scores]:
    """Entities and scores of each link, padded to k."""
    found = np.full((len(place), k), NO_CANDIDATE, dtype=np.int32)
    values = np.full((len(place), k), np.nan, dtype=np.float32)
    width = chosen.shape[1]
    found[:, :width] = entities[chosen[place].numpy()]
    values[:, :width] = scores[place].numpy()
    return found, values


def differing_metrics(record: Record, ranked: Sequence[RankedLinks]) -> list[str]:
    """What of a record's numbers is not what the ranks give, as ``metric (direction, csls n)``."""
    wrong = []
    for each in ranked:
        own = each.scoring.words.items()
        measured = by_direction(each.ranks["src2tgt"], each.ranks["tgt2src"])
        for row in record.results:
            direction, metric = row["direction"], row["metric"]
            is_own = metric in measured.get(direction, {}) and own <= row.items()
            if is_own and row["value"] != measured[direction][metric]:
                wrong.append(f"{metric} ({direction}, csls {row['csls']})")
    return wrong

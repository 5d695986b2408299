"""Writes what is to be kept of a cell that has just ended, in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keeping import EMBEDDINGS, PREDICTIONS, Watch
from mmea_bench.bench.predictions.facts import dataset_facts
from mmea_bench.bench.predictions.ranked_links import (
    differing_metrics,
    kept_scorings,
    ranked_links,
)
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.methods.core.base import Alignment, Embeddings, Method
from mmea_bench.results.core.predictions.schema import KeptEmbeddings, Predictions
from mmea_bench.results.core.predictions.store import has_facts, write_facts, write_predictions
from mmea_bench.results.core.predictions.vectors import write_embeddings
from mmea_bench.results.core.record import Record

_WORDS = ("method", "variant", "dataset", "dataset_version", "seed_ratio", "repeat", "protocol")


def with_kept(job: Job, record: Record, watch: Watch) -> Record:
    """Writes what a cell is to keep; its record says in its notes where that was not possible.

    A training of hours is not lost for what could not be kept of it.

    Args:
        job: The cell.
        record: Its record, which is not written yet.
        watch: What its method returned.
    """
    if record.cell["status"] != "ok" or watch.method is None or watch.returned is None:
        return record
    try:
        notes = list(_kept(job, record, watch.method, watch.returned))
    except Exception as error:  # a full disk, or too little memory
        notes = [f"not kept: {', '.join(job.keeping.kinds)} ({type(error).__name__}: {error})"]
    said = "; ".join(filter(None, (record.cell["notes"], *notes)))
    return replace(record, cell={**record.cell, "notes": said or None})


def _kept(job: Job, record: Record, method: Method, returned: Alignment) -> Iterator[str]:
    cell, keeping = job.cell, job.keeping
    if keeping.folder is None:
        return
    pair = load_pair(open_dataset(cell.dataset, job.data_root), job.cache_dir)
    alignment = checked(returned, pair.sizes)
    if keeping.keeps(EMBEDDINGS):
        if isinstance(alignment, Embeddings):
            write_embeddings(keeping.folder, job.key, _embeddings(record, pair, alignment))
        else:
            yield "no vectors are kept: the method scores pairs"
    if keeping.keeps(PREDICTIONS):
        if cell.protocol.ranking != Protocol.ranking:
            yield "no predictions are kept: they are made under exact ranking only"
        elif pair.task == "entity-alignment":
            yield from _keep_predictions(job, record, pair, method, alignment)
        else:
            yield "no predictions are kept: links of N-MMKG pairs have no ranks"


def _keep_predictions(
    job: Job, record: Record, pair: KGPair, method: Method, alignment: Alignment
) -> Iterator[str]:
    cell, folder = job.cell, job.keeping.folder
    assert folder is not None  # noqa: S101 - asked before
    split_seed = record.cell["split_seed"]
    split = make_split(cell.protocol, pair, cell.seed_ratio, split_seed, cell.fold)
    scorings = kept_scorings(record, method.published_scoring, alignment.similarity)
    ranked = tuple(ranked_links(alignment, pair, split, scorings, job.keeping.n_candidates))
    words = {name: record.cell[name] for name in (*_WORDS, "split")}
    wrong = differing_metrics(record, ranked)
    if wrong:
        yield f"kept ranks differ from the numbers: {', '.join(wrong)}"
    predictions = Predictions(job.key, words, split.test_links, ranked, not wrong)
    if not has_facts(folder, pair.version):
        write_facts(folder, dataset_facts(pair))
    write_predictions(folder, predictions)


def _embeddings(record: Record, pair: KGPair, alignment: Embeddings) -> KeptEmbeddings:
    source, target = (vectors.detach().cpu() for vectors in (alignment.source, alignment.target))
    if "bfloat16" in str(source.dtype):  # NumPy has no such type
        source, target = source.float(), target.float()
    return KeptEmbeddings(
        source.contiguous().numpy(),
        target.contiguous().numpy(),
        tuple(pair.source.entities),
        tuple(pair.target.entities),
        alignment.similarity,
        {name: record.cell[name] for name in _WORDS},
    )

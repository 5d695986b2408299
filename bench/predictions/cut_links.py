"""How many test links a training in parts could find at all: those whose entities share a part."""

from __future__ import annotations

from dataclasses import replace

from mmea_bench.bench.partitions.fused import PartScores
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keeping import Watch
from mmea_bench.bench.scoring.protocol import make_split
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.results.core.record import Record


def with_cut_links(job: Job, record: Record, watch: Watch) -> Record:
    """The record, with that share in its notes if its cell was trained in parts.

    It is counted here, after the training: no method is told which test links were cut.

    Args:
        job: The cell.
        record: Its record, which is not written yet.
        watch: What its method returned.
    """
    returned, cell = watch.returned, job.cell
    if record.cell["status"] != "ok" or not isinstance(returned, PartScores):
        return record
    pair = load_pair(open_dataset(cell.dataset, job.data_root), job.cache_dir)
    split = make_split(cell.protocol, pair, cell.seed_ratio, record.cell["split_seed"], cell.fold)
    links, parts = split.test_links, returned.parts
    share = float((parts.source[links[:, 0]] == parts.target[links[:, 1]]).mean())
    note = (
        f"{share:.1%} of the test links lie in one of the {parts.n_parts} parts, which no Hits@1 "
        "of ranks can exceed"
    )
    said = "; ".join(filter(None, (record.cell["notes"], note)))
    return replace(record, cell={**record.cell, "notes": said})

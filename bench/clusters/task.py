"""What a Dask worker is asked to do; light, because the scheduler imports it too."""

from __future__ import annotations

import pickle
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import get_worker

if TYPE_CHECKING:
    from mmea_bench.bench.cells.messages import Tick
    from mmea_bench.bench.clusters.remote import Reply

TOPIC = "mmea-bench-cells"
_TICK_INTERVAL_S = 2.0


def run_here(parcel: bytes) -> tuple[str, Reply]:
    """Runs a cell on this worker; returns the worker's address with the reply.

    Args:
        parcel: Pickled errand. It is opened here: a scheduler that opened it would load PyTorch
            and answer nobody meanwhile.
    """
    from mmea_bench.bench.clusters.remote import run_errand

    errand = pickle.loads(parcel)  # noqa: S301 - Dask itself sends nothing but pickles
    worker = get_worker()
    key = worker.get_current_task()
    last = 0.0

    def is_wanted() -> bool:
        # The scheduler takes tasks away whose client is gone or has cancelled them.
        task = worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    def announce(tick: Tick) -> None:
        nonlocal last
        if time.monotonic() - last > _TICK_INTERVAL_S:
            last = time.monotonic()
            worker.log_event(TOPIC, {"cell": errand.job.key, "tick": asdict(tick)})

    worker.log_event(TOPIC, {"cell": errand.job.key, "tick": None})
    here = replace(errand, share=1.0 / worker.state.nthreads)
    # Dask removes a worker's folder at its end, and those of killed workers at the next start.
    scratch = Path(worker.local_directory)
    return worker.address, run_errand(here, scratch, announce, is_wanted)

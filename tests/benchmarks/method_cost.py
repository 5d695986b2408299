"""Seconds per epoch and peak memory of every method; writes the table of ``docs/cost.md``.

Run on a quiet machine: ``python tests/benchmarks/method_cost.py DATA_ROOT [--only METHOD ...]``.
Each method trains alone in a process of its own, on FB15K-DB15K at 20 % seeds, or on the synthetic
N-MMKG pair of the published size (30 % of the pairs) if that is its task.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch

from mmea_bench.datasets.core.access.catalogue import default_cache_dir, load_pair, open_dataset
from mmea_bench.datasets.core.model.split import split_links, split_pairs
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import DeadlineError, RunContext
from mmea_bench.methods.core.catalogue import get_method

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
START, END = "<!-- cost table: start -->", "<!-- cost table: end -->"
ENTITIES, NODES = "fb15k-db15k", "synthetic-nmmkg[n=14921]"
EPOCHS, WARM_UP = 3, 1


@dataclass(frozen=True)
class Training:
    """One line of the table."""

    method: str
    variant: str = "full"
    dataset: str = ENTITIES
    overrides: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


# Later parts of a schedule (pseudo-labels, a second stage) cost what its first epochs cost plus a
# comparison of all entities now and then, so a few epochs of the first part stand for all.
TRAININGS = (
    Training("gcn_align", overrides={"epochs": EPOCHS}),
    Training("transe", overrides={"epochs": EPOCHS}),
    Training("poe", overrides={"epochs": EPOCHS}),
    Training("eva", overrides={"epochs": EPOCHS}),
    Training("mclea", overrides={"epochs": EPOCHS}),
    Training("meaformer", overrides={"epochs": EPOCHS}),
    Training("loginmea", overrides={"epochs": EPOCHS}),
    Training("loginmea", "w/o Visual", overrides={"epochs": EPOCHS}),
    Training(
        "clamea",
        overrides={"epochs": 2, "text_encoder": "hashed"},
        note="hashed attribute texts; one epoch measured",
    ),
    Training(
        "selfmea",
        "stage 1 only",
        "dbp15k-zh-en",
        {"stage1_epochs": EPOCHS, "text_encoder": "hashed"},
        note="hashed names",
    ),
    Training(
        "selfmea",
        dataset="dbp15k-zh-en",
        overrides={"contrast": False, "epochs": EPOCHS, "text_encoder": "hashed"},
        note="second stage, hashed names",
    ),
    Training("crossea", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("crossea", "w/o SL", NODES, {"epochs": EPOCHS}),
    Training("clip_mmea", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("se_clip_mmea", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("se_clip_mmea_plus", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("poe", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("mclea", dataset=NODES, overrides={"epochs": EPOCHS}),
    Training("meaformer", dataset=NODES, overrides={"epochs": EPOCHS}),
)


def measure(
    training: Training,
    data_root: Path | None,
    threads: int,
    device: str,
    limit_s: float | None = None,
) -> dict[str, float]:
    """Median seconds of an epoch after a warm-up, and peak memory of this process in GiB.

    Args:
        training: What is trained.
        data_root: Folder of the datasets.
        threads: Of the CPU.
        device: Where it trains.
        limit_s: Seconds after which no further epoch is measured; None for no limit.

    Returns:
        ``n_epochs`` is 0 for what trains in no epochs; its seconds are those of the whole.
    """
    torch.set_num_threads(threads)
    pair = load_pair(open_dataset(training.dataset, data_root), default_cache_dir())
    split = (
        split_links(pair.anchor_links, 0.2, rng_seed=1)
        if pair.task == "entity-alignment"
        else split_pairs(pair.anchor_links, 0.3, rng_seed=1)
    )
    method = get_method(training.method).configure(
        training.method, training.variant, training.overrides
    )
    started = time.monotonic()
    ends = [time.perf_counter()]

    def tick(*_told: object) -> None:
        ends.append(time.perf_counter())
        is_late = limit_s is not None and time.monotonic() - started > limit_s
        if is_late and len(ends) > 1 + WARM_UP:
            raise DeadlineError

    ctx = RunContext(
        rng_seed=1,
        device=torch.device(device),
        tick=tick,
        cache_dir=default_cache_dir(),
    )
    with suppress(DeadlineError):
        method.fit(train_view(pair, split.seed_links), ctx)
    epochs = [later - earlier for earlier, later in pairwise(ends[WARM_UP:])]
    gpu = torch.cuda.max_memory_allocated() / 2**30 if device.startswith("cuda") else 0.0
    return {
        "seconds": statistics.median(epochs) if epochs else time.monotonic() - started,
        "n_epochs": len(epochs),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "gpu": gpu,
        "parameters": ctx.log.n_parameters,
    }


def table(lines: list[str], threads: int, device: str) -> str:
    """The part of the document between its marks."""
    where = f"{threads} threads of one {platform.machine()} machine"
    if device == "cuda":
        where = torch.cuda.get_device_name()
    head = (
        f"Measured on {where}, Python {platform.python_version()}, PyTorch {torch.__version__}; "
        f"median of {EPOCHS - WARM_UP} epochs after the first, each method alone in "
        "a process.\n\n| method | variant | dataset | s per epoch | peak memory, GiB | parameters "
        "| remark |\n|---|---|---|---|---|---|---|"
    )
    return "\n".join([START, head, *lines, END])


def line(training: Training, found: Mapping[str, float]) -> str:
    """One row of the table."""
    cells = (
        training.method,
        training.variant,
        training.dataset,
        f"{found['seconds']:.2f}",
        f"{found['memory']:.1f}",
        f"{found['parameters']:,.0f}",
        training.note,
    )
    return f"| {' | '.join(cells)} |"


def run_alone(position: int, arguments: argparse.Namespace) -> dict[str, float] | None:
    """Measures one training in a fresh process; None if it failed, with the reason printed."""
    command = [sys.executable, __file__, str(arguments.data_root), "--position", str(position)]
    command += ["--threads", str(arguments.threads), "--device", arguments.device]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(f"{TRAININGS[position].method}: {done.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Prints the table and puts it into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--position", type=int)
    arguments = parser.parse_args()
    if arguments.position is not None:
        training = TRAININGS[arguments.position]
        found = measure(training, arguments.data_root, arguments.threads, arguments.device)
        print(json.dumps(found))
        return
    lines = []
    for position, training in enumerate(TRAININGS):
        if arguments.only and training.method not in arguments.only:
            continue
        measured = run_alone(position, arguments)
        if measured is not None:
            lines.append(line(training, measured))
            print(lines[-1], flush=True)
    if not arguments.only:
        text = DOCUMENT.read_text(encoding="utf-8")
        before, rest = text.split(START)
        after = rest.split(END)[1]
        filled = before + table(lines, arguments.threads, arguments.device) + after
        DOCUMENT.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()

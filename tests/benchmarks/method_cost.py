"""Seconds per epoch and peak memory of every method; writes the table of ``docs/cost.md``.

``python tests/benchmarks/method_cost.py DATA_ROOT [--only METHOD ...] [--cpu-seconds]``. Each
method trains alone in a process of its own, on FB15K-DB15K at 20 % seeds, on DBP15K ZH-EN at 30 %
if its numbers are printed there, or on the synthetic N-MMKG pair of the published size (30 % of the
pairs) if that is its task. Rows that are measured replace their like in the table; all others stay.

Seconds by the clock need a quiet machine. ``--cpu-seconds`` measures the processor time of one
thread instead, which others on the machine change little, and fills the other column.
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

from mmea_bench.bench.metering.freed_memory import keep_freed_memory
from mmea_bench.datasets.core.access.catalogue import default_cache_dir, load_pair, open_dataset
from mmea_bench.datasets.core.model.split import split_links, split_pairs
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import DeadlineError, RunContext
from mmea_bench.methods.core.catalogue import get_method

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
START, END = "<!-- cost table: start -->", "<!-- cost table: end -->"
ENTITIES, NODES = "fb15k-db15k", "synthetic-nmmkg[n=14921]"
LANGUAGES = "dbp15k-zh-en"
SEED_RATIOS = {ENTITIES: 0.2, LANGUAGES: 0.3}
EPOCHS, WARM_UP = 2, 1
COLUMNS = (
    "method",
    "variant",
    "dataset",
    "s per epoch",
    "CPU s, one thread",
    "goal, s",
    "peak memory, GiB",
    "parameters",
    "remark",
)
NOT_MEASURED = "-"
MEAFORMER_LINE = frozenset(
    ("umaea", "desalign", "pmf", "ibmea", "geea", "simdiff", "pathfusion", "pcmea", "tmea")
)
HASHED = {"text_encoder": "hashed"}
LANGUAGE_GOALS = {
    **dict.fromkeys(("seu", "lightea"), 60.0),  # the whole
    "dual_amn": 30.0,  # ten minutes for its 20 epochs
    "rrea": 0.75,  # fifteen minutes for 1,200 steps
    **dict.fromkeys(("kecg", "alinet", "mugnn", "gcn_je", "hman", "rdgcn"), 1.5),
    **dict.fromkeys(("bootea", "iptranse", "naea"), 3.0),
}
"""Seconds on DBP15K ZH-EN, of an epoch where there are any."""


@dataclass(frozen=True)
class Training:
    """One line of the table."""

    method: str
    variant: str = "full"
    dataset: str = ENTITIES
    overrides: Mapping[str, object] = field(default_factory=dict)
    note: str = ""

    @property
    def goal(self) -> float | None:
        """Seconds that an epoch may take on two quiet cores; None where nothing was set."""
        if self.dataset == LANGUAGES:
            return LANGUAGE_GOALS.get(self.method)
        if self.dataset != ENTITIES:
            return None
        if self.method == "clamea":
            return 10.0
        return 4.0 if self.method in MEAFORMER_LINE | {"meaformer"} else 6.0


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
        LANGUAGES,
        {"stage1_epochs": EPOCHS, "text_encoder": "hashed"},
        note="hashed names",
    ),
    Training(
        "selfmea",
        dataset=LANGUAGES,
        overrides={"contrast": False, "epochs": EPOCHS, "text_encoder": "hashed"},
        note="second stage, hashed names",
    ),
    Training("umaea", overrides={"epochs": EPOCHS}),
    Training("desalign", overrides={"epochs": EPOCHS}),
    Training(
        "pmf",
        overrides={"epochs": EPOCHS, "freeze_epochs": WARM_UP},
        note="second stage, whose epochs are the dearer ones",
    ),
    Training("ibmea", overrides={"epochs": EPOCHS}),
    Training("geea", overrides={"epochs": EPOCHS}),
    Training("simdiff", overrides={"epochs": EPOCHS}),
    Training("pathfusion", overrides={"epochs": EPOCHS, **HASHED}, note="hashed texts"),
    Training(
        "pcmea",
        overrides={"epochs": EPOCHS, "momentum_start": WARM_UP, **HASHED},
        note="hashed texts; with the momentum copy",
    ),
    Training("tmea", overrides={"epochs": EPOCHS, **HASHED}, note="hashed attribute texts"),
    Training("msnea", overrides={"epochs": EPOCHS, **HASHED}, note="hashed attribute names"),
    Training("mmea", overrides={"epochs": EPOCHS}),
    Training("xgea", overrides={"epochs": EPOCHS}),
    Training("ack_mmea", overrides={"epochs": EPOCHS}),
    Training("hmea", overrides={"epochs": EPOCHS}),
    Training(
        "psnea",
        overrides={"epochs": EPOCHS, "joint_epochs": WARM_UP},
        note="with the losses of all modalities",
    ),
    Training("seu", dataset=LANGUAGES, note="the whole, Sinkhorn aside"),
    Training("lightea", dataset=LANGUAGES, note="the whole, Sinkhorn aside"),
    Training("rrea", "basic", LANGUAGES, {"epochs": EPOCHS}),
    *(
        Training(method, dataset=LANGUAGES, overrides={"epochs": EPOCHS})
        for method in LANGUAGE_GOALS
        if method not in ("seu", "lightea", "rrea")
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
        ``seconds`` are those of the clock, ``cpu_seconds`` those that this process was computing;
        ``n_epochs`` is 0 for what trains in no epochs, whose seconds are those of the whole.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()  # as a cell's process does
    pair = load_pair(open_dataset(training.dataset, data_root), default_cache_dir())
    split = (
        split_links(pair.anchor_links, SEED_RATIOS[training.dataset], rng_seed=1)
        if pair.task == "entity-alignment"
        else split_pairs(pair.anchor_links, 0.3, rng_seed=1)
    )
    method = get_method(training.method).configure(
        training.method, training.variant, training.overrides
    )
    moments = [(time.perf_counter(), time.process_time())]

    def tick(*_told: object) -> None:
        moments.append((time.perf_counter(), time.process_time()))
        is_late = limit_s is not None and moments[-1][0] - moments[0][0] > limit_s
        if is_late and len(moments) > 1 + WARM_UP:
            raise DeadlineError

    ctx = RunContext(
        rng_seed=1,
        device=torch.device(device),
        tick=tick,
        cache_dir=default_cache_dir(),
    )
    with suppress(DeadlineError):
        method.fit(train_view(pair, split.seed_links), ctx)
    n_epochs = max(0, len(moments) - 1 - WARM_UP)
    if n_epochs == 0:
        moments = [moments[0], (time.perf_counter(), time.process_time())]
    clock, processor = (
        statistics.median(later - earlier for earlier, later in pairwise(each))
        for each in zip(*moments[min(WARM_UP, len(moments) - 2) :], strict=True)
    )
    gpu = torch.cuda.max_memory_allocated() / 2**30 if device.startswith("cuda") else 0.0
    return {
        "seconds": clock,
        "cpu_seconds": processor,
        "n_epochs": n_epochs,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "gpu": gpu,
        "parameters": ctx.log.n_parameters,
    }


def head(device: str) -> str:
    """What stands above the rows."""
    where = f"one {platform.machine()} machine of {os.cpu_count()} cores"
    if device == "cuda":
        where = torch.cuda.get_device_name()
    return (
        f"Measured on {where}, Python {platform.python_version()}, PyTorch {torch.__version__}; "
        "the epoch after the first, or the median of two, each method alone in a process. "
        "s per epoch: by the clock, two threads, nothing else running. CPU s: processor time of "
        "one thread, on a machine busy with other work, which took 2.4 times the seconds by the "
        "clock for MEAformer and 2.9 times for GCN-Align. Goal: of an epoch by the clock; where "
        "that was not measured, half of the CPU time has to be below it.\n\n"
        f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    )


def rows_of(text: str) -> dict[tuple[str, ...], list[str]]:
    """Cells of the table's rows by method, variant and dataset."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {tuple(row[:3]): row for row in cells if len(row) == len(COLUMNS) and row[0] != "method"}


def row_of(
    training: Training, found: Mapping[str, float], before: list[str], *, of_processor: bool
) -> list[str]:
    """Cells of one row; a longer remark stays, a time that was not measured again is dropped."""
    clock, processor, remark = NOT_MEASURED, NOT_MEASURED, before[-1]
    if of_processor:
        processor = f"{found['cpu_seconds']:.2f}"
    else:
        clock = f"{found['seconds']:.2f}"
    return [
        *(training.method, training.variant, training.dataset, clock, processor),
        verdict(training, clock, processor),
        f"{found['memory']:.1f}",
        f"{found['parameters']:,.0f}",
        remark if remark.startswith(training.note) else training.note,
    ]


def verdict(training: Training, clock: str, processor: str) -> str:
    """The goal, and whether it is met: by the clock, else by half of the processor time."""
    goal = training.goal
    if goal is None:
        return NOT_MEASURED
    seconds = float(processor) / 2 if clock == NOT_MEASURED else float(clock)
    return f"{goal:g} {'met' if seconds <= goal else 'missed'}"


def written(document: str, rows: Mapping[tuple[str, ...], list[str]], device: str) -> str:
    """The document with these rows, in the order of ``TRAININGS``."""
    before, rest = document.split(START)
    after = rest.split(END)[1]
    lines = []
    for training in TRAININGS:
        row = rows.get((training.method, training.variant, training.dataset))
        if row is not None:
            row[5] = verdict(training, *row[3:5])
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join([before + START, head(device), *lines, END + after])


def run_alone(position: int, arguments: argparse.Namespace) -> dict[str, float] | None:
    """Measures one training in a fresh process; None if it failed, with the reason printed."""
    command = [sys.executable, __file__, str(arguments.data_root), "--position", str(position)]
    command += ["--threads", str(arguments.threads), "--device", arguments.device]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = [f"ended with {done.returncode}", *done.stderr.strip().splitlines()][-1]
        print(f"{TRAININGS[position].method}: {last}")
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Prints the rows and puts them into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--dataset", help="only what trains on it")
    parser.add_argument("--cpu-seconds", action="store_true", help="of one thread")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--position", type=int)
    arguments = parser.parse_args()
    if arguments.cpu_seconds:
        arguments.threads = 1
    if arguments.position is not None:
        training = TRAININGS[arguments.position]
        found = measure(training, arguments.data_root, arguments.threads, arguments.device)
        print(json.dumps(found))
        return
    for position, training in enumerate(TRAININGS):
        if arguments.only and training.method not in arguments.only:
            continue
        if arguments.dataset not in (None, training.dataset):
            continue
        measured = run_alone(position, arguments)
        if measured is None:
            continue
        document = DOCUMENT.read_text(encoding="utf-8")
        rows = rows_of(document)
        key = (training.method, training.variant, training.dataset)
        before = rows.get(key, [*key, *[NOT_MEASURED] * 5, ""])
        rows[key] = row_of(training, measured, before, of_processor=arguments.cpu_seconds)
        print(" | ".join(rows[key]), flush=True)
        DOCUMENT.write_text(written(document, rows, arguments.device), encoding="utf-8")


if __name__ == "__main__":
    main()

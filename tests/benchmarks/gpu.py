"""What one GPU does: every method's epoch, ranking, hours of a suite, cells side by side.

    python tests/benchmarks/gpu.py [--data-root DIR] [--only METHOD ...]
    python tests/benchmarks/gpu.py --device cpu --quick

Prints one table, in under ten minutes: after ten seconds no further epoch of a method is measured.
Without ``--data-root`` the generator stands in for FB15K-DB15K, at its size.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from evaluation_speed import median_seconds
from method_cost import EPOCHS, NODES, Training, measure

from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.datasets.core.access.catalogue import (
    default_cache_dir,
    load_pair,
    open_dataset,
)
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Embeddings, Method
from mmea_bench.methods.core.catalogue import catalogue_entries

LIMIT_S, SHARE_OF_MEMORY = 10.0, 0.9
SUITE = "full"
HEAD = (
    "| what | on | seconds | GPU memory, GiB | cells per GPU | remark |\n|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Scale:
    """What is measured on.

    Attributes:
        entities: Datasets of entity alignment; the first that a method can run on counts.
        nodes: The N-MMKG pair.
        ranked: Numbers of test links.
        dim: Columns of the vectors that are ranked.
        is_small: Whether methods train with their test parameters.
    """

    entities: tuple[str, ...] = ("synthetic[n=15000]",)
    nodes: str = NODES
    ranked: tuple[int, ...] = (10_000, 70_000)
    dim: int = 300
    is_small: bool = False


REAL = Scale(("fb15k-db15k", "dbp15k-zh-en"))
QUICK = Scale(("synthetic[n=200]",), "synthetic-nmmkg[n=300]", (500, 1000), 50, is_small=True)


def training_of(name: str, method_type: type[Method], scale: Scale, root: Path | None) -> Training:
    """What is measured of a method.

    Raises:
        UserError: If it can run on none of the datasets.
    """
    params = method_type.Params()
    overrides = dict(method_type.test_params) if scale.is_small else {}
    if hasattr(params, "epochs"):
        overrides["epochs"] = EPOCHS
    if hasattr(params, "text_encoder"):
        overrides["text_encoder"] = "hashed"
    method = method_type.configure(name, overrides=overrides)
    reason: str | None = "it has no task"
    places = scale.entities if "entity-alignment" in method_type.tasks else (scale.nodes,)
    for place in places:
        modalities = load_pair(open_dataset(place, root), default_cache_dir()).modalities
        reason = method.skip_reason(modalities)
        if reason is None:
            return Training(name, dataset=place, overrides=overrides)
    raise UserError(str(reason))


def method_rows(
    arguments: argparse.Namespace, scale: Scale, seconds: dict[str, float]
) -> Iterator[tuple[str, ...]]:
    """A row for every method; seconds of an epoch, or of the whole, are noted by name."""
    for entry in catalogue_entries():
        if entry.method_type is None or (arguments.only and entry.name not in arguments.only):
            continue
        if torch.cuda.is_available():
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        what = f"epoch of {entry.name}"
        try:
            training = training_of(entry.name, entry.method_type, scale, arguments.data_root)
            found = measure(
                training, arguments.data_root, arguments.threads, arguments.device, LIMIT_S
            )
        except Exception as error:  # one method that fails must not cost the whole table
            text = str(error).partition("\n")[0]
            yield what, "", "", "", "", f"{type(error).__name__}: {text}"
        else:
            seconds[entry.name] = found["seconds"]
            remark = "" if found["n_epochs"] else "the whole: it trains in no epochs"
            memory = (f"{found['gpu']:.2f}", packing(found["gpu"])) if found["gpu"] else ("", "")
            yield what, training.dataset, f"{found['seconds']:.3f}", *memory, remark


def packing(gib: float) -> str:
    """How many such cells fit on the GPU side by side, as ``--cells-per-gpu auto`` packs them."""
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    return str(max(1, int(SHARE_OF_MEMORY * total / gib)))


def ranking_rows(scale: Scale, device: str) -> Iterator[tuple[str, ...]]:
    """Both directions with CSLS 3, by cosine."""
    for n_links in scale.ranked:
        generator = torch.Generator().manual_seed(0)
        source = torch.randn(n_links, scale.dim, generator=generator)
        target = source + torch.randn(n_links, scale.dim, generator=generator)
        links = np.stack([np.arange(n_links)] * 2, axis=1)
        vectors = Embeddings(source.to(device), target.to(device))
        work = partial(rank_links, vectors, ranking_task(links, links), (0, 3))
        where = f"{n_links:,} test links, {scale.dim} columns"
        yield "ranking, plain and CSLS 3", where, f"{median_seconds(work, 1):.2f}", "", "", ""


def hours_row(seconds: dict[str, float]) -> tuple[str, ...]:
    """Hours of a suite's trainings one after the other, by the epochs that were measured."""
    cells = Counter(
        (cell.method, cell.variant, cell.overrides) for cell in expand(load_suite(SUITE))
    )
    types = {entry.name: entry.method_type for entry in catalogue_entries()}
    total, n_unknown = 0.0, 0
    for (name, variant, overrides), n_cells in cells.items():
        method_type = types[name]
        if name not in seconds or method_type is None:
            n_unknown += n_cells
            continue
        params = method_type.configure(name, variant, dict(overrides)).params
        total += n_cells * seconds[name] * getattr(params, "epochs", 1)
    remark = "first stages on one dataset stand for all; without ranking"
    if n_unknown:
        remark += f"; {n_unknown} of {sum(cells.values())} cells not measured"
    return f"suite `{SUITE}`", "", f"{total:.0f} ({total / 3600:.1f} h)", "", "", remark


def main() -> None:
    """Prints the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small data, to try the script out")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("No CUDA device was found. Use --device cpu --quick to try the script out.")
    scale = QUICK if arguments.quick else REAL if arguments.data_root else Scale()
    name = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "the CPU"
    print(f"On {name}, PyTorch {torch.__version__}:\n\n{HEAD}", flush=True)
    seconds: dict[str, float] = {}
    for row in method_rows(arguments, scale, seconds):
        print(f"| {' | '.join(row)} |", flush=True)
    for row in ranking_rows(scale, arguments.device):
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"| {' | '.join(hours_row(seconds))} |")


if __name__ == "__main__":
    main()

"""Segment softmax, sums and products over edges: ours against torch-geometric's, two threads.

Edges are made up in the number and skew of the union graph of FB15K-DB15K.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch_geometric.utils import scatter, softmax

from mmea_bench.methods.core.layers.sparse import SparsePattern

N_ENTITIES, N_EDGES, DIM, THREADS = 27_793, 690_000, 300, 2
RUNS = range(15)

Step = Callable[[], Tensor]


def edges() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns sorted by row, some entities with many edges and all with one."""
    rng = np.random.default_rng(0)
    weights = 1.0 / np.arange(1, N_ENTITIES + 1) ** 0.6
    ends = rng.choice(N_ENTITIES, size=(2, N_EDGES - N_ENTITIES), p=weights / weights.sum())
    loops = np.arange(N_ENTITIES)
    keys = np.unique(np.concatenate([ends[0] * N_ENTITIES + ends[1], loops * (N_ENTITIES + 1)]))
    return keys // N_ENTITIES, keys % N_ENTITIES


def milliseconds(step: Step, leaves: tuple[Tensor, ...]) -> tuple[float, float]:
    """Of the forward pass, and of the forward and backward pass."""
    for leaf in leaves:
        leaf.grad = None
    started = time.perf_counter()
    result = step()
    forward = time.perf_counter() - started
    result.sum().backward()  # type: ignore[no-untyped-call]
    return 1000 * forward, 1000 * (time.perf_counter() - started)


def main() -> None:
    """Prints both sides of every comparison, after checking that they agree."""
    torch.set_num_threads(THREADS)
    rows, columns = edges()
    size = N_ENTITIES
    pattern = SparsePattern(rows, columns, (size, size))
    pointer = pattern.row_starts.long()
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(rows), generator=generator, requires_grad=True)
    dense = torch.randn(size, DIM, generator=generator, requires_grad=True)
    index, ends = pattern.rows, pattern.columns

    def gathered() -> Tensor:
        return scatter(logits.unsqueeze(1) * dense[ends], index, dim_size=size, reduce="sum")

    comparisons: dict[str, tuple[tuple[Tensor, ...], dict[str, Step]]] = {
        "softmax of each row": (
            (logits,),
            {
                "ours": lambda: pattern.row_softmax(logits),
                "pyg softmax(index)": lambda: softmax(logits, index, num_nodes=size),
                "pyg softmax(ptr)": lambda: softmax(logits, ptr=pointer),
            },
        ),
        "sum of each row": (
            (logits,),
            {
                "ours": lambda: pattern.row_sums(logits),
                "pyg scatter": lambda: scatter(logits, index, dim_size=size, reduce="sum"),
            },
        ),
        f"weighted sum of neighbours, {DIM} columns": (
            (logits, dense),
            {"ours": lambda: pattern.product(logits, dense), "pyg gather and scatter": gathered},
        ),
    }
    print(f"{size:,} entities, {len(rows):,} edges, {THREADS} threads: forward, and with backward")
    for title, (leaves, steps) in comparisons.items():
        print(title)
        expected = steps["ours"]()
        for step in steps.values():
            torch.testing.assert_close(step(), expected, rtol=1e-3, atol=1e-3)
        # In turns, and the best of all runs: other work on the machine disturbs all alike.
        runs = [{name: milliseconds(step, leaves) for name, step in steps.items()} for _ in RUNS]
        for name in steps:
            forward, both = (min(run[name][part] for run in runs) for part in (0, 1))
            print(f"  {name:24} {forward:8.1f} ms {both:8.1f} ms")


if __name__ == "__main__":
    main()

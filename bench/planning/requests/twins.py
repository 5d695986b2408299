"""Cells whose training another cell had already: they take its record under their own name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmea_bench.bench.planning.cell import cell_words
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore


def write_twins(plan: Plan, store: ResultStore, method_files: Sequence[Path]) -> Counter[str]:
    """Writes the records of all twins whose training has ended; counts them by status.

    Args:
        plan: The plan whose cells were run.
        store: Their results folder.
        method_files: Method files of the user.
    """
    found = {key: store.record(leader) for key, leader in plan.twins.items()}
    n_by_status: Counter[str] = Counter()
    cells = dict(plan.cells)
    for key, record in found.items():
        if record is None:
            continue
        cell = cells[key]
        note = f"the same training as {record.cell['variant']}, done once"
        own = {
            "key": key,
            **cell_words(cell),
            "overrides": json.dumps(dict(cell.overrides), sort_keys=True),
            "notes": "; ".join(filter(None, (record.cell["notes"], note))),
        }
        content = json.loads(record.to_json())
        content["cell"] |= own  # the rows name their own columns only; the rest is the cell's
        if record.configuration:
            variants = get_method(cell.method, method_files).variants
            content["configuration"]["overrides"] = dict(cell.overrides)
            content["configuration"]["variant"] = dict(variants.get(cell.variant, {}))
        store.write(Record.from_json(json.dumps(content, default=str)))
        n_by_status[record.cell["status"]] += 1
    return n_by_status

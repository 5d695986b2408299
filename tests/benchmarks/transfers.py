"""Transfers between a GPU and main memory in an epoch of every method; fills ``docs/gpu.md``.

``python tests/benchmarks/transfers.py [METHOD ...]`` needs no GPU: it counts on the pretend one, in
the training of the battery's check ``transfers``. Named methods are printed and nothing is written.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmea_bench.bench.battery.devices import transfers
from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "gpu.md"
START, END = "<!-- transfer table: start -->", "<!-- transfer table: end -->"
HEAD = (
    "| method | backward passes | waits | of them in every step | waits of a comparison of all "
    "entities | copies to the device |\n|---|---|---|---|---|---|"
)


def line(name: str, method_type: type[Method]) -> str | None:
    """One row of the table; None of a method that does not train in epochs."""
    try:
        epoch = transfers(method_type)
    except NotApplicableError:
        return None
    if epoch is None:
        return None
    per_step = sum(n // epoch.n_passes for n in epoch.waits_of_steps.values())
    numbers = (
        *(epoch.n_passes, epoch.waits.total(), per_step),
        *(epoch.round_waits.total(), epoch.copies.total()),
    )
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def main(names: list[str]) -> None:
    """Prints the rows, and puts all of them into the document."""
    lines = []
    for entry in catalogue_entries():
        if entry.method_type is not None and (not names or entry.name in names):
            found = line(entry.name, entry.method_type)
            if found is not None:
                lines.append(found)
                print(found, flush=True)
    if not names:
        before, rest = DOCUMENT.read_text(encoding="utf-8").split(START)
        filled = "\n".join([before + START, HEAD, *lines, END]) + rest.split(END)[1]
        DOCUMENT.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

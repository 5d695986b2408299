"""What is known of a plan's cells before any is run: which will be skipped, which are the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.bench.planning.tasks import task_mismatch
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import get_method


def with_outlook(plan: Plan, method_files: Sequence[Path] = ()) -> Plan:
    """The plan with ``to_skip`` and ``twins`` filled in.

    Args:
        plan: A plan of ``make_plan``.
        method_files: Method files of the user.
    """
    known = dict(_configured_cells(plan, method_files))
    to_skip = dict(_skipped(plan, known))
    return replace(plan, to_skip=to_skip, twins=_twins(plan, known, to_skip))


def spell_plan(plan: Plan) -> str:
    """Such as ``24 cells: 6 done, 12 to train, 6 will be skipped``; without a full stop."""
    missing = [key for key, _cell in plan.missing]
    n_twins = len(plan.twins)
    skipped = Counter(plan.to_skip[key] for key in missing if key in plan.to_skip)
    parts = [
        f"{len(plan.done)} done" if plan.done else "",
        f"{len(plan.to_train)} to train",
        f"{n_twins} that take the numbers of an equal one" if n_twins else "",
        *(f"{count} that will be skipped ({reason})" for reason, count in skipped.items()),
    ]
    n_cells = len(plan.cells)
    return f"{n_cells} cell{'' if n_cells == 1 else 's'}: {', '.join(filter(None, parts))}"


def _configured_cells(plan: Plan, files: Sequence[Path]) -> Iterator[tuple[str, Method]]:
    types: dict[str, type[Method]] = {}
    made: dict[object, Method] = {}
    for key, cell in plan.cells:
        if cell.method not in types:
            types[cell.method] = get_method(cell.method, files)
        changes = (str(cell.overrides), cell.published_for, cell.precision)
        setting = (cell.method, cell.variant, *changes)
        if setting not in made:
            made[setting] = configured(types[cell.method], cell)
        yield key, made[setting]


def _skipped(plan: Plan, known: Mapping[str, Method]) -> Iterator[tuple[str, str]]:
    for key, cell in plan.cells:
        method = known[key]
        if cell.dataset in plan.without_data:
            yield key, "the data are not there"
        elif cell.dataset in plan.offers:
            task, modalities = plan.offers[cell.dataset]
            reason = task_mismatch(cell.method, method, cell.dataset, task)
            reason = reason or method.skip_reason(modalities)
            if reason:
                yield key, reason


def _twins(plan: Plan, known: Mapping[str, Method], to_skip: Mapping[str, str]) -> dict[str, str]:
    """Key of a cell to the key of the cell whose training is its own as well.

    Two names of one configuration, such as ``full`` and the point of a sweep that equals the
    default, train alike to the last bit: seeds know neither variant nor parameters.
    """
    first: dict[object, str] = {}
    twins = {}
    ordered = sorted(plan.cells, key=lambda item: item[0] not in plan.done)  # stable
    for key, cell in ordered:
        if key in to_skip:
            continue
        leader = first.setdefault(_training(cell, known[key]), key)
        if leader != key and key not in plan.done:
            twins[key] = leader
    return twins


def _training(cell: Cell, method: Method) -> object:
    unnamed = replace(cell, variant="", overrides=())
    return unnamed, json.dumps(asdict(method.params), sort_keys=True, default=str)

"""What is known of a plan's cells before any is run: which will be skipped, which are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.bench.planning.tasks import lack_of_seeds, task_mismatch
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import get_method

_MOST_REASONS = 2
"""In a sentence; more of them are a table."""


@dataclass(frozen=True)
class SkipReason:
    """Why some cells will be skipped.

    Attributes:
        reason: A sentence, or part of one.
        n_cells: How many cells.
        methods: Their methods, in the plan's order.
        datasets: Their datasets, in the plan's order.
    """

    reason: str
    n_cells: int
    methods: tuple[str, ...]
    datasets: tuple[str, ...]


def with_outlook(plan: Plan, method_files: Sequence[Path] = ()) -> Plan:
    """The plan with ``to_skip`` and ``twins`` filled in.

    Args:
        plan: A plan of ``make_plan``.
        method_files: Method files of the user.
    """
    known = dict(configured_cells(plan, method_files))
    to_skip = dict(_skipped(plan, known))
    return replace(plan, to_skip=to_skip, twins=_twins(plan, known, to_skip))


def spell_plan(plan: Plan) -> str:
    """Such as ``24 cells: 6 done, 12 to train, 6 will be skipped``; without a full stop."""
    n_twins = len(plan.twins)
    reasons = skip_reasons(plan)
    skipped = [f"{one.n_cells} that will be skipped ({one.reason})" for one in reasons]
    if len(reasons) > _MOST_REASONS:
        skipped = [f"{sum(one.n_cells for one in reasons)} that will be skipped"]
    parts = [
        f"{len(plan.done)} done" if plan.done else "",
        f"{len(plan.to_train)} to train",
        f"{n_twins} that take the numbers of an equal one" if n_twins else "",
        *skipped,
    ]
    n_cells = len(plan.cells)
    return f"{n_cells} cell{'' if n_cells == 1 else 's'}: {', '.join(filter(None, parts))}"


def skip_reasons(plan: Plan) -> list[SkipReason]:
    """Why cells will be skipped, most cells first; what is said of each dataset is said once."""
    found: dict[str, list[tuple[str, Cell]]] = {}
    for key, cell in plan.missing:
        if reason := plan.to_skip.get(key):
            general = _replaced(reason, {cell.method: "the method", cell.dataset: "the dataset"})
            found.setdefault(general, []).append((reason, cell))
    made = []
    for general, group in found.items():
        spelled = {reason for reason, _cell in group}
        text = spelled.pop() if len(spelled) == 1 else general
        methods, datasets = (
            tuple(dict.fromkeys(names))
            for names in zip(*((cell.method, cell.dataset) for _reason, cell in group), strict=True)
        )
        made.append(SkipReason(text, len(group), methods, datasets))
    return sorted(made, key=lambda one: -one.n_cells)


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word, stand_in in words.items():
        text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", stand_in, text)
    return text


def configured_cells(plan: Plan, files: Sequence[Path] = ()) -> Iterator[tuple[str, Method]]:
    """Key of each cell of a plan and the method as that cell trains it; one for cells alike."""
    types: dict[str, type[Method]] = {}
    made: dict[object, Method] = {}
    for key, cell in plan.cells:
        if cell.method not in types:
            types[cell.method] = get_method(cell.method, files)
        ways = cell.partitions, cell.precision
        changes = (str(cell.overrides), cell.published_for, *ways)
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
            reason = reason or lack_of_seeds(cell.method, method, cell.seed_ratio)
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

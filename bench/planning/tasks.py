"""Which methods can do what a dataset asks."""

from __future__ import annotations

from collections.abc import Mapping

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.methods.core.base import Method

_DOES: Mapping[Task, str] = {"entity-alignment": "aligns entities", "n-mmkg": "aligns N-MMKG pairs"}
_ASKS: Mapping[Task, str] = {"entity-alignment": "entity alignment", "n-mmkg": "N-MMKG pairs"}


def task_mismatch(
    method: str, method_type: type[Method] | Method, dataset: str, task: Task
) -> str | None:
    """Why a method cannot be run on a dataset of this task; None if it can.

    Args:
        method: Catalogue name.
        method_type: Its class, or the method as configured.
        dataset: Address.
        task: What the dataset asks.
    """
    if task in method_type.tasks:
        return None
    does = " and ".join(_DOES[known] for known in method_type.tasks)
    return f"{method} {does}; {dataset} asks for {_ASKS[task]}"


def lack_of_seeds(method: str, configured: Method, seed_ratio: float) -> str | None:
    """Why a method cannot be run without seed links; None if it can, or there are some.

    Args:
        method: Catalogue name.
        configured: The method as the cell trains it.
        seed_ratio: Of the cell.
    """
    if seed_ratio or not configured.needs_seeds:
        return None
    return f"{method} learns from seed links, of which a seed ratio of 0 leaves none"


def mismatch_remark(
    dataset: str, task: Task, methods: Mapping[str, type[Method]]
) -> tuple[str, ...]:
    """A sentence about the methods of a plan that a dataset will skip, if there are any."""
    unfit = [name for name, method_type in methods.items() if task not in method_type.tasks]
    if not unfit:
        return ()
    return (f"{dataset} asks for {_ASKS[task]}; skipped, not made for it: {', '.join(unfit)}.",)

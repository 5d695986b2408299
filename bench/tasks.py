"""Which methods can do what a dataset asks."""

from __future__ import annotations

from collections.abc import Mapping

from mmea_bench.datasets.core.pair import Task
from mmea_bench.methods.core.base import Method

_DOES: Mapping[Task, str] = {"entity-alignment": "aligns entities", "n-mmkg": "aligns N-MMKG pairs"}
_ASKS: Mapping[Task, str] = {"entity-alignment": "entity alignment", "n-mmkg": "N-MMKG pairs"}


def task_mismatch(method: str, method_type: type[Method], dataset: str, task: Task) -> str | None:
    """Why a method cannot be run on a dataset of this task; None if it can.

    Args:
        method: Catalogue name.
        method_type: Its class.
        dataset: Address.
        task: What the dataset asks.
    """
    if task in method_type.tasks:
        return None
    does = " and ".join(_DOES[known] for known in method_type.tasks)
    return f"{method} {does}; {dataset} asks for {_ASKS[task]}"

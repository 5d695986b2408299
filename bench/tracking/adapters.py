"""The adapters by name; each imports its package when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mmea_bench.bench.tracking.mlflow import MlflowTracker
from mmea_bench.bench.tracking.tensorboard import TensorBoardTracker
from mmea_bench.bench.tracking.tracker import Tracker
from mmea_bench.bench.tracking.wandb import WandbTracker
from mmea_bench.datasets.core.errors import UserError, unknown_name

ADAPTERS: dict[str, Callable[[], Tracker]] = {
    "tensorboard": TensorBoardTracker,
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
}
"""Name, which is that of the extra too, to what makes the tracker."""


def trackers_of(names: Iterable[str]) -> list[Tracker]:
    """The trackers of these names, each once.

    Raises:
        UserError: If a name is unknown, or its package is not installed.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in ADAPTERS:
            raise UserError(unknown_name("tracker", name, ADAPTERS))
        try:
            found.append(ADAPTERS[name]())
        except ImportError as error:
            raise UserError(
                f"--track {name} needs an optional part ({error}): pip install "
                f"'mmea-bench[{name}]' (in a checkout: pip install -c constraints.txt "
                f"'.[{name}]')."
            ) from error
    return found

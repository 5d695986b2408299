"""What a transform is: a named change of a dataset with a strength."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmea_bench.datasets.core.model.pair import KGPair, Task

RANKED: tuple[Task, ...] = ("entity-alignment",)
EVERY_TASK: tuple[Task, ...] = ("entity-alignment", "n-mmkg")


@dataclass(frozen=True)
class Transform:
    """One change of a dataset.

    Attributes:
        name: Option in the address.
        neutral: Value that changes nothing; the default.
        lowest: Smallest value allowed.
        highest: Largest value allowed.
        meaning: What the value says, in a sentence.
        apply: Gives the changed dataset for a dataset, a value that is not neutral, and a seed.
            Equal arguments give equal content; what a weaker value changes, a stronger one does.
        needs: Modality without which there is nothing to change; "" for none.
        tasks: Tasks of the datasets that it can change.
        changes_names: Whether features that are made from names must be made anew.
    """

    name: str
    neutral: float
    lowest: float
    highest: float
    meaning: str
    apply: Callable[[KGPair, float, int], KGPair]
    needs: str = ""
    tasks: tuple[Task, ...] = RANKED
    changes_names: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether its values are on and off, not numbers."""
        return isinstance(self.neutral, bool)

    @property
    def values(self) -> str:
        """The values allowed, in words."""
        return "on, off" if self.is_switch else f"{self.lowest:g}..{self.highest:g}"

"""Feature vectors of one modality of one KG, and what stands in for the lacking ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.graph import frozen_array

FillRule = Literal["normal", "zeros", "mean"]


@dataclass(frozen=True, eq=False)
class Features:
    """Vectors of one modality with a presence mask.

    Attributes:
        values: Feature rows, [n_ent, d] float32; rows of lacking entities are zero.
        present: Whether an entity has the modality, [n_ent] bool.

    Raises:
        DataError: If shapes disagree or a value is not finite.
    """

    values: NDArray[np.float32]
    present: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.present.shape != (len(self.values),):
            raise DataError(
                f"Features need shapes [n_ent, d] and [n_ent], not {list(self.values.shape)} "
                f"and {list(self.present.shape)}."
            )
        if not np.isfinite(self.values).all():
            row = int(np.flatnonzero(~np.isfinite(self.values).all(axis=1))[0])
            raise DataError(f"The feature row of entity {row} holds a value that is not finite.")
        self._freeze()

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._freeze()  # unpickled arrays are writeable whatever they were before

    def _freeze(self) -> None:
        frozen_array(self.values)
        frozen_array(self.present)

    @property
    def dim(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])

    @property
    def n_present(self) -> int:
        """Number of entities that have the modality."""
        return int(self.present.sum())


def fill_lacking(
    values: NDArray[np.float32],
    present: NDArray[np.bool_],
    rule: FillRule,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Copy of the feature rows in which lacking entities got a stand-in.

    Args:
        values: [n_ent, d] float32.
        present: [n_ent] bool.
        rule: ``normal`` draws one sample per lacking entity from the per-dimension mean and
            standard deviation of the present rows (the rule of EVA's and MCLEA's released code),
            ``mean`` repeats the mean, ``zeros`` leaves zeros.
        generator: Source of the samples; only ``normal`` draws from it.

    Returns:
        [n_ent, d] float32, not normalised.
    """
    filled = np.array(values, dtype=np.float32)
    lacking = ~present
    if rule == "zeros" or not lacking.any() or not present.any():
        filled[lacking] = 0.0
        return filled
    rows = values[present]
    mean = rows.mean(axis=0)
    if rule == "mean":
        filled[lacking] = mean
        return filled
    noise = generator.standard_normal((int(lacking.sum()), values.shape[1]), dtype=np.float32)
    filled[lacking] = mean + rows.std(axis=0) * noise
    return filled

"""NMMEA: two N-MMKGs, in which images are nodes like texts; a user's own copy.

The files were never published. A copy in the format of ``docs/nmmkg.md`` is read from the folder
``nmmea`` below the data root.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from mmea_bench.datasets.core.access.layouts import LayoutDataset, LayoutFiles
from mmea_bench.datasets.core.families.nmmea import NMMEA_EXPECTED, NMMEA_GRAPHS, NMMEA_PAPER
from mmea_bench.datasets.core.readers import nmmea


class Nmmea(LayoutDataset):
    """NMMEA of Xiao et al. 2025; counts from their Table 1."""

    title = "NMMEA"
    graph_names = NMMEA_GRAPHS
    paper = NMMEA_PAPER
    licence = "not published"
    expected: ClassVar = NMMEA_EXPECTED

    def places(self) -> Iterator[tuple[Path, LayoutFiles | None]]:
        """The folder of the name, in either spelling."""
        for name in ("nmmea", "NMMEA"):
            yield self.data_root / name, nmmea.locate(self.data_root / name)

    def how_to_get(self) -> str:
        """The files cannot be fetched."""
        return (
            "The dataset was not released; ask its authors and convert the files as "
            "docs/nmmkg.md says, or use the generated `synthetic-nmmkg`."
        )

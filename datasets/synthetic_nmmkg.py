"""A generated N-MMKG of any size, shaped like NMMEA: texts and images are nodes of their own.

NMMEA was never released. This stand-in has its published counts and shares, triples and pairs
of all three kinds, and features whose two spaces cannot be compared without training. It can
check code and the direction of an ablation, not the published scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.families.nmmea import NMMEA_GRAPHS, NMMEA_PAPER
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.synthesis.nmmkg import generate_nmmkg
from mmea_bench.datasets.core.synthesis.nmmkg_settings import NmmkgOptions


class SyntheticNmmkg(PairDataset):
    """The built-in N-MMKG: ``synthetic-nmmkg``, ``synthetic-nmmkg[n=14921,preset=gap]``."""

    title = "Synthetic N-MMKG"
    graph_names = NMMEA_GRAPHS
    paper = NMMEA_PAPER
    licence = "MIT (generated)"
    Options: ClassVar[type[NmmkgOptions]] = NmmkgOptions

    def input_files(self) -> tuple[Path, ...]:
        """No file: the content follows from the options."""
        return ()

    def read(self) -> KGPair:
        """The generated pair; equal options give equal content on every machine."""
        return generate_nmmkg(self.address, self.options)

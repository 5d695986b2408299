"""A generated pair of multi-modal KGs of any size, shaped like FB15K-DB15K.

Two KGs describe one hidden world in which entities have a type, a community, a popularity, a look
and a name. The source KG (after FB15K) is dense and has many fine relations; the target KG (after
DB15K) is sparse and has few coarse ones. Both drop, add and distort facts. The options say how
much; nothing is read from disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.synthesis.generate import GRAPH_NAMES, generate_pair
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions


class Synthetic(PairDataset):
    """The built-in dataset: ``synthetic``, ``synthetic[n=15000,seed=3]``, and so on."""

    title = "Synthetic"
    graph_names = GRAPH_NAMES
    paper = None
    licence = "MIT (generated)"
    Options: ClassVar[type[SyntheticOptions]] = SyntheticOptions

    def input_files(self) -> tuple[Path, ...]:
        """No file: the content follows from the options."""
        return ()

    def read(self) -> KGPair:
        """The generated pair; equal options give equal content on every machine."""
        return generate_pair(self.address, self.options)

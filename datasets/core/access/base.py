"""Contract of a dataset: where its files are, and how they become a pair of graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.paper import Paper


@dataclass(frozen=True)
class NoOptions:
    """Options of a dataset that has none."""


@dataclass(frozen=True)
class RemoteFile:
    """One published file.

    Attributes:
        path: Where it belongs below the data root, with forward slashes.
        url: Published https address; empty where a browser is needed.
        sha256: Hex digest; empty where the publisher gives none and no trusted copy was seen.
        n_bytes: Size, 0 where unknown.
        instructions: For files that need a browser: what to do, step by step.
    """

    path: str
    url: str = ""
    sha256: str = ""
    n_bytes: int = 0
    instructions: str = ""


class PairDataset(ABC):
    """A named pair of knowledge graphs; one file in ``datasets/`` defines one subclass.

    The file name is the address (``fb15k_db15k.py`` is ``fb15k-db15k``). Subclasses declare
    themselves in class attributes and implement ``read``.

    Attributes:
        title: Printed name, such as ``FB15K-DB15K``.
        graph_names: Printed names of source and target KG.
        paper: Citation.
        licence: Licence of the files, as far as published.
        Options: Frozen dataclass of options, addressed as ``name[key=value]``.
        expected: Published statistics: (graph name or "" for the pair, statistic) to count.
        files: Published files, for ``bench data fetch``.
    """

    title: ClassVar[str]
    graph_names: ClassVar[tuple[str, str]]
    paper: ClassVar[Paper | None] = None
    licence: ClassVar[str] = ""
    Options: ClassVar[type[Any]] = NoOptions
    expected: ClassVar[Mapping[tuple[str, str], int]] = {}
    files: ClassVar[tuple[RemoteFile, ...]] = ()

    def __init__(self, address: str, options: Any, data_root: Path) -> None:
        self.address = address
        self.options = options
        self.data_root = data_root

    @abstractmethod
    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` will open; their content and times key the cache.

        Raises:
            MissingDataError: If the dataset is not below the data root; the text says which
                folders were searched and how to get the files.
        """

    @abstractmethod
    def read(self) -> KGPair:
        """The parsed dataset in canonical order: no randomness, no network, no cache."""

    def with_name_features(self, pair: KGPair) -> KGPair:
        """The pair with features that this dataset makes from names; without any as it is.

        Called again when a transform has changed the names.
        """
        return pair

    @property
    def plain(self) -> PairDataset:
        """The dataset without the transforms that its address asks for."""
        return self

"""Which of the four file layouts a folder has, and datasets that are found by their layout."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.errors import DataError, MissingDataError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.readers import dbp15k, mmkg, nmmea, openea, text

_TRIPLES = "_EntityTriples.txt"
_LINKS = "_SameAsLink.txt"
_MOST_SHOWN = 12


class LayoutFiles(Protocol):
    """What the layouts have in common."""

    @property
    def graph_names(self) -> tuple[str, str]:
        """Names of source and target KG, as far as the files give them."""

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens."""

    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""

    def read(self, address: str, graph_names: tuple[str, str]) -> KGPair:
        """The dataset in canonical order."""


@dataclass(frozen=True)
class Layout:
    """The layout of a folder.

    Attributes:
        kind: Printed name of the layout.
        folder: The folder.
        files: Where its files are; reads them too.
    """

    kind: str
    folder: Path
    files: LayoutFiles

    @property
    def found(self) -> tuple[str, ...]:
        """Names of the files that will be read, relative to the folder where they lie in it."""
        return tuple(
            path.relative_to(self.folder).as_posix()
            if path.is_relative_to(self.folder)
            else path.as_posix()
            for path in self.files.input_files()
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Sentences about what the folder lacks and what follows from it."""
        return self.files.missing()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found and what is missing, for the user."""
        found = f"{self.folder} has the {self.kind} layout: {', '.join(self.found)}."
        others = [
            f"{self.folder} holds the files of the {module.KIND} layout, too; they are not read."
            for module in (nmmea, dbp15k, openea)
            if self.kind != module.KIND
            and all(text.stored(self.folder / name) for name in module.REQUIRED_FILES)
        ]
        return (found, *others, *self.missing)


def detect(folder: Path) -> Layout:
    """The layout of a folder.

    Raises:
        DataError: If it has none of them; the text says what each of them requires and what
            the folder holds.
    """
    if not folder.is_dir():
        raise DataError.at(folder, "there is no such folder", "Check the path.")
    nodes = nmmea.locate(folder)
    if nodes is not None:
        return Layout(nmmea.KIND, folder, nodes)
    eva = dbp15k.locate(folder)
    if eva is not None:
        return Layout(dbp15k.KIND, folder, eva)
    pair = openea.locate(folder)
    if pair is not None:
        return Layout(openea.KIND, folder, pair)
    raw = _locate_mmkg(folder)
    if raw is not None:
        return Layout(mmkg.KIND, folder, raw)
    modules = (dbp15k, openea, mmkg, nmmea)
    required = "; ".join(f"{module.KIND}: {module.REQUIRED}" for module in modules)
    raise DataError.at(
        folder,
        f"has none of the known layouts; it holds {_content(folder)}",
        f"Required are, for {required}.",
    )


def _content(folder: Path) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    shown = ", ".join(names[:_MOST_SHOWN]) or "nothing"
    more = len(names) - _MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _locate_mmkg(folder: Path) -> mmkg.MmkgFiles | None:
    graphs = _with_suffix(folder, _TRIPLES)
    targets = [graph for graph in graphs if text.stored(graph.path(_LINKS[1:]))]
    if len(graphs) == 2 and len(targets) == 1 and graphs[0].name != graphs[1].name:
        source = next(graph for graph in graphs if graph != targets[0])
        vectors = folder / mmkg.IMAGES
        archive = vectors if text.is_filled(vectors) else None
        return mmkg.MmkgFiles(source, targets[0], archive, meta_folder=folder)
    if len(graphs) < 2 and not targets:
        return None
    names = ", ".join(graph.name for graph in graphs)
    linked = ", ".join(graph.name for graph in targets) or "none"
    raise DataError.at(
        folder,
        f"holds the {_TRIPLES[1:]} of {len(graphs)} KGs ({names}), of which {linked} has a "
        f"{_LINKS[1:]} beside it",
        "Keep exactly two KGs of two names; the target KG alone needs the links to the other one.",
    )


def _with_suffix(folder: Path, suffix: str) -> list[mmkg.GraphFiles]:
    found = {
        mmkg.GraphFiles(path.name.removesuffix(".gz").removesuffix(suffix), path.parent)
        for pattern in (f"*{suffix}", f"*{suffix}.gz", f"*/*{suffix}", f"*/*{suffix}.gz")
        for path in folder.glob(pattern)
    }
    return sorted(found, key=lambda graph: (graph.name, graph.folder))


class LayoutDataset(PairDataset):
    """A registered dataset that lies in one of several usual places below the data root."""

    @abstractmethod
    def places(self) -> Iterator[tuple[Path, LayoutFiles | None]]:
        """Every folder to search, best first, with the files found there or None."""

    def how_to_get(self) -> str:
        """What the user can do where the dataset is missing."""
        return f"Run `mmea-bench data fetch {self.address}`, or give the folder with --data-root."

    def layout(self) -> LayoutFiles:
        """The files in the first place that holds the dataset.

        Raises:
            MissingDataError: If there is none.
        """
        searched: list[Path] = []
        for folder, files in self.places():
            if files is not None:
                return files
            searched.append(folder)
        listing = ", ".join(dict.fromkeys(str(folder) for folder in searched))
        raise MissingDataError(
            f"{self.title} is not below {self.data_root}; searched: {listing}. {self.how_to_get()}"
        )

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens.

        Raises:
            MissingDataError: If the dataset is not below the data root.
        """
        return self.layout().input_files()

    def read(self) -> KGPair:
        """The parsed dataset in canonical order."""
        return self.layout().read(self.address, self.graph_names)


class FolderDataset(PairDataset):
    """A user's own folder in one of the known layouts, opened by its path.

    Its address is its path in one spelling: ``./name`` below the working folder, else absolute.
    The program can open that address again, in another process as well.
    """

    title = "Own folder"
    graph_names = ("source", "target")
    licence = "the user's own"

    def input_files(self) -> tuple[Path, ...]:
        """Every file that ``read`` opens.

        Raises:
            DataError: If the folder has no known layout.
        """
        return self.layout().files.input_files()

    def read(self) -> KGPair:
        """The parsed dataset in canonical order; the KGs are named after their files."""
        files = self.layout().files
        return files.read(self.address, files.graph_names)

    def layout(self) -> Layout:
        """The layout of the folder, with what was found and what is missing.

        Raises:
            DataError: If the folder has no known layout.
        """
        return detect(self.data_root)

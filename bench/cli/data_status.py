"""What ``mmea-bench data`` prints, as values: where datasets are and how complete they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from mmea_bench.datasets.core.access.base import PairDataset, RemoteFile
from mmea_bench.datasets.core.access.catalogue import (
    CatalogueEntry,
    catalogue_entries,
    load_pair,
    open_dataset,
)
from mmea_bench.datasets.core.access.layouts import LayoutDataset, detect
from mmea_bench.datasets.core.access.published_files import PUBLISHED, WORD_VECTORS
from mmea_bench.datasets.core.access.writers import LAYOUTS
from mmea_bench.datasets.core.errors import (
    DataError,
    ForbiddenDataError,
    MissingDataError,
    UserError,
    unknown_name,
)
from mmea_bench.datasets.core.model.folds import usable_folds
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.statistics import Deviation, compare, n_in_several_links
from mmea_bench.datasets.core.options import parse_address
from mmea_bench.datasets.core.readers import dbp15k, mmkg, nmmea

PlaceStatus = Literal["found", "generated", "missing", "unreadable", "broken"]
CheckStatus = Literal[
    "complete", "partial copy", "deviates", "no published counts", "missing", "unreadable"
]


@dataclass(frozen=True)
class DatasetPlace:
    """Where a registered dataset was found.

    Attributes:
        name: Catalogue name.
        title: Printed name; empty for a broken plugin.
        status: ``generated`` needs no files; ``broken`` is a plugin that cannot be imported.
        where: Folder that holds all of its files; empty where there is none.
        layout: Printed name of the file layout; empty where it has none of the known ones.
        sentence: What is wrong, for every status but ``found`` and ``generated``.
    """

    name: str
    title: str
    status: PlaceStatus
    where: str = ""
    layout: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class DatasetCheck:
    """How a dataset on disk compares with its published counts.

    Attributes:
        address: As the user wrote it.
        status: ``partial copy`` has fewer of something than published, ``deviates`` only more.
        version: Content hash; empty where nothing could be read.
        deviations: Every count that is not the published one.
        simulated: Modalities whose features were made up.
        repeated: KG name to the number of entities in several links, where there are any.
        notes: Sentences of the reader, and about image indices that name an entity twice.
        sentence: Why the dataset is missing or unreadable.
    """

    address: str
    status: CheckStatus
    version: str = ""
    deviations: tuple[Deviation, ...] = ()
    simulated: tuple[str, ...] = ()
    repeated: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sentence: str = ""

    def as_json(self) -> dict[str, object]:
        """The check as JSON-ready values; each deviation carries its kind and its sentence."""
        deviations = [
            asdict(item) | {"kind": item.kind, "sentence": item.sentence}
            for item in self.deviations
        ]
        return asdict(self) | {"deviations": deviations}


def places(data_root: Path) -> list[DatasetPlace]:
    """Every registered dataset and where it was found, in the order of the catalogue."""
    return [_place(entry, data_root) for entry in catalogue_entries()]


def check_dataset(address: str, data_root: Path, cache_dir: Path | None) -> DatasetCheck:
    """The comparison of one dataset on disk with its published counts.

    Args:
        address: Dataset name, with options where wanted.
        data_root: Folder below which the files are.
        cache_dir: Where parsed datasets are kept; None reads the files themselves.

    Raises:
        UserError: If the address names no dataset or an unknown option; missing and unreadable
            files are a status instead.
    """
    dataset = open_dataset(address, data_root)
    try:
        dataset.input_files()
        pair = load_pair(dataset, cache_dir)
    except ForbiddenDataError as error:  # a kind of missing for suites, which skip both
        return DatasetCheck(address, "unreadable", sentence=str(error))
    except MissingDataError as error:
        return DatasetCheck(address, "missing", sentence=str(error))
    except UserError as error:
        return DatasetCheck(address, "unreadable", sentence=str(error))
    return _checked(address, dataset, pair)


def check_all(data_root: Path, cache_dir: Path | None) -> list[DatasetCheck]:
    """The check of every registered dataset; a broken plugin counts as unreadable."""
    checks = []
    for entry in catalogue_entries():
        if entry.error is not None:
            checks.append(DatasetCheck(entry.name, "unreadable", sentence=entry.error))
            continue
        try:
            checks.append(check_dataset(entry.name, data_root, cache_dir))
        except UserError as error:  # an option without default: not this user's mistake
            checks.append(DatasetCheck(entry.name, "unreadable", sentence=str(error)))
    return checks


def published_files(names: Iterable[str]) -> tuple[RemoteFile, ...]:
    """Published files of some datasets, each path once; of all datasets where none is named.

    Args:
        names: Dataset names or addresses, or the optional word vectors.

    Raises:
        UserError: If a name is unknown or the dataset has no published files.
    """
    wanted = [parse_address(name)[0].replace("_", "-").lower() for name in names]
    known = dict(PUBLISHED)
    for entry in catalogue_entries():
        if entry.dataset_type is not None and entry.dataset_type.files:
            known[entry.name] = entry.dataset_type.files
    for name in wanted:
        if name not in known:
            what = "dataset with published files"
            raise UserError(unknown_name(what, name, known, "mmea-bench data list"))
    chosen = wanted or [name for name in known if name != WORD_VECTORS]
    return tuple({file.path: file for name in chosen for file in known[name]}.values())


def _checked(address: str, dataset: PairDataset, pair: KGPair) -> DatasetCheck:
    deviations = tuple(compare(pair, dataset.expected))
    status: CheckStatus = "complete"
    if not dataset.expected:
        status = "no published counts"
    elif any(item.difference < 0 for item in deviations):
        status = "partial copy"
    elif deviations:
        status = "deviates"
    repeated = {
        graph.name: n_in_several_links(pair.anchor_links[:, side])
        for side, graph in enumerate((pair.source, pair.target))
    }
    return DatasetCheck(
        address,
        status,
        version=pair.version,
        deviations=deviations,
        simulated=pair.simulated,
        repeated={name: count for name, count in repeated.items() if count},
        notes=(*pair.notes, *_index_notes(dataset)),
    )


def _index_notes(dataset: PairDataset) -> list[str]:
    """Sentences about image indices with more lines than entities.

    Papers count entities with images; whoever counts lines finds more and suspects a wrong copy.
    """
    folders = dict.fromkeys(file.parent for file in dataset.input_files())
    notes = []
    for path in (path for folder in folders for path in sorted(folder.glob("*_ImageIndex.txt"))):
        lines = path.read_text("utf-8", errors="replace").splitlines()
        n_entities = len({line.split("\t")[0] for line in lines})
        if n_entities < len(lines):
            notes.append(f"{path.name} lists {len(lines):,} images of {n_entities:,} entities.")
    return notes


def _place(entry: CatalogueEntry, data_root: Path) -> DatasetPlace:
    if entry.dataset_type is None:
        return DatasetPlace(entry.name, "", "broken", sentence=entry.error or "cannot be imported")
    title = entry.dataset_type.title
    try:
        dataset = open_dataset(entry.name, data_root)
        files = dataset.input_files()
    except MissingDataError as error:
        return DatasetPlace(entry.name, title, "missing", sentence=str(error))
    except UserError as error:
        return DatasetPlace(entry.name, title, "unreadable", sentence=str(error))
    if not files:
        return DatasetPlace(entry.name, title, "generated")
    folder = os.path.commonpath([file.parent for file in files])
    return DatasetPlace(entry.name, title, "found", where=folder, layout=_layout(dataset))


def _layout(dataset: PairDataset) -> str:
    if not isinstance(dataset, LayoutDataset):
        return ""
    files = dataset.layout()
    kinds = {
        dbp15k.Dbp15kFiles: dbp15k.KIND,
        mmkg.MmkgFiles: mmkg.KIND,
        nmmea.NmmeaFiles: nmmea.KIND,
    }
    return next((name for kind, name in kinds.items() if isinstance(files, kind)), "")


def convert(address: str, layout: str, out: Path, data_root: Path, cache_dir: Path | None) -> str:
    """Writes a dataset in another layout; sentences that say whether the copy is the same.

    Raises:
        UserError: If there is no such layout, the folder is there already, or the layout cannot
            hold the dataset.
    """
    if layout not in LAYOUTS:
        raise UserError(unknown_name("layout", layout, LAYOUTS))
    if out.exists():
        raise UserError(f"{out} is there already. Name a new folder.")
    pair = load_pair(open_dataset(address, data_root), cache_dir)
    copy = _written_and_read(pair, layout, out)
    has_splits = _split_links(copy) == _split_links(pair)
    no_place = "the layout has no place for all of it (docs/add_a_dataset.md)."
    if copy.version != pair.version:
        found = f"version {copy.version}, where {address} has {pair.version}: {no_place}"
    elif has_splits:
        found = f"the same content as {address}, version {copy.version}."
    else:
        found = f"the graphs and links of {address}, version {copy.version}."
    if not has_splits:
        names = ", ".join(fold.name for fold in pair.folds)
        found += f" Published splits of {address} are lost ({names}): {no_place}"
    if pair.wrong_seeds is not None:
        found += " The seed links of the copy are right: wrong ones are of a run, not of files."
    return f"{out}: {found}"


def _written_and_read(pair: KGPair, layout: str, out: Path) -> KGPair:
    """The copy, as read back; the folder gets its name after that.

    Raises:
        UserError: If the layout cannot hold the dataset; nothing is left of the copy then.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
            folder = Path(place) / out.name
            LAYOUTS[layout](pair, folder)
            files = detect(folder).files
            copy = files.read(pair.dataset, files.graph_names)
            folder.rename(out)
    except DataError as error:
        found = str(error).replace(str(folder), str(out))
        raise UserError(f"{pair.dataset} does not fit the layout {layout}: {found}") from None
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}).") from None
    return copy


def _split_links(pair: KGPair) -> list[list[set[tuple[str, str]]]]:
    """Links by name, of each part of each published split: the version says nothing of splits."""
    if not usable_folds(pair):
        return []
    sides = (pair.source.entities, pair.target.entities)
    ends = [texts[pair.anchor_links[:, side]] for side, texts in enumerate(sides)]
    return [
        [set(zip(*(end[rows] for end in ends), strict=True)) for rows in parts]
        for parts in ((fold.train, fold.valid, fold.test) for fold in pair.folds)
    ]

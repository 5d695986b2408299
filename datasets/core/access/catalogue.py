"""Finds datasets (the project's, the user's, those of packages) and opens one by its address."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from mmea_bench.datasets.core.access.base import NoOptions, PairDataset
from mmea_bench.datasets.core.access.cache import (
    cache_key,
    dataset_version,
    default_cache_dir,
    load_pair,
)
from mmea_bench.datasets.core.access.layouts import FolderDataset
from mmea_bench.datasets.core.access.transformed import TransformedDataset
from mmea_bench.datasets.core.errors import DataError, UserError, shown, unknown_name
from mmea_bench.datasets.core.options import (
    build_options,
    changed_options,
    format_address,
    parse_address,
    split_address,
)
from mmea_bench.datasets.core.plugins import DATASETS_GROUP, Offer, load, offers, only_class
from mmea_bench.datasets.core.transforms.catalogue import chosen_transforms
from mmea_bench.datasets.core.user_files import load_user_file, own_code, taken_name, user_name

__all__ = [
    "CatalogueEntry",
    "cache_key",
    "catalogue_entries",
    "dataset_names",
    "dataset_version",
    "default_cache_dir",
    "load_pair",
    "open_dataset",
    "own_dataset_files",
    "resolve_data_root",
]

PLUGIN_FOLDER = Path(__file__).resolve().parents[2]
_PUBLIC_MODULE = "api"  # what authors import; no dataset
_PACKAGE = "mmea_bench.datasets"
_USER_PACKAGE = "mmea_bench_user_datasets"

_OWN: ContextVar[Mapping[str, Path]] = ContextVar("own_dataset_files")
"""The user's dataset files by name, in this thread; see ``own_dataset_files``."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One dataset.

    Attributes:
        name: Address of the dataset: the file name with hyphens, or what a package calls it.
        dataset_type: The class; None where it cannot be imported.
        error: Why it cannot be imported.
    """

    name: str
    dataset_type: type[PairDataset] | None
    error: str | None


@contextmanager
def own_dataset_files(files: Sequence[Path]) -> Iterator[None]:
    """Makes the user's dataset files known by their names, inside the block and in this thread.

    Args:
        files: Python files with one dataset class each; they are not imported yet.

    Raises:
        UserError: If a file does not exist, or its name is that of another dataset.
    """
    own: dict[str, Path] = {}
    for path in files:
        name = user_name(path).replace("_", "-").lower()
        if not path.is_file() or path.suffix != ".py":
            problem = "is no Python file" if path.is_file() else "does not exist"
            raise UserError(f"Dataset file {path} {problem}.")
        other = own.get(name)
        if name in _built_in() or name.replace("-", "_") in _offered() or other is not None:
            raise taken_name("Dataset", path, name, other)
        own[name] = path.resolve()
    token = _OWN.set(own)
    try:
        yield
    finally:
        _OWN.reset(token)


def dataset_names() -> list[str]:
    """Addresses of all registered datasets, sorted; nothing is imported."""
    offered = [name.replace("_", "-") for name in _offered()]
    return sorted([*_built_in(), *offered, *_OWN.get({})])


def _built_in() -> list[str]:
    """The project's own."""
    return [
        path.stem.replace("_", "-")
        for path in PLUGIN_FOLDER.glob("*.py")
        if not path.stem.startswith(("_", "template")) and path.stem != _PUBLIC_MODULE
    ]


def _offered() -> Mapping[str, Offer]:
    """Those of installed packages, by name with underscores."""
    return offers(DATASETS_GROUP, [name.replace("-", "_") for name in _built_in()])


def catalogue_entries() -> list[CatalogueEntry]:
    """Every registered dataset; one that cannot be imported stays in the list with its error."""
    return [_entry(name) for name in dataset_names()]


def open_dataset(address: str, data_root: Path | None = None) -> PairDataset:
    """The dataset of an address; its files are not touched yet.

    Args:
        address: ``fb15k-db15k``, ``synthetic[n=1000]``, or the path of a user's own folder, which
            holds a path separator, starts with a dot or is an existing folder. A registered name
            wins over a folder of that name. Underscores and hyphens are the same in names. Any of
            them takes the options of transforms, such as ``[image_ratio=0.4]``.
        data_root: Folder below which published files are looked for; the user's data folder where
            None.

    Raises:
        UserError: If the name or an option does not exist, or the plugin cannot be imported.
    """
    root = data_root if data_root is not None else resolve_data_root(None, {})
    if not address.endswith("]") and _is_folder(address):
        return _open_folder(address)
    if address.endswith("]") and _is_there(address):
        problem = "a folder whose name ends with ] reads as one with options"
        raise DataError.at(address, problem, "Give the folder another name.")
    if address.endswith("]") and _is_folder(address.rpartition("[")[0]):
        place, given = split_address(address)
        return _with_transforms(_open_folder(place), f"option of {place}", given)
    written, raw = parse_address(address)
    name = written.replace("_", "-").lower()
    if name not in dataset_names():
        raise UserError(unknown_name("dataset", written, dataset_names(), "mmea-bench data list"))
    entry = _entry(name)
    if entry.dataset_type is None:
        raise DataError(f"The dataset '{name}' cannot be imported: {entry.error}")
    kind, options_type = f"option of {name}", entry.dataset_type.Options
    own = {field.name for field in dataclasses.fields(options_type)}
    given = {key: text for key, text in raw.items() if key not in own}
    options = build_options(
        kind, options_type, {key: text for key, text in raw.items() if key in own}
    )
    address = format_address(name, changed_options(options))
    with own_code(f"The dataset '{name}' cannot be opened", entry.dataset_type):
        plain = entry.dataset_type(address, options, root)
    return _with_transforms(plain, kind, given, own)


def _with_transforms(
    dataset: PairDataset, kind: str, given: Mapping[str, str], own: Collection[str] = ()
) -> PairDataset:
    """The dataset, changed as the options that are not its own ask for."""
    chosen = chosen_transforms(kind, given, own)
    return TransformedDataset(dataset, chosen) if chosen.values else dataset


def resolve_data_root(given: Path | None, environment: Mapping[str, str]) -> Path:
    """The folder below which published files are looked for.

    Args:
        given: What the user named; wins over everything.
        environment: Environment variables; ``MMEA_DATA`` comes second.
    """
    if given is not None:
        return given
    named = environment.get("MMEA_DATA", "")
    return Path(named) if named else Path(platformdirs.user_data_dir("mmea-bench"))


def _is_folder(address: str) -> bool:
    if "/" in address or "\\" in address or address.startswith("."):
        return True
    if address.replace("_", "-").lower() in dataset_names():
        return False
    return _is_there(address)


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # longer than a name can be, or no name at all
        return False


def _open_folder(address: str) -> FolderDataset:
    try:
        folder = _absolute(Path(address).expanduser())
        folder.resolve()  # raises for what no path can be, where is_dir says False
        folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"cannot be a folder ({shown(error, quote='')})"
        raise DataError.at(shown(address), problem, "Check the path.") from None
    if not folder.is_dir():
        raise DataError.at(folder, "there is no such folder", "Check the path.")
    here = Path.cwd()
    if not folder.is_relative_to(here):
        # The working folder itself may have been written by way of a link.
        beside = folder.parent.resolve() / folder.name
        folder = beside if beside.is_relative_to(here) else folder
    inside = folder.is_relative_to(here)
    spelled = f"./{folder.relative_to(here).as_posix()}" if inside else folder.as_posix()
    return FolderDataset(spelled, NoOptions(), folder)


def _absolute(path: Path) -> Path:
    """The path that was given, from the root on: a link keeps its own name.

    Where a link leads differs from machine to machine, and splits depend on the address. The parent
    of a link is that of its target, as the system has it.
    """
    found = Path.cwd()
    for part in path.parts:
        found = found.resolve().parent if part == ".." else found / part
    return found


def _entry(name: str) -> CatalogueEntry:
    own = _OWN.get({})
    offered = {each.replace("_", "-"): offer for each, offer in _offered().items()}
    try:
        if name in own:
            module = load_user_file(own[name], _USER_PACKAGE, "Dataset")
            kind = only_class(module, PairDataset, str(own[name]))
        elif name in offered:
            kind = load(offered[name], PairDataset, "dataset")
        else:
            return _built_in_entry(name)
    except UserError as error:
        return CatalogueEntry(name, None, str(error))
    return CatalogueEntry(name, kind, None)


def _built_in_entry(name: str) -> CatalogueEntry:
    stem = next(
        path.stem for path in PLUGIN_FOLDER.glob("*.py") if path.stem.replace("_", "-") == name
    )
    try:
        module = importlib.import_module(f"{_PACKAGE}.{stem}")
        types = [
            item
            for item in vars(module).values()
            if inspect.isclass(item)
            and issubclass(item, PairDataset)
            and item.__module__ == module.__name__
            and not inspect.isabstract(item)
        ]
        if len(types) != 1:
            raise TypeError(f"{stem}.py must define exactly one dataset class, not {len(types)}")
    except Exception as error:  # one broken file must not hide the others
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        return CatalogueEntry(name, None, f"{type(error).__name__}: {error} ({place})")
    return CatalogueEntry(name, types[0], None)

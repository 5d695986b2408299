"""Parsed datasets kept on disk, so that a second load takes a fraction of a second."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Sequence
from errno import ENOTDIR
from pathlib import Path

import joblib
import platformdirs

from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.access.transformed import TransformedDataset
from mmea_bench.datasets.core.errors import UserError, unreadable
from mmea_bench.datasets.core.imports import own_sources, package_sources
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.user_files import own_code

_CORE = Path(__file__).resolve().parents[1]
_LARGEST_WHOLE = 32 << 20
_N_SAMPLES, _SAMPLE_BYTES = 64, 64 << 10
"""Of a larger file, 4 MiB are looked at."""
_PROJECT, _USER = "mmea_bench.", "mmea_bench_user_datasets."
"""How the modules of the project's own datasets, and of the user's files, begin."""


def default_cache_dir() -> Path:
    """The user's cache folder of this program."""
    return Path(platformdirs.user_cache_dir("mmea-bench"))


def load_pair(dataset: PairDataset, cache_dir: Path | None) -> KGPair:
    """The parsed dataset, from the cache where it holds an entry for exactly these files.

    Large arrays of a cached dataset are memory-mapped, read-only. Several processes may load and
    store at the same time. An entry that cannot be read, or a folder that cannot be written, costs
    time only: the files are read again.

    Args:
        dataset: An opened dataset.
        cache_dir: Folder of the cache; None reads the files themselves.

    Raises:
        DataError: If the files are missing, malformed, or may not be read.
    """
    try:
        return _load(dataset, cache_dir)
    except PermissionError as error:  # of a folder: the readers say which file they cannot open
        place = dataset.address if error.filename is None else error.filename
        raise unreadable(Path(str(place)), error) from None


def _load(dataset: PairDataset, cache_dir: Path | None) -> KGPair:
    if isinstance(dataset, TransformedDataset):
        # Changing takes a second; each value of a curve as an entry of its own would fill the disk.
        return dataset.changed(_load(dataset.plain, cache_dir))
    if cache_dir is None:
        return _read_files(dataset)
    key = cache_key(dataset)
    try:
        memory = joblib.Memory(cache_dir, mmap_mode="r", verbose=0)
    except FileNotFoundError as error:  # below /proc, where nobody can make a folder
        raise NotADirectoryError(ENOTDIR, error.strerror, str(cache_dir)) from None
    try:
        pair = memory.cache(_read, ignore=["dataset"])(key, dataset)
    except UserError:
        raise
    except Exception:  # whatever is wrong with the cache, the files are still there
        pair = None
    if isinstance(pair, KGPair) and pair.dataset == dataset.address:
        return pair
    return _read_files(dataset)


def _read_files(dataset: PairDataset) -> KGPair:
    """What the dataset reads.

    Raises:
        DataError: If it cannot, or a user's dataset returns something else.
    """
    kind = type(dataset)
    with own_code(f"The dataset '{dataset.address}' cannot be read", kind):
        pair = dataset.read()
        if not isinstance(pair, KGPair):
            raise TypeError(f"read returns {type(pair).__name__}, not a KGPair")
    return pair


def dataset_version(dataset: PairDataset, cache_dir: Path | None) -> str:
    """Content hash of a dataset; quick where the dataset is cached."""
    return load_pair(dataset, cache_dir).version


def cache_key(dataset: PairDataset) -> str:
    """Text that changes with the address, any input file, or the code that reads it."""
    with own_code(f"The files of '{dataset.address}' cannot be named", type(dataset)):
        paths = dataset.input_files()
        if not all(isinstance(path, Path) for path in paths):
            raise TypeError("input_files gives something that is no Path")
    files = [_file_facts(path) for path in paths]
    return json.dumps([dataset.address, files, _names_beside(paths), _code_hash(dataset)])


def _names_beside(paths: Sequence[Path]) -> str:
    """Digest of the names in the files' folders.

    An empty folder of a split, or a copy that is not read, changes what is said of a dataset.
    """
    folders = {path.resolve().parent for path in paths}
    top = Path(os.path.commonpath(folders)) if folders else Path()
    between = {each for folder in folders for each in folder.parents if each.is_relative_to(top)}
    digest = hashlib.sha256()
    for folder in sorted(folders | between):
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        digest.update(json.dumps([str(folder), names]).encode())
    return digest.hexdigest()


def _file_facts(path: Path) -> list[str | int]:
    """What changes whenever a file's content is replaced.

    Size and time of change can be equal in two releases (archives and copies keep them), and on
    network and container file systems so can the inode and the time of its own change. Therefore
    the content itself counts: all of it up to 32 MiB, else samples spread evenly over the file, so
    that the facts alone tell of a small change between the samples of a large file.

    Raises:
        DataError: If the file cannot be opened.
    """
    try:
        facts = path.stat()
        content = _content_digest(path, facts.st_size)
    except OSError as error:
        raise unreadable(path, error) from None
    changed = (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
    return [str(path.resolve()), facts.st_size, *changed, content]


def _content_digest(path: Path, size: int) -> str:
    """Digest of a file's content, or of evenly spaced samples of it, the first and last bytes too.

    Raises:
        OSError: If the file cannot be opened or read.
    """
    with path.open("rb", buffering=0) as stream:
        if size <= _LARGEST_WHOLE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256()
        for sample in range(_N_SAMPLES):
            stream.seek((size - _SAMPLE_BYTES) * sample // (_N_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _code_hash(dataset: PairDataset) -> str:
    digest = hashlib.sha256()
    for path in (*sorted(_CORE.rglob("*.py")), *_plugin_sources(type(dataset))):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _plugin_sources(kind: type[PairDataset]) -> tuple[Path, ...]:
    """The file of a dataset's class and, outside of the project, what it imports of its folder."""
    plugin = Path(inspect.getfile(kind))
    if kind.__module__.startswith(_PROJECT):
        return (plugin,)
    if kind.__module__.startswith(_USER):
        return own_sources(plugin)
    return package_sources(kind.__module__) or (plugin,)


def _read(key: str, dataset: PairDataset) -> KGPair:  # noqa: ARG001 - the cache files it by key
    return _read_files(dataset)

"""Image vectors: NumPy archives, the published HDF5 files, and rows to masked features."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown, unreadable
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.readers.bounded.arrays import as_float32, load_archive
from mmea_bench.datasets.core.readers.bounded.sizes import (
    ARRAY_PACKED,
    check_table,
    most_unpacked,
    packed_too_well,
)
from mmea_bench.datasets.core.readers.spelling import left_out_hint

_AGAIN = "Copy or fetch the file again."
_LARGEST_VECTOR = 2**20
_DEEPEST_GROUP = 4
_FEWEST_FILLERS = 5
_MOST_PICKLES = 3
_FILLER_SHARE = 0.01
_FREE_CHUNK_BYTES = 2**20
_MOST_CHUNK_SPREAD = 4
_FREE_CHUNKS = 2**14
_BYTES_PER_CHUNK = 16  # the place of a chunk in the file's own index takes more


@dataclass(frozen=True)
class Vectors:
    """Feature vectors by key.

    Attributes:
        keys: What each row belongs to: an entity, an id or an image id; may be repeated.
        values: [n_keys, d] float32, finite.
    """

    keys: Sequence[str]
    values: NDArray[np.float32]


def read_npz(path: Path) -> Vectors:
    """Vectors of an archive with the arrays ``entities`` [n] (text) and ``features`` [n, d].

    Raises:
        DataError: If the archive is missing, truncated, would unpack objects, or its arrays do
            not fit together.
    """
    entities, features = load_archive(path, ("entities", "features"))
    return _checked_npz(path, entities, features)


def _checked_npz(path: Path, entities: NDArray[Any], features: NDArray[Any]) -> Vectors:
    is_table = features.ndim == 2 and features.shape[1:] != (0,)
    if entities.ndim != 1 or not is_table or len(entities) != len(features):
        raise DataError.at(
            path,
            f"has entities {list(entities.shape)} and features {list(features.shape)}",
            "The shapes must be [n] and [n, d], with d of 1 or more.",
        )
    if features.dtype.kind not in "fiu":
        raise DataError.at(path, f"features are {features.dtype}, not numbers", "Save numbers.")
    try:
        keys = [
            key.decode("utf-8") if isinstance(key, bytes) else str(key) for key in entities.tolist()
        ]
    except Exception as error:  # bytes that are not UTF-8, or numbers that are no character
        raise DataError.at(
            path, f"an entity is not UTF-8 ({error})", "Encode entities as UTF-8."
        ) from None
    values = as_float32(features)
    _check_finite(path, keys, values)
    return Vectors(keys, values)


def read_h5(path: Path, image_ids: Sequence[str]) -> Vectors:
    """Vectors of the images that the HDF5 file holds, out of those asked for.

    Args:
        path: One dataset per image id, of shape [d] or [1, d], or a group around it.
        image_ids: Images to look up, without repetition.

    Raises:
        DataError: If the file is truncated, links elsewhere, an image has another dimension, or its
            chunks ask for far more than the vectors hold.
    """
    wanted = set(image_ids)
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, Any] = {}
            _collect(_Visit(path, wanted, found, set()), file, 0)
            keys = [image_id for image_id in image_ids if image_id in found]
            if not keys:
                return Vectors([], np.zeros((0, 0), dtype=np.float32))
            dim = _size(found[keys[0]])
            for key in keys:  # all of them before memory is taken
                _check_vector(path, key, found[key], dim)
            check_table(path, len(keys), dim, path.stat().st_size)
            _check_layout(path, [(key, found[key]) for key in keys])
            values = np.empty((len(keys), dim), dtype=np.float32)
            for row, key in enumerate(keys):
                values[row] = as_float32(np.asarray(found[key][()])).reshape(-1)
    except DataError:
        raise
    except PermissionError as error:
        raise unreadable(path, error) from None
    except Exception as error:  # a damaged file can raise nearly every type
        problem = f"the HDF5 file is truncated or damaged ({shown(error, quote='')})"
        raise DataError.at(path, problem, _AGAIN) from None
    _check_finite(path, keys, values)
    return Vectors(keys, values)


@dataclass(frozen=True)
class _Visit:
    """A walk through an HDF5 file: what is looked for, found, and was seen already."""

    path: Path
    wanted: set[str]
    found: dict[str, Any]
    groups: set[Any]


def _collect(visit: _Visit, group: Any, depth: int, parent: str = "") -> None:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise DataError.at(
                visit.path,
                f"{shown(name)} is a link to another place, which is not followed",
                "Copy the vectors into the file itself.",
            )
        item = group[name]
        key = parent or (name if name in visit.wanted else "")
        if isinstance(item, h5py.Group):
            # Hard links may form circles, and each of them may be walked in many ways.
            if depth < _DEEPEST_GROUP and item not in visit.groups:
                visit.groups.add(item)
                _collect(visit, item, depth + 1, key)
        elif key and visit.found.setdefault(key, item) != item:
            raise DataError.at(
                visit.path, f"image {shown(key)} has several vectors", "Keep one of them."
            )


def _size(item: Any) -> int:
    """Numbers of a dataset; 0 for one without content and for everything that is none."""
    return int(item.size or 0) if isinstance(item, h5py.Dataset) else 0


def _check_vector(path: Path, key: str, item: Any, dim: int) -> None:
    if not isinstance(item, h5py.Dataset):
        raise DataError.at(path, f"image {shown(key)} is no dataset", "Store numbers.")
    if item.external or item.is_virtual:
        raise DataError.at(
            path, f"image {shown(key)} is stored in another file", "Copy it into the file itself."
        )
    if item.dtype.kind not in "fiu":
        raise DataError.at(
            path, f"image {shown(key)} is {item.dtype}, not numbers", "Store numbers."
        )
    if _size(item) != dim or not 0 < dim <= _LARGEST_VECTOR:
        raise DataError.at(
            path,
            f"image {shown(key)} has {_size(item)} numbers, the first image has {dim}",
            f"All images need the same dimension, at most {_LARGEST_VECTOR}.",
        )


def _check_layout(path: Path, items: Sequence[tuple[str, Any]]) -> None:
    """Refuses chunks that make the library unpack or look up far more than the vectors hold.

    A chunk is unpacked as a whole for one number of it, and each is looked up by itself.
    """
    n_file = path.stat().st_size
    n_unpacked = n_chunks = 0
    for key, item in items:
        if item.chunks is None:
            continue
        n_bytes = math.prod(item.chunks) * item.dtype.itemsize
        if n_bytes > max(_FREE_CHUNK_BYTES, _MOST_CHUNK_SPREAD * item.nbytes):
            raise _laid_out(
                path,
                f"the vector of image {shown(key)} has {item.nbytes:,} bytes and lies in a chunk "
                f"of {n_bytes:,}",
            )
        own = math.prod(-(-n // chunk) for n, chunk in zip(item.shape, item.chunks, strict=True))
        n_chunks += own
        n_unpacked += own * n_bytes
    if n_unpacked > most_unpacked(n_file, ARRAY_PACKED):
        raise packed_too_well(path, ARRAY_PACKED)
    if n_chunks > max(_FREE_CHUNKS, n_file // _BYTES_PER_CHUNK):
        raise _laid_out(
            path, f"its vectors lie in {n_chunks:,} chunks, more than {n_file:,} bytes can hold"
        )


def _laid_out(path: Path, problem: str) -> DataError:
    return DataError.at(path, problem, "Write it again without chunks, or with one per vector.")


def _check_finite(path: Path, keys: Sequence[str], values: NDArray[np.float32]) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError.at(
            path,
            f"the vector of {keys[int(bad[0])]!r} holds a value that is not finite as float32",
            "Remove or repair that vector.",
        )


def to_features(vectors: Vectors, index: Mapping[str, int], n_ent: int) -> Features:
    """Vectors as rows by entity; keys outside the index are passed over.

    Args:
        vectors: Vectors by key.
        index: Key to entity position; several vectors of one entity are averaged.
        n_ent: Number of entities.
    """
    values = np.zeros((n_ent, vectors.values.shape[1]), dtype=np.float32)
    counts: NDArray[np.int64] = np.zeros(n_ent, dtype=np.int64)
    times = Counter(vectors.keys)

    def place(row: int) -> tuple[str, bytes]:
        key = vectors.keys[row]
        return key, vectors.values[row].tobytes() if times[key] > 1 else b""

    # Sorted, so that a sum of several images does not depend on the order of lines.
    for row in sorted(range(len(vectors.keys)), key=place):
        entity = index.get(vectors.keys[row])
        if entity is not None:
            values[entity] += vectors.values[row]
            counts[entity] += 1
    several = counts > 1
    values[several] /= counts[several, None]
    return Features(values, counts > 0)


def filler_notes(name: str, features: Sequence[Features]) -> list[str]:
    """Sentences about vectors that stand for nothing: all zero, or one row for many entities.

    They are kept as they are: whether an entity has an image is the files' word.
    """
    n_rows = sum(side.n_present for side in features)
    n_zero = 0
    alike: Counter[int] = Counter()
    for side in features:
        for row in np.flatnonzero(side.present):
            vector = side.values[row]
            if vector.any():
                alike[hash(vector.tobytes())] += 1
            else:
                n_zero += 1
    notes = [f"{name}: {n_zero:,} of {n_rows:,} vectors are all zero."] * bool(n_zero)
    n_equal = max(alike.values(), default=0)
    if n_equal >= max(_FEWEST_FILLERS, _FILLER_SHARE * n_rows):
        notes.append(
            f"{name}: {n_equal:,} of {n_rows:,} vectors are one and the same; they tell no "
            "entity from another."
        )
    return notes


def shared_features(
    path: Path, vectors: Vectors, sides: Sequence[Mapping[str, int]], sizes: Sequence[int]
) -> tuple[dict[str, tuple[Features, Features]], list[str]]:
    """The ``image`` modality of two KGs from one set of vectors, with sentences for the user.

    Args:
        path: File of the vectors, for the sentences.
        vectors: Vectors by key.
        sides: Key to entity position, of the source and of the target KG.
        sizes: Number of entities of each.

    Raises:
        DataError: If a few long vectors would need a table for very many entities.
    """
    notes = []
    for size in sizes:
        check_table(path, size, vectors.values.shape[1], vectors.values.nbytes)
    unknown = [key for key in vectors.keys if not any(key in side for side in sides)]
    if unknown:
        alike = left_out_hint(unknown, {**sides[0], **sides[1]})
        notes.append(
            f"{path.name}: {len(unknown):,} vectors belong to no entity and were left out.{alike}"
        )
    features = (
        to_features(vectors, sides[0], sizes[0]),
        to_features(vectors, sides[1], sizes[1]),
    )
    n_known = sum(key in side for side in sides for key in vectors.keys)
    if n_further := n_known - sum(side.n_present for side in features):
        notes.append(
            f"{path.name}: {n_further:,} vectors belong to an entity that has another one; their "
            "mean is taken."
        )
    notes += filler_notes(path.name, features)
    if not all(side.n_present for side in features):
        notes.append(f"{path.name}: one KG has no image vector, so the dataset lacks images.")
        return {}, notes
    return {"image": features}, notes


def unread_pickle_notes(folders: Iterable[Path]) -> list[str]:
    """A hint for each pickle in a layout without any, which may hold the images of another one."""
    return [
        f"{path.name} is not read in this layout. If it holds image vectors by entity, save them "
        "as images.npz in the folder of the dataset: arrays `entities` [n] and `features` [n, dim]."
        for folder in dict.fromkeys(folders)
        for path in sorted(folder.glob("*.pkl"))[:_MOST_PICKLES]
        if path.is_file()
    ]

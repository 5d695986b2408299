"""Published feature pickles, read without ever running what they ask for.

A pickle is a program. This reader admits containers, numbers, text and numeric NumPy arrays, and
builds the arrays itself: no name inside the file reaches a real class or function.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers.images import Vectors

_AGAIN = "Copy or fetch the file again."
_NUMERIC_CODE = re.compile(r"^[<>=|]?[biuf][1248]$|^\?$")


class _RefusedError(Exception):
    """What the pickle asks for is not admitted; the text says what."""


class _Admitted:
    """Stand-in for one name of a pickle.

    It is neither a type nor a function, so the opcodes that would create instances of it or set
    attributes on it fail.
    """

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., object]) -> None:
        self._build = build

    def __call__(self, *args: object) -> object:
        return self._build(*args)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("wants to change a function")


class _Dtype:
    """Stand-in for ``numpy.dtype`` that knows numbers only."""

    __slots__ = ("_real",)

    def __init__(self, code: object, *_flags: object) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMERIC_CODE.match(text):
            raise _RefusedError(f"holds an array of type {text!r}; only numbers are admitted")
        self._real: np.dtype[Any] = np.dtype(text)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise _RefusedError("holds an array with fields; only numbers are admitted")
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise _RefusedError(f"holds an array with byte order {order!r}")
        self._real = np.dtype(order + self._real.str[1:])

    def array(self, raw: object, shape: object, order: object) -> NDArray[Any]:
        """Array over bytes of the file; never larger than those bytes."""
        if isinstance(raw, str):  # Python 2 wrote array bytes as text
            raw = raw.encode("latin1")
        if not isinstance(raw, (bytes, bytearray)) or not isinstance(shape, tuple):
            raise _RefusedError("holds an array whose content is not plain bytes")
        flat = np.frombuffer(raw, dtype=self._real)
        return flat.reshape(shape, order="F" if order else "C")


class _Array:
    """Stand-in for ``numpy.ndarray`` that is filled once."""

    __slots__ = ("value",)

    def __init__(self, value: NDArray[Any] | None = None) -> None:
        self.value = value

    def __setstate__(self, state: object) -> None:
        if self.value is not None or not isinstance(state, tuple) or len(state) != 5:
            raise _RefusedError("holds an array in an unknown form")
        _, shape, dtype, is_fortran, raw = state
        self.value = _known(dtype).array(raw, shape, is_fortran)


def _known(dtype: object) -> _Dtype:
    if not isinstance(dtype, _Dtype):
        raise _RefusedError("holds an array without a type of numbers")
    return dtype


def _reconstruct(*_args: object) -> _Array:
    return _Array()


def _from_buffer(raw: object, dtype: object, shape: object, order: object) -> _Array:
    return _Array(_known(dtype).array(raw, shape, order == "F"))


def _scalar(dtype: object, raw: object) -> object:
    return _known(dtype).array(raw, (), order=False).item()


def _encode(value: object, encoding: object = "latin1") -> bytes:
    if not isinstance(value, str) or encoding != "latin1":
        raise _RefusedError("wants to load `_codecs.encode` for something else than bytes")
    return value.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


_ADMITTED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _empty_bytes,
    ("__builtin__", "bytes"): _empty_bytes,  # the name up to protocol 2
}
for _package in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_package}.multiarray", "_reconstruct"] = _reconstruct
    _ADMITTED[f"{_package}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_package}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        build = _ADMITTED.get((module, name))
        if build is None:
            raise _RefusedError(
                f"wants to load `{module}.{name}`; refused, nothing of it was executed"
            )
        return _Admitted(build)

    def persistent_load(self, pid: object) -> Any:
        raise _RefusedError(f"wants to load the outside object {pid!r}; refused")


def load_pickle(path: Path) -> object:
    """The plain content of a pickle: containers, numbers, text, numeric arrays inside dicts.

    Arrays are converted where they are the content itself or the values of a dict or list that
    is; that is as deep as published features go.

    Raises:
        DataError: If the file is missing, truncated, or asks for anything else; the text names
            what it asked for, and nothing of it was executed.
    """
    if not path.is_file():
        raise DataError.at(path, "the file is missing", "Put it there, or copy it again.")
    try:
        with path.open("rb") as stream:
            _check_memo(stream, path.stat().st_size)
            stream.seek(0)
            content = _Unpickler(stream, encoding="latin1").load()
    except _RefusedError as error:
        raise DataError.at(
            path, f"{error}", "Save a dict from id to NumPy vector, from a source that you trust."
        ) from None
    except (MemoryError, RecursionError):
        raise DataError.at(path, "asks for more memory than there is", _AGAIN) from None
    except Exception as error:  # a damaged pickle can raise nearly every type
        raise DataError.at(path, f"the pickle is truncated or damaged ({error})", _AGAIN) from None
    if isinstance(content, dict):
        return {_plain(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    return _plain(content)


def _check_memo(stream: BinaryIO, n_bytes: int) -> None:
    """Refuses positions in the unpickler's memory that no file of this size can need.

    The unpickler reserves room up to the position, so five bytes could ask for 32 GiB.
    """
    for opcode, argument, _ in pickletools.genops(stream):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > n_bytes:
            raise _RefusedError(f"asks for room for {argument} objects; refused")


def _plain(value: object) -> object:
    return value.value if isinstance(value, _Array) else value


def read_feature_pickle(path: Path) -> Vectors:
    """Vectors of a published ``*_id_img_feature_dict.pkl``, by id as text.

    Raises:
        DataError: If the content is not a dict from whole numbers to vectors of one dimension.
    """
    content = load_pickle(path)
    if not isinstance(content, dict) or not content:
        raise DataError.at(
            path, f"holds a {type(content).__name__}, not a filled dict", "Save id to vector."
        )
    keys: list[str] = []
    rows: list[NDArray[np.float32]] = []
    for key, value in content.items():
        if isinstance(key, bool) or not isinstance(key, int):
            raise DataError.at(path, f"the key {key!r} is no entity id", "Use the ids as keys.")
        rows.append(_vector(path, key, value, rows[0].size if rows else None))
        keys.append(str(key))
    values = np.stack(rows)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError.at(
            path, f"the vector of id {keys[int(bad[0])]} is not finite as float32", "Repair it."
        )
    return Vectors(keys, values)


def _vector(path: Path, key: int, value: object, dim: int | None) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # becomes infinite, which the caller refuses
            vector = np.asarray(value, dtype=np.float32).reshape(-1)
    except (TypeError, ValueError):
        raise DataError.at(
            path, f"the value of id {key} is no vector of numbers", "Save id to vector."
        ) from None
    if not vector.size or (dim is not None and vector.size != dim):
        raise DataError.at(
            path,
            f"the vector of id {key} has {vector.size} numbers, the first one has {dim or 0}",
            "All vectors need the same dimension.",
        )
    return vector

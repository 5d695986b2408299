"""Published feature pickles, read without ever running what they ask for.

A pickle is a program. This reader admits containers, numbers, text and numeric NumPy arrays, and
builds the arrays itself: no name inside the file reaches a real class or function. The standard
library's unpickler in Python does the work, as in joblib: unlike the one in C it lets every opcode
be replaced, so that those no feature file needs are refused and those that make objects counted.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown, unreadable
from mmea_bench.datasets.core.readers.bounded.sizes import check_table
from mmea_bench.datasets.core.readers.images import Vectors
from mmea_bench.datasets.core.regular_files import open_regular

_AGAIN = "Copy or fetch the file again."
_NUMERIC_CODE = re.compile(r"([<>=|]?[biuf][1248]|\?)\Z")
_LONGEST_NAME = 80
_FREE_OBJECTS = 2**18
_BYTES_PER_OBJECT = 8  # no honest file makes more objects than one per so many bytes
_LARGEST_KEY = 2**60  # from 2^61 - 1 on, whole numbers can be chosen to have equal hashes


class _RefusedError(Exception):
    """What the pickle asks for is not admitted; the text says what."""


class _Admitted:
    """Stand-in for one name of a pickle."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[..., object]) -> None:
        self.build = build


class _Dtype:
    """Stand-in for ``numpy.dtype`` that knows numbers only."""

    __slots__ = ("real",)

    def __init__(self, code: object, *_flags: object) -> None:
        self.real: np.dtype[Any] = np.dtype("u1")
        text = _short_text(code)
        if text is None or not _NUMERIC_CODE.match(text):
            name = shown(text) if text else type(code).__name__
            raise _RefusedError(f"holds an array of type {name}; only numbers are admitted")
        self.real = np.dtype(text)

    def set_state(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise _RefusedError("holds an array with fields; only numbers are admitted")
        order = _short_text(state[1])
        if order not in ("<", ">", "|", "="):
            raise _RefusedError("holds an array with an unknown byte order")
        self.real = np.dtype(order + self.real.str[1:])


class _Array:
    """Stand-in for ``numpy.ndarray`` that is filled once."""

    __slots__ = ("value",)

    def __init__(self, value: NDArray[Any] | None = None) -> None:
        self.value = value


def _short_text(value: object) -> str | None:
    """Text or ASCII bytes of a few letters; None for everything else, however long."""
    if isinstance(value, bytes) and len(value) <= _LONGEST_NAME:
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else None


class _Unpickler(pickle._Unpickler):
    """Builds plain content and numeric arrays; refuses every other request.

    Args:
        stream: The file.
        n_bytes: Its size, from which the ceilings follow.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {}
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, stream: BinaryIO, n_bytes: int) -> None:
        super().__init__(stream, encoding="latin1")
        self._objects_left = _FREE_OBJECTS + n_bytes // _BYTES_PER_OBJECT
        self._letters_left = n_bytes
        self._names: dict[tuple[str, str], Callable[..., object]] = {
            ("numpy", "dtype"): _Dtype,
            ("numpy", "ndarray"): _Array,
            ("_codecs", "encode"): self._encode,
            ("builtins", "bytes"): bytes,
            ("__builtin__", "bytes"): bytes,  # the name up to protocol 2
        }
        for package in ("numpy.core", "numpy._core"):
            self._names[f"{package}.multiarray", "_reconstruct"] = _reconstruct
            self._names[f"{package}.multiarray", "scalar"] = self._scalar
            self._names[f"{package}.numeric", "_frombuffer"] = self._from_buffer

    def find_class(self, module: str, name: str) -> Any:
        build = self._names.get((module, name))
        if build is None:
            wanted = shown(f"{module}.{name}", quote="`")
            raise _RefusedError(f"wants to load {wanted}; refused, nothing of it was executed")
        return _Admitted(build)

    def persistent_load(self, pid: object) -> Any:  # noqa: ARG002 - as the base class calls it
        raise _RefusedError("wants to load an object outside of the file; refused")

    def count(self) -> None:
        """Counts one object more against the ceiling."""
        self._objects_left -= 1
        if self._objects_left < 0:
            raise _RefusedError("asks for more objects than a file of this size can need; refused")

    def call(self) -> None:
        """REDUCE: calls one of the stand-ins."""
        arguments, admitted = self.stack.pop(), self.stack[-1]
        if not isinstance(admitted, _Admitted) or not isinstance(arguments, tuple):
            raise _RefusedError("wants to call something that is no function; refused")
        if admitted.build is bytes and arguments:
            raise _RefusedError("wants to make bytes of a size; refused")
        self.stack[-1] = admitted.build(*arguments)

    def set_state(self) -> None:
        """BUILD: fills an array or its type; nothing else has a state."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Dtype):
            target.set_state(state)
        elif isinstance(target, _Array) and target.value is None:
            if not isinstance(state, tuple) or len(state) != 5:
                raise _RefusedError("holds an array in an unknown form")
            _, shape, dtype, is_fortran, raw = state
            target.value = self._array(dtype, raw, shape, is_fortran=is_fortran is True)
        else:
            raise _RefusedError("wants to change the state of an object; refused")

    def put_items(self, items: list[Any]) -> None:
        """DICT, SETITEM and SETITEMS: keys are plain, because hashing a tuple may take for ever."""
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise _RefusedError("wants to set items of something that is no dict; refused")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (int, float, str, bytes)):
                raise _RefusedError(f"has a {type(key).__name__} as a key; refused")
            if isinstance(key, int) and abs(key) > _LARGEST_KEY:
                raise _RefusedError("has a key that is too large for an id; refused")
            target[key] = value

    def _array(
        self, dtype: object, raw: object, shape: object, *, is_fortran: bool
    ) -> NDArray[Any]:
        """Array over bytes of the file; never larger than those bytes."""
        if not isinstance(dtype, _Dtype):
            raise _RefusedError("holds an array without a type of numbers")
        if isinstance(raw, str):  # Python 2 wrote array bytes as text
            raw = self._encode(raw)
        if not isinstance(raw, (bytes, bytearray)) or not isinstance(shape, tuple):
            raise _RefusedError("holds an array whose content is not plain bytes")
        flat = np.frombuffer(raw, dtype=dtype.real)
        return flat.reshape(shape, order="F" if is_fortran else "C")

    def _from_buffer(self, raw: object, dtype: object, shape: object, order: object) -> _Array:
        is_fortran = isinstance(order, str) and order == "F"
        return _Array(self._array(dtype, raw, shape, is_fortran=is_fortran))

    def _scalar(self, dtype: object, raw: object) -> object:
        return self._array(dtype, raw, (), is_fortran=False).item()

    def _encode(self, value: object, encoding: object = "latin1") -> bytes:
        if not isinstance(value, str) or encoding != "latin1":
            raise _RefusedError("wants to load `_codecs.encode` for something else than bytes")
        self._letters_left -= len(value)
        if self._letters_left < 0:  # one text of the file, used again and again
            raise _RefusedError("asks for more bytes than the file has; refused")
        return value.encode("latin1")


def _reconstruct(*_args: object) -> _Array:
    return _Array()


def _refused(opcode: str) -> Callable[[_Unpickler], None]:
    def refuse(_unpickler: _Unpickler) -> None:
        raise _RefusedError(f"uses the opcode {opcode}, which no feature file needs; refused")

    return refuse


def _counted(original: Callable[[Any], None]) -> Callable[[_Unpickler], None]:
    def count_and_go_on(unpickler: _Unpickler) -> None:
        unpickler.count()
        original(unpickler)

    return count_and_go_on


def _load_bytearray(unpickler: _Unpickler) -> None:
    # The original fills the announced length with zeros before it reads.
    n_bytes = int.from_bytes(unpickler.read(8), "little")
    unpickler.append(bytearray(unpickler.read(n_bytes)))


def _load_dict(unpickler: _Unpickler) -> None:
    items = unpickler.pop_mark()
    unpickler.append({})
    unpickler.put_items(items)


def _load_setitem(unpickler: _Unpickler) -> None:
    value, key = unpickler.stack.pop(), unpickler.stack.pop()
    unpickler.put_items([key, value])


def _load_setitems(unpickler: _Unpickler) -> None:
    unpickler.put_items(unpickler.pop_mark())


_READ_ONLY = """PROTO STOP FRAME NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4
FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
BINBYTES SHORT_BINBYTES BINBYTES8 APPEND APPENDS GET BINGET LONG_BINGET POP POP_MARK
GLOBAL STACK_GLOBAL PERSID BINPERSID""".split()  # noqa: SIM905 - 37 lines otherwise
_MAKING = """MARK EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST EMPTY_DICT MEMOIZE PUT
BINPUT LONG_BINPUT""".split()  # noqa: SIM905
_REFUSED = """DUP EMPTY_SET ADDITEMS FROZENSET INST OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 NEXT_BUFFER
READONLY_BUFFER""".split()  # noqa: SIM905
_REPLACED: dict[str, Callable[[_Unpickler], None]] = {
    "REDUCE": _counted(_Unpickler.call),
    "BUILD": _Unpickler.set_state,
    "DICT": _counted(_load_dict),
    "BYTEARRAY8": _load_bytearray,
    "SETITEM": _load_setitem,
    "SETITEMS": _load_setitems,
}


def _dispatch() -> dict[int, Callable[[Any], None]]:
    originals = pickle._Unpickler.dispatch
    codes = {name: getattr(pickle, name)[0] for name in (*_READ_ONLY, *_MAKING, *_REFUSED)}
    table: dict[int, Callable[[Any], None]] = {
        codes[name]: originals[codes[name]] for name in codes
    }
    table |= {codes[name]: _counted(originals[codes[name]]) for name in _MAKING}
    table |= {codes[name]: _refused(name) for name in _REFUSED}
    return table | {getattr(pickle, name)[0]: load for name, load in _REPLACED.items()}


_Unpickler.dispatch = _dispatch()


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
        with open_regular(path) as stream:
            content = _Unpickler(stream, path.stat().st_size).load()
    except _RefusedError as error:
        raise DataError.at(
            path, f"{error}", "Save a dict from id to NumPy vector, from a source that you trust."
        ) from None
    except (MemoryError, RecursionError):
        raise DataError.at(path, "asks for more memory than there is", _AGAIN) from None
    except PermissionError as error:
        raise unreadable(path, error) from None
    except Exception as error:  # a damaged pickle can raise nearly every type
        problem = f"the pickle is truncated or damaged ({shown(error, quote='')})"
        raise DataError.at(path, problem, _AGAIN) from None
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    return _plain(content)


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
    dim = _size(next(iter(content.values())))
    # One vector can stand under many ids, so a small file can ask for a huge table.
    check_table(path, len(content), dim, path.stat().st_size)
    keys: list[str] = []
    values: NDArray[np.float32] = np.empty((len(content), dim), dtype=np.float32)
    for row, (key, value) in enumerate(content.items()):
        if isinstance(key, bool) or not isinstance(key, int):
            raise DataError.at(path, f"the key {shown(key)} is no entity id", "Use ids as keys.")
        keys.append(str(key))
        _fill(path, values[row], key, value)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError.at(
            path, f"the vector of id {keys[int(bad[0])]} is not finite as float32", "Repair it."
        )
    return Vectors(keys, values)


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return int(value.size)
    return len(value) if isinstance(value, (list, tuple)) else 0


def _fill(path: Path, row: NDArray[np.float32], key: int, value: object) -> None:
    numbers: Sequence[float] | NDArray[Any]
    if isinstance(value, np.ndarray):
        numbers = value.reshape(-1)
    elif isinstance(value, (list, tuple)) and all(isinstance(n, (int, float)) for n in value):
        numbers = value
    else:
        raise DataError.at(
            path, f"the value of id {key} is no vector of numbers", "Save id to vector."
        )
    if not row.size or len(numbers) != row.size:
        raise DataError.at(
            path,
            f"the vector of id {key} has {len(numbers)} numbers, the first one has {row.size}",
            "All vectors need the same dimension.",
        )
    try:
        with np.errstate(over="ignore"):  # becomes infinite, which the caller refuses
            row[:] = numbers
    except OverflowError:
        raise DataError.at(
            path, f"the vector of id {key} is not finite as float32", "Repair it."
        ) from None

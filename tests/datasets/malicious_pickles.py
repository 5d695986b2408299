"""Pickles that an attacker could put in the place of published features; none may do anything.

Every entry would create the file ``EVIL`` in the working folder, or take the memory or the time of
the machine, if the standard unpickler read it or an incautious one unfolded it.
"""

from __future__ import annotations

import builtins
import codecs
import copyreg
import functools
import importlib
import io
import marshal
import operator
import os
import pickle
import pickletools
import shutil
import struct
import subprocess
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

PROTOCOLS = range(6)
COMMAND = "touch EVIL"
SOURCE = "open('EVIL', 'w')"


class Runs:
    """Pickles to a call, as an attacker's object does."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call

    def __call__(self) -> None:
        """Never called; picklers want a callable where another call gives the function."""


class SetsState:
    """Pickles to an object whose state is set by a call of the attacker's."""

    def __reduce__(self) -> tuple[object, ...]:
        return (OrderedDict, (), None, None, iter([("a", Runs(os.system, COMMAND))]))


class StateBySetter:
    """Pickles to an object with a function of the attacker's in the place of ``__setstate__``."""

    def __reduce__(self) -> tuple[object, ...]:
        return (list, (), COMMAND, None, None, os.system)


CALLS: dict[str, object] = {
    "os.system": Runs(os.system, COMMAND),
    "os.popen": Runs(os.popen, COMMAND),
    "subprocess.Popen": Runs(subprocess.Popen, COMMAND.split()),
    "subprocess.check_output": Runs(subprocess.check_output, COMMAND.split()),
    "eval": Runs(eval, SOURCE),
    "exec": Runs(exec, SOURCE),
    "import": Runs(__import__, "os"),
    "import_module": Runs(importlib.import_module, "antigravity"),
    "open": Runs(open, "EVIL", "w"),
    "io.open": Runs(io.open, "EVIL", "w"),
    "compile inside exec": Runs(exec, Runs(compile, SOURCE, "x", "exec")),
    "getattr chain": Runs(Runs(getattr, Runs(__import__, "os"), "system"), COMMAND),
    "getattr of builtins": Runs(getattr, builtins, "eval"),
    "attrgetter": Runs(Runs(operator.attrgetter, "system"), Runs(__import__, "os")),
    "methodcaller": Runs(operator.methodcaller, "system", COMMAND),
    "partial": Runs(functools.partial, os.system, COMMAND),
    "map": Runs(list, Runs(map, os.system, [COMMAND])),
    "FunctionType": Runs(types.FunctionType, Runs(marshal.loads, b"N"), {}),
    "marshal": Runs(marshal.loads, b"N"),
    "pickle inside": Runs(pickle.loads, pickle.dumps(Runs(os.system, COMMAND))),
    "codecs": Runs(codecs.decode, b"eA==", "base64"),
    "rmtree": Runs(shutil.rmtree, "."),
    "write_text": Runs(Path.write_text, Path("EVIL"), "x"),
    "np.load": Runs(np.load, "EVIL"),
    "np.save": Runs(np.save, "EVIL", 1),
    "np.memmap": Runs(np.memmap, "EVIL", "u1", "w+", 0, (1,)),
    "np.fromfile": Runs(np.fromfile, "/etc/passwd"),
    "np.zeros": Runs(np.zeros, 2**40),
    "bytearray of a size": Runs(bytearray, 2**40),
    "bytes of a size": Runs(bytes, 2**40),
    "range": Runs(list, Runs(range, 2**40)),
    "copyreg constructor": Runs(copyreg._reconstructor, Path, object, None),  # type: ignore[attr-defined]
    "copyreg newobj": Runs(copyreg.__newobj__, subprocess.Popen, COMMAND),  # type: ignore[attr-defined]
    "defaultdict": defaultdict(list, a=[1]),
    "defaultdict with a factory": Runs(defaultdict, functools.partial(os.system, COMMAND)),
    "set state": SetsState(),
    "state setter": StateBySetter(),
    "list item": [1, Runs(os.system, COMMAND)],
    "nested dict": {"a": {"b": Runs(os.system, COMMAND)}},
}

ARRAYS: dict[str, object] = {
    "objects": np.array([Runs(os.system, COMMAND), None], dtype=object),
    "objects without a call": np.array([{}, None], dtype=object),
    "fields": np.zeros(2, dtype=[("a", "f4"), ("b", "O")]),
    "text": np.array(["a"]),
    "bytes": np.array([b"a"]),
    "void": np.zeros(1, dtype="V8"),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "complex": np.zeros(1, dtype=np.complex128),
    "masked": np.ma.masked_array([1.0], [True]),
    "records": np.rec.array([(1.0,)], dtype=[("a", "f4")]),
    "random generator": np.random.default_rng(0),
    "ufunc": np.add,
    "type": np.dtype([("a", "O")]),
}

_DTYPE = (
    b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
_NDARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"

OPCODES: dict[str, bytes] = {
    "GLOBAL": b"cos\nsystem\n(S'touch EVIL'\ntR.",
    "GLOBAL of posix": b"cposix\nsystem\nX\x0a\x00\x00\x00touch EVIL\x85R.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0atouch EVIL\x85R.",
    "STACK_GLOBAL from the memory": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93.",
    "STACK_GLOBAL of no text": b"\x80\x04K\x01K\x02\x93.",
    "INST": b"(S'touch EVIL'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch EVIL'\no.",
    "OBJ of a stand-in": b"(cnumpy\nndarray\nK\x01o.",
    "INST of a stand-in": b"(K\x01inumpy\nndarray\n.",
    "NEWOBJ": b"\x80\x02csubprocess\nPopen\nX\x0a\x00\x00\x00touch EVIL\x85\x81.",
    "NEWOBJ of a stand-in": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04csubprocess\nPopen\n)}\x92.",
    "EXT1": b"\x80\x02\x82\xf0X\x0a\x00\x00\x00touch EVIL\x85R.",
    "EXT2": b"\x80\x02\x83\xf0\x00X\x0a\x00\x00\x00touch EVIL\x85R.",
    "EXT4": b"\x80\x02\x84\xf0\x00\x00\x00X\x0a\x00\x00\x00touch EVIL\x85R.",
    "PERSID": b"Ptouch EVIL\n.",
    "BINPERSID": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "BUILD of a function": b"\x80\x02cnumpy\ndtype\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
    "BUILD of the array class": b"\x80\x02cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.",
    "BUILD of a dict": b"}}X\x0c\x00\x00\x00__setstate__cnumpy\ndtype\nsb.",
    "BUILD of an array twice": _NDARRAY
    + (b"(K\x01(K\x01t" + _DTYPE + b"\x89U\x04\0\0\0\0tb") * 2
    + b".",
    "REDUCE of a number": b"K\x01)R.",
    "REDUCE without a tuple": b"cnumpy\ndtype\n]R.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x10dtype.__class__.x\x93.",
    "private name": b"cnumpy\n__builtins__\n.",
    "name with control characters": b"\x80\x04\x8c\x04a\x1b[2\x8c\x04b\r\n!\x93.",
    "name of a megabyte": b"c" + b"a" * 2**20 + b"\n" + b"b" * 2**20 + b"\n.",
    "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
    "buffer outside": b"\x80\x05\x97.",
    "read-only buffer": b"\x80\x05C\x01a\x98.",
    "set": b"\x80\x04\x8f(K\x01\x90.",
    "frozen set": b"\x80\x04(K\x01\x91.",
    "protocol of the future": b"\x80\xff}.",
    "unknown opcode": b"\xfe.",
    "nothing on the stack": b"R.",
    "no mark": b"K\x01t.",
    "no end": b"}",
    "unknown memory": b"h\x07.",
    "negative memory": b"Nn p-1\n.",
    "array of no type": _NDARRAY + b"(K\x01(K\x01tN\x89U\x04\0\0\0\0tb.",
    "array of huge shape": _NDARRAY
    + b"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft"
    + _DTYPE
    + b"\x89U\x04\0\0\0\0tb.",
    "array without numbers": b"}K\x01cnumpy\nndarray\n(J\xff\xff\xff\x7ftRs.",
    "array never filled": b"}K\x01" + _NDARRAY + b"s.",
}


def _long(value: int) -> bytes:
    content = pickle.encode_long(value)
    return b"\x8b" + struct.pack("<i", len(content)) + content


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + closing * depth


def _doubled_tuples() -> bytes:
    """A tuple of a tuple of ... of two equal halves: hashing it takes 2^64 steps."""
    steps = b"".join(
        b"0h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(64)
    )
    return b"\x80\x02K\x01q\x00" + steps


def _shared_vector(n_keys: int, dim: int) -> bytes:
    """A dict in which every id has the same long vector: little on disk, much in a table."""
    keys = b"".join(b"M" + struct.pack("<H", n) + b"h\x01" for n in range(n_keys))
    array = pickle.dumps(np.zeros(dim, np.float32), 4)[2:-1]
    body = array[9:] if array[:1] == b"\x95" else array
    return b"\x80\x04" + body + b"q\x010}(" + keys + b"u."


def _shared_text() -> bytes:
    """One text of half a megabyte that becomes new bytes again and again."""
    text = b"X" + struct.pack("<I", 2**19) + b"a" * 2**19
    encode = b"c_codecs\nencode\nq\x01"
    again = b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R"
    return b"\x80\x02" + text + b"q\x000" + encode + b"0](" + again * 4000 + b"e."


def _colliding_keys() -> bytes:
    """Whole numbers with one hash: a dict of them takes quadratic time."""
    modulus = 2**61 - 1
    numbers = (pickle.encode_long(n * modulus) for n in range(1, 60_000))
    items = b"".join(b"\x8a" + bytes([len(n)]) + n + b"N" for n in numbers)
    return b"\x80\x02}(" + items + b"u."


BOMBS: dict[str, Callable[[], bytes]] = {
    "huge BINBYTES8": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
    "huge BINBYTES": lambda: b"\x80\x03B" + struct.pack("<I", 2**32 - 1) + b"abc.",
    "huge BINUNICODE8": lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc.",
    "huge BYTEARRAY8": lambda: b"\x80\x05\x96" + struct.pack("<Q", 2**36) + b"abc.",
    "BYTEARRAY8 of 2 GiB": lambda: b"\x80\x05\x96" + struct.pack("<Q", 2**31 - 1) + b"abc.",
    "BINBYTES8 of 2 GiB": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**31 - 1) + b"abc.",
    "FRAME of 2 GiB": lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**31 - 1) + b"}.",
    "huge BINSTRING": lambda: b"T" + struct.pack("<i", 2**31 - 1) + b"abc.",
    "negative BINSTRING": lambda: b"T" + struct.pack("<i", -5) + b"abc.",
    "huge LONG4": lambda: b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",
    "negative LONG4": lambda: b"\x80\x02\x8b" + struct.pack("<i", -1) + b".",
    "huge FRAME": lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
    "FRAME beyond 64 bits": lambda: b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "FRAME in a FRAME": lambda: b"\x80\x04" + (b"\x95" + struct.pack("<Q", 9)) * 2000 + b"}.",
    "number of a megabyte": lambda: b"\x80\x02}" + _long(1 << 2**23) + b"Ns.",
    "number as a value": lambda: b"\x80\x02}K\x01](" + _long(1 << 2**20) + b"es.",
    "digits of a megabyte": lambda: b"L" + b"9" * 2**20 + b"L\n.",
    "memory position": lambda: b"\x80\x02}r\xff\xff\xff\x7f.",
    "memory position in words": lambda: b"}p2147483647\n.",
    "memory of one object": lambda: b"\x80\x04}" + b"\x94" * 400_000 + b".",
    "deep lists": lambda: _nested(b"]", b"a", 200_000) + b".",
    "deep tuples": lambda: b"N" + b"\x85" * 400_000 + b".",
    "deep dicts": lambda: b"}" * 400_000 + b".",
    "marks": lambda: b"(" * 400_000 + b".",
    "lists": lambda: b"(" + b"]" * 400_000 + b"l.",
    "doubled tuple as a key": lambda: b"}" + _doubled_tuples()[2:] + b"Ns.",
    "doubled tuple as a value": lambda: b"}K\x01" + _doubled_tuples()[2:] + b"s.",
    "doubled tuple as an outside object": lambda: _doubled_tuples() + b"Q.",
    "doubled tuple as a type": lambda: b"cnumpy\ndtype\n" + _doubled_tuples()[2:] + b"\x85R.",
    "doubled tuple as a function": lambda: _doubled_tuples() + b")R.",
    "doubled list": lambda: b"]" + b"2a" * 60 + b".",
    "list in itself as a value": lambda: b"\x80\x02}K\x01]q\x00(h\x00h\x00es.",
    "dict in itself": lambda: b"\x80\x02}q\x00(K\x01h\x00u.",
    "shared vector": lambda: _shared_vector(60_000, 50_000),
    "shared list": lambda: b"\x80\x02](" + b"K\x01" * 9000 + b"eq\x010}("
    + b"".join(b"M" + struct.pack("<H", n) + b"h\x01" for n in range(60_000)) + b"u.",
    "shared text": _shared_text,
    "colliding keys": _colliding_keys,
    "repeated DUP": lambda: b"]" + b"2" * 1_000_000 + b".",
    "quotes": lambda: b"S'" + b"\\x" * 500_000 + b"'\n.",
}  # fmt: skip


def corpus() -> dict[str, bytes]:
    """Every malicious pickle of moderate size by name; the bombs are made on demand."""
    found: dict[str, bytes] = {}
    for kind, objects in (("call", CALLS), ("array", ARRAYS)):
        for name, content in objects.items():
            for protocol in PROTOCOLS:
                for where, holder in (
                    ("alone", content),
                    ("in a dict", {0: np.ones(2), 1: content}),
                ):
                    dumped = _dumped(holder, protocol)
                    if dumped is not None:
                        found[f"{kind}: {name}, protocol {protocol}, {where}"] = dumped
    found |= {f"opcode: {name}": content for name, content in OPCODES.items()}
    calls = [pickle.dumps(CALLS[name], 4) for name in ("os.system", "eval")]
    found["optimised"] = pickletools.optimize(calls[0])
    found["after the end of another"] = pickle.dumps(5) + calls[0]
    found["behind a byte order mark"] = b"\xef\xbb\xbf" + calls[0]
    found["names of Python 2"] = pickle.dumps(CALLS["eval"], 2)
    return found


def _dumped(content: object, protocol: int) -> bytes | None:
    try:
        return pickle.dumps(content, protocol)
    except (TypeError, AttributeError, pickle.PicklingError):
        return None  # not every object has a form in every protocol

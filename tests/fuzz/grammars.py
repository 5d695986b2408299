"""Inputs made from the rules of a format, so that they get past its first checks."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.mutations import ODD_TEXTS, odd_text

_NAMES = (b"numpy\ndtype\n", b"numpy\nndarray\n", b"numpy.core.multiarray\n_reconstruct\n",
          b"numpy._core.numeric\n_frombuffer\n", b"numpy._core.multiarray\nscalar\n",
          b"_codecs\nencode\n", b"builtins\nbytes\n", b"os\nsystem\n", b"builtins\neval\n",
          b"collections\nOrderedDict\n")  # fmt: skip
_WORDS = ("f4", "<f8", "O8", "S1", "|u1", "latin1", "<", "b", "posix", "system", "touch EVIL")
_HUGE = (0, 1, 2, 7, 255, 65535, 2**31 - 1)


def pickle_opcodes(rng: random.Random) -> bytes:
    """A stream of opcodes with arguments of the right form."""
    opcodes = list(pickletools.opcodes)
    parts = [b"\x80" + bytes([rng.choice((0, 2, 4, 5))])] if rng.random() < 0.7 else []
    for _ in range(rng.randrange(1, 60)):
        opcode = rng.choice(opcodes)
        if opcode.name in ("STOP", "PROTO") and rng.random() < 0.9:
            continue
        parts.append(opcode.code.encode("latin1") + _pickle_argument(rng, opcode))
    return b"".join(parts) + b"."


def _pickle_argument(rng: random.Random, opcode: Any) -> bytes:
    if opcode.arg is None:
        return b""
    if opcode.name in ("GLOBAL", "INST"):
        return rng.choice(_NAMES)
    word = rng.choice(_WORDS).encode()
    sizes = {"1": "<B", "2": "<H", "4": "<I", "8": "<Q"}
    last = opcode.arg.name[-1]
    if opcode.arg.name.startswith(("uint", "int")) and last in sizes:
        form = sizes[last]
        return struct.pack(form, rng.choice(_HUGE) % 256 ** struct.calcsize(form))
    if last in sizes:  # text, bytes or a long number with its length in front
        n_bytes = len(word) if rng.random() < 0.9 else rng.choice(_HUGE)
        return struct.pack(sizes[last], n_bytes % 256 ** struct.calcsize(sizes[last])) + word
    if opcode.arg.name == "float8":
        return struct.pack(">d", rng.choice((0.0, 1.5, float("nan"), float("inf"))))
    return rng.choice((b"1", b"01", b"'a'", b"9" * 30, b"-1", word)) + b"\n"


def feature_pickle(rng: random.Random) -> bytes:
    """A pickle of plain content that is nearly a dict of vectors."""
    return pickle.dumps({_scalar(rng): _value(rng) for _ in range(rng.randrange(1, 6))},
                        rng.randrange(6))  # fmt: skip


def _scalar(rng: random.Random) -> Any:
    return rng.choice((0, 1, 2, 11, -1, 2**40, 10**30, 1.5, True, None, "1", b"1", (1, 2)))


def _value(rng: random.Random) -> Any:
    dtype = rng.choice(("<f4", ">f8", "<f2", "|u1", "<i8", "?", "O", "U3", "M8[D]", "c16"))
    if rng.random() < 0.7:
        array = np.zeros(rng.choice(((3,), (1, 3), (3, 1), (0,), (), (2, 2), (4,))), dtype=dtype)
        return np.asfortranarray(array) if rng.random() < 0.3 else array
    return rng.choice(([1.0, 2.0, 3.0], [1, "a"], (1, 2, 3), {}, None, 5, "text", [10**400] * 3))


def npy(rng: random.Random) -> bytes:
    """An array file whose header may lie about type, order and shape."""
    content = io.BytesIO()
    np.save(content, np.zeros((2, 3), dtype=np.float32))
    header = {
        "descr": rng.choice(("<f4", ">f8", "|O", "<U4", "|V8", [("a", "<f4")], "<f3", "x", 5)),
        "fortran_order": rng.choice((False, True, "yes", 3)),
        "shape": rng.choice(((2, 3), (0, 3), (2, 0), (6,), (), (10**12, 3), (-1, 3), (2.0, 3), "x",
                             (2**62, 2**62), (1,) * 70, (2, 10**6))),
    }  # fmt: skip
    if rng.random() < 0.1:
        del header[rng.choice(list(header))]
    text = repr(header) if rng.random() < 0.9 else rng.choice(ODD_TEXTS) * rng.choice((1, 50))
    encoded = text.encode("utf-8", "replace") + b" " * rng.choice((0, 16, 20_000)) + b"\n"
    version = rng.choice((1, 2, 3, 9))
    form = "<H" if version == 1 else "<I"
    n_bytes = len(encoded) if rng.random() < 0.9 else rng.choice(_HUGE)
    size = struct.pack(form, n_bytes % 256 ** struct.calcsize(form))
    body = content.getvalue()[-24:] * rng.choice((0, 1, 2, 10))
    return b"\x93NUMPY" + bytes([version, 0]) + size + encoded + body


def archive(rng: random.Random, members: dict[str, bytes]) -> bytes:
    """A ZIP archive with odd names, links, doubled members and content that packs very well."""
    content = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(content, "w", method) as written:
        for name, body in members.items():
            kind = rng.randrange(8)
            if kind == 0:
                continue
            if kind == 1:
                body = b"\0" * rng.choice((10**4, 10**6, 3 * 10**6))
            info = zipfile.ZipInfo(name if kind != 2 else rng.choice(("../x", "/x", "a\\b", "x/")))
            info.compress_type = method
            if kind == 3:
                info.external_attr = 0o120777 << 16  # a symbolic link
            written.writestr(info, npy(rng) if kind == 4 and name.endswith(".npy") else body)
        for number in range(rng.choice((*[0] * 20, 500))):
            written.writestr(f"{number}.npy", b"", zipfile.ZIP_STORED)
    return content.getvalue()


def hdf5(rng: random.Random, path: Path, image_ids: list[str]) -> None:
    """An HDF5 file with groups, links to other places, odd types and huge shapes."""
    with h5py.File(path, "w") as file:
        for name in [*image_ids, "other"]:
            parent = file if rng.random() < 0.8 else file.require_group(f"g{rng.randrange(3)}")
            if name not in parent:
                _hdf5_item(rng, parent, name)


def _hdf5_item(rng: random.Random, parent: Any, name: str) -> None:
    kind = rng.randrange(4)
    if kind == 0:
        parent[name] = rng.choice(
            (
                h5py.SoftLink("/nowhere"),
                h5py.SoftLink(f"/{name}"),
                h5py.ExternalLink("/etc/passwd", "/"),
                parent,  # a circle
                np.dtype("f4"),
                h5py.Empty("f4"),
            )
        )
    elif kind == 1:
        parent[name] = rng.choice(("text", b"x", [b"a", b"b"], np.array([1j, 2j]), True))
    elif kind == 2:
        _hdf5_storage(rng, parent, name)
    else:
        shape = rng.choice(((2,), (1, 2), (2, 1), (0,), (3,), ()))
        parent[name] = np.full(shape, rng.choice((1.0, np.nan, 1e300)))


def _hdf5_storage(rng: random.Random, parent: Any, name: str) -> None:
    """Numbers that lie elsewhere, or were never written."""
    kind = rng.randrange(5)
    if kind == 0:
        size = rng.choice((2000, 10**6, 10**12))
        parent.create_dataset(name, (size,), "f4", chunks=(1024,))
    elif kind == 1:
        parent.create_dataset(name, (2,), "f4", external=[("/etc/passwd", 0, 8)])
    elif kind == 2:
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("/nowhere.h5", "x", (2,))
        parent.create_virtual_dataset(name, layout)
    elif kind == 3:
        parent.create_group(name)["v"] = [1.0, 2.0]
    else:
        parent.create_dataset(name, (2**20,), "f4", fillvalue=1.0, compression="gzip")


def toml(rng: random.Random) -> bytes:
    """A suite with known and unknown keys and values of every kind."""
    keys = ("title", "description", "methods", "datasets", "seed_ratios", "repeats", "variants",
            "grid", "grid_mode", "protocol", "set", "use_test_params", "timeout_s", "x.y",
            '"a b"')  # fmt: skip
    lines = ['methods = ["random_scores"]', 'datasets = ["synthetic[n=100]"]']
    rng.shuffle(lines)
    lines = lines[rng.choice((0, 0, 0, 1, 2)) :]
    for _ in range(rng.randrange(6)):
        lines.append(f"{rng.choice(keys)} = {_toml_value(rng, 3)}")
    for _ in range(rng.randrange(3)):
        table = rng.choice(("set", "protocol", "grid.eva", "grid", "set.eva", "variants", "a.b.c"))
        lines.append(f"[{table}]")
        key = rng.choice(('"*.epochs"', "epochs", "eval_every", '"eva.lr"', "name", "eva", "dim"))
        lines.append(f"{key} = {_toml_value(rng, 2)}")
    if rng.random() < 0.05:
        lines.append(f"[{'.'.join('a' * rng.choice((3, 30, 3000)))}]")
    return "\n".join(lines).encode("utf-8")


def _toml_value(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(12 if depth else 10)
    if kind >= 10:
        return f"[{', '.join(_toml_value(rng, depth - 1) for _ in range(rng.randrange(4)))}]"
    if kind == 9:
        return f"{{ a = {_toml_value(rng, max(depth - 1, 0))} }}"
    if kind >= 6:
        return json.dumps(rng.choice((*ODD_TEXTS, "all", "eva", "synthetic[n=100]", "published")))
    return rng.choice(("0", "-1", "3", "1.5", "inf", "nan", "true", "false", "1e999", "9" * 400,
                       "9" * 5000, "1979-05-27", "07:32:00", "0x10", "1_000", "[[[[[[[[1]]]]]]]]",
                       "{}", "[]", '"""x"""'))  # fmt: skip


def address(rng: random.Random) -> str:
    """A dataset or method address, nearly right."""
    name = rng.choice(("synthetic", "synthetic-nmmkg", "fb15k_db15k", "nmmea", "./x", "~/x", "~q/x",
                       *ODD_TEXTS))  # fmt: skip
    options = ",".join(
        f"{rng.choice(('n', 'seed', 'overlap', 'image_dim', '', *ODD_TEXTS))}"
        f"{rng.choice(('=', '', '=='))}{rng.choice(('100', '0.5', '1e400', *ODD_TEXTS))}"
        for _ in range(rng.randrange(4))
    )
    return name + rng.choice((f"[{options}]", f"[{options}", options, ""))


def json_value(rng: random.Random, depth: int = 4) -> Any:
    """Any JSON value, also those that only Python's reader admits."""
    kind = rng.randrange(9 if depth else 6)
    if kind >= 7:
        return [json_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice(ODD_TEXTS): json_value(rng, depth - 1) for _ in range(rng.randrange(3))}
    return rng.choice((None, True, 0, -1, 2**31, 10**400, 1.5, float("nan"), float("inf"), "\ud800",
                       *ODD_TEXTS))  # fmt: skip


def changed_json(rng: random.Random, content: bytes) -> bytes:
    """Valid JSON in which some inner values were replaced, dropped or doubled."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _changed(rng, value)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: _changed(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value * rng.choice((0, 2, 20))
        return [*value[:place], _changed(rng, value[place]), *value[place + 1 :]]
    return json_value(rng)


def literal(rng: random.Random) -> str:
    """Something like a URI or a typed literal, sometimes very long."""
    parts = (*ODD_TEXTS, '"', "^^", "@en", "<", ">", "http://", "/resource/", "%C3%84", "_", "#")
    text = "".join(rng.choice(parts) for _ in range(rng.randrange(12)))
    return text * rng.choice((1, 1, 1, 1000)) + rng.choice(("", " x", '"'))


def odd_line(rng: random.Random) -> str:
    """One text without a surrogate, as ``odd_text`` gives it."""
    return odd_text(rng).decode("utf-8")

"""Broken copies of valid files: random damage to bytes, lines, columns and numbers."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable, Sequence

ODD_TEXTS = (
    "",
    " ",
    "\t",
    "\0",
    "\ufeff",
    "\r",
    "\r\n",
    "\x1b[2J",
    "\x85",
    "\u2028",
    "\u202e",
    "e\u0301",
    "\U0001f600",
    "\ud7ff",
    "１２",
    "-1",
    "+1",
    "1_0",
    "0x10",
    "1e400",
    "nan",
    "inf",
    "-0.0",
    "2147483648",
    "9" * 25,
    "9" * 5000,
    "=cmd|'/c calc'!A1",
    "@SUM(1)",
    "../../etc/passwd",
    "/dev/zero",
    "~nobody/x",
    "%00%ff%2e",
    "<script>alert(1)</script>",
    "\\input{/etc/passwd}",
    '"',
    "'",
    '"^^"^^"^^ x',
    "[",
    "]]",
    "{",
    "[[[[",
    "None",
    "true",
    "a" * 300,
)
ODD_BYTES = (
    b"\xff",
    b"\xfe\xff",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\0\0\0\0",
    b"\xff" * 8,
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"\x93NUMPY",
    b"\x89HDF\r\n\x1a\n",
    struct.pack("<Q", 2**63 - 1),
    struct.pack("<I", 2**31),
)
_LARGEST = 2**18


def mutate(rng: random.Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A damaged copy.

    Args:
        rng: Source of all choices.
        content: A valid file.
        others: Further valid files, parts of which may be mixed in.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if others and rng.random() < 0.1:
            other = rng.choice(others)
            content = content[: _place(rng, content)] + other[_place(rng, other) :]
        else:
            content = rng.choice(_CHANGES)(rng, content)
    return content[:_LARGEST]


def _place(rng: random.Random, content: bytes) -> int:
    return rng.randint(0, len(content))


def _flip(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(min(len(damaged), rng.choice((1, 1, 2, 5, 20)))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(rng: random.Random, content: bytes) -> bytes:
    start, end = sorted((_place(rng, content), _place(rng, content)))
    return content[:start] + content[end:]


def _truncate(rng: random.Random, content: bytes) -> bytes:
    return content[: _place(rng, content)]


def _insert(rng: random.Random, content: bytes) -> bytes:
    start = _place(rng, content)
    odd = rng.choice(ODD_BYTES) if rng.random() < 0.5 else odd_text(rng)
    return content[:start] + odd + content[start:]


def _repeat(rng: random.Random, content: bytes) -> bytes:
    start, end = sorted((_place(rng, content), _place(rng, content)))
    part = content[start : min(end, start + 400)]
    times = rng.choice((2, 2, 10, 300)) if part else 0
    return content[:start] + part * times + content[start:]


def _number(rng: random.Random, content: bytes) -> bytes:
    form = rng.choice(("<B", "<H", "<I", "<Q", ">I"))
    size = struct.calcsize(form)
    if len(content) < size:
        return content
    start = rng.randrange(len(content) - size + 1)
    bits = 8 * size
    value = rng.choice((0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1, len(content)))
    return content[:start] + struct.pack(form, value % 2**bits) + content[start + size :]


def _lines(rng: random.Random, content: bytes) -> bytes:
    """One line dropped, doubled, swapped, emptied or with another column."""
    lines = content.split(b"\n")
    row = rng.randrange(len(lines))
    kind = rng.randrange(7)
    if kind == 0:
        del lines[row]
    elif kind == 1:
        lines.insert(row, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines[row] = b""
    elif kind == 3:
        rng.shuffle(lines)
    elif kind == 4:
        lines = [line + b"\r" for line in lines]
    else:
        separator = next((mark for mark in (b"\t", b",", b" ") if mark in lines[row]), b"\t")
        columns = lines[row].split(separator)
        place = rng.randrange(len(columns))
        if kind == 5:
            columns[place] = odd_text(rng)
        else:
            columns.insert(place, rng.choice(columns))
        lines[row] = separator.join(columns)
    return b"\n".join(lines)


def _long(rng: random.Random, content: bytes) -> bytes:
    start = _place(rng, content)
    letter = rng.choice((b"a", b"\t", b"\n", b" ", b"[", b"(", b'"', b"9", b"\0", b"]", b"{"))
    return content[:start] + letter * rng.choice((1000, 20_000, 150_000)) + content[start:]


def odd_text(rng: random.Random) -> bytes:
    """A text that readers should stumble over, as UTF-8."""
    return rng.choice(ODD_TEXTS).encode("utf-8")


def packed(rng: random.Random, content: bytes) -> bytes:
    """A gzip copy: whole, damaged, doubled, or of a content that packs very well."""
    kind = rng.randrange(5)
    if kind == 0:
        return gzip.compress(content, mtime=0)
    if kind == 1:
        return mutate(rng, gzip.compress(content, mtime=0))
    if kind == 2:
        return gzip.compress(content, mtime=0) * rng.choice((2, 50))
    if kind == 3:
        return gzip.compress(mutate(rng, content), mtime=0)
    filler = rng.choice((b"\n", b"a", b"a\tb\tc\n", content[:40] or b"x"))
    return gzip.compress(
        filler * (rng.choice((10**5, 10**6, 5 * 10**6)) // len(filler)), 1, mtime=0
    )


# Damage to lines comes more often: most formats are text.
_CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_flip, _flip, _cut, _truncate, _insert, _insert, _repeat, _number, _long),
    *(_lines,) * 6,
)

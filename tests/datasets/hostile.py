"""Files that others may send: how they are made, and that they are refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from tests.datasets.layouts import (
    assert_sentence,
)
from tests.fuzz.limits import bounded


def refused(read: Callable[[], object], path: Path, words: str) -> None:
    """The read ends in one sentence about the file, in bounded time and memory."""
    with bounded(), pytest.raises(DataError) as caught:
        read()
    assert_sentence(caught.value, path, words)


def as_npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def with_header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00\x76\x00" + header + bytes(24)


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path

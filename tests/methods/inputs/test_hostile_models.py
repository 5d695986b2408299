"""Model folders and images of others: nothing of them is run, and damage is a sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.inputs.clip_towers import _image_file, image_settings, pixel_values
from mmea_bench.methods.core.inputs.text_encoders import read_model_folder
from tests.datasets.malicious_pickles import CALLS
from tests.fuzz.limits import bounded

SETTINGS = {"shortest": 8, "side": 8, "mean": np.zeros(3), "deviation": np.ones(3)}


def png_of(width: int, height: int) -> bytes:
    """The head of a picture that claims a size."""
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(EVIL) (w) file closefile\nshowpage\n"
IMAGES = {
    "a postscript program": EPS,
    "too many pixels": png_of(60_000, 60_000),
    "many pixels": png_of(9_000, 9_000),
    "too elongated": png_of(1, 200),
    "no pixels": png_of(0, 5),
    "truncated": png_of(8, 8)[:40],
    "text": b"hello",
    "empty": b"",
}


@pytest.mark.parametrize("name", IMAGES)
def test_hostile_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.png"
    path.write_bytes(IMAGES[name])
    with bounded(), pytest.raises(UserError, match="cannot be read as an image"):
        pixel_values(path, SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize("label", ["../x", "/etc/passwd", "a\0b", "x" * 5000, "", "."])
def test_labels_that_lead_out_of_the_image_folder(tmp_path: Path, label: str) -> None:
    with pytest.raises(UserError, match=r"would lie outside|There is no image"):
        _image_file(str(tmp_path), label)


def test_a_link_out_of_the_image_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.png").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="would lie outside"):
        _image_file(str(tmp_path), "x.png")


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "[]",
        "[" * 100_000,
        '{"size": -1}',
        '{"size": 1e999}',
        '{"size": 100000}',
        '{"crop_size": "x"}',
        '{"image_mean": [1]}',
        '{"image_std": [0, 1, 1]}',
        '{"image_mean": [NaN, 0, 0]}',
        '{"size": {"shortest_edge": null}}',
    ],
)
def test_hostile_image_settings(tmp_path: Path, content: str) -> None:
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(UserError, match="these settings of images cannot be used"):
        image_settings(tmp_path, 8)


@pytest.mark.parametrize("call", ["os.system", "eval", "getattr chain"])
@pytest.mark.parametrize("new_format", [True, False])
def test_weights_that_call_something_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, new_format: bool
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    config = {"model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1,
              "num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 9}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n")
    state = {"x": torch.zeros(1), "y": CALLS[call]}
    torch.save(state, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=new_format)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="no code of the folder is run"):
        read_model_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b""),
        ("model.safetensors", struct.pack("<Q", 2**60) + b"{}"),
        ("model.safetensors", struct.pack("<Q", 2) + b"{}"),
        ("model.safetensors", b"\xff" * 100),
        ("pytorch_model.bin", b"\x80\x02}."),
        ("pytorch_model.bin", b""),
        ("config.json", b"[" * 50_000),
        ("config.json", b'{"model_type": "bert", "hidden_size": "x"}'),
        ("config.json", b'{"model_type": "x", "auto_map": {"AutoModel": "evil.Model"}}'),
        ("vocab.txt", b"\xff\xfe"),
    ],
)
def test_damaged_model_folders_end_in_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 1}')
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    if not name.startswith(("model", "pytorch")):
        (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (tmp_path / "evil.py").write_text("open('EVIL', 'w')")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError):
        read_model_folder(tmp_path)
    assert not (tmp_path / "EVIL").exists()

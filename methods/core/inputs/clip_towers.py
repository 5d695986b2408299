"""Outputs of CLIP's frozen towers for the nodes of an N-MMKG.

The text tower reads the labels of textual nodes, the image tower the files that the labels of
visual nodes name. Without a model the dataset's own vectors stand in. As in ``text_encoders``,
nothing here opens a connection or runs code out of a model folder.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError, shown
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.nodes import visual_nodes
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.text_encoders import (
    MODELS_VARIABLE,
    folder_identity,
    read_model_folder,
    weight_files,
    write_vectors,
)

_BATCH = 64
_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_PIXELS = 50_000_000
_MOST_ELONGATED = 50
_LARGEST_SIDE = 4096

# Values of openai/clip-vit-base-patch32, for folders whose settings leave them out.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def tower_features(
    view: TrainView, clip_model: str, image_folder: str, ctx: RunContext
) -> Mapping[str, tuple[Features, Features]]:
    """Tower outputs by modality, for the source and the target graph.

    Args:
        view: N-MMKG.
        clip_model: Folder of a Hugging Face CLIP model, or its name below the folder that
            ``MMEA_MODELS`` gives; empty takes the dataset's own features, and the log says so.
        image_folder: Where the image files of both graphs lie; may be empty if no node is an image.
        ctx: Device, cache folder, deadline and log.

    Raises:
        UserError: If the model or an image cannot be used; the text says what to do.
    """
    if not clip_model:
        ctx.log.simulated["clip_towers"] = (
            "the dataset's own text and image vectors stand in for the outputs of CLIP's towers"
        )
        return {name: view.features[name] for name in ("text", "image")}
    folder = _model_folder(clip_model)
    names = np.concatenate([view.source.names, view.target.names])
    n_source = view.source.n_entities
    is_visual = np.concatenate(visual_nodes(view.features))
    texts = names[~is_visual].tolist()
    images = [_image_file(image_folder, name) for name in names[is_visual].tolist()]
    towers = _Towers(folder, ctx)
    found = {}
    for name, mask, rows in (
        ("text", ~is_visual, towers.texts(texts)),
        ("image", is_visual, towers.images(images)),
    ):
        values = np.zeros((len(names), rows.shape[1]), dtype=np.float32)
        values[mask] = rows.numpy()
        found[name] = (
            Features(values[:n_source], mask[:n_source]),
            Features(values[n_source:], mask[n_source:]),
        )
    return found


def _model_folder(clip_model: str) -> Path:
    for package in ("transformers", "PIL"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"A CLIP model needs the package {'pillow' if package == 'PIL' else package}; "
                'install it, or leave out clip_model: pip install "mmea-bench[text]" pillow.'
            )
    own = Path(clip_model).expanduser()
    models = os.environ.get(MODELS_VARIABLE, "")
    for folder in (own, Path(models) / clip_model) if models else (own,):
        if (folder / "config.json").is_file():
            if not weight_files(folder):
                raise UserError(f"{folder} holds no weights: model.safetensors is needed there.")
            return folder
    raise UserError(
        f"There is no CLIP model '{clip_model}': name a Hugging Face model folder on disk, or one "
        f"below the folder that {MODELS_VARIABLE} names."
    )


def _image_file(image_folder: str, label: str) -> Path:
    if not image_folder:
        raise UserError("A CLIP model needs the image files: set image_folder to their folder.")
    folder = Path(image_folder).expanduser().resolve()
    try:
        path = (folder / label).resolve()
        is_inside, is_there = path.is_relative_to(folder), bool(label) and path.is_file()
    except (OSError, ValueError):  # a label of a data file that can be no file name
        is_inside, is_there = True, False
    if not is_inside:
        raise UserError(f"The image {shown(label)} would lie outside {folder}.")
    if not is_there:
        raise UserError(f"There is no image {shown(label)} in {folder}, which a visual node names.")
    return path


class _Towers:
    """A CLIP model that is read only where the cache lacks its outputs."""

    def __init__(self, folder: Path, ctx: RunContext) -> None:
        self._folder, self._ctx = folder, ctx
        self._identity = folder_identity(folder)
        self._loaded: tuple[Any, Any] | None = None

    def texts(self, labels: Sequence[str]) -> Tensor:
        """Projected outputs of the text tower, [n_labels, dim] float32 on the CPU."""
        kept = self._cache_file("text", labels)
        if kept is not None and kept.is_file():
            return torch.from_numpy(np.load(kept, allow_pickle=False))
        model, tokenizer = self._model()
        longest = int(model.config.text_config.max_position_embeddings)

        def outputs(batch: Sequence[str]) -> Tensor:
            tokens = tokenizer(
                list(batch), padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            states = model.text_model(
                input_ids=tokens["input_ids"].to(self._ctx.device),
                attention_mask=tokens["attention_mask"].to(self._ctx.device),
            )
            return _tensor(model.text_projection(states.pooler_output))

        return self._in_batches(labels, outputs, kept)

    def images(self, files: Sequence[Path]) -> Tensor:
        """Projected outputs of the image tower, [n_files, dim] float32 on the CPU."""
        states = [file.stat() for file in files]
        keys = [
            f"{file}:{state.st_size}:{state.st_mtime_ns}"
            for file, state in zip(files, states, strict=True)
        ]
        kept = self._cache_file("image", keys)
        if kept is not None and kept.is_file():
            return torch.from_numpy(np.load(kept, allow_pickle=False))
        model, _ = self._model()
        settings = image_settings(self._folder, int(model.config.vision_config.image_size))

        def outputs(batch: Sequence[Path]) -> Tensor:
            pixels = np.stack([pixel_values(file, settings) for file in batch])
            states = model.vision_model(pixel_values=torch.from_numpy(pixels).to(self._ctx.device))
            return _tensor(model.visual_projection(states.pooler_output))

        return self._in_batches(files, outputs, kept)

    def _model(self) -> tuple[Any, Any]:
        if self._loaded is None:
            model, tokenizer = read_model_folder(self._folder)
            if not hasattr(model, "visual_projection"):
                raise UserError(f"{self._folder} is no CLIP model: it has no image tower.")
            self._loaded = model.to(self._ctx.device), tokenizer
        return self._loaded

    @torch.inference_mode()
    def _in_batches(self, items: Sequence[Any], outputs: Any, kept: Path | None) -> Tensor:
        parts = [torch.zeros(0, int(self._model()[0].config.projection_dim))]
        for start in range(0, len(items), _BATCH):
            self._ctx.check_deadline()
            parts.append(outputs(items[start : start + _BATCH]))
        vectors = torch.cat(parts)
        if kept is not None:
            write_vectors(kept, vectors)
        return vectors

    def _cache_file(self, tower: str, keys: Sequence[str]) -> Path | None:
        if self._ctx.cache_dir is None:
            return None
        digest = hashlib.sha256(f"{self._identity}|{tower}".encode())
        for key in keys:
            encoded = key.encode("utf-8", "surrogatepass")
            digest.update(f"|{len(encoded)}|".encode() + encoded)
        return self._ctx.cache_dir / "clip_vectors" / f"{digest.hexdigest()}.npy"


def _tensor(vectors: Tensor) -> Tensor:
    return vectors.float().cpu()


def image_settings(folder: Path, image_size: int) -> dict[str, Any]:
    """What a CLIP folder says about its images: sizes after resizing and cropping, mean, deviation.

    Args:
        folder: Holds ``preprocessor_config.json``; CLIP's values stand in for what it leaves out.
        image_size: Side of the image tower's input.
    """
    path = folder / "preprocessor_config.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        size, crop = stored.get("size", image_size), stored.get("crop_size", image_size)
        deviation = _colours(stored.get("image_std", _DEVIATION))
        if not deviation.all():
            raise ValueError("colours cannot be divided by 0")
        return {
            "shortest": _side(size.get("shortest_edge", image_size) if _is_table(size) else size),
            "side": _side(crop.get("height", image_size) if _is_table(crop) else crop),
            "mean": _colours(stored.get("image_mean", _MEAN)),
            "deviation": deviation,
        }
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(
            f"{path}: these settings of images cannot be used ({shown(error, quote='')}). "
            "Copy the model folder again."
        ) from error


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _side(value: Any) -> int:
    side = int(value)
    if not 1 <= side <= _LARGEST_SIDE:
        raise ValueError(f"a side of {side} pixels is not in 1..{_LARGEST_SIDE}")
    return side


def _colours(values: Any) -> NDArray[np.float32]:
    colours = np.array(values, dtype=np.float32)
    if colours.shape != (3,) or not np.isfinite(colours).all():
        raise ValueError("one number for each of the three colours is needed")
    return colours


def pixel_values(file: Path, settings: Mapping[str, Any]) -> NDArray[np.float32]:
    """An image as CLIP's image tower takes it, [3, side, side].

    The shorter edge is resized (bicubic), the middle is cut out, colours are brought to [0, 1] and
    then standardised.
    """
    image_module = importlib.import_module("PIL.Image")
    side, shortest = settings["side"], settings["shortest"]
    try:
        # By name, because one of the formats that are tried otherwise runs programs (EPS).
        with image_module.open(file, formats=_IMAGE_FORMATS) as opened:
            _check_size(*opened.size)
            image = opened.convert("RGB")
    except Exception as error:  # a damaged image can raise nearly every type
        problem = shown(error, quote="")
        raise UserError(f"{file} cannot be read as an image ({problem}). Replace it.") from error
    width, height = image.size
    scale = shortest / min(width, height)
    resized = image.resize(
        (max(shortest, int(width * scale)), max(shortest, int(height * scale))),
        image_module.Resampling.BICUBIC,
    )
    left, top = (resized.width - side) // 2, (resized.height - side) // 2
    cut = resized.crop((left, top, left + side, top + side))
    colours = np.asarray(cut, dtype=np.float32) / np.float32(255)
    standardised = (colours - settings["mean"]) / settings["deviation"]
    return np.ascontiguousarray(standardised.transpose(2, 0, 1), dtype=np.float32)


def _check_size(width: int, height: int) -> None:
    """Refuses images that would fill the memory when they are unpacked or resized."""
    if width * height > _MOST_PIXELS or max(width, height) > _MOST_ELONGATED * min(width, height):
        raise ValueError(f"{width} x {height} pixels are too many or too elongated")

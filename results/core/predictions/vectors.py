"""Vectors of a trained cell as safetensors with a list of entities beside; never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from mmea_bench.results.core.disk.files import read_regular, write_atomic
from mmea_bench.results.core.errors import ResultsError, shown
from mmea_bench.results.core.predictions.schema import (
    EMBEDDINGS_FOLDER,
    FORMAT_VERSION,
    KeptEmbeddings,
)

_MOST_BYTES = 2**36
_LONGEST_HEADER = 2**20
_REMEDY = "Make it again with `mmea-bench predict DIR KEY --keep embeddings`."


def embeddings_paths(folder: Path, key: str) -> tuple[Path, Path]:
    """Files of a cell's vectors: ``<key>.safetensors`` and ``<key>.entities.json``."""
    place = folder / EMBEDDINGS_FOLDER
    return place / f"{key}.safetensors", place / f"{key}.entities.json"


def write_embeddings(folder: Path, key: str, kept: KeptEmbeddings) -> Path:
    """Writes the vectors of a cell and the URIs of their rows; returns the file of the vectors."""
    vectors, entities = embeddings_paths(folder, key)
    uris = {"source": list(kept.source_entities), "target": list(kept.target_entities)}
    text = json.dumps({"key": key, **uris}, ensure_ascii=False)
    write_atomic(entities, text.encode("utf-8", "surrogatepass"))
    words = {**kept.words, "key": key, "similarity": kept.similarity, "format": FORMAT_VERSION}
    metadata = {name: str(value) for name, value in words.items()}
    content = save({"source": kept.source, "target": kept.target}, metadata)
    write_atomic(vectors, content)
    return vectors


def load_embeddings(folder: Path, key: str) -> KeptEmbeddings:
    """The vectors that ``--keep embeddings`` left of a cell.

    Args:
        folder: Results folder.
        key: Key of the cell, in full.

    Raises:
        ResultsError: If there are none, or a file is damaged or foreign.
    """
    path, entities = embeddings_paths(folder, key)
    if not path.is_file():
        raise ResultsError(
            f"{folder} holds no vectors of cell {key}. `mmea-bench predict {quote(str(folder))} "
            f"{key} --keep embeddings` makes them."
        )
    try:
        content = read_regular(path, _MOST_BYTES)
        tensors, words = load(content), _metadata(content)
        uris = json.loads(read_regular(entities).decode("utf-8", "surrogatepass"))
        if words["key"] != key or uris["key"] != key:
            raise ValueError(f"it belongs to cell {shown(words['key'])}")
        source, target = tensors["source"], tensors["target"]
        sources, targets = tuple(map(str, uris["source"])), tuple(map(str, uris["target"]))
        if source.ndim != 2 or source.shape[1:] != target.shape[1:]:
            raise ValueError("source and target vectors have different columns")
        if (len(source), len(target)) != (len(sources), len(targets)):
            raise ValueError("vectors and entities are not equally many")
        similarity = words.pop("similarity")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecursionError) as error:
        raise ResultsError(f"{path}: cannot be used ({shown(error)}). {_REMEDY}") from error
    return KeptEmbeddings(source, target, sources, targets, similarity, words)


def _metadata(content: bytes) -> dict[str, Any]:
    """The texts in the header: eight bytes of its length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    if length > _LONGEST_HEADER:
        raise ValueError("its header is too long")
    return dict(json.loads(content[8 : 8 + length])["__metadata__"])

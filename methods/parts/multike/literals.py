"""Vectors of names and attribute values: five words, squeezed by a linear auto-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.names import word_table
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.optimisers import adagrad

_DELETED = str.maketrans(dict.fromkeys('.(),"') | dict.fromkeys("_-/", " "))
_TENSORFLOW_SUM = 0.1


@dataclass(frozen=True)
class LiteralSettings:
    """How texts become vectors.

    Attributes:
        word_file: Word vectors in GloVe's or fastText's text format; "" hashes the words, in lower
            case.
        n_words: Words of a text that count, the first ones.
        layers: Widths of the encoder's layers; the last one is the vectors'.
        encoder_epochs: Of the auto-encoder.
        encoder_batch_size: Texts of its batches.
        encoder_learning_rate: Of its Adagrad.
    """

    word_file: str
    n_words: int
    layers: tuple[int, ...]
    encoder_epochs: int
    encoder_batch_size: int
    encoder_learning_rate: float


def cleaned_name(name: str) -> str:
    """What stands before the first bracket of a name that ends with one; underscores are blanks."""
    name = name.replace("_", " ").strip()
    return name.split("(")[0].strip() if name.endswith(")") else name


def cleaned_value(value: str) -> str:
    """A value without punctuation; what joins words is a blank. "" for a link."""
    return "" if "http" in value else value.translate(_DELETED).strip()


def literal_vectors(texts: Sequence[str], settings: LiteralSettings, ctx: RunContext) -> Tensor:
    """Frozen vectors of texts with unit rows, [n_texts, last layer]; zeros for empty texts.

    The auto-encoder is trained on unit rows and then reads raw ones, as in the released code, where
    its activation is misspelt: every layer is linear.
    """
    if not settings.word_file:
        texts = [text.lower() for text in texts]
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    words = torch.from_numpy(first_words(list(distinct), settings, ctx)).to(ctx.device)
    encoder = _encoder(words, settings, ctx)
    with torch.no_grad():
        vectors = words
        for weight, bias in encoder:
            vectors = vectors @ weight + bias
        # A bias would give empty texts a vector that all of them share.
        vectors = normalize(vectors, dim=1) * words.any(dim=1, keepdim=True)
    return vectors[torch.tensor([distinct[text] for text in texts], dtype=torch.int64)]


def first_words(
    texts: Sequence[str], settings: LiteralSettings, ctx: RunContext
) -> NDArray[np.float32]:
    """Vectors of the first words side by side, [n_texts, n_words * dim]; zeros behind the last.

    A word that the file lacks has the mean of vectors of its letters. Those are random here, where
    the released code trains them on the letters of such words.
    """
    words = list(dict.fromkeys(word for text in texts for word in text.split()[: settings.n_words]))
    table = word_table(words, settings.word_file, "fastText's wiki-news-300d-1M", ctx)
    places = {word: row for row, word in enumerate(words)}
    slots = np.full((len(texts), settings.n_words), len(words), dtype=np.int64)
    for row, text in enumerate(texts):
        found = [places[word] for word in text.split()[: settings.n_words]]
        slots[row, : len(found)] = found
    padded = np.concatenate([table[: len(words)], np.zeros((1, table.shape[1]), dtype=np.float32)])
    return padded[slots].reshape(len(texts), settings.n_words * table.shape[1])


def _encoder(
    words: Tensor, settings: LiteralSettings, ctx: RunContext
) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """Weights and biases of the encoder's layers, trained with a decoder that mirrors them."""
    generator = ctx.generator("literal encoder")
    widths = [words.shape[1], *settings.layers]
    widths += widths[-2::-1]
    layers = [
        (_normal((n_in, n_out), generator, ctx), _normal((n_out,), generator, ctx))
        for n_in, n_out in pairwise(widths)
    ]
    encoder, decoder = layers[: len(settings.layers)], layers[len(settings.layers) :]
    parameters = [parameter for layer in layers for parameter in layer]
    optimiser = adagrad(settings.encoder_learning_rate, initial_sum=_TENSORFLOW_SUM)(parameters)
    present = words[words.any(dim=1)]
    for _ in range(settings.encoder_epochs):
        for batch in shuffled_batches(present, settings.encoder_batch_size, generator):
            ctx.check_deadline()
            unit = normalize(batch, dim=1)
            optimiser.zero_grad()
            reconstruction_loss(unit, encoder, decoder).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return encoder


def reconstruction_loss(
    unit: Tensor,
    encoder: Sequence[tuple[Tensor, Tensor]],
    decoder: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """Mean squared error of a batch whose code is divided by the length of the whole of it."""
    code = unit
    for weight, bias in encoder:
        code = code @ weight + bias
    found = code / code.norm().clamp_min(1e-6)
    for weight, bias in decoder:
        found = found @ weight + bias
    loss: Tensor = (found - unit).square().mean()
    return loss


def _normal(shape: tuple[int, ...], generator: torch.Generator, ctx: RunContext) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator).to(ctx.device))

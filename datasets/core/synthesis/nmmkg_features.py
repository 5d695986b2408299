"""Latent vectors of objects and the feature vectors that their nodes show.

Texts and images share a part of their latent vector; the private rest is a family's vector plus
a small own part, so that the members of a family are near-duplicates within one modality only.

Every factor is rounded to a binary fraction before a matrix product. All partial sums then fit
into a double without rounding, and the features are the same on every machine, whatever the order
in which its linear algebra adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.synthesis.nmmkg_settings import Knobs
from mmea_bench.datasets.core.synthesis.nmmkg_world import Groups, Nodes, World
from mmea_bench.datasets.core.synthesis.randomness import Float, Int, Stream, blocks

LATENT_DIM = 64
TEXT_DIM, IMAGE_DIM = 768, 2048
_IMAGE_SHIFT = 0.2
_BLOCK_ROWS = 2048
_LATENT_BITS, _MATRIX_BITS, _HIDDEN_BITS = 12, 18, 16


@dataclass(frozen=True)
class Latents:
    """Latent vectors by object, [n_objects, 64] each.

    Attributes:
        text: Shared part and text-private part.
        image: Shared part and image-private part.
    """

    text: Float
    image: Float


def build_features(
    rng_seed: int, knobs: Knobs, world: World, sides: tuple[Nodes, Nodes]
) -> dict[str, tuple[Features, Features]]:
    """Features of both graphs; rows of nodes of the other modality are zero."""
    latents = _latents(rng_seed, knobs, world)
    texts = [_text_side(rng_seed, knobs, latents, nodes, side) for side, nodes in enumerate(sides)]
    images = [
        _image_side(rng_seed, knobs, latents, nodes, side) for side, nodes in enumerate(sides)
    ]
    return {"text": (texts[0], texts[1]), "image": (images[0], images[1])}


def _latents(rng_seed: int, knobs: Knobs, world: World) -> Latents:
    n_objects = len(world.popular)
    n_shared = round(knobs.kappa * LATENT_DIM)
    shared = _normal(rng_seed, "shared", np.arange(n_objects), n_shared)

    def private(name: str, families: Groups) -> Float:
        n_private = LATENT_DIM - n_shared
        # Objects without the modality are in no family; nothing shows their private part.
        family = np.maximum(families.number(np.arange(n_objects)), 0)
        common = _normal(rng_seed, f"{name} family", family, n_private)
        own = _normal(rng_seed, f"{name} own", np.arange(n_objects), n_private)
        return math.sqrt(1 - knobs.j * knobs.j) * common + knobs.j * own

    return Latents(
        np.concatenate([shared, private("text", world.text_families)], axis=1),
        np.concatenate([shared, private("image", world.image_families)], axis=1),
    )


def _text_side(rng_seed: int, knobs: Knobs, latents: Latents, nodes: Nodes, side: int) -> Features:
    """``tanh(zA)B + mu``: like BERT's, any two vectors have a cosine near 0.9."""
    first = _matrix(rng_seed, "A", LATENT_DIM, TEXT_DIM)
    second = _matrix(rng_seed, "B", TEXT_DIM, TEXT_DIM)
    offset = knobs.mu * _normal(rng_seed, "mu", np.arange(1), TEXT_DIM)
    values = np.zeros((len(nodes.objects), TEXT_DIM), dtype=np.float32)
    rows = np.flatnonzero(~nodes.is_visual)
    for block in blocks(len(rows), _BLOCK_ROWS):
        shown = _noisy(rng_seed, f"text/side{side}", latents.text, nodes, rows[block], knobs.s_t)
        hidden = _fraction(np.tanh(shown @ first), _HIDDEN_BITS)
        values[rows[block]] = hidden @ second + offset
    return Features(values, ~nodes.is_visual)


def _image_side(rng_seed: int, knobs: Knobs, latents: Latents, nodes: Nodes, side: int) -> Features:
    """``max(0, zC + 0.2)``: like a ResNet's, not negative and half of the numbers zero."""
    projection = _matrix(rng_seed, "C", LATENT_DIM, IMAGE_DIM)
    values = np.zeros((len(nodes.objects), IMAGE_DIM), dtype=np.float32)
    rows = np.flatnonzero(nodes.is_visual)
    for block in blocks(len(rows), _BLOCK_ROWS):
        shown = _noisy(rng_seed, f"image/side{side}", latents.image, nodes, rows[block], knobs.s_v)
        values[rows[block]] = np.maximum(0.0, shown @ projection + _IMAGE_SHIFT)
    return Features(values, nodes.is_visual.copy())


def _noisy(
    rng_seed: int, name: str, latents: Float, nodes: Nodes, rows: Int, strength: float
) -> Float:
    noise = _normal(rng_seed, f"noise/{name}", rows, LATENT_DIM)
    return _fraction(latents[nodes.objects[rows]] + strength * noise, _LATENT_BITS)


def _matrix(rng_seed: int, name: str, n_rows: int, n_columns: int) -> Float:
    """Normal entries of variance 1 / n_rows."""
    entries = _normal(rng_seed, f"matrix {name}", np.arange(n_rows), n_columns)
    return _fraction(entries / math.sqrt(n_rows), _MATRIX_BITS)


def _normal(rng_seed: int, name: str, rows: Int, n_columns: int) -> Float:
    """Normal vectors by row number, [n, n_columns]; equal numbers give equal vectors."""
    positions = rows[:, None] * n_columns + np.arange(n_columns)[None, :]
    return Stream(rng_seed, f"nmmkg/{name}").normal(positions).astype(np.float64)


def _fraction(values: NDArray[np.float64], bits: int) -> Float:
    return np.asarray(np.round(values * 2.0**bits) * 2.0**-bits)

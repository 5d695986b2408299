"""Options of the synthetic N-MMKG and the counts that follow from them.

The published statistics of NMMEA (Xiao et al. 2025, Table 1) set every count; ``n / 14,921``
scales them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PUBLISHED_N = 14_921
SMALLEST_N, LARGEST_N = 300, 150_000
TRIPLES = (163_142, 109_834)
ATTRIBUTE_TRIPLES = (34_803, 31_526)
IMAGE_OF_SHARE = 0.838
VV_SHARE = 0.12
"""Share of the VV triples; not published, it lies between that of TV and of TT."""

RELATION_NAMES = {"TT": (729, 489), "TV": (47, 34), "VV": (67, 98)}
ATTRIBUTE_NAMES = {"text": (73, 98), "image": (6, 6)}

_TEXTS, _IMAGES = (7_758, 7_597), (7_163, 7_089)
_TT, _VV, _TV = 8_347, 4_160, 8_325


@dataclass(frozen=True)
class Knobs:
    """How hard the alignment is; the letters are those of the options.

    Attributes:
        s_t: Noise of a textual node's latent vector.
        s_v: Noise of a visual node's latent vector.
        kappa: Share of latent dimensions that both modalities show.
        fam: Size of a family, whose members look alike within one modality.
        j: Own part of an object's private latent vector, beside its family's.
        rho: Share of a graph's edges and attributes that come from the world.
        com: Size of a community.
        p_com: Share of edges within a community.
        mu: Standard deviation of the vector that all text features have in common.
        u1: Source images without partner, at the published size.
        u2: Target images without partner, at the published size.
    """

    s_t: float = 0.6
    s_v: float = 0.75
    kappa: float = 0.4
    fam: int = 10
    j: float = 0.25
    rho: float = 0.75
    com: int = 20
    p_com: float = 0.75
    mu: float = 2.0
    u1: int = 400
    u2: int = 0


PRESETS: dict[str, Knobs] = {
    "base": Knobs(),
    "easy": Knobs(s_t=0.5, s_v=0.6, fam=8, j=0.3, rho=0.85, com=12, p_com=0.85),
    "gap": Knobs(s_t=0.4, s_v=0.6, kappa=0.55, fam=15, j=0.2, rho=0.7, com=25, p_com=0.7),
    "hard": Knobs(s_t=0.7, s_v=0.9, fam=12, rho=0.6, com=25, p_com=0.7),
}


@dataclass(frozen=True)
class NmmkgOptions:
    """Options of ``synthetic-nmmkg[...]``.

    Attributes:
        n: Nodes of the source graph, 300 to 150,000; 14,921 is the published size.
        seed: Seed of the world and of both graphs.
        preset: Values of the knobs: ``base``, ``easy``, ``gap`` (text and image features are
            hard to compare, but related) or ``hard``.
        s_t: As in ``Knobs``, like all that follow; the preset's value where None.
        s_v: Noise of images.
        kappa: Share of latent dimensions in common.
        fam: Family size.
        j: Own part.
        rho: Share of common edges.
        com: Community size.
        p_com: Share of edges within a community.
        mu: Common offset of text features.
        u1: Source images without partner.
        u2: Target images without partner.

    Raises:
        ValueError: If a value is out of range.
    """

    n: int = 1500
    seed: int = 0
    preset: Literal["base", "easy", "gap", "hard"] = "base"
    s_t: float | None = None
    s_v: float | None = None
    kappa: float | None = None
    fam: int | None = None
    j: float | None = None
    rho: float | None = None
    com: int | None = None
    p_com: float | None = None
    mu: float | None = None
    u1: int | None = None
    u2: int | None = None

    def __post_init__(self) -> None:
        if not SMALLEST_N <= self.n <= LARGEST_N:
            raise ValueError(f"n must be in {SMALLEST_N}..{LARGEST_N}, not {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, not {self.seed}")
        knobs = knobs_of(self)
        for name in ("kappa", "j", "rho", "p_com"):
            if not 0.0 <= getattr(knobs, name) <= 1.0:
                raise ValueError(f"{name} must be in 0..1, not {getattr(knobs, name)}")
        for name in ("s_t", "s_v", "mu"):
            if not 0.0 <= getattr(knobs, name) <= 10.0:
                raise ValueError(f"{name} must be in 0..10, not {getattr(knobs, name)}")
        for name in ("fam", "com"):
            if not 2 <= getattr(knobs, name) <= 1000:
                raise ValueError(f"{name} must be in 2..1000, not {getattr(knobs, name)}")
        counts_of(1.0, knobs)  # raises where u1 and u2 fit no published total


@dataclass(frozen=True)
class ObjectCounts:
    """Numbers of objects by what they have on the two sides.

    Attributes:
        c11: Text and image on both sides.
        c10: Text on both, image in the source graph only.
        c01: Text on both, image in the target graph only.
        c00: Text on both, no image.
        cw: Image on both, no text.
        u1: Image in the source graph only.
        u2: Image in the target graph only.
        e1: Second text nodes of c10 objects in the source graph.
        e2: Second text nodes of c01 objects in the target graph.
    """

    c11: int
    c10: int
    c01: int
    c00: int
    cw: int
    u1: int
    u2: int
    e1: int
    e2: int

    @property
    def n_objects(self) -> int:
        """All objects; aliases are nodes, not objects."""
        return self.c11 + self.c10 + self.c01 + self.c00 + self.cw + self.u1 + self.u2


def knobs_of(options: NmmkgOptions) -> Knobs:
    """The preset's knobs with those that were given in the options."""
    preset = PRESETS[options.preset]
    values = {name: getattr(options, name) for name in Knobs.__dataclass_fields__}
    return Knobs(**{k: getattr(preset, k) if v is None else v for k, v in values.items()})


def counts_of(scale: float, knobs: Knobs) -> ObjectCounts:
    """Object counts that meet the published node and pair totals, times the scale.

    Raises:
        ValueError: If no such counts exist for ``u1`` and ``u2``.
    """
    e2, e1 = _TT - _TEXTS[0], _TT - _TEXTS[1]
    c10, c01 = _IMAGES[0] - _VV - knobs.u1, _IMAGES[1] - _VV - knobs.u2
    c11 = (_TV - c10 - c01) // 2
    c00 = _TEXTS[0] - e1 - c11 - c10 - c01
    found = (c11, c10, c01, c00, _VV - c11, knobs.u1, knobs.u2, e1, e2)
    if min(found) < 0 or e1 > c10 or e2 > c01:
        raise ValueError(
            f"no objects meet the published totals with u1 = {knobs.u1} and u2 = {knobs.u2}; "
            "u1 + u2 must be at least 240 and neither may exceed about 2,200"
        )
    return ObjectCounts(*(round(scale * count) for count in found))

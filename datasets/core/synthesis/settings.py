"""Options of the synthetic pair and the sizes that follow from them.

The published statistics of FB15K-DB15K (MCLEA 2022, Table 5) set every ratio: ``n`` is the
number of source entities, everything else scales with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST_N = 100
LARGEST_N = 1_000_000
LARGEST_IMAGE_DIM = 4096

# FB15K and DB15K as published.
_ENTITIES = (14951, 12842)
_RELATIONS = (1345, 279)
_ATTRIBUTES = (116, 225)
_TRIPLES = (592213, 89197)
_ATTRIBUTE_TRIPLES = (29395, 48080)
_SOURCE_IMAGES = 0.9
_SMALLEST_VOCABULARY = 8


@dataclass(frozen=True)
class SyntheticOptions:
    """Options of ``synthetic[...]``: size, randomness, and how hard the alignment is.

    Attributes:
        n: Entities of the source KG, 100 to 1,000,000; the target KG has 86 % as many.
        seed: Seed of the world and of both graphs.
        overlap: Share of the target entities that have a partner in the source KG.
        edge_overlap: Share of the target's relation triples that the source KG states too.
        image_coverage: Share of the source entities with an image; the target's share is
            ``image_coverage / 0.9``, at most 1, which keeps the published ratio.
        picture_noise: Strength of what one picture shows beside the entity's look; the look itself
            mostly follows the entity's type.
        image_dim: Columns of the image features.
        attribute_noise: Share of the source's attribute triples that the target lacks, and share
            of the source's values that are off by a few per cent of the range.
        name_deviation: Share of the names of each KG that deviate from the world's name: 40 % of
            them by one to three spelling edits, 60 % by being another name altogether.
        text: Whether entities have names.

    Raises:
        ValueError: If a value is out of range.
    """

    n: int = 1000
    seed: int = 0
    overlap: float = 0.95
    edge_overlap: float = 0.6
    image_coverage: float = 0.9
    picture_noise: float = 1.0
    image_dim: int = 64
    attribute_noise: float = 0.3
    name_deviation: float = 0.4
    text: bool = True

    def __post_init__(self) -> None:
        if not SMALLEST_N <= self.n <= LARGEST_N:
            raise ValueError(f"n must be in {SMALLEST_N}..{LARGEST_N}, not {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, not {self.seed}")
        if not 0.05 <= self.overlap <= 1.0:
            raise ValueError(f"overlap must be in 0.05..1, not {self.overlap}")
        for share in ("edge_overlap", "image_coverage", "attribute_noise", "name_deviation"):
            if not 0.0 <= getattr(self, share) <= 1.0:
                raise ValueError(f"{share} must be in 0..1, not {getattr(self, share)}")
        if not (math.isfinite(self.picture_noise) and 0.0 <= self.picture_noise <= 1000.0):
            raise ValueError(f"picture_noise must be in 0..1000, not {self.picture_noise}")
        if not 1 <= self.image_dim <= LARGEST_IMAGE_DIM:
            raise ValueError(f"image_dim must be in 1..{LARGEST_IMAGE_DIM}, not {self.image_dim}")


@dataclass(frozen=True)
class Sizes:
    """Counts of a pair; tuples are (source, target).

    Attributes:
        entities: Entities.
        shared: Entities that stand in both KGs.
        types: Entity types of the world.
        communities: Communities of the world.
        relations: Relation vocabularies.
        attributes: Attribute vocabularies.
        triples: Relation triples.
        attribute_triples: Attribute triples.
        image_shares: Shares of entities with an image.
    """

    entities: tuple[int, int]
    shared: int
    types: int
    communities: int
    relations: tuple[int, int]
    attributes: tuple[int, int]
    triples: tuple[int, int]
    attribute_triples: tuple[int, int]
    image_shares: tuple[float, float]


def sizes_of(options: SyntheticOptions) -> Sizes:
    """The counts that make a pair of this size look like FB15K-DB15K."""
    n_src = options.n
    n_tgt = round(n_src * _ENTITIES[1] / _ENTITIES[0])
    coverage = options.image_coverage

    def per_entity(counts: tuple[int, int]) -> tuple[int, int]:
        return (
            round(n_src * counts[0] / _ENTITIES[0]),
            round(n_tgt * counts[1] / _ENTITIES[1]),
        )

    return Sizes(
        entities=(n_src, n_tgt),
        shared=max(1, round(options.overlap * n_tgt)),
        types=round(2 * n_src**0.25),
        communities=max(2, round(math.sqrt(n_src) / 2)),
        relations=(_vocabulary(n_src, _RELATIONS[0]), _vocabulary(n_src, _RELATIONS[1])),
        attributes=(_vocabulary(n_src, _ATTRIBUTES[0]), _vocabulary(n_src, _ATTRIBUTES[1])),
        triples=per_entity(_TRIPLES),
        attribute_triples=per_entity(_ATTRIBUTE_TRIPLES),
        image_shares=(coverage, min(1.0, coverage / _SOURCE_IMAGES)),
    )


def _vocabulary(n_src: int, published: int) -> int:
    # Vocabularies grow with the square root of the graph: ten times the entities bring about
    # three times the relations.
    return max(_SMALLEST_VOCABULARY, round(published * math.sqrt(n_src / _ENTITIES[0])))

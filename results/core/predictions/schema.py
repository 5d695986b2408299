"""What is kept of a cell besides its record, and what each column of it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1
PREDICTIONS_FOLDER = "predictions"
EMBEDDINGS_FOLDER = "embeddings"
DIRECTIONS = ("src2tgt", "tgt2src")
NO_CANDIDATE = -1
"""Stands behind the last candidate where there are fewer than asked for."""

Ids = NDArray[np.int32]
Ranks = NDArray[np.float64]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class KeptScoring:
    """One way of scoring, in the words of results.csv.

    Attributes:
        similarity: How vectors were compared.
        csls: Neighbourhood size, 0 for the plain similarity.
        decoder: Address of the decoder, ``none`` where scores rank.
        candidates: Among what links were ranked, ``test`` or ``unseeded``.
        ties: Rank among equal scores.
        is_published: Whether the published numbers of the method were scored so.
    """

    similarity: str
    csls: int
    decoder: str
    candidates: str
    ties: str
    is_published: bool = False

    @property
    def words(self) -> dict[str, Any]:
        """The columns of results.csv that say it."""
        names = ("similarity", "csls", "decoder", "candidates", "ties")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class RankedLinks:
    """Every test link under one way of scoring.

    Attributes:
        scoring: How the ranks were counted.
        ranks: Direction to the rank of the true partner, [n_links]; halves where scores tie.
        candidates: Direction to the best candidates of each link's entity, best first,
            [n_links, k] ids of the other KG; ``NO_CANDIDATE`` where there are fewer. Other true
            partners of the entity stand among them, although no rank counts them.
        scores: Direction to their scores as they were compared, [n_links, k]: rescaled by CSLS, or
            the logarithm of a Sinkhorn plan; ``nan`` behind the last candidate.
    """

    scoring: KeptScoring
    ranks: dict[str, Ranks]
    candidates: dict[str, Ids] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a cell.

    Attributes:
        key: Key of the cell's record.
        words: What the cell is: method, variant, dataset, dataset_version, seed_ratio, repeat,
            protocol, split.
        links: The test links, [n_links, 2] (source id, target id).
        ranked: The links under each kept way of scoring.
        equals_record: Whether the metrics of the ranks are those of the record; false can only be
            where ``mmea-bench predict`` trained again and got other numbers.
    """

    key: str
    words: dict[str, Any]
    links: Ids
    ranked: tuple[RankedLinks, ...]
    equals_record: bool = True


@dataclass(frozen=True, eq=False)
class EntityFacts:
    """What is known of the entities of one KG; row i is entity i.

    Attributes:
        uris: URIs.
        names: Surface forms that the dataset carries (translations in DBP15K), else those inside
            the URIs; "" for none.
        degrees: Relation triples that an entity stands in, as head or as tail.
        n_attributes: Attribute triples of an entity.
        has_image: Whether it has an image.
        is_identified: Whether it stands in a triple of a relation that (nearly) identifies it; see
            ``IDENTIFYING``.
        n_links: Anchor links that it stands in.
    """

    uris: NDArray[np.object_]
    names: NDArray[np.object_]
    degrees: Ids
    n_attributes: Ids
    has_image: NDArray[np.bool_]
    is_identified: NDArray[np.bool_]
    n_links: Ids


IDENTIFYING = 0.9
"""A relation identifies its heads if ``distinct tails / triples`` reaches this (its inverse
functionality: whoever shares a tail is the same), and its tails if ``distinct heads / triples``
does (its functionality). After PARIS (Suchanek et al., VLDB 2011, sec. 4)."""


@dataclass(frozen=True, eq=False)
class DatasetFacts:
    """What slices of links are made from.

    Attributes:
        dataset_version: Content hash of the dataset.
        source: Entities of the source KG.
        target: Entities of the target KG.
        links: All anchor links, [n, 2].
        name_similarity: Of the names of each link's two entities in lower case: one less their
            edit distance by the length of the longer, [n]; ``nan`` where one has no name.
    """

    dataset_version: str
    source: EntityFacts
    target: EntityFacts
    links: Ids
    name_similarity: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class KeptEmbeddings:
    """Vectors of all entities of a trained cell.

    Attributes:
        source: [n_source, dim] float32 or half precision; not normalised unless the method did so.
        target: [n_target, dim].
        source_entities: URI of each source row.
        target_entities: URI of each target row.
        similarity: How the method compares vectors.
        words: What the cell is: key, method, variant, dataset, dataset_version, seed_ratio, repeat,
            protocol.
    """

    source: NDArray[Any]
    target: NDArray[Any]
    source_entities: tuple[str, ...]
    target_entities: tuple[str, ...]
    similarity: str
    words: dict[str, Any]

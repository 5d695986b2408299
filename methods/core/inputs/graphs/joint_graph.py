"""Both KGs as one graph: target ids follow the source ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.graph import Text
from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Similarity

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class JointGraph:
    """The disjoint union of two KGs; equal relation (attribute) names share one id.

    Attributes:
        n_source: Entities of the source KG; ids below are source entities.
        n_entities: Entities of both KGs.
        n_relations: Distinct relation names of both KGs.
        triples: (head, relation, tail), [n_triples, 3] int64.
        n_attributes: Distinct attribute names of both KGs.
        attributes: (entity, attribute), [n_attribute_triples, 2] int64.
    """

    n_source: int
    n_entities: int
    n_relations: int
    triples: IntArray
    n_attributes: int
    attributes: IntArray

    @classmethod
    def of(cls, view: TrainView) -> JointGraph:
        """The union of the two KGs of a view."""
        source, target = view.source, view.target
        n_source = source.n_entities
        relation_ids, n_relations = _shared_ids(source.relations, target.relations)
        attribute_ids, n_attributes = _shared_ids(source.attributes, target.attributes)
        triples = [
            np.stack(
                [
                    graph.relation_triples[:, 0].astype(np.int64) + offset,
                    ids[graph.relation_triples[:, 1]],
                    graph.relation_triples[:, 2].astype(np.int64) + offset,
                ],
                axis=1,
            )
            for graph, ids, offset in zip(
                (source, target), relation_ids, (0, n_source), strict=True
            )
        ]
        attributes = [
            np.stack(
                [
                    graph.attribute_triples[:, 0].astype(np.int64) + offset,
                    ids[graph.attribute_triples[:, 1]],
                ],
                axis=1,
            )
            for graph, ids, offset in zip(
                (source, target), attribute_ids, (0, n_source), strict=True
            )
        ]
        return cls(
            n_source,
            n_source + target.n_entities,
            n_relations,
            np.concatenate(triples),
            n_attributes,
            np.concatenate(attributes),
        )

    def distinct(self, *columns: int) -> IntArray:
        """Distinct rows of some columns of the triples in ascending order, [n, n_columns]."""
        return distinct_rows(self.triples[:, columns])

    def seed_pairs(self, view: TrainView) -> Tensor:
        """Seed links as joint ids, [n_seed, 2] int64."""
        links = torch.from_numpy(np.array(view.seed_links, dtype=np.int64))
        return links + torch.tensor([0, self.n_source])

    def split(
        self,
        vectors: Tensor,
        similarity: Similarity = "cosine",
        by_modality: Mapping[str, Tensor] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Embeddings:
        """Vectors of all entities as embeddings of the two KGs, without gradients.

        Args:
            vectors: Joint vectors, [n_entities, dim].
            similarity: How they are compared.
            by_modality: Vectors of each modality, [n_entities, dim] each.
            weights: Of the modalities in the joint vectors.
        """
        parts = {name: self._of_sides(part) for name, part in (by_modality or {}).items()}
        return Embeddings(*self._of_sides(vectors), similarity, parts, weights or {})

    def _of_sides(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        vectors = vectors.detach()
        return vectors[: self.n_source], vectors[self.n_source :]


def undirected_edges(graph: JointGraph) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
    """Symmetric adjacency with self-loops, as EVA and MCLEA build it.

    Returns:
        Rows, columns (sorted by row, then column; int64) and weights (float32) of ``A``: off the
        diagonal the number of triples between two entities in either direction, 1 on it. Triples
        that link an entity to itself are dropped.
    """
    heads, tails = graph.triples[:, 0], graph.triples[:, 2]
    proper = heads != tails
    heads, tails = heads[proper], tails[proper]
    size = graph.n_entities
    loops = np.arange(size) * size + np.arange(size)
    keys, counts = np.unique(
        np.concatenate([heads * size + tails, tails * size + heads, loops]), return_counts=True
    )
    return keys // size, keys % size, counts.astype(np.float32)


def symmetric_normalised(
    rows: IntArray, columns: IntArray, weights: NDArray[np.float32], size: int
) -> NDArray[np.float32]:
    """Weights of ``D^-1/2 A D^-1/2`` with ``D`` the row sums of ``A``, [n_edges] float32."""
    degrees = np.bincount(rows, weights=weights, minlength=size)
    scale = 1.0 / np.sqrt(np.maximum(degrees, 1e-12))
    return np.asarray(weights * scale[rows] * scale[columns], dtype=np.float32)


def _shared_ids(source: Text, target: Text) -> tuple[tuple[IntArray, IntArray], int]:
    names = {name: index for index, name in enumerate(dict.fromkeys([*source, *target]))}
    ids = tuple(
        np.fromiter((names[name] for name in texts), dtype=np.int64, count=len(texts))
        for texts in (source, target)
    )
    return (ids[0], ids[1]), len(names)

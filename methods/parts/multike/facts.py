"""What MultiKE trains on: triples with predicates apart by KG, and copies across the KGs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.parts.multike.literals import cleaned_value
from mmea_bench.methods.parts.multike.predicates import AlignedPredicates


def relation_triples(view: TrainView) -> Tensor:
    """Distinct triples in joint ids, [n, 3]; relations of the target KG follow the source's."""
    both = view.source, view.target
    source, target = (graph.relation_triples.astype(np.int64) for graph in both)
    shift = np.array([view.source.n_entities, view.source.n_relations, view.source.n_entities])
    return torch.from_numpy(distinct_rows(np.concatenate([source, target + shift])))


def swapped_triples(triples: Tensor, pairs: Tensor, n_source: int) -> Tensor:
    """Copies of triples with one entity of a pair in its partner's place, [n_swapped, 3].

    Args:
        triples: Distinct, as ``relation_triples`` has them.
        pairs: Joint ids of partners, [n_pairs, 2].
        n_source: Entities of the source KG.
    """
    own = triples.numpy()
    everything = TripleSet(own, own[:, 0] < n_source).with_swaps(pairs.numpy()).triples
    _, first, counts = np.unique(
        np.concatenate([own, everything]), axis=0, return_index=True, return_counts=True
    )
    places = np.sort(first[counts == 1])
    return torch.from_numpy(np.concatenate([own, everything])[places])


@dataclass(frozen=True, eq=False)
class Facts:
    """Attribute triples with a value.

    Attributes:
        entities: Joint ids, [n].
        attributes: Attribute ids, those of the target KG behind the source's, [n].
        values: Row of the value's vector, [n].
    """

    entities: Tensor
    attributes: Tensor
    values: Tensor

    def __len__(self) -> int:
        """Number of triples."""
        return len(self.entities)

    def chosen(self, rows: Tensor) -> Facts:
        """Some of the triples, by position or mask."""
        return Facts(self.entities[rows], self.attributes[rows], self.values[rows])

    def swapped(self, pairs: Tensor) -> Facts:
        """Those of entities of a pair, each with the partner in the entity's place."""
        both = torch.cat([pairs, pairs.flip(1)])
        partner = torch.full((int(max(self.entities.max(), both.max())) + 1,), -1)
        partner[both[:, 0]] = both[:, 1]
        partners = partner[self.entities]
        has_one = partners >= 0
        return Facts(partners[has_one], self.attributes[has_one], self.values[has_one])


def attribute_facts(view: TrainView, graph: JointGraph, fewest: int) -> tuple[Facts, list[str]]:
    """Attribute triples whose value says something, and the distinct cleaned values.

    Args:
        view: Dataset.
        graph: Its union graph.
        fewest: Triples that an attribute must have.
    """
    texts = [cleaned_value(text) for text in AttributeValues.of(view, graph).texts]
    attributes = _attribute_ids(view)
    counts = np.bincount(attributes, minlength=1)
    said = np.array([bool(text) for text in texts], dtype=bool)
    kept = np.nonzero(said & (counts[attributes] >= fewest))[0]
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts[place] for place in kept))}
    values = np.array([rows[texts[place]] for place in kept], dtype=np.int64)
    parts = (graph.attributes[kept, 0], attributes[kept], values)
    return Facts(*(torch.from_numpy(part) for part in parts)), list(rows)


def _attribute_ids(view: TrainView) -> IntArray:
    source = view.source.attribute_triples[:, 1].astype(np.int64)
    return np.concatenate([source, view.target.attribute_triples[:, 1] + view.source.n_attributes])


def exchanged(
    predicates: Tensor, aligned: AlignedPredicates, n_source: int, n_predicates: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions whose predicate has a counterpart, the counterparts and the similarities.

    Args:
        predicates: Predicate of each triple, [n].
        aligned: Pairs; target ids are counted from 0.
        n_source: Predicates of the source KG.
        n_predicates: Of both KGs.
    """
    partner = torch.full((n_predicates,), -1)
    similarity = torch.zeros(n_predicates)
    source, target = aligned.pairs[:, 0], aligned.pairs[:, 1] + n_source
    partner[source], partner[target] = target, source
    similarity[source] = similarity[target] = aligned.similarity
    places = torch.nonzero(partner[predicates] >= 0).squeeze(1)
    return places, partner[predicates[places]], similarity[predicates[places]]

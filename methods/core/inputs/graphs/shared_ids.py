"""Parameter sharing: entities that seed links join are one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph


def shared_ids(graph: JointGraph, view: TrainView) -> NDArray[np.int64]:
    """One id per group of entities that seed links join, [n_entities].

    All entities that links connect share an id, so an entity with two partners merges all three.
    """
    pairs = graph.seed_pairs(view).numpy()
    size = graph.n_entities
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class SharedGraph:
    """The triples of both KGs in ids that seed partners share.

    Attributes:
        ids: Shared id of every entity of the union graph, [n_entities].
        n_ids: Distinct shared ids.
        triples: (head, relation, tail), heads and tails in shared ids, [n_triples, 3].
        source_side: Whether a triple is of the source KG, [n_triples].
    """

    ids: Tensor
    n_ids: int
    triples: Tensor
    source_side: Tensor

    @classmethod
    def of(cls, graph: JointGraph, view: TrainView) -> SharedGraph:
        """The union graph of a view with its seed partners merged."""
        ids = torch.from_numpy(shared_ids(graph, view))
        heads, relations, tails = torch.from_numpy(graph.triples).T
        triples = torch.stack([ids[heads], relations, ids[tails]], dim=1)
        return cls(ids, int(ids.max()) + 1, triples, heads < graph.n_source)

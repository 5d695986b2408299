"""The two KGs as data objects of torch-geometric, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph

if TYPE_CHECKING:  # importing it takes seconds, which only those pay who use it
    from torch_geometric.data import Data, HeteroData

SIDES = ("source", "target")
_COUNTS = ("num_nodes", "n_source", "n_relations", "n_attributes")
_JOINT_FIELDS = ("edge_index", "edge_type", "attribute_index", *_COUNTS)


@overload
def to_pyg(given: JointGraph) -> Data: ...
@overload
def to_pyg(given: TrainView) -> HeteroData: ...
def to_pyg(given: JointGraph | TrainView) -> Data | HeteroData:
    """Both KGs for layers, transforms and samplers of torch-geometric.

    Args:
        given: The union graph for one ``Data``, or a view for a ``HeteroData`` that keeps the two
            KGs apart.

    Returns:
        Of a union graph: ``edge_index`` [2, n_triples] from head to tail, one column per relation
        triple; ``edge_type`` [n_triples]; ``attribute_index`` [2, n_attribute_triples] of (entity,
        attribute); ``num_nodes``, ``n_source``, ``n_relations`` and ``n_attributes``.

        Of a view: node types ``source``, ``target`` and ``attribute``; on the first two, for each
        feature modality, its vectors [n_entities, dim] and ``<modality>_present`` [n_entities];
        edge types ``(side, "relation", side)`` with ``edge_index`` and ``edge_type``, ``(side,
        "has", "attribute")``, and ``("source", "seed", "target")`` for the seed links. Equal
        relation and attribute names of the two KGs share an id, as in the union graph.
    """
    from torch_geometric.data import Data

    if isinstance(given, TrainView):
        return _view_to_pyg(given)
    return Data(
        edge_index=_tensor(given.triples[:, [0, 2]].T),
        edge_type=_tensor(given.triples[:, 1]),
        attribute_index=_tensor(given.attributes.T),
        num_nodes=given.n_entities,
        n_source=given.n_source,
        n_relations=given.n_relations,
        n_attributes=given.n_attributes,
    )


def _view_to_pyg(view: TrainView) -> HeteroData:
    from torch_geometric.data import HeteroData

    graph = JointGraph.of(view)
    data = HeteroData(n_relations=graph.n_relations)
    data["attribute"].num_nodes = graph.n_attributes
    for position, side in enumerate(SIDES):
        start = graph.n_source * position
        stop = graph.n_entities if position else graph.n_source
        data[side].num_nodes = stop - start
        for modality, both in view.features.items():
            data[side][modality] = _tensor(both[position].values)
            data[side][f"{modality}_present"] = _tensor(both[position].present)
        triples = _starting_in(graph.triples, start, stop)
        data[side, "relation", side].edge_index = _tensor(triples[:, [0, 2]].T - start)
        data[side, "relation", side].edge_type = _tensor(triples[:, 1])
        owned = _starting_in(graph.attributes, start, stop)
        data[side, "has", "attribute"].edge_index = _tensor((owned - [start, 0]).T)
    data["source", "seed", "target"].edge_index = _tensor(view.seed_links.T.astype(np.int64))
    return data


def _starting_in(rows: IntArray, start: int, stop: int) -> IntArray:
    """Rows whose first column is an entity of one KG."""
    return rows[(rows[:, 0] >= start) & (rows[:, 0] < stop)]


def from_pyg(data: Data | HeteroData) -> JointGraph:
    """The union graph of what ``to_pyg`` gave, also after its edges were changed.

    Args:
        data: With the fields that ``to_pyg`` writes; others are not looked at.

    Raises:
        UserError: If a field is missing, or an id in it belongs to no entity, relation or
            attribute.
    """
    from torch_geometric.data import HeteroData

    fields = data.to_dict()  # plain tables: to ask a HeteroData for a lacking type adds it
    if isinstance(data, HeteroData):
        return _hetero_to_graph(fields)
    _check_fields(fields, _JOINT_FIELDS, "the Data")
    n_entities, n_relations = int(fields["num_nodes"]), int(fields["n_relations"])
    n_attributes = int(fields["n_attributes"])
    return JointGraph(
        int(fields["n_source"]),
        n_entities,
        n_relations,
        _triples(fields, (n_entities, n_relations), "the Data"),
        n_attributes,
        _ids(fields, "attribute_index", (n_entities, n_attributes), "the Data"),
    )


def _hetero_to_graph(stores: Mapping[Any, Any]) -> JointGraph:
    shared = stores.get("_global_store", {})
    _check_fields(shared, ("n_relations",), "the HeteroData")
    n_relations = int(shared["n_relations"])
    sizes = {}
    for kind in (*SIDES, "attribute"):
        _check_fields(stores.get(kind, {}), ("num_nodes",), f"node type '{kind}'")
        sizes[kind] = int(stores[kind]["num_nodes"])
    triples, attributes = [], []
    for side, start in zip(SIDES, (0, sizes["source"]), strict=True):
        edge_type = (side, "relation", side)
        fields, place = stores.get(edge_type, {}), f"edge type {edge_type}"
        _check_fields(fields, ("edge_index", "edge_type"), place)
        own = _triples(fields, (sizes[side], n_relations), place)
        triples.append(np.add(own, [start, 0, start]))
        edge_type = (side, "has", "attribute")
        fields, place = stores.get(edge_type, {}), f"edge type {edge_type}"
        _check_fields(fields, ("edge_index",), place)
        owned = _ids(fields, "edge_index", (sizes[side], sizes["attribute"]), place)
        attributes.append(np.add(owned, [start, 0]))
    return JointGraph(
        sizes["source"],
        sizes["source"] + sizes["target"],
        n_relations,
        np.concatenate(triples),
        sizes["attribute"],
        np.concatenate(attributes),
    )


def _check_fields(fields: Mapping[str, Any], names: Sequence[str], place: str) -> None:
    for name in names:
        if fields.get(name) is None:
            raise UserError(f"{place} has no '{name}'. Make it with to_pyg, and keep this field.")


def _triples(fields: Mapping[str, Any], limits: tuple[int, int], place: str) -> IntArray:
    """(head, relation, tail), [n_triples, 3]; ``limits`` are entities and relations."""
    ends = _ids(fields, "edge_index", (limits[0], limits[0]), place)
    relations = _ids(fields, "edge_type", limits[1:], place)
    if len(relations) != len(ends):
        raise UserError(
            f"{place} has {len(ends)} edges and {len(relations)} relation ids in 'edge_type'. "
            "Give every edge its relation."
        )
    return np.column_stack([ends[:, 0], relations[:, 0], ends[:, 1]])


def _ids(fields: Mapping[str, Any], name: str, limits: tuple[int, ...], place: str) -> IntArray:
    """A tensor [k, n], or [n] where k is 1, as an array [n, k] of ids below k limits."""
    value = fields[name]
    n_rows = len(limits)
    shape = (n_rows,) if n_rows > 1 else ()
    is_right = isinstance(value, Tensor) and not value.is_floating_point()
    if not is_right or value.ndim != len(shape) + 1 or tuple(value.shape[:-1]) != shape:
        wanted = f"[{n_rows}, n]" if shape else "[n]"
        raise UserError(f"'{name}' of {place} must be a tensor {wanted} of whole numbers.")
    ids = value.detach().cpu().numpy().astype(np.int64).reshape(n_rows, -1).T
    if ((ids < 0) | (ids >= limits)).any():
        raise UserError(
            f"'{name}' of {place} holds an id that is not below {' and '.join(map(str, limits))}. "
            "Number entities, relations and attributes as to_pyg does."
        )
    return np.ascontiguousarray(ids)


def _tensor(array: np.ndarray) -> Tensor:
    """A copy, since the arrays of a dataset are read-only and shared."""
    return torch.from_numpy(np.array(array))

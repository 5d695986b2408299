"""Graphs as data objects of torch-geometric: nothing is lost, and its layers agree with ours.

Its import takes seconds, so each test does it itself: every process of a parallel run reads this
file, and one of them runs it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.api import (
    FixedMatrix,
    JointGraph,
    SparsePattern,
    UserError,
    from_pyg,
    symmetric_normalised,
    to_pyg,
    undirected_edges,
)
from tests.methods.small_graphs import small_view


@pytest.fixture
def view() -> TrainView:
    return small_view()


def assert_equal(found: JointGraph, expected: JointGraph) -> None:
    for field in dataclasses.fields(JointGraph):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)
        assert getattr(one, "dtype", int) == getattr(other, "dtype", int)


def test_a_union_graph_comes_back_as_it_was(view: TrainView) -> None:
    from torch_geometric.data import Data

    graph = JointGraph.of(view)
    data = to_pyg(graph)
    assert isinstance(data, Data)
    assert data.validate()
    assert (data.num_nodes, data.n_source, data.n_relations) == (5, 3, 2)
    assert data.edge_index.tolist() == [[0, 1, 0, 2, 3], [1, 0, 2, 2, 4]]
    assert data.edge_type.tolist() == [0, 0, 1, 1, 0]
    assert_equal(from_pyg(data), graph)


def test_a_view_comes_back_as_its_union_graph(view: TrainView) -> None:
    from torch_geometric.data import HeteroData

    data = to_pyg(view)
    assert isinstance(data, HeteroData)
    assert data.validate()
    assert data["target", "relation", "target"].edge_index.tolist() == [[0], [1]]
    assert_equal(from_pyg(data), JointGraph.of(view))


def test_a_view_keeps_features_presence_and_seed_links(view: TrainView) -> None:
    data = to_pyg(view)
    for position, side in enumerate(("source", "target")):
        features = view.features["image"][position]
        np.testing.assert_array_equal(data[side].image, features.values)
        np.testing.assert_array_equal(data[side].image_present, features.present)
    seeds = data["source", "seed", "target"].edge_index
    np.testing.assert_array_equal(seeds.T, view.seed_links)


def test_nothing_of_a_dataset_can_be_changed_through_it(view: TrainView) -> None:
    before = view.features["image"][0].values.copy()
    to_pyg(view)["source"].image.zero_()
    np.testing.assert_array_equal(view.features["image"][0].values, before)


def test_edges_that_were_dropped_stay_away(view: TrainView) -> None:
    graph = JointGraph.of(view)
    data = to_pyg(graph)
    fewer = from_pyg(data.edge_subgraph(data.edge_type == 1))
    assert fewer.triples.tolist() == [[0, 1, 2], [2, 1, 2]]
    assert_equal(dataclasses.replace(fewer, triples=graph.triples), graph)


def test_a_layer_of_pyg_equals_our_product_with_the_normalised_adjacency(view: TrainView) -> None:
    from torch_geometric.nn import GCNConv

    graph = JointGraph.of(view)
    proper = graph.triples[graph.triples[:, 0] != graph.triples[:, 2]]
    graph = dataclasses.replace(graph, triples=proper)
    edges = to_pyg(graph).edge_index
    layer = GCNConv(8, 4, bias=False)  # adds self-loops and normalises by degrees
    inputs = torch.randn(graph.n_entities, 8, generator=torch.Generator().manual_seed(0))
    found = layer(inputs, torch.cat([edges, edges.flip(0)], dim=1))

    rows, columns, weights = undirected_edges(graph)
    size = graph.n_entities
    values = torch.from_numpy(symmetric_normalised(rows, columns, weights, size))
    adjacency = FixedMatrix(SparsePattern(rows, columns, (size, size)), values)
    torch.testing.assert_close(found, adjacency @ (inputs @ layer.lin.weight.T))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"n_source": None},
            "the Data has no 'n_source'. Make it with to_pyg, and keep this field.",
        ),
        ({"edge_type": None}, "the Data has no 'edge_type'"),
        ({"edge_type": torch.tensor([0])}, "edges and 1 relation ids in 'edge_type'"),
        ({"edge_index": torch.tensor([[0], [999]])}, "holds an id that is not below"),
        ({"edge_index": torch.tensor([0, 1])}, "'edge_index' of the Data must be a tensor [2, n]"),
        ({"edge_type": torch.tensor([0.5])}, "must be a tensor [n] of whole numbers"),
    ],
)
def test_a_data_that_is_no_graph_of_ours_is_one_sentence(
    view: TrainView, change: dict[str, Any], sentence: str
) -> None:
    data = to_pyg(JointGraph.of(view))
    for name, value in change.items():
        setattr(data, name, value)
    with pytest.raises(UserError) as caught:
        from_pyg(data)
    assert sentence in str(caught.value)


def test_a_hetero_data_without_a_side_names_it(view: TrainView) -> None:
    data = to_pyg(view)
    del data["target", "relation", "target"]
    with pytest.raises(UserError, match=r"edge type \('target', 'relation', 'target'\) has no"):
        from_pyg(data)

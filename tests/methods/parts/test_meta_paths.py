"""Meta-path sets and their attention equal what plain loops over nodes give."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.parts.crossea.meta_paths import (
    MetaPathAttention,
    Path,
    hop_weights,
    sampled_hop_sets,
    sparse_pattern,
)
from tests.methods.nmmkg_views import nmmkg_view

DIM = 4
WHOLE = (1000, 1000, 1000)


@pytest.fixture
def graph() -> JointGraph:
    return JointGraph.of(nmmkg_view())


@pytest.fixture
def nodes() -> NodeSets:
    return NodeSets.of(nmmkg_view())


def modality(nodes: NodeSets, node: int) -> str:
    return "image" if nodes.is_visual[node] else "text"


def neighbours(graph: JointGraph, node: int) -> set[int]:
    pairs = {(int(head), int(tail)) for head, _, tail in graph.triples}
    return {b for a, b in pairs | {(b, a) for a, b in pairs} if a == node} - {node}


def looped_sets(graph: JointGraph, nodes: NodeSets, path: Path) -> dict[int, set[int]]:
    """P^{k,l}(i) of the last hop of a path, by joint ids, for every node of its first modality."""
    found = {}
    for start in range(nodes.n_nodes):
        if modality(nodes, start) != path[0]:
            continue
        reached = {start}
        for wanted in path[1:]:
            further = set().union(*(neighbours(graph, node) for node in reached))
            reached = {node for node in further if modality(nodes, node) == wanted} - {start}
        found[start] = reached
    return found


def as_sets(matrix: csr_array, nodes: NodeSets, path: Path) -> dict[int, set[int]]:
    starts, ends = nodes.ids[path[0]], nodes.ids[path[-1]]
    dense = matrix.toarray()
    return {int(start): set(ends[dense[row]].tolist()) for row, start in enumerate(starts)}


@pytest.mark.parametrize("n_hops", [1, 2, 3])
def test_sets_are_what_loops_reach(graph: JointGraph, nodes: NodeSets, n_hops: int) -> None:
    sets = sampled_hop_sets(graph, nodes, WHOLE[:n_hops], np.random.default_rng(0))
    lengths = range(2, n_hops + 2)
    assert set(sets) == {
        path for length in lengths for path in itertools.product(("text", "image"), repeat=length)
    }
    for path, matrix in sets.items():
        assert as_sets(matrix, nodes, path) == looped_sets(graph, nodes, path)


def test_larger_sets_are_cut_to_a_sample_of_them(graph: JointGraph, nodes: NodeSets) -> None:
    sets = sampled_hop_sets(graph, nodes, (2, 3), np.random.default_rng(0))
    for path, matrix in sets.items():
        cap = (2, 3)[len(path) - 2]
        whole = looped_sets(graph, nodes, path)
        for start, found in as_sets(matrix, nodes, path).items():
            assert found <= whole[start]
            assert len(found) == min(cap, len(whole[start]))


def test_every_member_is_equally_likely_to_be_kept(graph: JointGraph, nodes: NodeSets) -> None:
    path = ("text", "text", "text")
    whole = looped_sets(graph, nodes, path)
    start = max(whole, key=lambda node: len(whole[node]))
    counts = dict.fromkeys(whole[start], 0)
    generator = np.random.default_rng(1)
    for _ in range(120):
        sets = sampled_hop_sets(graph, nodes, (1, 2), generator)
        for node in as_sets(sets[path], nodes, path)[start]:
            counts[node] += 1
    expected = 120 * 2 / len(counts)
    assert all(abs(count - expected) < 5 * math.sqrt(expected) for count in counts.values())


def test_equal_generators_give_equal_samples(graph: JointGraph, nodes: NodeSets) -> None:
    first, second = (
        sampled_hop_sets(graph, nodes, (2, 3), np.random.default_rng(3)) for _ in range(2)
    )
    assert all((first[path] != second[path]).nnz == 0 for path in first)


def test_graphs_without_triples_reach_nothing(nodes: NodeSets) -> None:
    empty = JointGraph(nodes.n_source, nodes.n_nodes, 0, np.empty((0, 3), np.int64), 0, np.empty(0))
    sets = sampled_hop_sets(empty, nodes, (2, 3), np.random.default_rng(0))
    assert all(matrix.nnz == 0 for matrix in sets.values())


def test_hop_weights_by_hand() -> None:
    closeness = torch.tensor(0.75)
    torch.testing.assert_close(hop_weights(closeness, 1), torch.tensor([1.0]))
    torch.testing.assert_close(hop_weights(closeness, 2), torch.tensor([0.75, 0.25]))
    torch.testing.assert_close(hop_weights(closeness, 3), torch.tensor([0.75, 0.1875, 0.0625]))


def attention(graph: JointGraph, nodes: NodeSets, *, shared: bool = False) -> MetaPathAttention:
    """Attention over the whole sets of two hops with every parameter drawn at random."""
    sets = sampled_hop_sets(graph, nodes, WHOLE[:2], np.random.default_rng(0))
    patterns = {path: sparse_pattern(cells, torch.device("cpu")) for path, cells in sets.items()}
    layer = MetaPathAttention(patterns, DIM, shared=shared)
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return layer


def vectors_of(nodes: NodeSets) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.nn.functional.normalize(torch.randn(len(ids), DIM, generator=generator), dim=1)
        for name, ids in nodes.ids.items()
    }


class Loops:
    """Equations 1 to 8 node by node."""

    def __init__(self, layer: MetaPathAttention, graph: JointGraph, nodes: NodeSets) -> None:
        self.layer, self.nodes = layer, nodes
        self.x = vectors_of(nodes)
        self.sets = {
            path: looped_sets(graph, nodes, path)
            for length in (2, 3)
            for path in itertools.product(("text", "image"), repeat=length)
        }
        self.pairs = list(itertools.product(("text", "image"), repeat=2))

    def of(self, node: int) -> Tensor:
        name = modality(self.nodes, node)
        return self.x[name][int(np.searchsorted(self.nodes.ids[name], node))]

    def hop(self, node: int, prefix: Path) -> Tensor | None:
        """Equations 1-3."""
        members = sorted(self.sets[prefix][node])
        if not members:
            return None
        index = self.pairs.index((prefix[0], prefix[-1])) if len(self.layer.weight) > 1 else 0
        weight, bias = self.layer.weight[index], self.layer.bias[index]
        logits = [torch.tanh(self.of(node) @ (weight @ self.of(j) + bias)) for j in members]
        shares = torch.softmax(torch.stack(logits), dim=0)
        return sum((s * self.of(j) for s, j in zip(shares, members, strict=True)), torch.zeros(DIM))

    def path(self, node: int, path: Path) -> Tensor | None:
        """Equation 4."""
        index = self.layer.paths.index(path)
        alpha = 0.5 + 0.5 * torch.sigmoid(self.layer.closeness_logits[index])
        hops = [(alpha, self.hop(node, path[:2])), (1 - alpha, self.hop(node, path))]
        kept = [(weight, vector) for weight, vector in hops if vector is not None]
        if not kept:
            return None
        total = sum((weight for weight, _ in kept), torch.tensor(0.0))
        return sum((weight / total * vector for weight, vector in kept), torch.zeros(DIM))

    def node(self, node: int) -> Tensor:
        """Equations 5-8."""
        start = modality(self.nodes, node)
        logits, vectors = [], []
        for path in [path for path in self.layer.paths if path[0] == start]:
            own = self.path(node, path)
            if own is None:
                continue
            everyone = [self.path(int(other), path) for other in self.nodes.ids[start]]
            mean = torch.stack([vector for vector in everyone if vector is not None]).mean(dim=0)
            inner = self.layer.path_weight @ own + self.layer.path_bias
            logits.append(torch.tanh(mean @ inner))
            vectors.append(own)
        if not vectors:
            return self.of(node)
        shares = torch.softmax(torch.stack(logits), dim=0)
        return sum((s * v for s, v in zip(shares, vectors, strict=True)), torch.zeros(DIM))


@pytest.mark.parametrize("shared", [False, True])
def test_structure_vectors_equal_the_equations_node_by_node(
    graph: JointGraph, nodes: NodeSets, *, shared: bool
) -> None:
    layer = attention(graph, nodes, shared=shared)
    loops = Loops(layer, graph, nodes)
    found = layer(loops.x)
    for name, ids in nodes.ids.items():
        expected = torch.stack([loops.node(int(node)) for node in ids])
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-5)


def test_gradients_equal_those_of_the_loops(graph: JointGraph, nodes: NodeSets) -> None:
    layer = attention(graph, nodes)
    loops = Loops(layer, graph, nodes)
    weights = {name: torch.randn(vectors.shape) for name, vectors in loops.x.items()}
    found = layer(loops.x)
    sum((found[name] * weights[name]).sum() for name in found).backward()
    gradients = [parameter.grad.clone() for parameter in layer.parameters()]
    layer.zero_grad()
    looped = {
        name: torch.stack([loops.node(int(i)) for i in ids]) for name, ids in nodes.ids.items()
    }
    sum((looped[name] * weights[name]).sum() for name in looped).backward()
    for gradient, parameter in zip(gradients, layer.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-5)


def test_a_node_without_neighbours_keeps_its_own_vector(graph: JointGraph, nodes: NodeSets) -> None:
    layer, vectors = attention(graph, nodes), vectors_of(nodes)
    lonely = 13
    assert not neighbours(graph, lonely)
    row = int(np.searchsorted(nodes.ids["text"], lonely))
    assert torch.equal(layer(vectors)["text"][row], vectors["text"][row])


def test_a_node_on_one_hop_only_gets_that_hop_in_full() -> None:
    # 0 (text) - 1 (image): node 0 reaches an image at hop 1 and nothing at hop 2.
    nodes = NodeSets(2, np.array([False, True]), {"text": np.array([0]), "image": np.array([1])})
    graph = JointGraph(2, 2, 1, np.array([[0, 0, 1]]), 0, np.empty((0, 2), np.int64))
    layer = attention(graph, nodes)
    vectors = vectors_of(nodes)
    torch.testing.assert_close(layer(vectors)["text"], vectors["image"])


def test_initial_hops_weigh_three_to_one(graph: JointGraph, nodes: NodeSets) -> None:
    sets = sampled_hop_sets(graph, nodes, (2, 3), np.random.default_rng(0))
    patterns = {path: sparse_pattern(cells, torch.device("cpu")) for path, cells in sets.items()}
    layer = MetaPathAttention(patterns, DIM, shared=False)
    closeness = 0.5 + 0.5 * torch.sigmoid(layer.closeness_logits)
    torch.testing.assert_close(closeness, torch.full((8,), 0.75))
    assert torch.equal(layer.weight, torch.eye(DIM).expand(4, DIM, DIM))


def test_inner_products_of_repeated_cells_and_their_gradients_equal_dense() -> None:
    # Wrong pairs may repeat a cell; each repetition counts.
    rows, columns = np.array([0, 0, 0, 2]), np.array([1, 1, 0, 1])
    pattern = SparsePattern(rows, columns, (3, 2))
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(3, DIM, generator=generator, requires_grad=True)
    right = torch.randn(2, DIM, generator=generator, requires_grad=True)
    weights = torch.randn(4, generator=generator)
    found = pattern.inner_products(left, right)
    (found * weights).sum().backward()
    gradients = [left.grad, right.grad]
    plain = [side.detach().clone().requires_grad_() for side in (left, right)]
    expected = (plain[0][rows] * plain[1][columns]).sum(dim=1)
    (expected * weights).sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, [side.grad for side in plain])

"""RDGCN's encoder, against the formulas of its layers written one below the other."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import word_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.relation_matrices import underweighted_adjacency
from mmea_bench.methods.rdgcn import RDGCN, RDGCNEncoder, RDGCNParams
from tests.methods.small_graphs import small_view


def test_the_encoder_step_by_step() -> None:
    graph = JointGraph.of(small_view())
    start = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    encoder = RDGCNEncoder(graph, start.clone(), RDGCNParams(), RunContext(rng_seed=1))
    names = normalize(start, dim=1)
    means, triples = encoder._means, encoder._triples
    dual = (encoder._dual_pattern, encoder._dual_weights)
    first = torch.cat([means[0] @ names, means[1] @ names], dim=1)
    relations = encoder.duals[0](first, first, *dual)
    once = names + 0.1 * encoder.primals[0](relations, names, triples)
    second = torch.cat([means[0] @ once, means[1] @ once], dim=1)
    relations = encoder.duals[1](second, relations, *dual)
    vectors = names + 0.3 * encoder.primals[1](relations, once, triples)  # names, not ``once``
    adjacency = underweighted_adjacency(graph).forward_matrix.to_dense()
    for layer, gate in zip(encoder.layers, encoder.gates, strict=True):
        passed = torch.sigmoid(vectors @ gate.kernel + gate.bias)
        new = relu(adjacency @ (vectors * layer.weight))
        vectors = passed * new + (1 - passed) * vectors
    torch.testing.assert_close(encoder(), vectors)


def table(kind: str) -> torch.Tensor:
    method = RDGCN.configure("rdgcn", overrides={"names": kind})
    return method.table(small_view(), RunContext(rng_seed=1))


@pytest.mark.parametrize("kind", ["ngrams", "hashed"])
def test_names_without_lengths_of_their_own_start_with_unit_length(kind: str) -> None:
    # The third entity has no name, and is not empty either.
    torch.testing.assert_close(table(kind).norm(dim=1), torch.ones(5))


def test_words_start_as_the_means_of_their_vectors() -> None:
    expected = word_vectors(small_view(), RunContext(rng_seed=1), unit=False)
    torch.testing.assert_close(table("words"), expected)
    assert float(expected.norm(dim=1).min()) > 2

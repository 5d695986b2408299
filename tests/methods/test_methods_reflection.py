"""RREA, MRAEA and Dual-AMN: what each makes of the shared features, against plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.layers.proxy_encoder import DualEncoder, ProxyEncoder
from mmea_bench.methods.core.layers.reflection import ReflectionGraph
from mmea_bench.methods.dual_amn import DualAMN
from mmea_bench.methods.mraea import MRAEA, MetaRelationEncoder, MRAEAParams
from mmea_bench.methods.rrea import RREA
from tests.methods.layers.test_reflection import random_graph, relations_of_pairs


def meta_relation_layer(encoder: MetaRelationEncoder, vectors: Tensor) -> Tensor:
    """One layer of MRAEA, pair by pair and head by head."""
    pairs, table = relations_of_pairs(random_graph()), encoder.features.relations
    rows = []
    for node in range(len(vectors)):
        neighbours = [end for start, end in pairs if start == node]
        heads = [torch.zeros_like(vectors[node])]
        if neighbours:
            heads = []
            for ends, relation in zip(encoder.ends, encoder.relation, strict=True):
                logits = torch.stack(
                    [
                        ends[0] @ vectors[node]
                        + ends[1] @ vectors[end]
                        + relation @ table[sorted(pairs[node, end])].mean(dim=0)
                        for end in neighbours
                    ]
                )
                heads.append(torch.softmax(leaky_relu(logits, 0.2), dim=0) @ vectors[neighbours])
        rows.append(torch.stack(heads).mean(dim=0))
    return torch.relu(torch.stack(rows))


def test_mraea_attends_by_both_ends_and_the_mean_relation() -> None:
    params = MRAEAParams(entity_dim=3, relation_dim=2)
    encoder = MetaRelationEncoder(random_graph(), params, RunContext(rng_seed=1))
    start = torch.cat([encoder.features.of_neighbours(), encoder.features.of_relations()], dim=1)
    layers = [torch.relu(start)]
    for _ in range(2):
        layers.append(meta_relation_layer(encoder, layers[-1]))
    plain, found = torch.cat(layers, dim=1), encoder()
    torch.testing.assert_close(found, plain)
    weights, trained = torch.randn(found.shape), list(encoder.parameters())
    ours = torch.autograd.grad((found * weights).sum(), trained)
    theirs = torch.autograd.grad((plain * weights).sum(), trained)
    torch.testing.assert_close(ours, theirs)


def test_the_gate_of_dual_amn_mixes_vectors_with_what_differs_from_the_proxies() -> None:
    graph = ReflectionGraph.of(random_graph())
    generator = torch.Generator().manual_seed(0)
    encoder, features = ProxyEncoder(4, 1, 3, generator), torch.randn(9, 4, generator=generator)
    directions = normalize(torch.randn(graph.members.pattern.shape[0], 4), dim=1)
    first = torch.tanh(features)
    second = torch.tanh(encoder.layers[0](first, directions, graph))
    found, expected = encoder(features, directions, graph), []
    for row in torch.cat([first, second], dim=1):
        cosines = torch.stack(
            [torch.cosine_similarity(row, proxy, dim=0) for proxy in encoder.proxies]
        )
        away = row - torch.softmax(cosines, dim=0) @ encoder.proxies
        kept = torch.sigmoid(away @ encoder.gate + encoder.bias)
        expected.append(kept * row + (1 - kept) * away)
    torch.testing.assert_close(found, torch.stack(expected))


def test_the_two_encoders_of_dual_amn_share_nothing_but_the_tables() -> None:
    generator = torch.Generator().manual_seed(1)
    model = DualEncoder(random_graph(), 128, 2, 64, generator, torch.device("cpu"))
    # Gate 384 x 384 and its bias, 64 proxies, two kernels; 172,672 in the released notebook.
    each = sum(number.numel() for number in model.of_neighbours.parameters())
    assert each == 384 * 384 + 384 + 64 * 384 + 2 * 128 == 172_672
    tables = sum(number.numel() for number in model.features.parameters())
    assert sum(number.numel() for number in model.parameters()) == tables + 2 * each


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        (RREA, {"epochs": 8, "bootstrap_every": 4, "dim": 8}),
        (DualAMN, {"epochs": 8, "bootstrap_start": 4, "bootstrap_every": 2, "dim": 8}),
        (MRAEA, {"epochs": 8, "bootstrap_start": 4, "bootstrap_every": 2, "iterative": True}),
    ],
)
def test_promoted_pairs_are_learned_after_the_first_round(
    method: type[RREA | DualAMN | MRAEA], overrides: dict[str, object]
) -> None:
    ctx = RunContext(rng_seed=1)
    chosen = method.configure(method.__name__.lower(), "full", overrides)
    assert chosen.is_iterative
    chosen.fit(tiny_view(easy_pair()), ctx)
    assert ctx.log.first_pseudo_epoch == 5


@pytest.mark.parametrize(("method", "variant"), [(RREA, "basic"), (DualAMN, "basic")])
def test_the_basic_form_ends_before_anything_is_promoted(
    method: type[RREA | DualAMN], variant: str
) -> None:
    assert not method.configure(method.__name__.lower(), variant).is_iterative

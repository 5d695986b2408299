"""CLAMEA's attention and fusion against hand values and loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.clamea import CLAMEAParams
from mmea_bench.methods.core.siamese.modal_attention import FUSED, ModalAssociation, TokenAttention
from mmea_bench.methods.parts.clamea.attention_flow import (
    DynamicWeights,
    VectorFusion,
)
from mmea_bench.methods.parts.clamea.modal_interactions import ModalInteractions
from tests.methods.clamea_cases import flow_of, rows


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def brute_force(module: TokenAttention, query: Tensor, own: Tensor) -> Tensor:
    """The attention of one row with loops over heads and tokens."""
    tokens, heads = module.n_tokens, module.n_heads
    dim = len(own)
    width = dim // (tokens * heads)
    to_query, to_key = module.projections
    q, k, v = query @ to_query, own @ to_key, own @ module.value
    out = torch.zeros(dim)
    for head in range(heads):

        def part(vector: Tensor, token: int, head: int = head) -> Tensor:
            start = token * dim // tokens + head * width
            return vector[start : start + width]

        for i in range(tokens):
            logits = [
                float((part(q, i) @ part(k, j)).detach()) / math.sqrt(width) for j in range(tokens)
            ]
            total = sum(math.exp(logit) for logit in logits)
            mixed = sum(math.exp(logit) / total * part(v, j) for j, logit in enumerate(logits))
            start = i * dim // tokens + head * width
            out[start : start + width] = mixed
    return out @ module.output.weight + module.output.bias


def test_attention_over_one_token_is_a_linear_map_of_the_values(
    generator: torch.Generator,
) -> None:
    module = TokenAttention(8, 2, 1, generator)
    query, own = rows(generator), rows(generator)
    expected = (own @ module.value) @ module.output.weight + module.output.bias
    torch.testing.assert_close(module(query, own), expected)


@pytest.mark.parametrize("tokens", [1, 2])
def test_attention_with_a_residual_adds_what_it_read(
    tokens: int, generator: torch.Generator
) -> None:
    module = TokenAttention(8, 2, tokens, generator)
    query, own = rows(generator), rows(generator)
    found = module(query, own, residual=True)
    torch.testing.assert_close(found, own + module(query, own))


@pytest.mark.parametrize("residual", [True, False])
def test_self_attention_keeps_what_it_sharpens_unless_read_to_the_letter(
    residual: bool, generator: torch.Generator
) -> None:
    params = CLAMEAParams(dim=8, latent=4, weight_heads=2, mfe_residual=residual)
    network = ModalInteractions(("image", "structure"), params, generator)
    base, image = rows(generator), rows(generator)
    has = {"structure": torch.ones(3, dtype=torch.bool), "image": torch.tensor([True, False, True])}
    found = network.sharpen({"image": image, "structure": base}, has)
    for name, own in (("structure", base), ("image", image)):
        mixed = network.mfe[name](own, own)
        expected = normalize(own + mixed if residual else mixed, dim=1) * has[name].unsqueeze(1)
        torch.testing.assert_close(found[name], expected)


def test_attention_over_two_tokens_equals_loops(generator: torch.Generator) -> None:
    module = TokenAttention(8, 2, 2, generator)
    query, own = rows(generator), rows(generator)
    expected = torch.stack([brute_force(module, q, o) for q, o in zip(query, own, strict=True)])
    torch.testing.assert_close(module(query, own), expected)


@pytest.mark.parametrize("size", [2, 3])
def test_dynamic_weights_sum_what_a_vector_receives(size: int, generator: torch.Generator) -> None:
    module = DynamicWeights(4, 2, generator)
    vectors = [5 * rows(generator, 2, 4) for _ in range(size)]
    found = module(vectors)
    for row in range(2):
        received = [0.0] * size
        for head in (slice(0, 2), slice(2, 4)):
            for giver in range(size):
                query = (vectors[giver][row] @ module.query)[head]
                logits = [
                    float((query @ (vector[row] @ module.key)[head]).detach()) / math.sqrt(2)
                    for vector in vectors
                ]
                total = sum(math.exp(logit) for logit in logits)
                for taker in range(size):
                    received[taker] += math.exp(logits[taker]) / total
        powers = [math.exp(value / math.sqrt(size * 2)) for value in received]
        expected = torch.tensor([power / sum(powers) for power in powers])
        torch.testing.assert_close(found[row], expected)


def test_fusion_rules_by_hand(generator: torch.Generator) -> None:
    first, second = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])

    def fuse(rule: str, logits: list[float] | None = None) -> list[list[float]]:
        module = VectorFusion(rule, 2, 2, 1, generator, keep_dim=False)  # type: ignore[arg-type]
        if logits is not None:
            assert module.logits is not None
            module.logits.data = torch.tensor(logits)
        if module.dynamic is not None:
            module.dynamic.query.data.zero_()
        fused: list[list[float]] = module([first, second]).tolist()
        return fused

    tilted = [math.log(3.0), 0.0]  # softmax 3/4, 1/4
    assert fuse("Cat") == [[1.0, 2.0, 3.0, 4.0]]
    assert fuse("Wcat", tilted) == [pytest.approx([0.75, 1.5, 0.75, 1.0])]
    assert fuse("Wsum", tilted) == [pytest.approx([1.5, 2.5])]
    # Without queries every vector receives alike.
    assert fuse("Dcat") == [pytest.approx([0.5, 1.0, 1.5, 2.0])]
    assert fuse("Dsum") == [pytest.approx([2.0, 3.0])]


def test_gate_by_hand(generator: torch.Generator) -> None:
    flow = flow_of(generator, 2)
    for gate in flow.gates:
        gate.weight.data = torch.eye(4)
        gate.bias.data.zero_()
    other = torch.tensor([[1.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]])
    # The mean over the two tokens is (2, 0, 0, 0).
    token = [1 / (1 + math.exp(-2.0)), 0.5, 0.5, 0.5]
    assert flow.gate(0, other).tolist() == [pytest.approx(token * 2)]


def test_without_gate_equals_a_gate_of_zero(generator: torch.Generator) -> None:
    flow = flow_of(generator, 2)
    for gate in flow.gates:
        gate.weight.data.zero_()
        gate.bias.data.fill_(-1e9)  # sigmoid 0
    plain = flow_of(generator, 2, gated=False)
    plain.load_state_dict(
        {name: value for name, value in flow.state_dict().items() if "gates" not in name}
    )
    first, second = rows(generator), rows(generator)
    torch.testing.assert_close(plain(first, second), flow(first, second))


def test_gates_matter_with_several_tokens(generator: torch.Generator) -> None:
    flow = flow_of(generator, 2)
    first, second = rows(generator), rows(generator)
    before = flow(first, second)
    for gate in flow.gates:
        gate.bias.data.fill_(50.0)
    assert not torch.allclose(before, flow(first, second))


@pytest.mark.parametrize("tokens", [1, 2])
def test_flow_equals_the_written_out_equations(tokens: int, generator: torch.Generator) -> None:
    flow = flow_of(generator, tokens)
    vectors = [rows(generator, 1), rows(generator, 1)]

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q, k, v = (part.view(tokens, -1) for part in (query, key, value))
        return (torch.softmax(q @ k.T / math.sqrt(8 / tokens), dim=1) @ v).view(1, 8)

    def matrices(index: int, part: str) -> tuple[Tensor, Tensor, Tensor]:
        found = list(getattr(flow.sides[index], part))
        value = found[0]
        return (found[1], found[2], value) if tokens > 1 else (value, value, value)

    taken = []
    for own, other in ((0, 1), (1, 0)):
        query, (_, key, value) = matrices(own, "inter")[0], matrices(other, "inter")
        update = attend(vectors[own] @ query, vectors[other] @ key, vectors[other] @ value)
        taken.append(flow.sides[own].join(torch.cat([vectors[own], update], dim=1)))
    expected = []
    for own, other in ((0, 1), (1, 0)):
        scale = 1 + flow.gate(own, taken[other]) if tokens > 1 else torch.ones(1)
        query, key, value = matrices(own, "within")
        update = attend(
            scale * (taken[own] @ query), scale * (taken[own] @ key), taken[own] @ value
        )
        expected.append(flow.sides[own].out(taken[own] + update))
    torch.testing.assert_close(flow(*vectors), torch.cat(expected, dim=1))


@pytest.mark.parametrize("tokens", [1, 2])
def test_association_adds_weighted_attended_vectors(
    tokens: int, generator: torch.Generator
) -> None:
    names = ("image", "structure", "attribute")
    module = ModalAssociation(names, 8, 2, tokens, generator)
    vectors = {name: rows(generator) for name in names}
    fused = {name: rows(generator) for name in names}
    enriched = module(vectors, fused)
    own = vectors["image"]
    parts = [own] + [
        module.attention[f"image {source}"](other, own)
        for source, other in (
            ("structure", vectors["structure"]),
            ("attribute", vectors["attribute"]),
            (FUSED, fused["image"]),
        )
    ]
    # Four equal weights at the start.
    torch.testing.assert_close(enriched["image"], torch.stack(parts).mean(dim=0))
    found = module.attended("image", "attribute", vectors, fused)
    torch.testing.assert_close(found, parts[2])
    assert len(module.pairs(with_fused=True)) == 9
    assert len(module.pairs(with_fused=False)) == 6


def test_one_token_s_association_equals_the_sum_of_its_parts_with_gradients(
    generator: torch.Generator,
) -> None:
    names = ("image", "structure", "attribute")
    module = ModalAssociation(names, 8, 2, 1, generator)
    module.logits["image"].data = torch.randn(4, generator=generator)
    vectors = {name: rows(generator) for name in names}
    wanted = torch.randn(3, 8, generator=generator)
    results = []
    for fast in (True, False):
        module.zero_grad()
        own = vectors["image"].clone().requires_grad_()
        weights = torch.softmax(module.logits["image"], dim=0)
        parts = [module.attention[f"image {s}"] for s in ("structure", "attribute", FUSED)]
        enriched = (
            module({**vectors, "image": own}, {})["image"]
            if fast
            else weights[0] * own
            + sum(
                weight * ((own @ part.value) @ part.output.weight + part.output.bias)
                for weight, part in zip(weights[1:], parts, strict=True)
            )
        )
        (enriched * wanted).sum().backward()
        leaves = [own, module.logits["image"], *(part.value for part in parts)]
        results.append([enriched.detach(), *(leaf.grad.clone() for leaf in leaves)])
    for fast_one, plain_one in zip(*results, strict=True):
        torch.testing.assert_close(fast_one, plain_one, rtol=1e-5, atol=1e-6)


def test_values_from_the_other_modality_swap_the_roles(generator: torch.Generator) -> None:
    module = ModalAssociation(("image", "structure"), 8, 2, 1, generator, values="other")
    vectors = {"image": rows(generator), "structure": rows(generator)}
    expected = module.attention["image structure"](vectors["image"], vectors["structure"])
    torch.testing.assert_close(module.attended("image", "structure", vectors, {}), expected)

"""What CLAMEA generates for lacking modalities."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.siamese.modal_vae import vae_loss
from mmea_bench.methods.parts.clamea.attention_flow import (
    VectorFusion,
)
from mmea_bench.methods.parts.clamea.modal_generation import ModalGeneration
from tests.methods.clamea_cases import flow_of, three_entities


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def generation_of(generator: torch.Generator) -> ModalGeneration:
    flows = {name: flow_of(generator, 1) for name in ("image", "attribute")}
    for flow in flows.values():
        flow.fusion = VectorFusion("Dsum", 2, 8, 2, generator, keep_dim=True)
    return ModalGeneration(flows, 8, 4, 2, "Dsum", "per entity", generator)


def test_only_lacking_vectors_are_generated(generator: torch.Generator) -> None:
    generation = generation_of(generator)
    vectors, present = three_entities(generator)
    whole = generation.complete(vectors, present, None)
    for name, has in present.items():
        assert torch.equal(whole[name][has], vectors[name][has])
        norms = whole[name].norm(dim=1)
        torch.testing.assert_close(norms, torch.ones(3))


def test_generated_images_follow_the_equations(generator: torch.Generator) -> None:
    generation = generation_of(generator)
    vectors, present = three_entities(generator)
    whole = generation.complete(vectors, present, None)

    def generated(origin: str, inputs: Tensor) -> Tensor:
        means, _ = generation._vae(origin).encode(inputs)
        return generation._vae("image").decode(means)

    base = vectors["structure"]
    alone = generated("structure", base[1:])
    fused = generation._flows["attribute"](vectors["attribute"][1:2], base[1:2])
    both = [generated("attribute and structure", fused), alone[:1]]
    expected = torch.cat([generation.fusions["image"](both), alone[1:]])
    torch.testing.assert_close(whole["image"][1:], normalize(expected, dim=1))


def test_latent_matching_counts_entities_with_every_modality(generator: torch.Generator) -> None:
    generation = generation_of(generator)
    vectors, present = three_entities(generator)

    def latent(origin: str, inputs: Tensor) -> Tensor:
        return generation._vae(origin).encode(inputs)[0]

    first = {name: part[:1] for name, part in vectors.items()}
    base = latent("structure", first["structure"])
    expected = torch.zeros(())
    for name, partner in (("image", "attribute"), ("attribute", "image")):
        fused = generation._flows[partner](first[partner], first["structure"])
        own = latent(name, first[name])
        expected = expected + (own - base).square().mean()
        expected = expected + (own - latent(f"{partner} and structure", fused)).square().mean()
    _, matching = generation.losses(vectors, present, None)
    torch.testing.assert_close(matching, expected)


def test_lacking_pairs_of_modalities_leave_structure_s_loss(generator: torch.Generator) -> None:
    generation = generation_of(generator)
    vectors, present = three_entities(generator)
    nobody = {**present, "image": torch.zeros(3, dtype=torch.bool)}
    loss, matching = generation.losses(vectors, nobody, None)
    base = vectors["structure"]
    encoded = generation._vae("structure").encode(base)
    alone = vae_loss(generation._vae("structure"), base, encoded, encoded[0], "per entity")
    torch.testing.assert_close(loss, alone)
    assert float(matching) == 0.0


def test_generation_sends_no_gradient_into_what_it_reads(generator: torch.Generator) -> None:
    generation = generation_of(generator)
    vectors, present = three_entities(generator)
    base = vectors["structure"].clone().requires_grad_()
    whole = generation.complete({**vectors, "structure": base}, present, None)
    whole["image"].sum().backward()
    assert base.grad is None

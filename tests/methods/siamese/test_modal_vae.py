"""The variational auto-encoder of modal vectors, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mmea_bench.methods.core.siamese.modal_vae import ModalVAE, sampled, unit_scale, vae_loss


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def vae_by_hand(generator: torch.Generator, scale: float) -> ModalVAE:
    """A VAE of two columns that decodes everything to zero."""
    vae = ModalVAE(2, 2, scale, generator)
    vae.output.weight.data.zero_()
    vae.output.bias.data.zero_()
    return vae


def test_vae_loss_by_hand(generator: torch.Generator) -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    mean = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    log_variance = torch.tensor([[0.0, math.log(2.0)], [0.0, 0.0]])
    # Divergences: 1/2, (2 - 1 - log 2) / 2, 0, 4/2.
    divergence = 0.5 + (1 - math.log(2.0)) / 2 + 2.0
    scaled = vae_by_hand(generator, unit_scale(2, "per entity"))
    loss = vae_loss(scaled, vectors, (mean, log_variance), mean, "per entity")
    assert float(loss.detach()) == pytest.approx((2 * (25 + 1) + divergence) / 2)
    plain = vae_by_hand(generator, unit_scale(2, "lineage"))
    loss = vae_loss(plain, vectors, (mean, log_variance), mean, "lineage")
    assert float(loss.detach()) == pytest.approx(26 / 4 + divergence)


def test_vae_loss_is_the_evidence_bound_of_a_decoder_of_variance_one_half(
    generator: torch.Generator,
) -> None:
    vae = vae_by_hand(generator, 2.0)
    vectors, mean = torch.tensor([[1.5, -2.0]]), torch.tensor([[0.3, 0.0]])
    latents = (mean, torch.zeros(1, 2))
    loss = vae_loss(vae, vectors, latents, mean, "per entity")
    # 3^2 + 4^2, and half of 0.3^2.
    assert float(loss.detach()) == pytest.approx(25 + 0.045)
    normal = torch.distributions.Normal
    log_likelihood = normal(0.0, math.sqrt(0.5)).log_prob(2.0 * vectors).sum()
    divergence = torch.distributions.kl_divergence(normal(mean, 1.0), normal(0.0, 1.0)).sum()
    constant = math.log(math.pi)  # of two dimensions
    torch.testing.assert_close(loss.detach() + constant, divergence - log_likelihood)


def test_latents_are_the_means_without_noise(generator: torch.Generator) -> None:
    mean, log_variance = torch.zeros(2000, 1), torch.full((2000, 1), math.log(4.0))
    assert torch.equal(sampled(mean, log_variance, None), mean)
    assert float(sampled(mean, log_variance, generator).std()) == pytest.approx(2.0, rel=0.1)

"""CLAMEA as a whole: what its variants count, keep and refuse."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.clamea import CLAMEA, CLAMEAParams
from mmea_bench.methods.core.siamese.modal_attention import FUSED
from mmea_bench.methods.parts.clamea.modal_interactions import ModalInteractions
from tests.methods.clamea_cases import three_entities


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("with_fused", [False, True])
def test_orthogonality_counts_fused_sources_in_l_sf_only(
    with_fused: bool, generator: torch.Generator
) -> None:
    params = CLAMEAParams(dim=8, latent=4, weight_heads=2, fused_orthogonality=with_fused)
    names = ("image", "structure", "attribute")
    network = ModalInteractions(names, params, generator)
    vectors, present = three_entities(generator)
    encoded = network.encode(vectors, present, None)
    expected = 0.0
    for name in names:
        for source in (*names, FUSED):
            if source == name or (source == FUSED and not with_fused):
                continue
            other = encoded.fused[name] if source == FUSED else encoded.whole[source]
            assert network.cmae is not None
            attended = network.cmae.attended(name, source, encoded.whole, encoded.fused)
            rest = encoded.whole[name] - attended
            for left, right in zip(rest.tolist(), other.tolist(), strict=True):
                product = sum(x * y for x, y in zip(left, right, strict=True)) / 8
                expected += product**2 / 3
    assert float(network.orthogonality(encoded).detach()) == pytest.approx(expected, rel=1e-4)
    # Estimates on drawn rows are unbiased.
    drawn = [network.orthogonality(encoded, torch.tensor([row])).detach() for row in range(3)]
    assert float(sum(drawn)) / 3 == pytest.approx(expected, rel=1e-4)


def test_dropped_output_modality_still_interacts(generator: torch.Generator) -> None:
    names = ("image", "structure", "attribute")
    params = CLAMEAParams(dim=8, latent=4, weight_heads=2, output=("image", "attribute"))
    network = ModalInteractions(names, params, generator)
    vectors, present = three_entities(generator)
    encoded = network.encode(vectors, present, None)
    assert encoded.joint.shape == (3, 16)
    assert set(encoded.enriched) == set(names)


def test_equal_parts_keep_directions_and_have_length_one(generator: torch.Generator) -> None:
    names = ("image", "structure", "attribute")
    params = CLAMEAParams(dim=8, latent=4, weight_heads=2, equal_parts=True)
    encoded = ModalInteractions(names, params, generator).encode(*three_entities(generator), None)
    for name, part in zip(names, encoded.joint.split(8, dim=1), strict=True):
        own = encoded.enriched[name]
        torch.testing.assert_close(part, own / own.norm(dim=1, keepdim=True))


def test_a_dim_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of n_heads x attn_tokens"):
        CLAMEAParams(dim=100, attn_tokens=3)


def test_a_missing_text_encoder_is_a_reason_to_skip() -> None:
    method = CLAMEA.configure("clamea", overrides={"text_encoder": "/nowhere"})
    assert method.skip_reason(("structure", "image")) is None
    assert method.skip_reason(("structure", "attribute")) is not None

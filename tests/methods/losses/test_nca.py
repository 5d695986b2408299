"""EVA's losses: how the pairs of an epoch become batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses import batch, nca
from mmea_bench.methods.core.losses.batch import nca_loss
from mmea_bench.methods.core.losses.nca import ModalityNCA

N_PAIRS = 10


def rows() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"image": normalize(torch.randn(2 * N_PAIRS, 3, generator=generator), dim=1)}


def pairs() -> Tensor:
    return torch.arange(2 * N_PAIRS).view(2, N_PAIRS).T


def losses(batch_size: int, shuffles: torch.Generator | None) -> ModalityNCA:
    fusion = WeightedConcatenation(("image",))
    return ModalityNCA(fusion, {}, 15.0, batch_size, shuffles=shuffles)


def test_more_pairs_than_a_batch_are_shuffled_anew_in_every_epoch() -> None:
    eva = losses(4, torch.Generator().manual_seed(5))
    orders = torch.Generator().manual_seed(5)
    epochs = []
    for _ in range(3):
        found = torch.stack(list(eva(rows(), pairs()))).detach().view(-1, 2).sum(dim=1)
        chunks = pairs()[torch.randperm(N_PAIRS, generator=orders)].split(4)
        (vectors,) = rows().values()
        # The joint vectors of a single modality are its own, so that their loss is the same again.
        expected = [2 * nca_loss(vectors[a] @ vectors[b].T, 15.0) for a, b in (c.T for c in chunks)]
        assert found.tolist() == pytest.approx(torch.stack(expected).tolist())
        epochs.append(found.tolist())
    assert epochs[0] != epochs[1] != epochs[2]


def test_pairs_that_fit_into_a_batch_keep_their_order() -> None:
    generator = torch.Generator().manual_seed(5)
    shuffled = list(losses(N_PAIRS, generator)(rows(), pairs()))
    assert torch.equal(
        torch.stack(shuffled), torch.stack(list(losses(N_PAIRS, None)(rows(), pairs())))
    )
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(5).get_state())


@pytest.mark.parametrize("beta", ["outside", "inside"])
def test_losses_made_in_rows_equal_those_of_the_whole_matrix(
    beta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(7)
    found = []
    start = {name: torch.randn(2 * N_PAIRS, 3, generator=generator) for name in ("image", "name")}
    for largest in (N_PAIRS, 1):
        monkeypatch.setattr(nca, "WHOLE_PAIRS", largest)
        monkeypatch.setattr(batch, "_ROWS_AT_ONCE", 4)
        vectors = {name: normalize(rows, dim=1).requires_grad_() for name, rows in start.items()}
        fusion = WeightedConcatenation(("image", "name"))
        eva = ModalityNCA(fusion, {"name": 5.0}, 15.0, N_PAIRS, margin=0.1, beta=beta)
        losses_of = torch.stack(list(eva(vectors, pairs())))
        losses_of.sum().backward()  # type: ignore[no-untyped-call]
        found.append([losses_of.detach(), fusion.logits.grad, *(v.grad for v in vectors.values())])
    for whole, in_rows in zip(*found, strict=True):
        torch.testing.assert_close(in_rows, whole)

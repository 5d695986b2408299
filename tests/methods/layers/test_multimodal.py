"""The encoder of EVA's line gives the same from sparse features as from dense ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders
from tests.methods.small_graphs import small_view

N_COLUMNS = 6
ORDER = ("relation", "image")


def features() -> dict[str, Tensor]:
    """Counts that are mostly zeros, with an empty row, and dense vectors."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 3, (5, N_COLUMNS), generator=generator).float()
    counts[counts == 1] = 0
    counts[3] = 0
    return {"relation": counts, "image": torch.randn(5, 4, generator=generator)}


def encoder(inputs: dict[str, Tensor]) -> ModalityEncoders:
    generator = torch.Generator().manual_seed(1)
    dims = dict.fromkeys(ORDER, 3)
    return ModalityEncoders(
        JointGraph.of(small_view()), inputs, None, dims, ORDER, table_dim=0, generator=generator
    )


@pytest.mark.parametrize("rows", [None, [4, 0, 3]], ids=["all entities", "prepared rows"])
@pytest.mark.parametrize("chosen", [None, [2, 0, 2]], ids=["all of them", "a repeated one"])
def test_sparse_features_give_the_vectors_and_gradients_of_dense_ones(
    rows: list[int] | None, chosen: list[int] | None
) -> None:
    dense = features()
    sparse = {**dense, "relation": dense["relation"].to_sparse_csr()}
    vectors, gradients = [], []
    for inputs in (dense, sparse):
        encoders = encoder(inputs)
        wanted = None if rows is None else torch.tensor(rows)
        if wanted is not None:
            encoders.prepare(wanted)
        found = encoders.vectors(wanted, None if chosen is None else torch.tensor(chosen))
        sum(each.square().sum() for each in found.values()).backward()  # type: ignore[union-attr]
        vectors.append(found)
        gradients.append([parameter.grad for parameter in encoders.parameters()])
    torch.testing.assert_close(vectors[1], vectors[0])
    torch.testing.assert_close(gradients[1], gradients[0])
    assert len(gradients[0]) == 4

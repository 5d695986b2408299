"""LoginMEA's paradigms: prepared rows equal the rows of all, and each has the layers it names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.parts.loginmea.encoders import (
    EncoderChoices,
    GraphAsModality,
    GraphUponModality,
    LocalToGlobal,
)
from mmea_bench.methods.parts.loginmea.low_rank import LocalFusion
from tests.methods.small_graphs import small_view

PARADIGMS = (LocalToGlobal, GraphAsModality, GraphUponModality)
Maker = Callable[..., LocalToGlobal]


def encoder_of(
    paradigm: Maker, *, structure_branch: bool = True, weighted_first: bool = True
) -> LocalToGlobal:
    generator = torch.Generator().manual_seed(0)
    graph = JointGraph.of(small_view())
    features = {
        "image": torch.randn(graph.n_entities, 6, generator=generator),
        "attribute": FixedMatrix.of(torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [1, 1]])),
    }
    choices = EncoderChoices(
        modality_dim=4,
        dim=4,
        n_layers=2,
        propagation="reflection",
        merged_messages=True,
        structure_branch=structure_branch,
        weighted_first=weighted_first,
        fuse=partial(LocalFusion, dims=(4, 4), rank=2),
    )
    return paradigm(graph, features, choices, generator, torch.device("cpu"))


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_prepared_rows_equal_those_rows_of_all_entities(paradigm: Maker) -> None:
    encoder = encoder_of(paradigm)
    rows = torch.tensor([1, 4])
    encoder.prepare(rows)
    some, everyone = encoder.encode(rows)["joint"], encoder.encode(None)["joint"]
    torch.testing.assert_close(some, everyone[rows])
    torch.testing.assert_close(everyone.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize(
    ("paradigm", "structure_branch", "n_blocks"),
    [
        (LocalToGlobal, True, 3 + 2 + 2),  # structure, both modalities weighted, two layers
        (LocalToGlobal, False, 2 + 2),
        (GraphAsModality, True, 3 + 1),  # three modalities weighted, one fused vector
        (GraphAsModality, False, 3 + 1),  # structure is a modality there whatever the branch
        (GraphUponModality, True, 3 + 2 * 3),  # structure; own vector and two layers of each
        (GraphUponModality, False, 2 * 3),
    ],
)
def test_the_final_vector_joins_the_blocks_of_its_paradigm(
    paradigm: Maker, structure_branch: bool, n_blocks: int
) -> None:
    encoder = encoder_of(paradigm, structure_branch=structure_branch)
    assert encoder.joint_vectors().shape == (5, 4 * n_blocks)


def test_local_to_global_propagates_what_is_fused() -> None:
    encoder = encoder_of(LocalToGlobal, structure_branch=False, weighted_first=False)
    vectors = {name: encoder.linear[name](rows) for name, rows in encoder._features.items()}
    fused, around = encoder.local(vectors), encoder.around
    blocks = around.blocks(fused, encoder.joint_layers, around.directions(), all_rows=True)
    expected = normalize(torch.cat([fused, *blocks], dim=1), dim=1)
    torch.testing.assert_close(encoder.joint_vectors(), expected.detach())


def test_graph_as_modality_fuses_the_propagated_table() -> None:
    encoder = encoder_of(GraphAsModality)
    table = torch.tanh(encoder.around.means @ encoder.table)
    directions = encoder.around.directions()
    layers = encoder.around.blocks(table, encoder.structure_layers, directions, all_rows=True)
    vectors = {name: encoder.linear[name](rows) for name, rows in encoder._features.items()}
    vectors["structure"] = encoder.linear["structure"](torch.cat([table, *layers], dim=1))
    blocks = [torch.tanh(encoder.weighted(vectors)), encoder.local(vectors)]
    expected = normalize(torch.cat(blocks, dim=1), dim=1)
    torch.testing.assert_close(encoder.joint_vectors(), expected.detach())
    assert set(encoder.embeddings().modality_weights) == {"image", "attribute", "structure"}

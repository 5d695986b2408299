"""AttrGNN's channels and ensemble, against formulas written entity by entity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, elu, leaky_relu, normalize, relu

from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.parts.attrgnn.channels import (
    NameChannel,
    StructureChannel,
    ValueChannel,
)
from mmea_bench.methods.parts.attrgnn.ensemble import ChannelDistances

MEANS = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def test_names_pass_two_layers_with_residuals_and_keep_their_length() -> None:
    names, means = random(3, 5), torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    channel = NameChannel(names, FixedMatrix.of(means), 4, rng())
    first, second = channel.first, channel.second
    hidden = relu(means @ names @ first.weight + first.bias) + names @ channel.residual
    expected = means @ hidden @ second.weight + second.bias + hidden
    torch.testing.assert_close(channel(), expected)
    assert not channel.normalised


def test_structure_passes_a_mean_without_weights_and_a_layer() -> None:
    channel = StructureChannel(FixedMatrix.of(MEANS), 4, rng())
    hidden = relu(MEANS @ channel.table)
    expected = MEANS @ hidden @ channel.layer.weight + channel.layer.bias
    torch.testing.assert_close(channel(), normalize(expected, dim=1))


def test_entities_attend_to_their_attributes_and_values() -> None:
    # Entity 1 has attribute 7 with "x"; 0 has 7 with "y" and 4 with "x"; 2 has none.
    values = AttributeValues(
        np.array([1, 0, 0]), np.array([7, 7, 4]), ["x", "y", "x"], np.full(3, np.nan)
    )
    texts, text_of = random(2, 5), torch.tensor([0, 1, 0])
    channel = ValueChannel(values, texts, text_of, FixedMatrix.of(MEANS), 4, rng())
    row_of = {4: 0, 7: 1}
    described = []
    for entity, held in ((0, [(7, 1), (4, 0)]), (1, [(7, 0)]), (2, [])):
        own = channel.entities[entity]
        said = torch.zeros(4)
        if held:
            attributes = [channel.attributes[row_of[attribute]] for attribute, _ in held]
            ends = channel.ends.flatten()
            scores = [torch.cat([own, each]) @ ends + channel.shift[0] for each in attributes]
            shares = leaky_relu(torch.stack(scores), 0.2).softmax(0)
            for share, each, (_, text) in zip(shares, attributes, held, strict=True):
                said = said + share * torch.cat([each, texts[text]]) @ channel.weight
        described.append(elu(own + said))
    hidden = torch.stack(described)
    torch.testing.assert_close(channel.described(), hidden)
    spread = MEANS @ hidden @ channel.layer.weight + channel.layer.bias + hidden
    torch.testing.assert_close(channel(), normalize(spread, dim=1))


@pytest.mark.parametrize("normalised", [True, False])
def test_distances_are_standardised_by_all_pairs_of_seed_entities(normalised: bool) -> None:
    vectors = normalize(random(6, 3), dim=1)
    seeds = torch.tensor([[0, 3], [1, 5]])
    plain = torch.empty(3, 3)
    for row in range(3):
        for column in range(3):
            one, other = vectors[row], vectors[3 + column]
            distance = -cosine_similarity(one, other, dim=0) if normalised else (one - other).norm()
            plain[row, column] = distance
    of_seeds = plain[[0, 1]][:, [0, 2]]
    expected = (plain - of_seeds.mean()) / of_seeds.std(correction=0)
    found = ChannelDistances.of(vectors, 3, seeds, normalised=normalised).rows(torch.arange(3))
    torch.testing.assert_close(found, expected)

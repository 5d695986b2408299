"""AttrGNN: which channels a dataset gets, and what it says where values are lacking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.attrgnn import AttrGNN, AttrGNNParams, near_partners, split_values
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.parts.attrgnn.channels import (
    NameChannel,
    StructureChannel,
    ValueChannel,
)
from tests.methods.small_graphs import small_view


def with_values(source: list[str], target: list[str]) -> TrainView:
    """``born`` and ``height`` of entity 0, ``born`` of 1, ``height`` of 2; ``height`` of 3."""
    view = small_view()
    facts = np.array([[0, 0], [0, 1], [1, 0], [2, 1]], dtype=np.int32)
    return replace(
        view,
        source=replace(view.source, attribute_triples=facts, attribute_values=text_array(source)),
        target=replace(view.target, attribute_values=text_array(target)),
    )


def method(**overrides: object) -> AttrGNN:
    found = AttrGNN.configure("attrgnn", overrides={**AttrGNN.test_params, **overrides})
    assert isinstance(found, AttrGNN)
    return found


def test_attributes_are_digital_by_their_values_at_seed_entities() -> None:
    # Seed entities say "1.7" and "2" for height; the text of entity 2 is no seed's.
    view = with_values(["in May", "1.7", "1920", "tall"], ["2"])
    parts = split_values(view, JointGraph.of(view), AttrGNNParams())
    assert parts["digital"].texts == ["1.7", "tall", "2"]
    assert parts["literal"].texts == ["in May", "1920"]  # half of the values are not more than half


def test_every_kind_of_knowledge_has_a_channel() -> None:
    view = with_values(["in May", "1.7", "1920", "tall"], ["2"])
    channels = method().built(view, JointGraph.of(view), RunContext(rng_seed=1))
    assert [type(channel) for channel in channels] == [
        NameChannel,
        StructureChannel,
        ValueChannel,
        ValueChannel,
    ]


def test_attributes_without_values_are_said() -> None:
    view = with_values(["", "", "", ""], [""])
    with pytest.raises(UserError, match="w/o attribute"):
        method().fit(view, RunContext(rng_seed=1))
    without = method(channels=("structure",), epochs=1)
    without.fit(view, RunContext(rng_seed=1))  # reads no values


def test_a_channel_without_a_value_of_its_kind_is_said() -> None:
    view = with_values(["in May", "in June", "tall", "short"], ["tall"])
    with pytest.raises(UserError, match="channels digital find nothing to read"):
        method(channels=("digital",)).fit(view, RunContext(rng_seed=1))


def test_triples_alone_need_no_text_encoder() -> None:
    absent = {"text_encoder": "no/such/model"}
    assert method(**absent).skip_reason(("structure",)) is None
    reason = method(**absent).skip_reason(("structure", "name"))
    assert reason is not None
    assert "no/such/model" in reason


def test_negatives_are_near_the_replaced_end_and_of_its_graph() -> None:
    vectors = torch.tensor([[0.0], [1.0], [5.0], [0.5], [2.0], [4.0], [9.0]])
    seeds = torch.tensor([[0, 5], [2, 3]])  # sources 0, 1, 2; targets 3, 4, 5, 6
    targets, sources = near_partners(vectors, seeds, 3, 2).sort().values.tolist()
    assert targets == [[3, 4], [4, 5]]  # of 5: 2.0 and 0.5, not the source at 5.0
    assert sources == [[1, 2], [0, 1]]

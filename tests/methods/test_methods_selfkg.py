"""SelfKG: its names, its key encoder and queue, and what an epoch does."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.names import original_names
from mmea_bench.methods.core.self_supervised.contrastive_stage import _Contrast
from mmea_bench.methods.core.self_supervised.momentum_queue import MomentumQueue
from mmea_bench.methods.core.self_supervised.neighbourhood import neighbour_table
from mmea_bench.methods.selfkg import SelfKG, SelfKGParams, encoded_names
from tests.methods.small_graphs import translated_view


def contrast(**changes: object) -> _Contrast:
    view = tiny_view(easy_pair())
    params = SelfKGParams(**{**SelfKG.test_params, **changes})
    graph, ctx = JointGraph.of(view), RunContext(rng_seed=1)
    table = torch.from_numpy(neighbour_table(graph, params.n_neighbours))
    names = encoded_names(view, params, ctx)
    return _Contrast(names, table, graph.n_source, params.stage, ctx)


def test_names_are_those_of_the_uris_in_their_own_language() -> None:
    view = translated_view("Beijing")
    assert original_names(view)[:3] == ["北京 (x)", "one", ""]


def test_the_key_encoder_starts_at_values_of_its_own_or_at_a_copy() -> None:
    own, copied = contrast(), contrast(key_start="copy")
    entities = torch.arange(4)
    assert not torch.allclose(own._key_encoder(entities), own.encoder.eval()(entities))
    assert torch.equal(copied._key_encoder(entities), copied.encoder.eval()(entities))


def test_every_so_many_epochs_one_trains_at_half_the_rate() -> None:
    trained = contrast(halved_every=2, learning_rate=0.5)
    rates = []
    for epoch in (1, 2, 3, 4):
        trained.epoch(epoch)
        rates.append(trained._adam.param_groups[0]["lr"])
    assert rates == [0.5, 0.25, 0.5, 0.25]


def test_renewed_keys_are_those_of_the_current_encoder() -> None:
    queue = MomentumQueue(3, 2, torch.device("cpu"))
    queue.push(torch.zeros(3, 2), torch.tensor([4, 5, 6]))
    queue.renew(lambda entities: torch.stack([entities, -entities], dim=1).float())
    assert queue.keys.tolist() == [[4, -4], [5, -5], [6, -6]]


def test_stored_keys_equal_renewed_ones_while_the_key_encoder_stands_still() -> None:
    losses = []
    for queued in ("keys", "entities"):
        trained = contrast(queued=queued, momentum=1.0, dropout=0.0)
        losses.append([trained.epoch(epoch) for epoch in (1, 2)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_nothing_is_trained_before_a_queue_is_full() -> None:
    trained = contrast(queue_batches=1000)  # as many keys as a KG has entities, but one
    before = trained.encoder.weight.clone()
    trained.epoch(1)
    assert torch.equal(trained.encoder.weight, before)
    trained.epoch(2)
    assert not torch.equal(trained.encoder.weight, before)


def test_the_log_says_how_many_dimensions_word_vectors_have() -> None:
    ctx = RunContext(rng_seed=0)
    SelfKG.configure("selfkg", "names only", {"text_encoder": "words"}).fit(
        tiny_view(easy_pair()), ctx
    )
    assert ctx.log.simulated["text_encoder"].startswith("words of 300 dimensions")

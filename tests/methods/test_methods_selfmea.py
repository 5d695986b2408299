"""SelfMEA: what it reads, its encoder and losses against plain versions, its seeds."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.battery.fits import configured
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_split, tiny_view
from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import split_links
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import nca_loss
from mmea_bench.methods.core.losses.nca import ModalityNCA
from mmea_bench.methods.core.self_supervised.momentum_queue import (
    MomentumQueue,
    follow,
    relative_similarity_loss,
)
from mmea_bench.methods.core.self_supervised.neighbourhood import (
    NO_ENTITY,
    NeighbourhoodEncoder,
    neighbour_table,
)
from mmea_bench.methods.selfmea import SelfMEA, SelfMEAParams, pseudo_seeds
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pair() -> KGPair:
    return easy_pair()


def fit(view: TrainView, **overrides: object) -> Embeddings:
    torch.manual_seed(0)
    short = {"stage1_epochs": 1, "epochs": 10, "iterative_start": 5, "promote_every": 5}
    method = configured(SelfMEA, **{**short, **overrides})
    return method.fit(view, RunContext(rng_seed=3))


class _Unreadable:
    """Stands where seed links stand and cannot be used in any way."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the seed links were read ({name})")

    def __array__(self, *_: object, **__: object) -> Any:
        raise AssertionError("the seed links were read")

    def __len__(self) -> int:
        raise AssertionError("the seed links were counted")

    def __iter__(self) -> Any:
        raise AssertionError("the seed links were read")

    def __getitem__(self, _: object) -> Any:
        raise AssertionError("the seed links were read")


@pytest.mark.parametrize("seeds", ["image", "name"])
def test_seed_links_are_never_read(pair: KGPair, seeds: str) -> None:
    links = tiny_split(pair).seed_links
    scrambled = np.random.default_rng(1).permutation(links.ravel()).reshape(-1, 2)
    unreadable: Any = _Unreadable()
    found = [
        fit(dataclasses.replace(train_view(pair, links), seed_links=given), seeds=seeds)
        for given in (links, scrambled, links[:0], unreadable)
    ]
    for other in found[1:]:
        assert torch.equal(found[0].source, other.source)
        assert torch.equal(found[0].target, other.target)


def test_names_only_returns_the_name_vectors_without_training(pair: KGPair) -> None:
    view = tiny_view(pair)
    ctx = RunContext(rng_seed=3)
    method = SelfMEA.configure("selfmea", "names only", {"text_encoder": "hashed"})
    lengths = method.fit(view, ctx).source.norm(dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths))
    assert ctx.log.epochs == 0
    assert "text_encoder" in ctx.log.simulated


@pytest.mark.parametrize(
    ("names", "texts"),
    [("original", ["Köln", "Bo", "Trier"]), ("given", ["Cologne", "Bo", "Treves"])],
)
def test_names_are_those_of_the_uris_unless_the_given_ones_are_asked_for(
    names: str, texts: list[str]
) -> None:
    view, ctx = small_view(), RunContext(rng_seed=3)
    uris = ["http://d/resource/K%C3%B6ln", "http://d/resource/Q1", "http://d/resource/Trier"]
    given = text_array(["Cologne", "Bo", "Treves"])
    source = dataclasses.replace(view.source, entities=text_array(uris), names=given)
    changes = {"text_encoder": "hashed", "names": names}
    method = SelfMEA.configure("selfmea", "names only", changes)
    found = method.fit(dataclasses.replace(view, source=source), ctx)
    expected = normalize(text_vectors(texts, "hashed", "sum tokens", ctx), dim=1)
    assert torch.allclose(found.source, expected)


def test_a_text_encoder_that_is_not_there_is_a_reason_to_skip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MMEA_MODELS", raising=False)
    assert "text encoder" in (SelfMEA().skip_reason(("name",)) or "")
    hashed = SelfMEA(SelfMEAParams(text_encoder="hashed"))
    assert hashed.skip_reason(("name",)) is None
    assert "name" in (hashed.skip_reason(("image",)) or "")


def test_both_stages_count_as_parameters(pair: KGPair) -> None:
    view = tiny_view(pair)
    counts = []
    for changes in ({}, {"fusion": False}, {"contrast": False}):
        ctx = RunContext(rng_seed=3)
        configured(SelfMEA, epochs=1, stage1_epochs=1, **changes).fit(view, ctx)
        counts.append(ctx.log.n_parameters)
    assert counts[0] == counts[1] + counts[2]


def test_fusion_starts_from_stage_one_and_a_frozen_layer_keeps_it(pair: KGPair) -> None:
    view = tiny_view(pair)
    before = fit(view, fusion=False)
    still = {"learning_rate": 0.0, "structure_learning_rate": 0.0}
    after = fit(view, **still).by_modality["name"][0]
    assert torch.allclose(after, before.source, atol=1e-6)


def test_the_structure_layer_has_its_own_learning_rate(pair: KGPair) -> None:
    view = tiny_view(pair)
    before = fit(view, fusion=False).source
    slow = fit(view, structure_learning_rate=0.0)
    assert torch.allclose(slow.by_modality["name"][0], before, atol=1e-6)
    fast = fit(view, structure_learning_rate=5e-4)
    assert not torch.allclose(fast.by_modality["name"][0], before, atol=1e-3)
    assert slow.modality_weights["name"] != pytest.approx(1 / len(slow.modality_weights), abs=1e-6)


def test_the_initial_weight_of_the_structure_is_a_parameter(pair: KGPair) -> None:
    view = tiny_view(pair)
    still = {"learning_rate": 0.0, "structure_weight": 2.0}
    weights = fit(view, **still).modality_weights
    assert weights["name"] == pytest.approx(math.e / (math.e + len(weights) - 1), abs=1e-5)


def test_as_described_learns_the_weights_of_the_fusion_and_has_beta_inside(pair: KGPair) -> None:
    method = SelfMEA.configure("selfmea", "as described")
    assert method.params.beta == "inside"
    short = {"stage1_epochs": 1, "epochs": 10, "iterative_start": 5, "promote_every": 5}
    method = SelfMEA.configure("selfmea", "as described", {**SelfMEA.test_params, **short})
    weights = method.fit(tiny_view(pair), RunContext(rng_seed=3)).modality_weights
    # All start equal in this variant.
    assert max(weights.values()) - min(weights.values()) > 1e-4


@pytest.fixture(scope="module")
def noisy_seeds() -> KGPair:
    """A pair whose images say little: most of the seeds that they give are wrong."""
    return open_dataset("synthetic[n=200,picture_noise=2]").read()


def mrr_after(pair: KGPair, variant: str) -> float:
    """Test MRR of a training long enough for wrong seeds to do harm."""
    split = split_links(pair.anchor_links, 0.3, rng_seed=7)
    short = {**SelfMEA.test_params, "epochs": 120, "iterative_start": 60, "n_seeds": 60}
    given = {} if variant == "stage 1 only" else short
    given = {"text_encoder": "hashed", "stage1_epochs": 2, **given}
    method = SelfMEA.configure("selfmea", variant, given)
    found = method.fit(train_view(pair, split.seed_links), RunContext(rng_seed=3))
    ranks = rank_links(found, ranking_task(split.test_links, pair.anchor_links))[0].src2tgt
    return float(np.mean(1 / ranks))


def test_wrong_seeds_do_not_undo_stage_one(noisy_seeds: KGPair) -> None:
    stage_1, guarded, literal = (
        mrr_after(noisy_seeds, variant) for variant in ("stage 1 only", "full", "literal structure")
    )
    assert stage_1 <= guarded
    assert literal < stage_1 / 2


# --- pseudo-seeds -----------------------------------------------------------------------------


def seeds_of(view: TrainView, names: Tensor, ctx: RunContext, **changes: Any) -> list[list[int]]:
    return pseudo_seeds(view, names, SelfMEAParams(**changes), ctx).tolist()


def test_only_entities_with_an_image_become_visual_seeds() -> None:
    view, names = small_view(), normalize(torch.eye(5), dim=1)
    # Images: source 0 is (1, 0), source 2 is (0, 1), target 0 is diagonal; target 1 has none.
    found = seeds_of(view, names, RunContext(rng_seed=0))
    assert len(found) == 1
    assert found[0][0] in (0, 2)
    assert found[0][1] == 3


def test_the_most_similar_image_wins() -> None:
    view = small_view()
    lit = np.array([True, True])
    target = Features(np.array([[0.0, 1.0], [3.0, 0.1]], dtype=np.float32), lit)
    view = dataclasses.replace(view, features={"image": (view.features["image"][0], target)})
    assert seeds_of(view, torch.eye(5), RunContext(rng_seed=0)) == [[2, 3], [0, 4]]


def test_seeds_come_from_names_where_asked_and_skip_nameless_entities() -> None:
    names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.6, 0.8], [1.0, 0.0]])
    ctx = RunContext(rng_seed=0)
    assert seeds_of(small_view(), names, ctx, seeds="name") == [[0, 4], [1, 3]]
    assert ctx.log.simulated == {}


def test_without_images_names_stand_in_and_the_log_says_so() -> None:
    names = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.6, 0.8], [1.0, 0.0]])
    ctx = RunContext(rng_seed=0)
    view = dataclasses.replace(small_view(), features={})
    assert seeds_of(view, names, ctx) == [[0, 4], [1, 3]]
    assert "no images" in ctx.log.simulated["visual_seeds"]


# --- neighbours and attention -----------------------------------------------------------------


def test_the_table_holds_the_entity_then_its_first_distinct_neighbours() -> None:
    graph = JointGraph.of(small_view())
    # Source triples 0-1, 1-0, 0-2, 2-2; target 3-4.
    empty = NO_ENTITY
    assert neighbour_table(graph, 3).tolist() == [
        [0, 1, 2],
        [1, 0, empty],
        [2, 0, empty],
        [3, 4, empty],
        [4, 3, empty],
    ]
    assert neighbour_table(graph, 2)[0].tolist() == [0, 1]
    assert neighbour_table(graph, 1).tolist() == [[0], [1], [2], [3], [4]]


def test_neighbours_stand_in_the_order_of_the_triples() -> None:
    triples = np.array([[3, 0, 0], [0, 0, 2], [0, 1, 3], [1, 0, 0]])
    graph = JointGraph(4, 4, 2, triples, 0, np.empty((0, 2), dtype=np.int64))
    assert neighbour_table(graph, 5)[0].tolist() == [0, 3, 2, 1, NO_ENTITY]


def small_encoder(dropout: float = 0.0) -> tuple[NeighbourhoodEncoder, Tensor, Tensor]:
    names = normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    table = torch.from_numpy(neighbour_table(JointGraph.of(small_view()), 3))
    generators = [torch.Generator().manual_seed(seed) for seed in (2, 3)]
    return NeighbourhoodEncoder(names, table, dropout, *generators), names, table


def plain_attention(encoder: NeighbourhoodEncoder, names: Tensor, row: list[int]) -> Tensor:
    """The layer for one entity, neighbour by neighbour."""
    slots = [entity for entity in row if entity != NO_ENTITY]
    hidden = [names[entity] @ encoder.weight for entity in slots]
    logits = []
    for other in hidden:
        logit = torch.tanh(hidden[0]) @ encoder.centre + torch.tanh(other) @ encoder.neighbour
        logits.append(float(logit) if float(logit) > 0 else 0.2 * float(logit))
    total = sum(math.exp(logit) for logit in logits)
    around = encoder.bias + sum(
        math.exp(logit) / total * other for logit, other in zip(logits, hidden, strict=True)
    )
    joined = torch.cat([names[slots[0]], around / around.norm()])
    out = joined @ encoder.merge.weight + encoder.merge.bias
    return out / out.norm()


def test_the_encoder_equals_attention_written_out() -> None:
    encoder, names, table = small_encoder()
    with torch.no_grad():
        encoder.bias += torch.tensor([0.1, -0.2, 0.3])
        found = encoder(torch.tensor([2, 0, 4]))
        rows = [table[entity].tolist() for entity in (2, 0, 4)]
        expected = torch.stack([plain_attention(encoder, names, row) for row in rows])
    assert torch.allclose(found, expected, atol=1e-6)


def test_dropout_acts_in_training_alone() -> None:
    encoder, _, _ = small_encoder(dropout=0.5)
    entities = torch.arange(5)
    assert torch.equal(encoder.all_vectors(), encoder.all_vectors())
    assert encoder.training
    assert not torch.equal(encoder(entities), encoder(entities))


def test_the_follower_starts_as_a_copy_and_moves_by_momentum() -> None:
    encoder, _, _ = small_encoder(dropout=0.5)
    key = encoder.follower()
    assert torch.equal(key(torch.arange(5)), encoder.all_vectors())
    start = key.weight.clone()
    with torch.no_grad():
        encoder.weight += 1.0
    follow(key, encoder, 0.9)
    assert torch.allclose(key.weight, start + 0.1)
    assert not any(parameter.requires_grad for parameter in key.parameters())


# --- queue and losses -------------------------------------------------------------------------


def test_the_queue_keeps_the_latest_keys_and_masks_empty_places_and_the_entity_itself() -> None:
    queue = MomentumQueue(3, 2, CPU)
    queue.push(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([7, 8]))
    assert not queue.is_full
    scores = queue.similarities(torch.tensor([[0.6, 0.8]]), torch.tensor([7]))
    assert scores[0, 1] == pytest.approx(0.8)
    assert (scores[0, [0, 2]] < -1e8).all()
    queue.push(torch.tensor([[0.6, 0.8], [0.8, 0.6]]), torch.tensor([5, 6]))
    assert queue.is_full
    assert sorted(queue.entities.tolist()) == [5, 6, 8]
    queue.push(torch.eye(2).repeat(2, 1), torch.tensor([1, 2, 3, 4]))
    assert sorted(queue.entities.tolist()) == [2, 3, 4]


def test_a_queue_without_places_takes_nothing() -> None:
    queue = MomentumQueue(0, 2, CPU)
    queue.push(torch.ones(1, 2), torch.tensor([0]))
    assert queue.similarities(torch.ones(1, 2), torch.tensor([0])).shape == (1, 0)


@pytest.mark.parametrize("own", [None, [0.9, 0.7]])
def test_relative_similarity_equals_equation_1(own: list[float] | None) -> None:
    cosines, tau = [[0.5, -0.2, 0.1], [0.0, 0.3, 0.9]], 0.08
    expected = 0.0
    for row, others in enumerate(cosines):
        top = (1.0 if own is None else own[row]) / tau
        total = math.exp(top) + sum(math.exp(other / tau) for other in others)
        expected += (-top + math.log(total)) / 2
    positives = None if own is None else torch.tensor(own)
    found = relative_similarity_loss(torch.tensor(cosines), tau, positives)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("beta", ["outside", "inside"])
def test_modality_nca_sums_the_losses_and_trains_only_weights_by_the_joint_one(beta: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = {
        name: normalize(torch.randn(6, 3, generator=generator), dim=1).requires_grad_()
        for name in ("image", "name")
    }
    positions = torch.tensor([[0, 3], [1, 4], [2, 5]])
    fusion = WeightedConcatenation(("image", "name"))
    losses = ModalityNCA(fusion, {"name": 5.0}, 15.0, 7500, beta=beta)
    found = sum(losses(rows, positions), torch.zeros(()))
    parts = {name: vectors[:3] @ vectors[3:].T for name, vectors in rows.items()}
    expected = nca_loss(parts["image"], 15.0, beta=beta) + nca_loss(parts["name"], 5.0, beta=beta)
    separate = torch.autograd.grad(expected, list(rows.values()), retain_graph=True)
    joint = normalize(fusion(rows), dim=1).detach()
    expected = expected + nca_loss(joint[:3] @ joint[3:].T, 15.0, beta=beta)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    found.backward()  # type: ignore[no-untyped-call]
    for vectors, gradient in zip(rows.values(), separate, strict=True):
        assert torch.allclose(vectors.grad, gradient, atol=1e-6)
    assert fusion.logits.grad is not None


def test_modality_nca_works_in_chunks() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = {"name": normalize(torch.randn(8, 3, generator=generator), dim=1)}
    positions = torch.tensor([[0, 4], [1, 5], [2, 6], [3, 7]])
    losses = ModalityNCA(WeightedConcatenation(("name",)), {}, 15.0, 2)
    halves = [loss for half in positions.split(2) for loss in losses(rows, half)]
    assert torch.allclose(torch.stack(list(losses(rows, positions))), torch.stack(halves))

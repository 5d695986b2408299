"""PCMEA's texts, adapters, losses, momentum copy and calibration against hand values and loops."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, normalize, relu

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.text_encoders import Pooling, text_vectors
from mmea_bench.methods.core.losses.batch import (
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.methods.parts.pcmea.encoder import AdaptedEncoder, AdapterParams, TokenAdapter
from mmea_bench.methods.parts.pcmea.losses import (
    Critic,
    LossParams,
    PCMEALosses,
    information_loss,
    spread_loss,
)
from mmea_bench.methods.parts.pcmea.texts import (
    field_texts,
    relation_texts,
    text_features,
    words_of,
)
from mmea_bench.methods.parts.pcmea.training import (
    CalibratedSeeds,
    MomentumCopy,
    PairBatches,
    n_companions,
)
from mmea_bench.methods.pcmea import MODALITIES, PCMEA, PCMEAParams, _encoder
from tests.methods.small_graphs import small_view


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def params_of(**overrides: object) -> PCMEAParams:
    sizes = {"structure_dim": 6, "modality_dim": 4, "attention_heads": 2, "bottleneck": 3}
    return PCMEAParams(**{**sizes, "text_encoder": "hashed", **overrides})  # type: ignore[arg-type]


def encoder_of(**overrides: object) -> tuple[AdaptedEncoder, dict[str, int]]:
    view = small_view()
    return _encoder(
        view, JointGraph.of(view), MODALITIES, params_of(**overrides), RunContext(rng_seed=1)
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("http://dbpedia.org/ontology/birthPlace_of.city", "birth Place of city"),
        ("<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", "type"),
        ("http://rdf.freebase.com/ns/location.geocode.longitude", "location geocode longitude"),
        ("/people/person/spouse_s", "people person spouse s"),
        (
            "/award/award_nominee/award_nominations./award/award_nomination/award",
            "award award nominee award nominations award award nomination award",
        ),
        ("birthPlace", "birth Place"),
        ("", ""),
    ],
)
def test_words_are_those_of_the_last_part_of_a_uri_and_of_all_parts_of_a_path(
    name: str, words: str
) -> None:
    assert words_of(name) == words


def test_texts_hold_each_field_and_each_word_once() -> None:
    relations = text_array(["http://x/bornIn", "http://x/livesIn"])
    graph = replace(small_view().source, relations=relations)
    assert field_texts(graph) == ["born", "born", "height"]
    # 0 stands in two triples of r and one of s.
    assert relation_texts(graph) == ["born in lives", "born in", "lives in"]


def test_relations_and_attributes_that_are_paths_have_the_words_of_all_their_parts() -> None:
    graph = replace(
        small_view().source,
        relations=text_array(["/film/actor./film/cast", "/tv/actor"]),
        attributes=text_array(["/person/height_m", "/film/runTime"]),
    )
    assert relation_texts(graph) == ["film actor cast tv", "film actor cast", "tv actor"]
    assert field_texts(graph) == ["person height m", "person height m", "film run Time"]


def test_an_entity_without_attributes_gets_a_normal_sample_of_the_others() -> None:
    def features(pooling: Pooling) -> Tensor:
        ctx = RunContext(rng_seed=1)
        return text_features(small_view(), "attribute", "hashed", pooling, 32, ctx)

    rows = features("mean tokens")
    assert rows.shape[0] == 5
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(5))
    assert torch.equal(rows, features("mean tokens"))


def test_the_released_text_vector_is_that_of_the_first_token() -> None:
    assert PCMEA.variants["as released"]["pooling"] == "first token"
    view = small_view()
    attributes = text_array(["http://x/bornIn", "http://x/height"])
    source = replace(view.source, attributes=attributes)
    ctx = RunContext(rng_seed=1)
    rows = text_features(
        replace(view, source=source), "attribute", "hashed", "first token", 32, ctx
    )
    born = text_vectors(["born"], "hashed", "mean tokens", ctx)
    torch.testing.assert_close(rows[:1], normalize(born, dim=1))


def adapter(attention: str, generator: torch.Generator, *, is_graph: bool = False) -> TokenAdapter:
    params = taken_from(params_of(attention=attention), AdapterParams)
    dims = {"structure": 4, "image": 6} if is_graph else {"relation": 4, "relation_text": 4}
    return TokenAdapter(dims, params, is_graph=is_graph, generator=generator)


def network(module: TokenAdapter, rows: Tensor) -> Tensor:
    hidden = relu(rows @ module.inner.weight + module.inner.bias)
    return hidden @ module.outer.weight + module.outer.bias


@torch.no_grad()
def test_a_token_adapter_attends_to_itself_and_its_text(generator: torch.Generator) -> None:
    module = adapter("tokens", generator)
    own, text = (torch.randn(3, 4, generator=generator) for _ in range(2))
    found = module({"relation": own, "relation_text": text}, None)
    normed = [layer_norm(rows, (4,)) for rows in (own, text)]
    attended = module.attention(normed[0], torch.stack(normed, dim=1))
    expected = own + attended
    torch.testing.assert_close(found, expected + network(module, expected))


@torch.no_grad()
def test_attention_to_itself_alone_keeps_the_sums_of_the_default(
    generator: torch.Generator,
) -> None:
    module = adapter("itself", generator)
    own, text = (torch.randn(3, 4, generator=generator) for _ in range(2))
    found = module({"relation": own, "relation_text": text}, None)
    expected = own + module.attention.output(layer_norm(own, (4,)) @ module.attention.value)
    torch.testing.assert_close(found, expected + network(module, expected))


@torch.no_grad()
def test_tokens_of_other_widths_are_projected_to_that_of_the_structure(
    generator: torch.Generator,
) -> None:
    module = adapter("tokens", generator, is_graph=True)
    vectors = {"structure": torch.randn(3, 4), "image": torch.randn(3, 6)}
    image = layer_norm(module.projected["image"](vectors["image"]), (4,))
    own = layer_norm(vectors["structure"], (4,))
    expected = vectors["structure"] + module.attention(own, torch.stack([own, image], dim=1))
    # The network behind it starts as zero.
    torch.testing.assert_close(module(vectors, None), expected)


@torch.no_grad()
def test_the_released_adapter_is_a_linear_map_and_does_not_read_the_text(
    generator: torch.Generator,
) -> None:
    module = adapter("single", generator)
    own, text = (torch.randn(3, 4, generator=generator) for _ in range(2))
    found = module({"relation": own, "relation_text": text}, None)
    attended = module.attention.output(layer_norm(own, (4,)) @ module.attention.value)
    expected = 2 * own + attended
    torch.testing.assert_close(found, expected + network(module, expected))


@torch.no_grad()
def test_the_released_structure_adapter_by_its_formula(generator: torch.Generator) -> None:
    module = adapter("single", generator, is_graph=True)
    own = torch.randn(3, 4, generator=generator)
    normed = layer_norm(own, (4,))
    expected = 2 * (own + normed + module.attention.output(normed @ module.attention.value))
    found = module({"structure": own, "image": torch.randn(3, 6)}, None)
    torch.testing.assert_close(found, expected)


def test_information_loss_is_a_bound_in_bits() -> None:
    # Shares of the matched: 3 of 4 and 1 of 2; the bound is one bit plus the mean of their logs.
    values = torch.tensor([[math.log(3), 0.0], [1.0, 1.0]])
    bound = 1 + (math.log2(3 / 4) - 1) / 2
    assert float(information_loss(values)) == pytest.approx(-bound)
    assert float(information_loss(torch.ones(1, 1))) == 0


def test_the_released_information_loss_is_zero_for_equal_values() -> None:
    # The mean of 1 and 3 is 2, that of their logs log(3) / 2.
    found = float(spread_loss(torch.tensor([0.0, math.log(3)])))
    assert found == pytest.approx(1 - math.log2(3) / 2)
    assert float(spread_loss(torch.tensor([0.7, 0.7]))) == pytest.approx(0, abs=1e-6)


@torch.no_grad()
def test_a_critic_sees_each_vector_beside_every_joint_one(generator: torch.Generator) -> None:
    critic = Critic(7, 5, generator)
    own, joint = torch.randn(3, 4, generator=generator), torch.randn(3, 3, generator=generator)
    one_by_one = [critic(own, joint[[row] * 3]) for row in range(3)]
    torch.testing.assert_close(critic.of_all(own, joint), torch.stack(one_by_one, dim=1))


def batch_of(
    encoder: AdaptedEncoder, generator: torch.Generator, dims: dict[str, int]
) -> dict[str, Tensor]:
    return {
        name: normalize(torch.randn(6, dims[name], generator=generator), dim=1)
        for name in encoder.modalities
    }


@torch.no_grad()
@pytest.mark.parametrize(("with_momentum", "shuffled"), [(False, False), (True, True)])
def test_a_batch_loss_is_the_sum_of_the_formula(
    generator: torch.Generator, with_momentum: bool, shuffled: bool
) -> None:
    encoder, dims = encoder_of()
    settings = replace(taken_from(params_of(), LossParams), shuffled=shuffled, information=0.5)
    losses = PCMEALosses(encoder, dims, settings, generator)
    encoded = batch_of(encoder, generator, dims)
    rows = torch.tensor([[0, 3], [1, 4], [2, 5]])
    joint = encoder.joint(encoded)
    momentum = normalize(torch.randn(6, joint.shape[1], generator=generator), dim=1)
    found = losses.batch_loss(encoded, rows, momentum if with_momentum else None)
    source, target = joint[:3], joint[3:]
    expected = intra_modal_contrastive_loss(source, target, 0.1)
    if with_momentum:
        expected = intra_modal_contrastive_loss(source, momentum[3:], 0.05)
    for each in encoded.values():
        expected = expected + intra_modal_contrastive_loss(each[:3], each[3:], 0.1)
        kl = inter_modal_alignment_loss((source, target), (each[:3], each[3:]), 4.0)
        expected = expected + 0.1 * 0.1 * kl
    for name in ("image", "attribute_text", "relation_text", "structure"):
        critic, own = losses.critics[name], encoded[name]
        if shuffled:
            sides = [information_loss(critic.of_all(own[at], joint[at])) for at in rows.T]
            expected = expected + 0.5 * (sides[0] + sides[1]) / 2
            continue
        values = critic(own, joint)
        expected = expected + 0.5 * (values.exp().mean().log() - values.mean()) / math.log(2)
    torch.testing.assert_close(found, expected)


def test_released_critics_are_not_trained(generator: torch.Generator) -> None:
    encoder, dims = encoder_of()
    settings = taken_from(params_of(shuffled=False), LossParams)
    losses = PCMEALosses(encoder, dims, settings, generator)
    assert not any(each.requires_grad for each in losses.critics.parameters())


def test_the_last_batch_may_count_twice(generator: torch.Generator) -> None:
    encoder, dims = encoder_of()
    settings = replace(taken_from(params_of(), LossParams), shuffled=False)
    encoded = batch_of(encoder, generator, dims)
    batches = [torch.tensor([[0, 3], [1, 4]]), torch.tensor([[2, 5], [1, 4]])]
    once, twice = (
        list(
            PCMEALosses(
                encoder,
                dims,
                replace(settings, last_batch_twice=doubles),
                torch.Generator().manual_seed(0),
            )(encoded, batches, None)
        )
        for doubles in (False, True)
    )
    torch.testing.assert_close(torch.stack(twice), torch.stack([once[0], 2 * once[1]]))


def test_the_copy_follows_slowly_and_sets_targets_of_its_own() -> None:
    encoder, _ = encoder_of(dropout=0.0)
    rows = torch.arange(5)
    encoder.prepare(rows)
    copy = MomentumCopy(encoder, start=2, every=2, momentum=0.75)
    copy.after_epoch(1)
    assert copy.joint(rows) is None
    copy.after_epoch(2)
    first = {name: each.clone() for name, each in copy.parameters.items()}
    torch.testing.assert_close(copy.joint(rows), encoder.joint(encoder(rows, training=False)))
    with torch.no_grad():
        for each in encoder.parameters():
            each += 1
    copy.after_epoch(3)
    assert all(torch.equal(first[name], each) for name, each in copy.parameters.items())
    copy.after_epoch(4)
    for name, each in copy.parameters.items():
        torch.testing.assert_close(each, first[name] + 0.25)


@pytest.mark.parametrize(
    ("calibration", "taken"),
    [("none", [[1, 2], [3], []]), ("previous", [[], [2], []]), ("any earlier", [[], [2], [1]])],
)
def test_a_pair_must_have_been_proposed_before(calibration: str, taken: list[list[int]]) -> None:
    seeds = CalibratedSeeds(
        torch.tensor([[0, 9]]),
        (5, 10),
        IterativeSchedule(),
        TrainingLog(),
        calibration,  # type: ignore[arg-type]
    )
    proposals = [[1, 2], [2, 3], [1]] if calibration != "none" else [[1, 2], [3], []]
    found = [seeds.confirmed(torch.tensor(each, dtype=torch.int64)).tolist() for each in proposals]
    assert found == taken


def test_companions_get_fewer_and_end() -> None:
    assert n_companions(1, 0) == 0
    # The released code counts from 0: five runs of 50 epochs, the last of them 200 to 249.
    until = PCMEA.variants["as released"]["companions_until_start"]
    runs = [n for n in (5, 4, 3, 2, 1) for _ in range(50)]
    assert [n_companions(epoch, until) for epoch in range(1, 252)] == [*runs, 0]


def test_each_pair_is_followed_by_its_companions(generator: torch.Generator) -> None:
    positions = torch.arange(10).reshape(5, 2)
    made = PairBatches(4, 250, generator)
    rows = torch.cat(made.of(positions, 151))  # the fourth run has two companions
    assert len(rows) == 15
    assert sorted(rows[::3, 0].tolist()) == [0, 2, 4, 6, 8]
    plain = torch.cat(made.of(positions, 251))
    assert sorted(plain.tolist()) == positions.tolist()


def test_companions_stay_for_a_run_of_epochs(generator: torch.Generator) -> None:
    made, positions = PairBatches(4, 250, generator), torch.arange(10).reshape(5, 2)
    lists = [torch.cat(made.of(positions, epoch)) for epoch in (1, 2, 50, 51, 100)]
    assert all(torch.equal(lists[0], each) for each in lists[1:3])
    assert len(lists[0]) == 6 * 5
    assert len(lists[3]) == 5 * 5
    assert torch.equal(lists[3], lists[4])
    grown = torch.cat(made.of(torch.arange(12).reshape(6, 2), 100))
    assert sorted(grown[::5, 0].tolist()) == [0, 2, 4, 6, 8, 10]

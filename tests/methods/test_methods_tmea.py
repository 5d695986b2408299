"""TMEA's attention, completion and losses against loops and hand values."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.attribute_texts import attribute_vectors, common_first_texts
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.modal_vae import ModalVAE
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets, rows_of_pairs
from mmea_bench.methods.parts.tmea.associations import Association
from mmea_bench.methods.parts.tmea.completion import Completion
from mmea_bench.methods.parts.tmea.encoder import Encoded, EncoderParams, TokenEncoder
from mmea_bench.methods.parts.tmea.losses import Losses, LossParams
from mmea_bench.methods.tmea import TMEAParams, modality_inputs
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")
NAMES = ("structure", "image", "attribute")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def vectors_of(generator: torch.Generator, n: int = 3, dim: int = 8) -> dict[str, Tensor]:
    return {name: normalize(torch.randn(n, dim, generator=generator), dim=1) for name in NAMES}


def test_images_have_as_many_columns_as_in_the_released_code() -> None:
    inputs = modality_inputs(small_view(), ("image",), TMEAParams(), RunContext(rng_seed=0))
    rows, present = inputs["image"]
    assert rows.shape == (5, 768)
    assert rows[2, :3].tolist() == [0.0, 4.0, 0.0]
    assert not rows[:, 2:].any()
    assert present.tolist() == [True, False, True, True, False]


@torch.no_grad()
@pytest.mark.parametrize("over_others", [False, True])
def test_enriched_vectors_weigh_a_modality_and_its_attentions_alike_at_first(
    generator: torch.Generator, over_others: bool
) -> None:
    module = Association(NAMES, 8, 2, generator, over_others=over_others)
    vectors = vectors_of(generator)
    attended = module.attended(vectors)
    assert len(attended) == 6
    enriched = module(vectors, attended)
    image = (vectors["image"] + attended["image", "structure"] + attended["image", "attribute"]) / 3
    torch.testing.assert_close(enriched["image"], image)


@torch.no_grad()
@pytest.mark.parametrize("over_others", [False, True])
def test_other_modalities_matter_unless_attention_is_to_itself(
    generator: torch.Generator, over_others: bool
) -> None:
    module = Association(NAMES, 8, 2, generator, over_others=over_others)
    vectors = vectors_of(generator)
    changed = {**vectors, "attribute": -vectors["attribute"]}
    before, after = (module.attended(each)["structure", "image"] for each in (vectors, changed))
    assert torch.equal(before, after) is not over_others


@torch.no_grad()
def test_a_lacking_image_is_decoded_from_attributes_and_structure(
    generator: torch.Generator,
) -> None:
    module = Completion(8, 4, generator)
    vectors = vectors_of(generator)
    present = {
        "image": torch.tensor([True, False, True]),
        "attribute": torch.tensor([True, True, False]),
    }
    whole = module.complete(vectors, present, None)
    joined = module.joined["attribute"](torch.cat([vectors["attribute"], vectors["structure"]], 1))
    vaes = module.vaes
    of_joined, of_image = vaes["attribute and structure"], vaes["image"]
    assert isinstance(of_joined, ModalVAE)
    assert isinstance(of_image, ModalVAE)
    expected = of_image.decode(of_joined.encode(joined)[0])
    torch.testing.assert_close(whole["image"][1], expected[1])
    assert torch.equal(whole["image"][[0, 2]], vectors["image"][[0, 2]])
    assert torch.equal(whole["attribute"][:2], vectors["attribute"][:2])
    assert not torch.equal(whole["attribute"][2], vectors["attribute"][2])


def test_completion_loss_by_its_formula(generator: torch.Generator) -> None:
    module = Completion(8, 4, generator)
    vectors = vectors_of(generator)
    rows = torch.tensor([0, 2])
    found = module.losses(vectors, rows, None)
    error, divergence, latents = torch.zeros(()), torch.zeros(()), {}
    for name, source in (("attribute", "image"), ("image", "attribute")):
        both = torch.cat([vectors[source], vectors["structure"]], dim=1)[rows]
        inputs = {name: vectors[name][rows], f"{source} +": module.joined[source](both)}
        keys = {name: name, f"{source} +": f"{source} and structure"}
        for key, value in inputs.items():
            vae = module.vaes[keys[key]]
            assert isinstance(vae, ModalVAE)
            mean, log_variance = vae.encode(value)
            latents[key] = mean
            of_each = -(1 + log_variance - mean**2 - log_variance.exp()) / 2
            error = error + (vae.decode(mean) - value).square().mean()
            divergence = divergence + of_each.sum()
    torch.testing.assert_close(found.reconstruction, error)
    torch.testing.assert_close(found.divergence, divergence)
    distance = (latents["attribute"] - latents["image +"]).square().mean()
    distance = distance + (latents["image"] - latents["attribute +"]).square().mean()
    torch.testing.assert_close(found.matching, distance)


def test_completion_has_no_loss_without_an_entity_that_has_both(
    generator: torch.Generator,
) -> None:
    losses = Completion(8, 4, generator).losses(
        vectors_of(generator), torch.empty(0, dtype=torch.int64), None
    )
    assert [float(loss) for loss in losses] == [0.0, 0.0, 0.0]


def test_completion_sends_no_gradient_to_the_modalities(generator: torch.Generator) -> None:
    vectors = {name: rows.requires_grad_() for name, rows in vectors_of(generator).items()}
    losses = Completion(8, 4, generator).losses(vectors, torch.arange(3), generator)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    assert all(rows.grad is None for rows in vectors.values())


def valued_view() -> TrainView:
    """``small_view`` with values of the attribute triples."""
    view = small_view()
    values = text_array(["3", "", "1950", "2"])
    return replace(view, source=replace(view.source, attribute_values=values))


def test_texts_begin_with_the_most_common_attribute() -> None:
    texts = common_first_texts(valued_view().source)
    # "born" stands in three triples, "height" in one.
    assert texts == ["born; born: 3", "born: 1950", "height: 2"]
    graph = replace(
        valued_view().source,
        attributes=text_array(["height", "born"]),
    )
    assert common_first_texts(graph)[0] == "height; height: 3"


def training(**overrides: object) -> tuple[TokenEncoder, Losses, TrainView]:
    view, ctx = valued_view(), RunContext(rng_seed=3)
    params = TMEAParams(dim=4, latent=2, **overrides)  # type: ignore[arg-type]
    images = view.joint_features("image")
    inputs = {
        "image": (torch.tensor(images.values), torch.tensor(images.present)),
        "attribute": attribute_vectors(view, "hashed", 256, ctx, common_first_texts),
    }
    encoder = TokenEncoder(JointGraph.of(view), inputs, taken_from(params, EncoderParams), ctx)
    return encoder, Losses(encoder, taken_from(params, LossParams), ctx), view


def plain_contrast(similarity: Tensor, margin: float) -> Tensor:
    own = torch.eye(len(similarity), dtype=torch.bool)
    hinge = (margin - similarity).clamp_min(0).square()
    return torch.where(own, hinge, similarity.square()).mean()


def test_alignment_takes_inner_products_of_joint_vectors_and_cosines_of_single_ones() -> None:
    encoder, losses, view = training()
    seeds = rows_of_pairs(encoder.graph.seed_pairs(view), CPU)
    encoded = encoder.encode(seeds, normalize(encoder.entities)[seeds], None)
    expected = plain_contrast(encoded.joint[:2] @ encoded.joint[2:].T, 2.0)
    table = normalize(encoder.entities)[seeds]
    for name in NAMES:
        rows = table
        if name != "structure":
            rows = encoder.linear[name](encoder._features[name][seeds])
        cosines = cosine_similarity(rows[:2].unsqueeze(1), rows[2:].unsqueeze(0), dim=2)
        expected = expected + plain_contrast(cosines, 2.0)
    torch.testing.assert_close(losses.alignment(encoded), expected)


def test_orthogonality_by_its_formula() -> None:
    encoder, losses, view = training()
    seeds = rows_of_pairs(encoder.graph.seed_pairs(view), CPU)
    encoded = encoder.encode(seeds, normalize(encoder.entities)[seeds], None)
    expected = torch.zeros(())
    for own in NAMES:
        for other in NAMES:
            if own != other:
                left = encoded.whole[own] - encoded.attended[own, other]
                for row in range(len(seeds)):
                    product = (encoded.whole[other][row] * left[row]).mean()
                    expected = expected + product**2 / len(seeds)
    torch.testing.assert_close(losses.orthogonality(encoded), expected)


def test_a_step_is_the_plain_sum_of_its_losses() -> None:
    encoder, losses, view = training(orthogonality=0.3, matching=0.7)
    seeds = rows_of_pairs(encoder.graph.seed_pairs(view), CPU)
    triples, other = torch.tensor([[0, 0, 1]]), torch.tensor([2])
    losses._noise.manual_seed(0)
    found = losses.of_step(triples, other, torch.tensor([True]), seeds, 2)
    table, relations = normalize(encoder.entities), normalize(encoder.relations)
    own = (table[0] + relations[0] - table[1]).square().sum()
    wrong = (table[2] + relations[0] - table[1]).square().sum()
    expected = (1 + own - wrong).clamp_min(0)
    losses._noise.manual_seed(0)
    encoded = encoder.encode(seeds, table[seeds], losses._noise)
    expected = expected + losses.alignment(encoded) + 0.3 * losses.orthogonality(encoded)
    # Of the seeds s0 and t0 have an image and attributes.
    assert encoder.completion is not None
    for row in (0, 2):
        parts = encoder.completion.losses(encoded.single, torch.tensor([row]), losses._noise)
        expected = expected + parts.reconstruction + parts.divergence + 0.7 * parts.matching
    torch.testing.assert_close(found, expected)


def encoded_pairs(vectors: dict[str, Tensor], pairs: tuple[int, ...]) -> Encoded:
    """Of some of the pairs that the vectors are of, [2 n, dim]; every entity has everything."""
    half = len(vectors["image"]) // 2
    rows = torch.tensor([*pairs, *(pair + half for pair in pairs)])
    single = {name: values[rows] for name, values in vectors.items()}
    present = dict.fromkeys(("image", "attribute"), torch.ones(len(rows), dtype=torch.bool))
    return Encoded(single, present, single, {}, single, torch.cat([*single.values()], dim=1))


@torch.no_grad()
@pytest.mark.parametrize("n_drawn", [1, 2, 3])
def test_drawn_seeds_weigh_divergences_up_and_mean_squares_not(n_drawn: int) -> None:
    encoder, losses, _ = training(matching=0.0)
    completion = encoder.completion
    assert completion is not None
    for parameter in completion.parameters():
        parameter.zero_()
    for vae in completion.vaes.values():
        assert isinstance(vae, ModalVAE)
        vae.mean.bias.fill_(1.0)
    # Nothing is decoded: of unit vectors with four columns each mean square is 1 / 4, those of the
    # image and of the attribute, in both KGs; what is joined with structure is 0 as it should be.
    # A latent with mean 1 and variance 1 diverges by 1 / 2: two latents, four VAEs, six entities.
    generator = torch.Generator().manual_seed(4)
    encoded = encoded_pairs(vectors_of(generator, 6, 4), tuple(range(n_drawn)))
    assert float(losses.completion(encoded, 3)) == pytest.approx(4 / 4 + 2 * 4 * 6 / 2)


@torch.no_grad()
@pytest.mark.parametrize("n_drawn", [1, 2])
def test_completion_of_drawn_seeds_is_on_average_that_of_all(n_drawn: int) -> None:
    encoder, losses, _ = training(matching=0.7)
    losses._noise = None  # type: ignore[assignment]  # means, so that draws differ in seeds alone
    assert encoder.completion is not None
    vectors = vectors_of(torch.Generator().manual_seed(4), 6, 4)
    draws = list(combinations(range(3), n_drawn))
    found = sum(losses.completion(encoded_pairs(vectors, draw), 3) for draw in draws) / len(draws)
    expected = losses.completion(encoded_pairs(vectors, (0, 1, 2)), 3)
    torch.testing.assert_close(found, expected)


def test_pseudo_pairs_weigh_a_tenth_and_stay_beside_the_seeds() -> None:
    encoder, losses, view = training(completion=False)
    seeds = encoder.graph.seed_pairs(view)[:1]
    sets = TrainingSets(encoder, seeds, 1, RunContext(rng_seed=3), SetForm(own_relations=True))
    sets.grow(1)
    (pseudo,) = sets.pseudo_batches(10)
    assert sets.drawn_seeds(0)[0].tolist() == seeds[0].tolist()
    encoded = encoder.encode(pseudo, normalize(encoder.entities)[pseudo], None)
    torch.testing.assert_close(losses.of_pseudo_pairs(pseudo), losses.alignment(encoded) / 10)


def test_drawn_seeds_say_how_many_they_stand_for() -> None:
    encoder, _, view = training()
    sets = TrainingSets(encoder, encoder.graph.seed_pairs(view), 1, RunContext(rng_seed=3))
    for wanted, n_rows in ((0, 4), (1, 2), (5, 4)):
        rows, n_seeds = sets.drawn_seeds(wanted)
        assert (len(rows), n_seeds) == (n_rows, 2)


def test_noise_at_test_is_the_same_at_every_look() -> None:
    encoder, _, _ = training(sample_at_test=True)
    quiet, _, _ = training()
    quiet.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder.joint_vectors(), encoder.joint_vectors())
    lacking = ~(encoder._present["image"] & encoder._present["attribute"])
    same = (encoder.joint_vectors() == quiet.joint_vectors()).all(dim=1)
    assert not same[lacking].any()

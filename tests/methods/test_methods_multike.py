"""MultiKE: literals, aligned predicates, swapped triples, the CNN, and the shared spaces."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.value_encoder import ValueEncoder
from mmea_bench.methods.multike import MultiKE, MultiKEParams, cleaned_names
from mmea_bench.methods.parts.multike.combination import (
    SharedSpaceSettings,
    shared_space,
    space_loss,
    weighted_sum,
)
from mmea_bench.methods.parts.multike.facts import (
    Facts,
    attribute_facts,
    exchanged,
    relation_triples,
    swapped_triples,
)
from mmea_bench.methods.parts.multike.literals import (
    LiteralSettings,
    cleaned_name,
    cleaned_value,
    first_words,
    literal_vectors,
    reconstruction_loss,
)
from mmea_bench.methods.parts.multike.predicates import (
    AlignedPredicates,
    aligned_by_name,
    levenshtein_ratio,
    local_name,
    value_weights,
)
from tests.methods.small_graphs import small_view, translated_view

SETTINGS = LiteralSettings("", 2, (4, 3), 0, 10, 1e-3)


def test_names_and_values_are_cleaned() -> None:
    assert cleaned_name("Avatar_(film)") == "Avatar"
    assert cleaned_name("Alpha_(a)_and_Beta_(b)") == "Alpha"
    assert cleaned_name("Alpha_(a)_and_Beta") == "Alpha (a) and Beta"
    assert cleaned_value('New_York-City, "USA".') == "New York City USA"
    assert cleaned_value("http://a/b") == ""


def test_names_are_those_of_the_uris_unless_the_given_ones_are_asked_for() -> None:
    view = translated_view("Beijing (x)")
    assert cleaned_names(view, MultiKEParams())[:3] == ["北京", "one", ""]
    assert cleaned_names(view, MultiKEParams(names="given"))[:3] == ["Beijing", "one", ""]


def test_the_first_words_stand_side_by_side() -> None:
    rows = first_words(["a", "b a c", ""], SETTINGS, RunContext(rng_seed=0))
    assert rows.shape == (3, 600)
    assert np.array_equal(rows[0, :300], rows[1, 300:])
    assert not rows[0, 300:].any()
    assert not rows[2].any()


def test_a_word_that_the_file_lacks_has_the_mean_of_its_letters(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("known 1 2\n")
    settings = LiteralSettings(str(file), 1, (2,), 0, 10, 1e-3)
    ctx = RunContext(rng_seed=0)
    rows = first_words(["known", "ab", "a", "b"], settings, ctx)
    assert rows[0].tolist() == [1, 2]
    assert np.allclose(rows[1], (rows[2] + rows[3]) / 2)
    assert "2 dimensions" in ctx.log.simulated["word_vectors"]


def test_a_word_is_looked_up_as_it_stands_and_else_in_lower_case(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("Turkey 1 2\nturkey 3 4\nriver 5 6\nUSA 7 8\n")
    settings = LiteralSettings(str(file), 1, (2,), 0, 10, 1e-3)
    texts = ["Turkey", "turkey", "River", "RIVER", "USA", "usa", "Usa", "usA"]
    rows = first_words(texts, settings, RunContext(rng_seed=0))
    assert rows[:5].tolist() == [[1, 2], [3, 4], [5, 6], [5, 6], [7, 8]]
    # "usa" stands nowhere; its letters do, as they did before.
    letters = first_words(["USA", "u", "s", "a"], settings, RunContext(rng_seed=0))[1:]
    assert np.allclose(rows[5:], letters.mean(axis=0))


def test_words_in_upper_case_alone_may_be_all_that_a_file_has(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("USA 7 8\n")
    settings = LiteralSettings(str(file), 2, (2,), 0, 10, 1e-3)
    rows = first_words(["USA USA", "usa"], settings, RunContext(rng_seed=0))
    assert rows.shape == (2, 4)
    assert rows[0].tolist() == [7, 8, 7, 8]


def test_hashed_literals_do_not_tell_capitals_apart() -> None:
    settings = dataclasses.replace(SETTINGS, encoder_epochs=2, encoder_batch_size=1)
    mixed, lower = (
        literal_vectors(texts, settings, RunContext(rng_seed=0))
        for texts in (["Ann Lee", "ann lee", "BO"], ["ann lee", "ann lee", "bo"])
    )
    assert torch.equal(mixed, lower)


def test_literals_have_unit_rows_and_an_empty_text_has_zeros() -> None:
    vectors = literal_vectors(["a", "", "a"], SETTINGS, RunContext(rng_seed=0))
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 0, 1])
    assert torch.equal(vectors[0], vectors[2])


def test_the_reconstruction_divides_the_code_by_the_length_of_the_batch() -> None:
    unit = torch.eye(2)
    encoder = [(torch.tensor([[3.0], [4.0]]), torch.zeros(1))]
    decoder = [(torch.tensor([[1.0, 0.0]]), torch.zeros(2))]
    # Codes 3 and 4 become 0.6 and 0.8.
    expected = ((0.6 - 1) ** 2 + 0 + 0.8**2 + 1) / 4
    assert float(reconstruction_loss(unit, encoder, decoder)) == pytest.approx(expected)


def test_the_ratio_is_that_of_the_longest_common_subsequence() -> None:
    assert levenshtein_ratio("abcd", "abxd") == pytest.approx(6 / 8)
    assert levenshtein_ratio("birth place", "birthplace") == pytest.approx(20 / 21)
    assert levenshtein_ratio("a", "b") == 0


def test_predicates_are_each_others_best_partner() -> None:
    found = aligned_by_name(["birthplace", "death"], ["birth place", "birthplace", "wealth"], 0.9)
    assert found.pairs.tolist() == [[0, 1]]
    assert found.similarity.tolist() == [1.0]
    assert local_name("http://x/ontology/birth_Place") == "birth place"


def test_an_update_mixes_names_and_vectors_of_nearest_pairs_alone() -> None:
    names = torch.tensor([1.0, 0.95, 1.0])
    pairs = torch.tensor([[0, 0], [1, 1], [2, 2]])
    source = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.1, 0.995], [0.0, 1.0, 0.0]])
    found = AlignedPredicates(pairs, names, names).updated(source, target, 0.7, 0.85)
    assert found.pairs.tolist() == pairs.tolist()
    assert found.similarity.tolist() == pytest.approx([1.0, 0.95, 1.0])
    tilted = torch.tensor([[0.2, 1.0, 0.0]])
    kept = AlignedPredicates(pairs[:1], names[:1], names[:1])
    kept = kept.updated(source[:1], tilted, 0.7, 0.85)
    assert kept.pairs.tolist() == []  # 0.7 + 0.3 * 0.2 is below the threshold


def test_values_of_lonely_attributes_weigh_less() -> None:
    similarity = torch.tensor([0.9])
    aligned = AlignedPredicates(torch.tensor([[1, 0]]), similarity, similarity)
    weights = value_weights(aligned, 2, 2, 0.2, 0.85)
    counterpart = 1 - 0.1 * 0.5 / 0.15
    assert weights.tolist() == pytest.approx([0.2, counterpart, counterpart, 0.2])


def test_swapped_triples_hold_a_partner_in_one_place() -> None:
    triples = torch.tensor([[0, 0, 1], [2, 1, 3]])
    found = swapped_triples(triples, torch.tensor([[0, 2]]), 2)
    assert found.tolist() == [[0, 1, 3], [2, 0, 1]]


def test_relations_of_the_kgs_stay_apart() -> None:
    view = tiny_view(easy_pair())
    triples = relation_triples(view)
    is_target = triples[:, 0] >= JointGraph.of(view).n_source
    assert bool((triples[is_target, 1] >= view.source.n_relations).all())
    assert bool((triples[~is_target, 1] < view.source.n_relations).all())


def test_facts_swap_and_predicates_are_exchanged() -> None:
    facts = Facts(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), torch.tensor([5, 6, 7]))
    swapped = facts.swapped(torch.tensor([[0, 2]]))
    assert swapped.entities.tolist() == [2, 0]
    assert swapped.values.tolist() == [5, 7]
    similarity = torch.tensor([0.95])
    aligned = AlignedPredicates(torch.tensor([[0, 0]]), similarity, similarity)
    places, others, weights = exchanged(facts.attributes, aligned, 2, 3)
    assert places.tolist() == [0, 2]
    assert others.tolist() == [2, 0]
    assert weights.tolist() == pytest.approx([0.95, 0.95])


def plain_convolution(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Even kernels read what lies behind a place: one row below, one column before, two after."""
    _, height, width = image.shape
    found = np.zeros((len(kernel), height, width))
    for filter_, row, column in np.ndindex(found.shape):
        total = bias[filter_]
        for channel, y, x in np.ndindex(kernel.shape[1:]):
            place = row + y, column + x - 1
            if place[0] < height and 0 <= place[1] < width:
                total += kernel[filter_, channel, y, x] * image[channel, place[0], place[1]]
        found[filter_, row, column] = math.tanh(total)
    return found


def test_the_value_encoder_equals_loops() -> None:
    encoder = ValueEncoder(5, torch.Generator().manual_seed(0))
    given = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        encoder.scale += torch.arange(5) / 5
        encoder.shift += 0.1
        found = encoder(given[0], given[1])
        rows = []
        for place in range(2):
            image = given[:, place].numpy()[None] * encoder.scale.numpy() / math.sqrt(1.001) + 0.1
            for kernel, bias in zip(encoder.kernels, encoder.kernel_biases, strict=True):
                image = plain_convolution(image, kernel.numpy(), bias.numpy())
            image = image / np.linalg.norm(image, axis=2, keepdims=True)
            flat = image.transpose(1, 2, 0).reshape(-1)
            rows.append(np.tanh(flat @ encoder.weight.numpy() + encoder.bias.numpy()))
    expected = np.stack(rows) / np.linalg.norm(rows)
    assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_views_that_agree_with_the_others_weigh_more() -> None:
    views = {"a": torch.eye(3), "b": torch.eye(3), "c": torch.eye(3).roll(1, 0)}
    total, weights = weighted_sum(views)
    # The mean is (2, 1) / sqrt(5) in the two places.
    assert weights["a"] == pytest.approx(2 / 5)
    assert weights["c"] == pytest.approx(1 / 5)
    assert total[0].tolist() == pytest.approx([0.8, 0, 0.2])


def test_the_loss_of_the_last_space_equals_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    entities, views = (torch.randn(*shape, generator=generator) for shape in ((3, 2), (2, 3, 2)))
    maps = torch.randn(2, 2, 2, generator=generator)
    expected = 0.0
    for view, mapping in zip(views, maps, strict=True):
        mapped = view @ mapping
        expected += float((entities - mapped / mapped.norm()).square().sum())
        expected += 2 * float((mapping @ mapping.T - torch.eye(2)).square().sum())
        expected += 1e-4 * float(mapping.square().sum())
    assert float(space_loss(entities, views, maps, 2.0, 1e-4)) == pytest.approx(expected, rel=1e-5)


def test_the_last_space_begins_at_its_table_and_moves_towards_the_views() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(2, 6, 4, generator=generator)
    views = dict(zip(("name", "relation"), normalize(drawn, dim=2), strict=True))
    views["attribute"] = views["name"]
    settings = SharedSpaceSettings(40, 4, 0.1, 2.0, 0.0, 40)
    begun, ended = (
        shared_space(views, 4, dataclasses.replace(settings, space_epochs=n), RunContext(0))
        for n in (1, 40)
    )

    assert ended.source.shape == (4, 4)
    assert ended.target.shape == (2, 4)

    def worth(found: Embeddings) -> float:
        """How far entities that the views have close are from each other in the space."""
        rows = torch.cat([found.source, found.target])
        mean = torch.stack(list(views.values())).mean(dim=0)
        return float((rows @ rows.T - normalize(mean, dim=1) @ normalize(mean, dim=1).T).norm())

    assert worth(ended) < worth(begun)


def test_facts_are_what_says_something_of_attributes_that_are_used_often_enough() -> None:
    view = small_view()  # source: born, born, born, height; target: height
    values = np.array(["Ulm", "Ulm", "http://a/b", "2.0"], dtype=object)
    view = dataclasses.replace(
        view,
        source=dataclasses.replace(view.source, attribute_values=values),
        target=dataclasses.replace(view.target, attribute_values=np.array(["Ulm"], dtype=object)),
    )
    facts, texts = attribute_facts(view, JointGraph.of(view), 1)
    assert [texts[row] for row in facts.values] == ["Ulm", "Ulm", "20", "Ulm"]
    assert facts.entities.tolist() == [0, 0, 2, 3]
    assert facts.attributes.tolist() == [0, 0, 1, 2]

    often, _ = attribute_facts(view, JointGraph.of(view), 2)
    assert often.attributes.tolist() == [0, 0]


def test_files_without_values_leave_the_attribute_view_out() -> None:
    view = tiny_view(easy_pair())
    sides = [
        dataclasses.replace(side, attribute_values=np.full(len(side.attribute_values), "", object))
        for side in (view.source, view.target)
    ]
    view = dataclasses.replace(view, source=sides[0], target=sides[1])
    ctx = RunContext(rng_seed=0)
    short = {**MultiKE.test_params, "epochs": 1}
    found = MultiKE.configure("multike", overrides=short).fit(view, ctx)
    assert set(found.by_modality) == {"name", "relation"}
    assert "left out" in ctx.log.simulated["attribute_values"]
    rows = normalize(found.source, dim=1)
    assert torch.allclose(rows, found.source, atol=1e-6)

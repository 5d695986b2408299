"""MSNEA's attribute lists, attention and losses against loops and hand values."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.training_sets import SetForm, TrainingSets, rows_of_pairs
from mmea_bench.methods.msnea import Losses, MSNEAParams
from mmea_bench.methods.parts.msnea.attribute_lists import (
    attribute_lists,
    number_or_year,
    shared_along,
)
from mmea_bench.methods.parts.msnea.contrast import views_contrast
from mmea_bench.methods.parts.msnea.encoder import (
    AttributeView,
    EncoderParams,
    Inputs,
    SiameseEncoder,
)
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")


def valued_view() -> TrainView:
    """``small_view`` with values: s0 born 3 and a name, s1 born 1950, s2 height 2, t0 height -1."""
    view = small_view()
    source = replace(
        view.source, attribute_values=text_array(["3", "no number", "1950-04-01", "2.0"])
    )
    target = replace(view.target, attribute_values=text_array(["-1"]))
    return replace(view, source=source, target=target)


def encoder_of(view: TrainView, **overrides: object) -> SiameseEncoder:
    params = MSNEAParams(dim=4, **overrides)  # type: ignore[arg-type]
    graph, ctx = JointGraph.of(view), RunContext(rng_seed=3)
    lists = attribute_lists(view, graph, CPU, with_values=params.with_values)
    names = torch.randn(graph.n_attributes, 6, generator=torch.Generator().manual_seed(0))
    images = torch.tensor(view.joint_features("image").values)
    return SiameseEncoder(
        graph, Inputs(images, lists, names), taken_from(params, EncoderParams), ctx
    )


def lists_of(view: TrainView, *, with_values: bool = True) -> list[set[tuple[int, float]]]:
    graph = JointGraph.of(view)
    lists = attribute_lists(view, graph, CPU, with_values=with_values)
    assert lists is not None
    found: list[set[tuple[int, float]]] = [set() for _ in range(graph.n_entities)]
    listed = lists.of(torch.arange(graph.n_entities))
    for owner, attribute, value in zip(
        listed.owners.tolist(), listed.attributes.tolist(), listed.values.tolist(), strict=True
    ):
        found[owner].add((attribute, round(value, 4)))
    assert listed.n_padding.tolist() == [lists.longest - len(items) for items in found]
    return found


def logistic(value: float) -> float:
    return round(1 / (1 + math.exp(-value)), 4)


def test_seed_partners_share_their_attributes_and_texts_are_left_out() -> None:
    born, height = 0, 1
    shared = {(born, logistic(3)), (height, logistic(-1))}
    # Seeds are s0 with t0 (joint id 3) and s1 with t1; a date counts as its year.
    year = {(born, 1.0)}
    assert lists_of(valued_view()) == [shared, year, {(height, logistic(2))}, shared, year]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1970-04-01", 1970),
        ("1970-0-0", 1970),
        ("-63-0-0", -63),
        ("-0044-03-15", -44),
        ("14-8-19", 14),
        ("15##-##-##", 15),
        ("1912-09", 1912),
        ("1912-##", 1912),
        ("2001-02-03T04:05:06Z", 2001),
        ("2001-02-03+01:00", 2001),
        ('"-1.5', -1.5),
        ("1e3", 1000),
        ("1970", 1970),
    ],
)
def test_a_date_is_its_year_and_all_other_numbers_themselves(text: str, number: float) -> None:
    assert number_or_year(text) == number


@pytest.mark.parametrize("text", ["", "#", "3-1", "555-1234", "0-19-853453-1", "May 1970", "--"])
def test_what_is_neither_date_nor_number_has_no_number(text: str) -> None:
    assert math.isnan(number_or_year(text))


def dated_view(*values: str) -> TrainView:
    """``valued_view`` with these values in the source KG."""
    view = valued_view()
    return replace(view, source=replace(view.source, attribute_values=text_array(list(values))))


def test_dates_without_month_or_day_stay_in_the_lists() -> None:
    born, height = 0, 1
    found = lists_of(dated_view("1970-0-0", "-2-0-0", "15##-##-##", "-3-8-19"))
    assert found[0] == {(born, 1.0), (born, logistic(-2)), (height, logistic(-1))}
    assert found[1:3] == [{(born, 1.0)}, {(height, logistic(-3))}]


def test_a_date_may_carry_its_type() -> None:
    born, height = 0, 1
    found = lists_of(
        dated_view("1970-04-01^^<http://x#date>", "1970", '"-2"^^<http://x#int>', "-3")
    )
    assert found[0] == {(born, 1.0), (height, logistic(-1))}
    assert found[1:3] == [{(born, logistic(-2))}, {(height, logistic(-3))}]


def test_without_values_an_item_is_an_attribute() -> None:
    born, height = 0, 1
    found = lists_of(small_view(), with_values=False)
    assert [{attribute for attribute, _ in items} for items in found] == [
        {born, height},
        {born},
        {height},
        {born, height},
        {born},
    ]


def test_there_are_no_lists_without_a_number() -> None:
    view = small_view()
    source = replace(view.source, attribute_values=text_array([""] * 4))
    target = replace(view.target, attribute_values=text_array([""]))
    view = replace(view, source=source, target=target)
    assert attribute_lists(view, JointGraph.of(view), CPU, with_values=True) is None


def test_shared_items_are_distinct() -> None:
    items, values = np.array([[0, 7], [0, 7], [1, 7]]), np.array([2.0, 2.0, 2.0])
    found, numbers = shared_along(items, values, np.array([[0, 1]]))
    assert found.tolist() == [[0, 7], [1, 7]]
    assert numbers.tolist() == [2.0, 2.0]


def padded_attention(view: AttributeView, row: int, guide: Tensor, *, masked: bool) -> Tensor:
    """Attribute vector of one entity with the padded list, item by item."""
    lists, names = view._lists, view._names
    listed = lists.of(torch.tensor([row]))
    items = list(zip(listed.attributes.tolist(), listed.values.tolist(), strict=True))
    padding = [] if masked else [None] * (lists.longest - len(items))
    tokens, weights = [], []
    for item in [*items, *padding]:
        name = torch.zeros(names.shape[1]) if item is None else names[item[0]]
        value = torch.full((4,), 0.5 if item is None else item[1])
        token = view.of_item(torch.cat([view.of_name(name), value]))
        tokens.append(token)
        weights.append(torch.exp(torch.zeros(()) if item is None else token @ guide))
    return sum(w * t for w, t in zip(weights, tokens, strict=True)) / sum(weights)  # type: ignore[operator,return-value]


@pytest.mark.parametrize("masked", [False, True])
def test_attention_over_attributes_equals_the_padded_lists(masked: bool) -> None:
    encoder = encoder_of(valued_view(), padding_counts=not masked)
    view = encoder.attributes
    assert view is not None
    guides = normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    found = view(torch.arange(5), guides)
    for row in range(5):
        expected = padded_attention(view, row, guides[row], masked=masked)
        torch.testing.assert_close(found[row], expected)


def test_gradients_of_the_attention_are_those_of_the_padded_lists() -> None:
    view = encoder_of(valued_view()).attributes
    assert view is not None
    guides = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    trained = [guides, *view.parameters()]
    found = torch.autograd.grad(view(torch.arange(5), guides).square().sum(), trained)
    plain = [padded_attention(view, row, guides[row], masked=False) for row in range(5)]
    expected = torch.autograd.grad(torch.stack(plain).square().sum(), trained)
    torch.testing.assert_close(found, expected)


def test_an_entity_without_attributes_gets_the_token_of_padding() -> None:
    view = valued_view()
    view = replace(view, seed_links=view.seed_links[:1])  # nobody gives t1 an attribute
    attributes = encoder_of(view).attributes
    assert attributes is not None
    (found,) = attributes(torch.tensor([4]), torch.randn(1, 4))
    expected = attributes.of_item(torch.cat([attributes.of_name.bias, torch.full((4,), 0.5)]))
    torch.testing.assert_close(found, expected)


def plain_contrast(similarity: Tensor, margin: float) -> Tensor:
    own = torch.eye(len(similarity), dtype=torch.bool)
    hinge = (margin - similarity).clamp_min(0).square()
    return torch.where(own, hinge, similarity.square()).mean()


def test_the_loss_of_a_step_is_the_sum_of_two_translations_and_four_contrasts() -> None:
    view = valued_view()
    encoder = encoder_of(view)
    graph = encoder.graph
    triples, other = torch.tensor([[0, 0, 1], [3, 2, 4]]), torch.tensor([2, 3])
    at_head = torch.tensor([True, False])
    seeds = rows_of_pairs(graph.seed_pairs(view), CPU)
    loss = Losses(encoder, 1.0, 2.0).of_step(triples, other, at_head, seeds)

    assert encoder._images is not None
    assert encoder.of_moved_image is not None
    tables = [normalize(encoder.entities), normalize(encoder.of_moved_image(encoder._images))]
    relations = normalize(encoder.relations)
    expected = torch.zeros(())
    for table in tables:
        for (head, relation, tail), entity, head_goes in zip(
            triples.tolist(), other.tolist(), at_head.tolist(), strict=True
        ):
            r = relations[relation]
            swapped = (entity, tail) if head_goes else (head, entity)
            own = (table[head] + r - table[tail]).square().sum()
            wrong = (table[swapped[0]] + r - table[swapped[1]]).square().sum()
            expected = expected + (1 + own - wrong).clamp_min(0)
    views = encoder.views(seeds, tables[0][seeds])
    everything = normalize(torch.cat([views[name] for name in encoder.names], dim=1), dim=1)
    for name, rows in {**views, "fused": everything}.items():
        source, target = rows[:2], rows[2:]
        if name == "attribute":
            similarity = source @ target.T
        else:
            similarity = cosine_similarity(source.unsqueeze(1), target.unsqueeze(0), dim=2)
        expected = expected + plain_contrast(similarity, 2.0)
    torch.testing.assert_close(loss, expected)


def test_the_contrast_of_views_and_its_gradients_are_the_plain_ones() -> None:
    generator = torch.Generator().manual_seed(5)
    views = {
        name: torch.randn(12, dim, generator=generator, requires_grad=True)
        for name, dim in (("structure", 3), ("attribute", 5))
    }
    found = views_contrast(views, 2.0)
    joined = normalize(torch.cat(list(views.values()), dim=1), dim=1)
    plain = sum(plain_contrast(rows[:6] @ rows[6:].T, 2.0) for rows in (joined, *views.values()))
    assert isinstance(plain, Tensor)
    torch.testing.assert_close(found, plain)
    trained = list(views.values())
    torch.testing.assert_close(
        torch.autograd.grad(found, trained), torch.autograd.grad(plain, trained)
    )


def test_a_lacking_image_is_the_bias_of_the_layer() -> None:
    encoder = encoder_of(valued_view())
    assert encoder.of_image is not None
    image = encoder.views(torch.tensor([1]), torch.zeros(1, 4))["image"]
    torch.testing.assert_close(image[0], normalize(encoder.of_image.bias, dim=0))


def test_without_guided_relations_nothing_moves_images() -> None:
    encoder = encoder_of(valued_view(), guided_relations=False)
    assert encoder.moved_images(torch.tensor([0])) is None


def test_without_guided_attributes_every_item_weighs_the_same() -> None:
    encoder = encoder_of(valued_view(), guided_attributes=False, padding_counts=False)
    attributes = encoder.attributes
    assert attributes is not None
    found = encoder.views(torch.tensor([0]), torch.zeros(1, 4))["attribute"]
    expected = padded_attention(attributes, 0, torch.zeros(4), masked=True)
    torch.testing.assert_close(found[0], expected)


def sets_of(form: SetForm) -> tuple[TrainingSets, SiameseEncoder]:
    view = valued_view()
    encoder = encoder_of(view)
    seeds = encoder.graph.seed_pairs(view)[:1]
    return TrainingSets(encoder, seeds, 1, RunContext(rng_seed=3), form), encoder


def test_the_target_kgs_triples_come_twice_once_with_stand_ins_of_the_source_kg() -> None:
    own = SetForm(own_relations=True)
    once, _ = sets_of(own)
    twice, _ = sets_of(replace(own, target_twice=True))
    assert twice.n_triples == once.n_triples + 1  # the target KG has one triple
    ((triples, stand_ins, _),) = twice.triple_batches(1000)
    of_target = (triples == torch.tensor([3, 2, 4])).all(dim=1)
    assert sorted((stand_ins[of_target] < 3).tolist()) == [False, True]


def test_there_is_a_vector_for_each_relation_of_either_kg() -> None:
    view = valued_view()
    # The source KG has two relations and the target KG one of equal name.
    assert encoder_of(view).relations.shape == (3, 4)


def test_relations_of_equal_name_may_be_two() -> None:
    sets, _ = sets_of(SetForm(own_relations=True))
    ((triples, _, _),) = sets.triple_batches(1000)
    target_own = (triples[:, 0] >= 3) & (triples[:, 2] >= 3)
    assert triples[target_own, 1].tolist() == [2]


@pytest.mark.parametrize("forgets", [False, True])
def test_swapped_triples_follow_all_pairs_or_those_of_the_last_round(forgets: bool) -> None:
    sets, encoder = sets_of(SetForm(forgets_swaps=forgets))
    sets.grow(1)
    assert len(sets.pairs) == 2
    pairs = sets.pairs[1:] if forgets else sets.pairs
    expected = TripleSet.of(encoder.graph).with_swaps(pairs.numpy()).triples.tolist()
    ((triples, _, _),) = sets.triple_batches(1000)
    assert sorted(triples.tolist()) == sorted(expected)


def grown_sets(form: SetForm, *further: tuple[int, int]) -> TrainingSets:
    """With pseudo-pairs of joint ids as if they had been found in this order."""
    sets, _ = sets_of(form)
    sets._pairs.pairs = torch.cat([sets.pairs, torch.tensor(further)])
    return sets


@pytest.mark.parametrize("forgets", [False, True])
def test_pseudo_pairs_are_shuffled_unless_the_end_of_their_list_is_to_be_last(
    forgets: bool,
) -> None:
    listed = [(1, 3), (1, 4), (2, 3), (2, 4), (0, 4)]
    sets = grown_sets(SetForm(forgets_seeds=forgets), *listed)
    epochs = set()
    for _ in range(10):
        batches = [rows.view(2, -1).T.tolist() for rows in sets.pseudo_batches(3)]
        assert [len(batch) for batch in batches] == [3, 2]
        assert sorted(tuple(pair) for batch in batches for pair in batch) == sorted(listed)
        epochs.add(str(batches))
    if forgets:
        assert epochs == {str([[list(pair) for pair in part] for part in (listed[:3], listed[3:])])}
        assert sets.seeds_of_step(0).tolist() == [2, 0, 4, 4]
    else:
        assert len(epochs) > 1


def test_seeds_that_are_forgotten_give_way_to_the_last_pseudo_batch() -> None:
    sets, _ = sets_of(SetForm(forgets_seeds=True))
    gold = sets.seeds_of_step(0).tolist()
    sets.grow(1)
    assert sets.seeds_of_step(0).tolist() == gold
    (last,) = sets.pseudo_batches(10)
    assert sets.seeds_of_step(0).tolist() == last.tolist() != gold


def test_the_number_of_steps_may_stay_that_of_the_first_epoch() -> None:
    sets, _ = sets_of(SetForm(fixed_steps=True))
    before = len(list(sets.triple_batches(1)))
    sets.grow(1)
    assert sets.n_triples > before
    assert len(list(sets.triple_batches(1))) == before


def test_steps_that_stay_have_no_triples_once_there_are_fewer() -> None:
    sets, encoder = sets_of(SetForm(own_relations=True, fixed_steps=True))
    before = [len(triples) for triples, _, _ in sets.triple_batches(2)]
    sets._take_up(torch.empty(0, 2, dtype=torch.int64))  # no swapped triples any more
    assert sets.n_triples == 5
    batches = list(sets.triple_batches(2))
    assert [len(triples) for triples, _, _ in batches] == [2, 2, 1] + [0] * (len(before) - 3)
    assert len(before) > 3
    seeds = sets.seeds_of_step(0)
    losses = Losses(encoder, 1.0, 2.0)
    found = losses.of_step(*batches[-1], seeds)
    views = encoder.views(seeds, normalize(encoder.entities)[seeds])
    torch.testing.assert_close(found, losses.of_views(views))
    found.backward()  # type: ignore[no-untyped-call]
    assert encoder.relations.grad is None or not encoder.relations.grad.any()

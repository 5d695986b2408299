"""Vectors of names and values of attribute triples, counted by hand."""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.datasets.core.transforms.name_noise import with_name_noise
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.literals import (
    AttributeValues,
    Literal,
    number_of,
    parse_literal,
    standardised_numbers,
)
from mmea_bench.methods.core.inputs.names import (
    averaged_word_vectors,
    hashed_word_table,
    name_vectors,
    ngram_counts,
    original_names,
)
from tests.fuzz.limits import bounded
from tests.methods.small_graphs import small_view


def test_a_name_is_the_mean_of_its_known_words() -> None:
    table = np.array([[1.0, 0, 2], [3, 4, 0]], dtype=np.float32)
    texts = ["ann lee", "lee unknown", "unknown", "", "ann ann lee"]
    found = averaged_word_vectors(texts, {"ann": 0, "lee": 1}, table)
    expected = [[2, 2, 1], [3, 4, 0], [0, 0, 0], [0, 0, 0], [5 / 3, 4 / 3, 4 / 3]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_hashed_words_are_fixed_whatever_their_number_of_columns() -> None:
    short, long = hashed_word_table(["ann", "lee"], 3), hashed_word_table(["lee", "ann"], 300)
    np.testing.assert_array_equal(short[0], long[1, :3])
    assert np.abs(long).max() <= 1
    assert abs(long.mean()) < 0.1


def test_ngrams_mark_the_ends_of_words() -> None:
    counts = ngram_counts(["ab", "ba", "ab"], 2, 2).toarray()
    assert counts.sum(axis=1).tolist() == [3, 3, 3]  # ^a, ab, b$
    np.testing.assert_array_equal(counts[0], counts[2])
    assert not np.array_equal(counts[0], counts[1])


def test_ngram_counts_equal_counting_one_by_one() -> None:
    texts = ["aaa b", "", "éa aaa"]
    expected = np.zeros((3, 16))
    for row, text in enumerate(texts):
        for word in text.split():
            for size in (2, 3):
                marked = f"^{word}$"
                for start in range(len(marked) - size + 1):
                    expected[row, zlib.crc32(marked[start : start + size].encode()) % 16] += 1
    np.testing.assert_array_equal(ngram_counts(texts, n_columns=16).toarray(), expected)


@pytest.mark.parametrize(("kind", "dim"), [("words", 12), ("ngrams", 64), ("hashed", 256)])
def test_equal_names_have_equal_unit_vectors_and_no_name_has_none(kind: str, dim: int) -> None:
    ctx = RunContext(rng_seed=0)
    vectors = name_vectors(small_view(), kind, ctx, dim)
    assert vectors.shape == (5, dim)
    # "Ann Lee" of the source is "ann lee" of the target; the third source entity has no name.
    torch.testing.assert_close(vectors[0], vectors[3])
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1, 0, 1, 1])
    assert bool(ctx.log.simulated) == (kind != "ngrams")


def test_word_vectors_of_the_dataset_come_first_in_their_own_dimension() -> None:
    view = small_view()
    values = np.arange(1, 11, dtype=np.float32).reshape(5, 2)
    words = (
        Features(values[:3], np.ones(3, dtype=bool)),
        Features(values[3:], np.ones(2, dtype=bool)),
    )
    view = dataclasses.replace(view, features={**view.features, "word": words})
    ctx = RunContext(rng_seed=0)
    vectors = name_vectors(view, "words", ctx, 300)
    expected = values / np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors.numpy(), expected, rtol=1e-6)
    assert not ctx.log.simulated


def named_view(uris: list[str], names: list[str]) -> TrainView:
    """The small view, whose three source entities have these URIs and given names."""
    view = small_view()
    source = dataclasses.replace(view.source, entities=text_array(uris), names=text_array(names))
    return dataclasses.replace(view, source=source)


def test_original_names_are_those_of_the_uris() -> None:
    view = named_view(["http://a/Ulm", "http://a/Q1", "Bonn_(city)"], ["Ulma", "one", ""])
    assert original_names(view)[:3] == ["Ulm", "one", "Bonn (city)"]


@pytest.mark.parametrize("names", [["", "", ""], ["red", "blue", "green"]])
def test_numbers_of_entities_are_no_original_names(names: list[str]) -> None:
    assert original_names(named_view(["100", "http://a/101", "102"], names))[:3] == names


def test_a_number_among_names_is_an_original_name() -> None:
    assert original_names(named_view(["1984", "Brazil", "Ulm"], [""] * 3))[0] == "1984"


def test_numbers_stay_ids_when_noise_renames_most_entities() -> None:
    uris, names = ["renamed://source/Q0", "renamed://source/Q1", "102"], ["rde", "bleu", "green"]
    assert original_names(named_view(uris, names))[:3] == names


def test_name_noise_edits_original_names() -> None:
    names = ["Kingston upon Hull", "Frankfurt am Main", "Weston super Mare"]
    view = named_view([f"http://a/resource/{name.replace(' ', '_')}" for name in names], names)
    pair = KGPair("named", view.source, view.target, view.seed_links)
    noisy = train_view(with_name_noise(pair, 0.5, 1), view.seed_links)
    assert original_names(view)[:3] == names
    assert original_names(noisy)[:3] == noisy.source.names.tolist() != names


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ('"178.0"^^<http://www.w3.org/2001/XMLSchema#double>', ("178.0", "double", "")),
        ('"12"^^xsd:integer', ("12", "integer", "")),
        ('"1"^^<http://dbpedia.org/datatype/centimetre>', ("1", "centimetre", "")),
        ('"Wien"@de', ("Wien", "", "de")),
        ('"say "hi""@en-GB', ('say "hi"', "", "en-GB")),
        ('"plain"', ("plain", "", "")),
        (" 54.2 ", ("54.2", "", "")),
        ("12^^<http://www.w3.org/2001/XMLSchema#integer>", ("12", "integer", "")),
        ("a red house^^xsd:string", ("a red house", "string", "")),
        ("a red house^^http://x/string", ("a red house", "string", "")),
        ("x^^2 + y", ("x^^2 + y", "", "")),
        ("x^^2", ("x^^2", "", "")),
        ('a "quoted" word', ('a "quoted" word', "", "")),
        ('"', ('"', "", "")),
        ("someone@example.org", ("someone@example.org", "", "")),
        ("", ("", "", "")),
    ],
)
def test_literals_fall_into_text_datatype_and_language(raw: str, parts: tuple[str, ...]) -> None:
    assert parse_literal(raw) == Literal(*parts)


@pytest.mark.parametrize("raw", ['"' + '"^^' * 100_000 + ">> >", "^^<x:" * 100_000 + " "])
def test_literals_made_to_match_for_ever_are_parsed_at_once(raw: str) -> None:
    with bounded(0.5):
        assert parse_literal(raw).text == raw.strip()


@pytest.mark.parametrize("text", ["1" * 200_000 + "x", "1" + ",000" * 50_000 + "x"])
def test_digits_made_to_match_for_ever_are_no_number_at_once(text: str) -> None:
    with bounded(0.5):
        assert math.isnan(number_of(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("54.20867775", 54.20867775),
        ("-.5", -0.5),
        ("+3.", 3.0),
        ("7.55E7", 7.55e7),
        ("1,234,567.5", 1234567.5),
        ("1912-09-01", 1912 + 8 / 12),
        ("1884-05-08", 1884 + 4 / 12 + 7 / 365.25),
        ("1884-##-##", 1884.0),
        ("2001-10", 2001.75),
        ("969-##-##", 969.0),
        ("1967-8-9", 1967 + 7 / 12 + 8 / 365.25),
        ("-0044-03-15", -44 + 2 / 12 + 14 / 365.25),
        ("2001-01-01T12:00:00Z", 2001.0),
    ],
)
def test_numbers_and_dates_as_years(text: str, number: float) -> None:
    assert number_of(text) == pytest.approx(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "12 km", "nan", "inf", "1,2", "1999-13-01", "15##-##-##"),
        *("1e999", "9" * 400, "1" + ",000" * 110),  # too large for a float
    ],
)
def test_other_texts_are_no_numbers(text: str) -> None:
    assert math.isnan(number_of(text))


def view_with_values() -> TrainView:
    """Attributes ``born`` (0), ``height`` (1); source entity 0 was born twice."""
    view = small_view()
    source = dataclasses.replace(
        view.source, attribute_values=text_array(["1990", "1991", "soon", "1.7"])
    )
    target = dataclasses.replace(view.target, attribute_values=text_array(["tall"]))
    return dataclasses.replace(view, source=source, target=target)


def test_values_follow_the_attribute_triples_of_the_union_graph() -> None:
    view = view_with_values()
    graph = JointGraph.of(view)
    values = AttributeValues.of(view, graph)
    assert np.stack([values.entities, values.attributes], 1).tolist() == graph.attributes.tolist()
    assert values.texts == ["1990", "1991", "soon", "1.7", "tall"]
    np.testing.assert_array_equal(values.numbers, [1990, 1991, np.nan, 1.7, np.nan])


def values_stored(*stored: str) -> AttributeValues:
    """The values of ``small_view`` with these in the source KG."""
    view = small_view()
    source = dataclasses.replace(view.source, attribute_values=text_array(list(stored)))
    view = dataclasses.replace(view, source=source)
    return AttributeValues.of(view, JointGraph.of(view))


def test_a_text_is_what_the_reader_stored() -> None:
    texts = values_stored('"Heroes"', "C^^2", " x ", "  ").texts
    assert texts == ['"Heroes"', "C^^2", " x ", "", "1"]  # blanks alone say nothing


def test_a_number_may_stand_in_quotes_or_carry_a_type() -> None:
    stored = ('"178.0"^^<http://x#double>', "12^^xsd:integer", '"7"@en', '"x"')
    numbers = values_stored(*stored).numbers
    np.testing.assert_array_equal(numbers, [178, 12, 7, np.nan, 1])


def test_a_number_beyond_floats_spoils_no_other_of_its_attribute() -> None:
    numbers = np.array([number_of(text) for text in ("1" + ",000" * 110, "1", "3")])
    found = standardised_numbers(np.zeros(3, dtype=np.int64), numbers)
    np.testing.assert_array_equal(found, [np.nan, -1, 1])


def test_digital_attributes_have_more_numbers_than_other_values() -> None:
    view = view_with_values()
    values = AttributeValues.of(view, JointGraph.of(view))
    # born: two of three; height: one of two is not more than half.
    assert values.digital(2).tolist() == [True, False]
    assert values.digital(2, share=0.3).tolist() == [True, True]
    # Among entity 2 alone born has no values and height one number.
    assert values.digital(2, among=np.array([2])).tolist() == [False, True]


def test_dates_and_grouped_digits_are_no_digital_values() -> None:
    texts = ["1985-10-21", "1912-09", "53.1", "1e3", "5,000", "2,500,000", "nan", "inf"]
    numbers = np.array([number_of(text) for text in texts])
    values = AttributeValues(np.arange(8), np.repeat(np.arange(4), 2), texts, numbers)
    assert not np.isnan(numbers[:6]).any()  # all of which are numbers elsewhere
    assert values.digital(4).tolist() == [False, True, False, True]


def test_one_value_per_attribute_and_the_first_attributes_of_an_entity() -> None:
    entities = np.array([0, 0, 1, 0, 0, 1])
    attributes = np.array([5, 2, 2, 5, 7, 2])
    values = AttributeValues(entities, attributes, list("abcdef"), np.zeros(6))
    kept = values.one_each(2)
    # Entity 0 has 5 (last value d), 2 (b) and then 7, which is one too many.
    found = zip(kept.entities.tolist(), kept.attributes.tolist(), kept.texts, strict=True)
    assert list(found) == [(0, 5, "d"), (0, 2, "b"), (1, 2, "f")]
    assert len(values.chosen(entities == 9).one_each(2)) == 0


def test_a_number_whose_square_overflows_is_standardised_like_any_other() -> None:
    numbers = np.array([1e300, 3e300, 2.0, 4.0])
    found = standardised_numbers(np.array([0, 0, 1, 1]), numbers)
    np.testing.assert_allclose(found, [-1, 1, -1, 1])

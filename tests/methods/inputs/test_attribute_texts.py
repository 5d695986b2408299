"""Texts and names of attributes."""

from __future__ import annotations

from mmea_bench.methods.core.inputs.attribute_texts import attribute_name, attribute_texts
from tests.methods.small_graphs import small_view


def test_attribute_texts_by_hand() -> None:
    assert attribute_texts(small_view().source) == [
        "born is 1, born is 1",
        "born is 1",
        "height is 1",
    ]


def test_attribute_names_are_the_end_of_their_uri() -> None:
    assert attribute_name("http://dbpedia.org/ontology/birth_date") == "birth date"
    assert attribute_name("http://rdf.freebase.com/ns/museum.opened") == "museum opened"
    assert attribute_name("<http://www.w3.org/2000/01/rdf-schema#label>") == "label"

from __future__ import annotations

import pytest

from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.readers.names import lexical_value


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://dbpedia.org/resource/1._FC_Nürnberg", "1. FC Nürnberg"),
        ("http://dbpedia.org/resource/AC/DC", "AC/DC"),
        ("http://fr.dbpedia.org/resource/L%27%C3%89t%C3%A9", "L'Été"),
        ("http://yago-knowledge.org/resource/Victor_Miller_(writer)", "Victor Miller (writer)"),
        ("http://example.org/things#Old_Town", "Old Town"),
        ("http://example.org/a/Old_Town/", "Old Town"),
        ("Elizabeth_II", "Elizabeth II"),
        ("http://dbpedia.org/resource/100%25", "100%"),
        ("http://dbpedia.org/resource/Broken_%FF", "Broken %FF"),
        ("/m/01m4kpp", ""),
        ("http://rdf.freebase.com/ns/m.0abc", ""),
        ("http://www.wikidata.org/entity/Q42", ""),
        ("Q42", ""),
    ],
)
def test_surface_forms(uri: str, name: str) -> None:
    assert surface_form(uri) == name


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"1982"^^<http://www.w3.org/2001/XMLSchema#gYear>', "1982"),
        ('"Paris"@fr', "Paris"),
        ('"a "quoted" b"', 'a "quoted" b'),
        ("1853-##-##", "1853-##-##"),
        ('"1982"^^<x#gYear> .', "1982"),
        ('"1982"^^<x#gYear>\t.', "1982"),
        ('"1982"^^ <x#gYear>', "1982"),
        (' "1982"\t', "1982"),
        ('"Taiwan"@zh_min_nan .', "Taiwan"),
        ('"3.".', "3."),
        ('"Yes" he said.', '"Yes" he said.'),
        ("U.S.", "U.S."),
    ],
)
def test_lexical_values(literal: str, value: str) -> None:
    assert lexical_value(literal) == value

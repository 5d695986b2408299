"""DBP15K JA-EN: the Japanese and the English edition of DBpedia."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.families.dbp15k import Dbp15kDataset


class Dbp15kJaEn(Dbp15kDataset):
    """DBP15K JA-EN; counts from MCLEA 2022, Table 5."""

    title = "DBP15K JA-EN"
    graph_names = ("JA", "EN")
    expected: ClassVar = {
        ("JA", "entities"): 19814,
        ("JA", "relations"): 1299,
        ("JA", "attributes"): 5882,
        ("JA", "relation_triples"): 77214,
        ("JA", "attribute_triples"): 248991,
        ("JA", "images"): 12739,
        ("EN", "entities"): 19780,
        ("EN", "relations"): 1153,
        ("EN", "attributes"): 6066,
        ("EN", "relation_triples"): 93484,
        ("EN", "attribute_triples"): 320616,
        ("EN", "images"): 13741,
        ("", "pairs"): 15000,
    }

"""DBP15K ZH-EN: the Chinese and the English edition of DBpedia."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.families.dbp15k import Dbp15kDataset


class Dbp15kZhEn(Dbp15kDataset):
    """DBP15K ZH-EN; counts from MCLEA 2022, Table 5."""

    title = "DBP15K ZH-EN"
    graph_names = ("ZH", "EN")
    expected: ClassVar = {
        ("ZH", "entities"): 19388,
        ("ZH", "relations"): 1701,
        ("ZH", "attributes"): 8111,
        ("ZH", "relation_triples"): 70414,
        ("ZH", "attribute_triples"): 248035,
        ("ZH", "images"): 15912,
        ("EN", "entities"): 19572,
        ("EN", "relations"): 1323,
        ("EN", "attributes"): 7173,
        ("EN", "relation_triples"): 95142,
        ("EN", "attribute_triples"): 343218,
        ("EN", "images"): 14125,
        ("", "pairs"): 15000,
    }

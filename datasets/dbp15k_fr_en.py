"""DBP15K FR-EN: the French and the English edition of DBpedia."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.families.dbp15k import Dbp15kDataset


class Dbp15kFrEn(Dbp15kDataset):
    """DBP15K FR-EN; counts from MCLEA 2022, Table 5."""

    title = "DBP15K FR-EN"
    graph_names = ("FR", "EN")
    expected: ClassVar = {
        ("FR", "entities"): 19661,
        ("FR", "relations"): 903,
        ("FR", "attributes"): 4547,
        ("FR", "relation_triples"): 105998,
        ("FR", "attribute_triples"): 273825,
        ("FR", "images"): 14174,
        ("EN", "entities"): 19993,
        ("EN", "relations"): 1208,
        ("EN", "attributes"): 6422,
        ("EN", "relation_triples"): 115722,
        ("EN", "attribute_triples"): 351094,
        ("EN", "images"): 13858,
        ("", "pairs"): 15000,
    }

"""FB15K-YAGO15K: a dense Freebase excerpt and a sparse YAGO excerpt with images."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.families.mmkb import FB15K_EXPECTED, MmkbDataset


class Fb15kYago15k(MmkbDataset):
    """FB15K-YAGO15K of MMKG; counts from MCLEA 2022, Table 5."""

    title = "FB15K-YAGO15K"
    graph_names = ("FB15K", "YAGO15K")
    expected: ClassVar = {
        **FB15K_EXPECTED,
        ("YAGO15K", "entities"): 15404,
        ("YAGO15K", "relations"): 32,
        ("YAGO15K", "attributes"): 7,
        ("YAGO15K", "relation_triples"): 122886,
        ("YAGO15K", "attribute_triples"): 23532,
        ("YAGO15K", "images"): 11194,
        ("", "pairs"): 11199,
    }

"""FB15K-DB15K: a dense Freebase excerpt and a sparse DBpedia excerpt with images."""

from __future__ import annotations

from typing import ClassVar

from mmea_bench.datasets.core.families.mmkb import FB15K_EXPECTED, MmkbDataset


class Fb15kDb15k(MmkbDataset):
    """FB15K-DB15K of MMKG; counts from MCLEA 2022, Table 5."""

    title = "FB15K-DB15K"
    graph_names = ("FB15K", "DB15K")
    expected: ClassVar = {
        **FB15K_EXPECTED,
        ("DB15K", "entities"): 12842,
        ("DB15K", "relations"): 279,
        ("DB15K", "attributes"): 225,
        ("DB15K", "relation_triples"): 89197,
        ("DB15K", "attribute_triples"): 48080,
        ("DB15K", "images"): 12837,
        ("", "pairs"): 12846,
    }

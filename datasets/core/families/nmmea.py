"""What the real and the synthetic N-MMKG have in common: paper, graph names, published counts."""

from __future__ import annotations

from mmea_bench.datasets.core.paper import Paper

NMMEA_PAPER = Paper(
    authors="Xiao, Zeng, Zhang, Lao, Zhao",
    title="Multi-Modal Entities Matter: Benchmarking Multi-Modal Entity Alignment",
    venue="COLING",
    year=2025,
    url="https://aclanthology.org/volumes/2025.coling-main/",
)
NMMEA_GRAPHS = ("NMMKG1", "NMMKG2")

_COUNTED = (
    "entities",
    "text_nodes",
    "visual_nodes",
    "tt_relations",
    "tv_relations",
    "vv_relations",
    "text_attributes",
    "visual_attributes",
    "relation_triples",
    "attribute_triples",
    "images",
)
_COUNTS = {
    "NMMKG1": (14921, 7758, 7163, 729, 47, 67, 73, 6, 163142, 34803, 7163),
    "NMMKG2": (14686, 7597, 7089, 489, 34, 98, 98, 6, 109834, 31526, 7089),
}
# Table 1 of the paper; the number of all relation names is not published.
NMMEA_EXPECTED = {
    (graph, statistic): count
    for graph, counts in _COUNTS.items()
    for statistic, count in zip(_COUNTED, counts, strict=True)
} | {("", "pairs"): 20832}

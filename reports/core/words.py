"""Names as papers print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mmea_bench.results.core.schema import PAIR_KINDS, PAIR_METRICS

METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "hits@1": "Hits@1",
        "hits@5": "Hits@5",
        "hits@10": "Hits@10",
        "mrr": "MRR",
        "mean_rank": "MR",
        "precision": "Precision",
        "recall": "Recall",
        "f1": "F1",
        "dangling_precision": "Dangling precision",
        "dangling_recall": "Dangling recall",
        "dangling_f1": "Dangling F1",
        "consolidated_hits@1": "Consolidated Hits@1",
        **{
            f"{metric}_{kind}": f"{metric.capitalize()} {kind}"
            for metric in PAIR_METRICS
            for kind in PAIR_KINDS
        },
    }
)
LESS_IS_BETTER = ("mean_rank",)
"""Metrics of which the smallest number is the best."""

DIRECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "src2tgt": "source to target",
        "tgt2src": "target to source",
        "mean": "mean of both directions",
        "pairs": "predicted pairs",
    }
)
MODALITIES = ("structure", "relation", "attribute", "image", "text", "name")
"""Modalities in printing order."""


def ordered_modalities(found: Iterable[str]) -> list[str]:
    """Modalities in printing order; those that methods name by themselves come behind."""
    names = set(found)
    return [name for name in MODALITIES if name in names] + sorted(names - set(MODALITIES))

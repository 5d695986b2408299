"""Names as papers print them."""

from __future__ import annotations

from collections.abc import Mapping
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
        **{
            f"{metric}_{kind}": f"{metric.capitalize()} {kind}"
            for metric in PAIR_METRICS
            for kind in PAIR_KINDS
        },
    }
)
DIRECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "src2tgt": "source to target",
        "tgt2src": "target to source",
        "mean": "mean of both directions",
        "pairs": "predicted pairs",
    }
)

"""What a training method is allowed to see of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair, Task


@dataclass(frozen=True, eq=False)
class TrainView:
    """A dataset without its validation and test links.

    Attributes:
        source: Source KG.
        target: Target KG.
        features: Modality name to (source features, target features).
        modalities: Modalities that the dataset offers.
        seed_links: Links to train on, (source id, target id), [n_seed, 2] int32.
        task: What the dataset asks.
    """

    source: KnowledgeGraph
    target: KnowledgeGraph
    features: Mapping[str, tuple[Features, Features]]
    modalities: tuple[str, ...]
    seed_links: Ids
    task: Task = "entity-alignment"

    def joint_features(self, modality: str) -> Features:
        """Features of both KGs, those of the source above: rows by joint id."""
        source, target = self.features[modality]
        return Features(
            np.concatenate([source.values, target.values]),
            np.concatenate([source.present, target.present]),
        )


def train_view(pair: KGPair, seed_links: Ids) -> TrainView:
    """The view of a dataset for one split."""
    return TrainView(
        pair.source, pair.target, pair.features, pair.modalities, seed_links, pair.task
    )

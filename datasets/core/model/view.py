"""What a training method is allowed to see of a dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text, text_array
from mmea_bench.datasets.core.model.nodes import NODE_MODALITIES
from mmea_bench.datasets.core.model.pair import KGPair, Task

NAME_FEATURES = ("word",)
"""Feature modalities that are made from names, and hence belong to the modality ``name``."""


@dataclass(frozen=True, eq=False)
class TrainView:
    """A dataset without its validation and test links.

    Attributes:
        source: Source KG.
        target: Target KG.
        features: Modality name to (source features, target features).
        modalities: Modalities that the view holds.
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
        """Features of both KGs, those of the source above: rows by joint id.

        Raises:
            UserError: If the view holds no such features.
        """
        if modality not in self.features:
            raise UserError(
                f"The view holds no '{modality}' features: the dataset lacks them, or the method "
                "does not declare that it reads them (Method.modalities)."
            )
        source, target = self.features[modality]
        return Features(
            np.concatenate([source.values, target.values]),
            np.concatenate([source.present, target.present]),
        )


def train_view(
    pair: KGPair, seed_links: Ids, modalities: Collection[str] | None = None
) -> TrainView:
    """The view of a dataset for one split.

    Args:
        pair: Dataset.
        seed_links: Links to train on, [n_seed, 2].
        modalities: What the method's configuration declares that it reads; None shows everything.
    """
    view = TrainView(
        pair.source, pair.target, pair.features, pair.modalities, seed_links, pair.task
    )
    return view if modalities is None else restricted(view, modalities)


def restricted(view: TrainView, modalities: Collection[str]) -> TrainView:
    """The view with nothing but these modalities.

    * ``structure`` gives the relation triples as they are. ``relation`` alone gives what bags of
      relations are made of: for each relation its heads and its tails, no longer who is linked to
      whom. Without either there are no triples and no relations.
    * ``attribute`` gives attribute triples and their values.
    * ``name`` gives surface forms, entity URIs (which spell names) and features made from names;
      without it names are blank and entities are called by their row.
    * Every other modality gives its features. In an N-MMKG the label of a node goes with the node's
      own modality, ``text`` or ``image``.

    Rows keep their order, which says nothing about the URIs (``canonical``).
    """
    sides = []
    for side, graph in enumerate((view.source, view.target)):
        changes: dict[str, object] = {}
        if "name" not in modalities:
            names = _labels(view, side, graph, modalities)
            entities = text_array(str(row) for row in range(graph.n_entities))
            changes |= {"entities": entities, "names": names}
        if "structure" not in modalities:
            changes |= _bags_only(graph) if "relation" in modalities else _NO_TRIPLES
        if "attribute" not in modalities:
            changes |= _NO_ATTRIBUTES
        sides.append(replace(graph, **changes))  # type: ignore[arg-type]

    def is_declared(modality: str) -> bool:
        return ("name" if modality in NAME_FEATURES else modality) in modalities

    return replace(
        view,
        source=sides[0],
        target=sides[1],
        features={name: both for name, both in view.features.items() if is_declared(name)},
        modalities=tuple(filter(is_declared, view.modalities)),
    )


_NO_TRIPLES: Mapping[str, object] = {
    "relations": text_array([]),
    "relation_triples": np.empty((0, 3), dtype=np.int32),
}
_NO_ATTRIBUTES: Mapping[str, object] = {
    "attributes": text_array([]),
    "attribute_triples": np.empty((0, 2), dtype=np.int32),
    "attribute_values": text_array([]),
}


def _bags_only(graph: KnowledgeGraph) -> dict[str, object]:
    """Triples whose heads and tails, each sorted within a relation, belong together no longer."""
    heads, relations, tails = graph.relation_triples.T
    columns = [
        heads[np.lexsort((heads, relations))],
        np.sort(relations),
        tails[np.lexsort((tails, relations))],
    ]
    return {"relation_triples": np.stack(columns, axis=1)}


def _labels(view: TrainView, side: int, graph: KnowledgeGraph, modalities: Collection[str]) -> Text:
    """Labels of the nodes of an N-MMKG whose own modality is shown; "" everywhere else."""
    shown = np.zeros(graph.n_entities, dtype=bool)
    if view.task == "n-mmkg":
        for modality in NODE_MODALITIES:
            if modality in modalities and modality in view.features:
                shown |= view.features[modality][side].present
    return text_array(np.where(shown, graph.names, ""))

"""What every method must do; authors of a method file can call these on their own class."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair, Task
from mmea_bench.datasets.core.model.split import Split, split_links, split_pairs
from mmea_bench.datasets.core.model.view import train_view
from mmea_bench.methods.core.base import (
    FULL,
    DeadlineError,
    Embeddings,
    Method,
    RunContext,
)

TINY: dict[Task, str] = {
    "entity-alignment": "synthetic[edge_overlap=0.9,image_noise=0.6,n=200]",
    "n-mmkg": "synthetic-nmmkg[n=300,preset=easy]",
}
REMOVABLE: dict[Task, tuple[str, ...]] = {
    "entity-alignment": ("attribute", "image", "name", "structure"),
    # A node without its one modality would be no node of an N-MMKG.
    "n-mmkg": ("attribute", "structure"),
}


@functools.cache
def tiny_pair(task: Task = "entity-alignment") -> KGPair:
    """A small, easy pair with every modality that the task knows."""
    return open_dataset(TINY[task]).read()


def main_task(method_type: type[Method]) -> Task:
    """The task that a method is judged on: entity alignment wherever it can do that."""
    return "entity-alignment" if "entity-alignment" in method_type.tasks else method_type.tasks[0]


def pair_for(method_type: type[Method]) -> KGPair:
    """The tiny pair of the method's main task."""
    return tiny_pair(main_task(method_type))


def tiny_split(pair: KGPair) -> Split:
    """Half of the links are seeds."""
    if pair.task == "n-mmkg":
        return split_pairs(pair.anchor_links, 0.5, rng_seed=7)
    return split_links(pair.anchor_links, 0.5, rng_seed=7)


def configured(method_type: type[Method], variant: str = FULL, **overrides: object) -> Method:
    """The method with its test parameters, which keep a run at seconds."""
    return method_type.configure("method", variant, {**method_type.test_params, **overrides})


def fit(method: Method, pair: KGPair, rng_seed: int = 3) -> Embeddings:
    """Embeddings of one training on the tiny split."""
    torch.manual_seed(rng_seed)
    view = train_view(pair, tiny_split(pair).seed_links)
    return method.fit(view, RunContext(rng_seed=rng_seed))


def skip_where_impossible(method: Method, pair: KGPair) -> None:
    """Skips the test, with the method's own reason."""
    reason = method.skip_reason(pair.modalities)
    if reason:
        pytest.skip(reason)


def hits_at_10(embeddings: Embeddings, pair: KGPair) -> float:
    """Test Hits@10 from source to target; other partners of a node count neither way."""
    task = ranking_task(tiny_split(pair).test_links, pair.anchor_links)
    return float(np.mean(rank_links(embeddings, task)[0].src2tgt <= 10))


def without(pair: KGPair, modality: str) -> KGPair:
    """The pair as if its files lacked a modality."""
    features = {name: sides for name, sides in pair.features.items() if name != modality}
    graphs = [_graph_without(graph, modality) for graph in (pair.source, pair.target)]
    return dataclasses.replace(
        pair, source=graphs[0], target=graphs[1], features=features, version=""
    )


def with_few_images(pair: KGPair) -> KGPair:
    """The pair with images on every third entity only."""
    features = {}
    for name, sides in pair.features.items():
        kept = []
        for side in sides:
            present = side.present & (np.arange(len(side.present)) % 3 == 0)
            kept.append(Features(np.where(present[:, None], side.values, 0), present))
        features[name] = (kept[0], kept[1])
    return dataclasses.replace(pair, features=features, version="")


def check_metadata(name: str, method_type: type[Method]) -> None:
    """Docstrings, parameter defaults, variants, sweeps and test parameters all fit together."""
    assert (method_type.__doc__ or "").strip(), f"{name} has no docstring"
    assert dataclasses.is_dataclass(method_type.Params)
    for variant in method_type.variants:
        method_type.configure(name, variant)
    for parameter, values in method_type.grid.items():
        for value in values:
            method_type.configure(name, FULL, {parameter: value})
    method_type.configure(name, FULL, method_type.test_params)
    assert set(method_type.requires) <= set(method_type.modalities)
    assert method_type.tasks
    assert set(method_type.tasks) <= set(TINY)


def check_learns(method_type: type[Method], pair: KGPair, factor: float = 2.0) -> None:
    """Test Hits@10 beats chance by a factor (baselines that do not learn: factor 0)."""
    method = configured(method_type)
    skip_where_impossible(method, pair)
    chance = 10 / len(np.unique(tiny_split(pair).test_links[:, 1]))
    assert hits_at_10(fit(method, pair), pair) > factor * chance


def check_output(method_type: type[Method], pair: KGPair) -> None:
    """One finite float row per entity."""
    method = configured(method_type)
    skip_where_impossible(method, pair)
    embeddings = fit(method, pair)
    assert len(embeddings.source) == pair.source.n_entities
    assert len(embeddings.target) == pair.target.n_entities
    assert embeddings.source.shape[1] == embeddings.target.shape[1]
    assert bool(torch.isfinite(embeddings.source).all())
    assert bool(torch.isfinite(embeddings.target).all())


def check_deterministic(method_type: type[Method], pair: KGPair) -> None:
    """The same seed gives bit-identical vectors."""
    method = configured(method_type)
    skip_where_impossible(method, pair)
    first, second = fit(method, pair), fit(method, pair)
    assert torch.equal(first.source, second.source)
    assert torch.equal(first.target, second.target)


def check_survives_missing(method_type: type[Method], pair: KGPair, modality: str) -> None:
    """A dataset without a modality gives a result or a reason, never an exception."""
    poorer = without(pair, modality)
    method = configured(method_type)
    if method.skip_reason(poorer.modalities) is None:
        assert bool(torch.isfinite(fit(method, poorer).source).all())


def check_variant(method_type: type[Method], variant: str, pair: KGPair) -> None:
    """A named variant trains."""
    overrides = method_type.test_params
    kept = {k: v for k, v in overrides.items() if k not in method_type.variants[variant]}
    if "epochs" in overrides:
        kept["epochs"] = 5
    method = method_type.configure("method", variant, kept)
    skip_where_impossible(method, pair)
    assert bool(torch.isfinite(fit(method, pair).source).all())


def check_saves_and_restores(method_type: type[Method], pair: KGPair) -> None:
    """Written and read embeddings are equal."""
    method = configured(method_type)
    skip_where_impossible(method, pair)
    embeddings = fit(method, pair)
    with tempfile.TemporaryDirectory() as folder:
        embeddings.save(Path(folder) / "embeddings.npz")
        restored = Embeddings.load(Path(folder) / "embeddings.npz")
    assert torch.equal(restored.source, embeddings.source)
    assert torch.equal(restored.target, embeddings.target)
    assert restored.similarity == embeddings.similarity


def check_deadline(method_type: type[Method], pair: KGPair) -> None:
    """A training whose time is over stops with ``DeadlineError``."""
    method = configured(method_type)
    skip_where_impossible(method, pair)
    if not hasattr(method.params, "epochs"):
        pytest.skip("the method does not train in epochs")
    view = train_view(pair, tiny_split(pair).seed_links)
    with pytest.raises(DeadlineError):
        method.fit(view, RunContext(rng_seed=1, deadline=time.monotonic() - 1))


def _graph_without(graph: KnowledgeGraph, modality: str) -> KnowledgeGraph:
    changes: dict[str, object] = {}
    if modality == "attribute":
        changes = {
            "attributes": text_array([]),
            "attribute_triples": np.empty((0, 2), dtype=np.int32),
            "attribute_values": text_array([]),
        }
    if modality == "name":
        changes = {"names": text_array([""] * graph.n_entities)}
    if modality == "structure":
        changes = {
            "relations": text_array([]),
            "relation_triples": np.empty((0, 3), dtype=np.int32),
        }
    return dataclasses.replace(graph, **changes)  # type: ignore[arg-type]

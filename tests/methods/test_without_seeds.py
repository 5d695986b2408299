"""Methods that say that they need no seed links."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import Method, RunContext
from mmea_bench.methods.core.catalogue import get_method, method_names
from mmea_bench.methods.core.pair_scores import PairScores

HASHED = {"text_encoder": "hashed"}
WITHOUT = {
    "easy": [("full", HASHED)],
    "eva": [("unsupervised", {"unsupervised_pairs": 30})],
    "image_only": [("full", {})],
    "mclea": [("MCLEA-V", {}), ("MCLEA-N", {}), ("MCLEA-N (char)", {})],
    "name_match": [("full", {})],
    "random_scores": [("full", {})],
    "selfkg": [("full", HASHED)],
    "selfmea": [("full", HASHED)],
    "seu": [("full", {})],
}
"""Variants that read no seed links, with what lets them run here."""


def configured(name: str, variant: str = "full", **changes: object) -> Method:
    method = get_method(name)
    return method.configure(name, variant, {**method.test_params, **changes})


def result(method: Method, view: TrainView) -> torch.Tensor:
    found = method.fit(view, RunContext(rng_seed=3, device=torch.device("cpu")))
    if isinstance(found, PairScores):
        return found.rows(torch.arange(found.n_source))
    return torch.cat([found.source, found.target]).float()


def test_these_are_all_that_need_none() -> None:
    found = {name for name in method_names() if not get_method(name)().needs_seeds}
    assert found == set(WITHOUT) - {"eva", "mclea"}


@pytest.mark.parametrize(
    ("name", "variant", "changes"),
    [(name, *case) for name, cases in WITHOUT.items() for case in cases],
)
def test_seed_links_change_nothing_for_who_needs_none(
    name: str, variant: str, changes: dict[str, object]
) -> None:
    pair = open_dataset("synthetic[n=100]").read()
    method = configured(name, variant, **changes)
    assert not method.needs_seeds
    modalities = method.used_modalities(pair.modalities)
    with_seeds = train_view(pair, pair.anchor_links[:30], modalities)
    without = train_view(pair, pair.anchor_links[:0], modalities)
    assert torch.equal(result(method, with_seeds), result(method, without))

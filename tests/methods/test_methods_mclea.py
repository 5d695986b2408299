"""MCLEA's variants that are no modality: what each of them changes, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.mclea import MCLEA, MCLEAParams

CHANGES: dict[str, dict[str, object]] = {
    "MCLEA-V": {"unsupervised": "image"},
    "MCLEA-N": {"unsupervised": "name"},
    "MCLEA-N (char)": {"unsupervised": "char"},
    "w/o uncertainty": {"learned_uncertainty": False},
    "w/o iter. strategy": {"iterative": False},
}


@pytest.mark.parametrize("variant", CHANGES)
def test_a_variant_changes_what_its_name_says_alone(variant: str) -> None:
    full, params = MCLEAParams(), MCLEA.configure("mclea", variant).params
    names = [field.name for field in dataclasses.fields(params)]
    changed = {
        name: getattr(params, name)
        for name in names
        if getattr(params, name) != getattr(full, name)
    }
    assert changed == CHANGES[variant]


def test_the_paper_has_one_name_modality_of_words_and_bigrams() -> None:
    names = {}
    for variant in ("full", "as described"):
        overrides = {"epochs": 1, "structure_dim": 8, "modality_dim": 4, "iterative": False}
        method = MCLEA.configure("mclea", variant, overrides)
        found = method.fit(tiny_view(easy_pair()), RunContext(rng_seed=1))
        names[variant] = found.modality_weights.keys() - {"structure", "relation", "attribute"}
    assert names == {"full": {"image", "word", "bigram"}, "as described": {"image", "name"}}


@pytest.mark.parametrize(
    ("variant", "source"),
    [("MCLEA-V", "image"), ("MCLEA-N", "name"), ("MCLEA-N (char)", "name")],
)
def test_without_seed_links_seeds_come_from_the_modality_of_the_name(
    variant: str, source: str
) -> None:
    assert MCLEA.configure("mclea", variant).further_modalities == (source,)

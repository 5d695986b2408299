"""Every method of the catalogue goes through the one battery."""

from __future__ import annotations

import pytest

from mmea_bench.datasets.core.pair import KGPair
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries
from tests.cases import method_battery as battery

METHODS = {
    entry.name: entry.method_type for entry in catalogue_entries() if entry.method_type is not None
}
VARIANTS = [(name, variant) for name, method in METHODS.items() for variant in method.variants]
CHANCE_METHODS = {"random_scores"}


@pytest.fixture(scope="module")
def pair() -> KGPair:
    return battery.tiny_pair()


@pytest.fixture(params=METHODS)
def method_type(request: pytest.FixtureRequest) -> type[Method]:
    return METHODS[request.param]


def test_no_method_file_is_broken() -> None:
    assert [entry.error for entry in catalogue_entries() if entry.error] == []


@pytest.mark.parametrize("name", METHODS)
def test_metadata_is_complete(name: str) -> None:
    battery.check_metadata(name, METHODS[name])


@pytest.mark.parametrize("name", METHODS)
def test_beats_chance_on_an_easy_pair(name: str, pair: KGPair) -> None:
    battery.check_learns(METHODS[name], pair, factor=0.0 if name in CHANCE_METHODS else 2.0)


def test_gives_one_finite_row_per_entity(method_type: type[Method], pair: KGPair) -> None:
    battery.check_output(method_type, pair)


def test_same_seed_gives_identical_vectors(method_type: type[Method], pair: KGPair) -> None:
    battery.check_deterministic(method_type, pair)


@pytest.mark.parametrize("modality", ["attribute", "image", "name", "structure"])
def test_survives_a_missing_modality(
    method_type: type[Method], modality: str, pair: KGPair
) -> None:
    battery.check_survives_missing(method_type, pair, modality)


def test_survives_entities_without_images(method_type: type[Method], pair: KGPair) -> None:
    battery.check_output(method_type, battery.with_few_images(pair))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_trains(name: str, variant: str, pair: KGPair) -> None:
    battery.check_variant(METHODS[name], variant, pair)


def test_embeddings_are_saved_and_restored(method_type: type[Method], pair: KGPair) -> None:
    battery.check_saves_and_restores(method_type, pair)


def test_stops_when_its_time_is_over(method_type: type[Method], pair: KGPair) -> None:
    battery.check_deadline(method_type, pair)

"""Every method of the catalogue goes through the one battery."""

from __future__ import annotations

import pytest

from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import catalogue_entries
from tests.cases import method_battery as battery
from tests.cases.interruption import check_continues

METHODS = {
    entry.name: entry.method_type for entry in catalogue_entries() if entry.method_type is not None
}
ALIGNERS = [name for name, method in METHODS.items() if "entity-alignment" in method.tasks]
MANY_TASKS = [name for name, method in METHODS.items() if len(method.tasks) > 1]
REMOVALS = [
    (name, modality)
    for name, method in METHODS.items()
    for modality in battery.REMOVABLE[battery.main_task(method)]
]
VARIANTS = [(name, variant) for name, method in METHODS.items() for variant in method.variants]
CHANCE_METHODS = {"random_scores"}


@pytest.fixture(params=METHODS)
def method_type(request: pytest.FixtureRequest) -> type[Method]:
    return METHODS[request.param]


@pytest.fixture
def pair(method_type: type[Method]) -> KGPair:
    return battery.pair_for(method_type)


def test_no_method_file_is_broken() -> None:
    assert [entry.error for entry in catalogue_entries() if entry.error] == []


@pytest.mark.parametrize("name", METHODS)
def test_metadata_is_complete(name: str) -> None:
    battery.check_metadata(name, METHODS[name])


@pytest.mark.parametrize("name", METHODS)
def test_beats_chance_on_an_easy_pair(name: str) -> None:
    factor = 0.0 if name in CHANCE_METHODS else 2.0
    battery.check_learns(METHODS[name], battery.pair_for(METHODS[name]), factor)


@pytest.mark.parametrize("name", MANY_TASKS)
def test_runs_on_each_of_its_tasks(name: str) -> None:
    for task in METHODS[name].tasks:
        battery.check_output(METHODS[name], battery.tiny_pair(task))


def test_gives_one_finite_row_per_entity(method_type: type[Method], pair: KGPair) -> None:
    battery.check_output(method_type, pair)


def test_same_seed_gives_identical_vectors(method_type: type[Method], pair: KGPair) -> None:
    battery.check_deterministic(method_type, pair)


@pytest.mark.parametrize(("name", "modality"), REMOVALS)
def test_survives_a_missing_modality(name: str, modality: str) -> None:
    battery.check_survives_missing(METHODS[name], battery.pair_for(METHODS[name]), modality)


@pytest.mark.parametrize("name", ALIGNERS)
def test_survives_entities_without_images(name: str) -> None:
    battery.check_output(METHODS[name], battery.with_few_images(battery.tiny_pair()))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_trains(name: str, variant: str) -> None:
    battery.check_variant(METHODS[name], variant, battery.pair_for(METHODS[name]))


def test_embeddings_are_saved_and_restored(method_type: type[Method], pair: KGPair) -> None:
    battery.check_saves_and_restores(method_type, pair)


def test_stops_when_its_time_is_over(method_type: type[Method], pair: KGPair) -> None:
    battery.check_deadline(method_type, pair)


def test_goes_on_after_an_interruption(method_type: type[Method], pair: KGPair) -> None:
    check_continues(method_type, pair)

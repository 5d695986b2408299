"""Every method and variant declares all that it reads, and is shown nothing else."""

from __future__ import annotations

from typing import ClassVar

import pytest

from mmea_bench.bench.battery.failures import CheckFailedError
from mmea_bench.bench.battery.fits import fit_on, hits_at_10
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_split, tiny_view
from mmea_bench.bench.battery.trainings import check_reads_declared
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.methods.clamea import CLAMEA
from mmea_bench.methods.core.base import FULL, Method, RunContext
from mmea_bench.methods.core.catalogue import catalogue_entries
from mmea_bench.methods.eva import EVA
from mmea_bench.methods.loginmea import LoginMEA
from mmea_bench.methods.mclea import MCLEA
from mmea_bench.methods.meaformer import MEAformer
from mmea_bench.methods.name_match import NameMatch
from mmea_bench.methods.selfmea import SelfMEA
from mmea_bench.methods.tmea import TMEA, TMEAParams
from tests.cases import modalities

METHODS = {
    entry.name: entry.method_type for entry in catalogue_entries() if entry.method_type is not None
}
CONFIGURATIONS = [
    (name, variant, task)
    for name, method in METHODS.items()
    for variant in (FULL, *method.variants)
    for task in method.tasks
]
EVERYTHING = ("structure", "relation", "attribute", "image", "text", "name")


class NamesAsStructure(NameMatch):
    """Reads names and says it reads structure."""

    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)


@pytest.mark.parametrize(("name", "variant", "task"), CONFIGURATIONS)
def test_a_configuration_is_shown_what_it_declares(name: str, variant: str, task: Task) -> None:
    """That it reads nothing else is a check of the battery."""
    pair = easy_pair(task)
    method = METHODS[name].configure(name, variant)
    modalities.check_view_holds_only_declared(method, pair, tiny_split(pair).seed_links)


@pytest.mark.parametrize("name", METHODS)
def test_a_dataset_with_nothing_to_encode_is_skipped(name: str) -> None:
    for variant in (FULL, *METHODS[name].variants):
        method = METHODS[name].configure(name, variant)

        reason = method.skip_reason(())

        assert reason if method.modalities else reason is None, variant


def test_texts_need_an_encoder_only_where_they_are_read() -> None:
    method = TMEA(TMEAParams(text_encoder="no such model"))

    assert method.skip_reason(("structure", "image")) is None
    assert "no such model" in (method.skip_reason(("structure", "attribute")) or "")


def test_names_that_are_not_declared_cannot_be_read() -> None:
    pair = easy_pair()
    honest, cheating = NameMatch(), NamesAsStructure()
    assert hits_at_10(fit_on(honest, tiny_view(pair, honest)).alignment, pair) > 0.5
    view = tiny_view(pair, cheating)
    assert set(view.source.names) == {""}
    found = cheating.fit(view, RunContext(1))
    assert hits_at_10(found, pair) <= 10 / len(tiny_split(pair).test_links)


def test_a_method_that_reads_more_than_it_declares_fails_the_check() -> None:
    with pytest.raises(CheckFailedError, match="reads more than the modalities"):
        check_reads_declared(NamesAsStructure, FULL)


@pytest.mark.parametrize(
    ("method", "read"),
    [
        (EVA.configure("eva", "w/o visual"), "structure relation attribute"),
        (
            EVA.configure("eva", "w/o visual", {"unsupervised_pairs": 10}),
            "structure relation attribute image",
        ),
        (
            MCLEA.configure("mclea", "w/o name", {"unsupervised": "name"}),
            "structure relation attribute image text name",
        ),
        (LoginMEA.configure("loginmea", "w/o Visual"), "relation attribute structure"),
        (SelfMEA.configure("selfmea", "names only"), "name"),
        (SelfMEA.configure("selfmea", "stage 1 only"), "structure name"),
        # Seeds are still the most similar images; only the fusion goes without.
        (
            SelfMEA.configure("selfmea", "w/o image"),
            "structure relation attribute name image",
        ),
        (
            SelfMEA.configure("selfmea", "w/o image", {"seeds": "name"}),
            "structure relation attribute name",
        ),
        (CLAMEA.configure("clamea", "w/o V"), "image structure attribute"),
    ],
)
def test_what_gives_the_seeds_or_the_graph_is_read_too(method: Method, read: str) -> None:
    assert method.used_modalities(EVERYTHING) == tuple(read.split())


@pytest.mark.parametrize(
    ("method", "iterative"),
    [
        (MCLEA.configure("mclea"), True),
        (MCLEA.configure("mclea", "w/o iter. strategy"), False),
        # Promoted after 550, learned from 551 on.
        (MCLEA.configure("mclea", overrides={"epochs": 550}), False),
        (MCLEA.configure("mclea", overrides={"epochs": 551}), True),
        (EVA.configure("eva"), False),
        (EVA.configure("eva", "iterative"), True),
        (LoginMEA.configure("loginmea"), True),
        (LoginMEA.configure("loginmea", overrides={"epochs": 100}), False),
        (SelfMEA.configure("selfmea"), True),
        (SelfMEA.configure("selfmea", "w/o iteration"), False),
        (SelfMEA.configure("selfmea", overrides={"fusion": False}), False),
        (MEAformer.configure("meaformer"), False),
        # An epoch looks before it trains, so 550 is the first to learn.
        (MEAformer.configure("meaformer", "iterative", {"epochs": 549}), False),
        (MEAformer.configure("meaformer", "iterative", {"epochs": 550}), True),
        (CLAMEA.configure("clamea", overrides={"epochs": 70}), False),
        (CLAMEA.configure("clamea", overrides={"epochs": 71}), True),
        (NameMatch(), False),
    ],
)
def test_a_method_says_whether_it_gets_as_far_as_pseudo_labels(
    method: Method, iterative: bool
) -> None:
    assert method.is_iterative is iterative


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, parameter)
        for name, method in METHODS.items()
        for parameter in ("modalities", "output")
        if isinstance(getattr(method.Params(), parameter, None), tuple)
    ],
)
def test_a_misspelt_modality_is_not_left_out(name: str, parameter: str) -> None:
    """It would train without it, under a row that names it."""
    known = getattr(METHODS[name].Params(), parameter)
    misspelt = (*known, known[0][:-1])

    with pytest.raises(UserError, match=f"'{parameter}' of {name}.*Did you mean '{known[0]}'"):
        METHODS[name].configure(name, FULL, {parameter: misspelt})


def test_a_modality_said_twice_is_refused() -> None:
    with pytest.raises(UserError, match="names image 2 times"):
        EVA.configure("eva", FULL, {"modalities": ("image", "structure", "image")})


def test_loginmea_does_not_fuse_the_structure_that_it_propagates() -> None:
    with pytest.raises(UserError, match="leave it out of modalities"):
        LoginMEA.configure("loginmea", FULL, {"modalities": ("structure", "image")})

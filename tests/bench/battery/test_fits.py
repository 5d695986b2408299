"""Trainings of the battery: each is done once, and a brief one reaches every stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from mmea_bench.bench.battery.failures import NotApplicableError
from mmea_bench.bench.battery.fits import applicable, brief, configured, fit, fit_anew
from mmea_bench.bench.battery.run import run_checks
from mmea_bench.bench.battery.small_pairs import tiny_pair, with_few_images, without
from mmea_bench.methods.core.base import Embeddings, Method
from tests.bench.battery.toys import Toy, ToyParams, broken


@dataclass(frozen=True)
class StagedParams:
    epochs: int = 1000
    warm_up_epochs: int = 100
    iterative: bool = False
    iterative_start: int = 500
    check_every: int = 5
    restart_from: int = 501
    never_every: int = 0
    dim: int = 300


class Staged(Method):
    """Stages as real methods have them."""

    Params = StagedParams
    variants: ClassVar = {
        "iterative": {"iterative": True, "epochs": 1500},
        "short": {"epochs": 500},
    }
    test_params: ClassVar = {"epochs": 60, "iterative_start": 30, "dim": 8}

    def fit(self, view: Any, ctx: Any) -> Embeddings:
        raise NotImplementedError


def test_a_brief_training_shrinks_what_counts_epochs() -> None:
    params = brief(Staged, n_epochs=6).params
    assert params == StagedParams(6, 10, False, 3, 1, 50, 0, 8)


def test_a_variant_keeps_its_place_among_trainings_of_other_lengths() -> None:
    assert brief(Staged, "short", n_epochs=6).params.epochs == 3
    longer = brief(Staged, "iterative", n_epochs=6).params
    assert (longer.epochs, longer.iterative, longer.iterative_start) == (6, True, 3)


def test_a_variant_wins_over_test_parameters() -> None:
    wide = broken(variants={"wide": {"dim": 20}}, test_params={"dim": 4, "epochs": 10})
    assert brief(wide, "wide").params.dim == 20
    assert brief(wide).params.dim == 4


def counted() -> tuple[type[Toy], list[object]]:
    """The toy, and a list that grows with each of its trainings."""
    trained: list[object] = []

    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        trained.append(self.params)
        return Toy.fit(self, view, ctx)

    return broken(fit=fit), trained


def test_a_training_is_done_once() -> None:
    method_type, trained = counted()
    first = fit(brief(method_type), tiny_pair())
    assert fit(brief(method_type), tiny_pair()) is first
    assert len(trained) == 1


def test_other_parameters_data_or_classes_are_other_trainings() -> None:
    method_type, trained = counted()
    other_type, other = counted()
    fit(brief(method_type), tiny_pair())
    fit(brief(method_type, "late noise"), tiny_pair())
    fit(brief(method_type), without(tiny_pair(), "image"))
    fit(brief(method_type), with_few_images(tiny_pair()))
    fit(brief(other_type), tiny_pair())
    assert (len(trained), len(other)) == (4, 1)


def test_determinism_is_two_real_trainings() -> None:
    method_type, trained = counted()
    fit(brief(method_type), tiny_pair())
    assert [outcome.status for outcome in run_checks(method_type, ["deterministic"])] == ["ok"]
    assert len(trained) == 2
    fit_anew(brief(method_type), tiny_pair())
    assert len(trained) == 3


def test_checks_of_the_same_training_share_it() -> None:
    method_type, trained = counted()
    shared = ["output", "saved", "parameters-learn", "variant-trains", "variant-differs"]
    list(run_checks(method_type, shared))
    # The full method and its four variants.
    assert len(trained) == 5


def test_a_method_that_cannot_run_gives_its_reason() -> None:
    method = configured(Toy, modalities=())
    assert isinstance(method.params, ToyParams)
    with pytest.raises(NotApplicableError, match="nothing to read"):
        applicable(method, tiny_pair())


def test_a_poorer_pair_lacks_one_modality_only() -> None:
    offered = set(tiny_pair().modalities)
    for modality in ("attribute", "image", "name"):
        assert offered - set(without(tiny_pair(), modality).modalities) == {modality}
    lacking = offered - set(without(tiny_pair(), "structure").modalities)
    assert lacking == {"structure", "relation"}

"""A sound method passes every check; each check finds what it is there for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from mmea_bench.bench.battery.declarations import removed_modalities
from mmea_bench.bench.battery.failures import CheckFailedError
from mmea_bench.bench.battery.run import CHECKS, run_checks
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Embeddings, Method
from mmea_bench.methods.core.pair_scores import PairScores
from tests.bench.battery.toys import Encoder, Toy, ToyParams, broken

CHECK_OF = {check.name: check for check in CHECKS}


def complaint(check: str, method_type: type[Method], case: str = "") -> str:
    """The sentence with which a check fails."""
    with pytest.raises(CheckFailedError) as failed:
        CHECK_OF[check](method_type, case)
    return str(failed.value)


def with_variant(**variants: Mapping[str, object]) -> type[Toy]:
    named = {name.replace("_", " ").replace("wo ", "w/o "): v for name, v in variants.items()}
    return broken(variants={**Toy.variants, **named})


def test_a_sound_method_passes_every_check() -> None:
    outcomes = list(run_checks(Toy))
    assert [outcome for outcome in outcomes if outcome.status == "failed"] == []
    assert {outcome.check for outcome in outcomes if outcome.status == "skipped"} == {
        "combined-variants"
    }
    assert {outcome.check for outcome in outcomes} == set(CHECK_OF)


def test_a_method_without_vectors_passes_every_check() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> PairScores:
        found = Toy.fit(self, view, ctx)

        def score(rows: torch.Tensor) -> torch.Tensor:
            return found.source[rows] @ found.target.T

        sizes = (view.source.n_entities, view.target.n_entities)
        return PairScores(score, *sizes, device=found.source.device)

    outcomes = list(run_checks(broken(fit=fit)))
    assert [outcome for outcome in outcomes if outcome.status == "failed"] == []


def test_a_configuration_that_reads_more_than_it_declares_is_found() -> None:
    def inputs(self: Toy, view: Any, graph: Any) -> dict[str, torch.Tensor]:
        found = Toy.inputs(self, view, graph)
        if "image" in view.features:
            found["image"] = torch.tensor(view.joint_features("image").values).float()
        return found

    changed = broken(inputs=inputs)
    text = complaint("reads-declared", changed, "w/o image")
    assert "reads more than the modalities that it declares (attribute)" in text
    CHECK_OF["reads-declared"](changed, "full")


def test_variants_that_declare_what_the_full_method_does_are_not_tried_again() -> None:
    cases = CHECK_OF["reads-declared"].cases_of(Toy)
    assert cases == ("full", "w/o image", "w/o attribute")


def test_every_check_says_what_a_method_must_do() -> None:
    for check in CHECKS:
        assert check.text.endswith(".")


def test_an_unexpected_error_is_a_failure_with_its_place() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        raise ZeroDivisionError("no way")

    (outcome,) = run_checks(broken(fit=fit), ["deterministic"])
    assert outcome.status == "failed"
    assert outcome.text.startswith("ZeroDivisionError: no way")
    assert Path(__file__).name in outcome.text


def test_a_method_that_ends_the_program_is_a_finding() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        raise SystemExit("bye")

    (outcome,) = run_checks(broken(fit=fit), ["deterministic"])
    assert (outcome.status, outcome.text[:15]) == ("failed", "SystemExit: bye")


def test_an_error_inside_the_project_names_the_line_of_the_method() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        return Toy.fit(self, view, None)

    (outcome,) = run_checks(broken(fit=fit), ["deterministic"])
    assert "toys.py, line" in outcome.text


def test_a_variant_of_an_unknown_parameter_ends_no_other_check() -> None:
    outcomes = list(run_checks(with_variant(typo={"dimm": 3}), ["variant-modalities", "declares"]))
    assert {outcome.check for outcome in outcomes} == {"variant-modalities", "declares"}
    assert "'dimm'" in " ".join(each.text for each in outcomes if each.status == "failed")


def test_vectors_that_are_no_numbers_are_blamed_for_that_alone() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        found = Toy.fit(self, view, ctx)
        found.source[0] = float("nan")
        return found

    changed = broken(fit=fit)
    (outcome,) = run_checks(changed, ["deterministic"])
    assert outcome.status == "ok"
    assert all(each.status == "failed" for each in run_checks(changed, ["output"]))


def test_an_unknown_check_is_named() -> None:
    with pytest.raises(UserError, match="Did you mean 'learns'"):
        list(run_checks(Toy, ["lerns"]))


def test_declarations_must_fit_together() -> None:
    assert "no docstring" in complaint("declares", broken(__doc__=""))
    assert "requires" in complaint("declares", broken(requires=("name",)))
    assert "unknown modality: smell" in complaint("declares", broken(modalities=("smell",)))
    assert "no_op" not in complaint("declares", broken(no_op_variants={"gone": "reason"}))
    assert "test_params" in complaint("declares", broken(test_params={"size": 3}))
    assert "grid of 'dim'" in complaint("declares", broken(grid={"dim": ("wide",)}))
    assert "variant 'bad'" in complaint("declares", with_variant(bad={"size": 3}))


def test_two_variants_are_not_the_same() -> None:
    twin = with_variant(twin={"late_noise": 0.1})
    assert "'late noise' and 'twin'" in complaint("variant-parameters", twin)
    assert "'full' and 'idle'" in complaint("variant-parameters", with_variant(idle={"dim": 16}))
    part = with_variant(part={"dim": 16, "late_noise": 0.2})
    assert "'part' sets dim to what it is anyway" in complaint("variant-parameters", part)


def test_a_combined_variant_is_both_of_its_parts() -> None:
    variants = {"w/o A": {"dim": 8}, "w/o B": {"late_noise": 0.5}}
    CHECK_OF["combined-variants"](
        broken(variants={**variants, "w/o A and B": {"dim": 8, "late_noise": 0.5}})
    )
    wrong = broken(variants={**variants, "w/o A and B": {"dim": 8}})
    assert "is not 'w/o A' and 'w/o B' together" in complaint("combined-variants", wrong)


@pytest.mark.parametrize(
    ("variant", "removed"),
    [
        ("w/o visual", {"image"}),
        ("w/o Relation", {"relation"}),
        ("DBP15K settings, iterative, w/o names", {"name"}),
        ("w/o images and texts", {"image", "text"}),
        ("w/o ICL", set()),
        ("w/o structure learning", set()),
        ("full", set()),
    ],
)
def test_the_name_of_a_variant_says_what_is_left_out(variant: str, removed: set[str]) -> None:
    assert removed_modalities(variant) == removed


def test_a_variant_without_a_modality_reads_all_others() -> None:
    too_few = with_variant(wo_image={"modalities": ()})
    assert "encodes nothing; the full method without image encodes attribute" in complaint(
        "variant-modalities", too_few, "w/o image"
    )
    nothing_left_out = with_variant(wo_image={"dim": 8})
    assert "encodes attribute, image" in complaint(
        "variant-modalities", nothing_left_out, "w/o image"
    )
    never_read = with_variant(wo_name={"dim": 8})
    assert "does not encode: name" in complaint("variant-modalities", never_read, "w/o name")


def test_a_variant_without_a_modality_is_the_method_on_data_without_it() -> None:
    narrower = with_variant(wo_image={"modalities": ("attribute",), "dim": 8})
    assert "something else is left out" in complaint("variant-removes", narrower, "w/o image")


def test_a_variant_changes_the_vectors_once_its_stage_has_begun() -> None:
    too_late = with_variant(later={"late_noise": 0.2, "late_start": 500})
    assert "gives the very vectors of the full method" in complaint(
        "variant-differs", too_late, "later"
    )


def test_what_is_declared_a_no_op_is_one() -> None:
    wrong = broken(no_op_variants={**Toy.no_op_variants, "late noise": "it is late"})
    assert "(it is late), but it does" in complaint("variant-differs", wrong, "late noise")


def test_a_method_that_learns_nothing_is_found() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        found = Toy.fit(self, view, ctx)
        return Embeddings(found.source, found.target.flip(0))

    assert "does not learn" in complaint("learns", broken(fit=fit))


def test_numbers_that_no_seed_fixes_are_found() -> None:
    steps = iter(range(1, 1_000_000))

    def step(self: Toy, encoder: Encoder, pairs: Any, epoch: int, noise: Any) -> float:
        with torch.no_grad():
            encoder.weights["image"][0, 0] += next(steps)
        return Toy.step(self, encoder, pairs, epoch, noise)

    changed = broken(step=step)
    assert "different vectors" in complaint("deterministic", changed)
    assert "gives other vectors than one that ran through" in complaint("continues", changed)


def test_a_row_for_every_entity_is_asked_for() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        found = Toy.fit(self, view, ctx)
        return Embeddings(found.source[1:], found.target)

    assert "one row per entity" in complaint("output", broken(fit=fit), "entity-alignment")


def test_numbers_that_are_none_are_found() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        found = Toy.fit(self, view, ctx)
        return Embeddings(found.source, found.target / 0)

    assert "not finite" in complaint("missing-modality", broken(fit=fit), "image")


def test_a_training_stops_when_its_time_is_over() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        ctx.deadline = None
        return Toy.fit(self, view, ctx)

    assert "goes on" in complaint("deadline", broken(fit=fit))


def test_a_training_whose_state_is_not_kept_is_found() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        self.lock = threading.Lock()
        return Toy.fit(self, view, ctx)

    assert "is not kept" in complaint("continues", broken(fit=fit))


def test_a_tensor_on_the_wrong_device_is_found() -> None:
    def step(self: Toy, encoder: Encoder, pairs: Any, epoch: int, noise: Any) -> float:
        encoder.inputs["image"] = encoder.inputs["image"] + torch.zeros(1, 1)
        return Toy.step(self, encoder, pairs, epoch, noise)

    text = complaint("second-device", broken(step=step), "entity-alignment")
    assert "aten.add.Tensor is given tensors on the device and on the CPU" in text
    assert Path(__file__).name in text


def test_vectors_that_left_the_device_are_found() -> None:
    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        found = Toy.fit(self, view, ctx)
        return Embeddings(found.source.cpu(), found.target.cpu())

    text = complaint("second-device", broken(fit=fit), "entity-alignment")
    assert "not on ctx.device" in text


def test_a_parameter_that_stands_in_no_loss_is_found() -> None:
    class Wider(Encoder):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.gate = nn.Parameter(torch.ones(3))

    def fit(self: Toy, view: Any, ctx: Any, monkey: Any = Wider) -> Embeddings:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.bench.battery.toys.Encoder", monkey)
            return Toy.fit(self, view, ctx)

    assert "Wider.gate" in complaint("parameters-learn", broken(fit=fit))


class _Halved(Toy):
    """A toy whose second variant leaves a weight in no loss."""

    variants: ClassVar = {"w/o image": Toy.variants["w/o image"], "idle": {"late_noise": 0.1}}
    no_op_variants: ClassVar = {}

    def fit(self, view: Any, ctx: Any) -> Embeddings:
        class Gated(Encoder):
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                self.gate = nn.Parameter(torch.ones(1))

            def forward(self) -> torch.Tensor:
                return super().forward() * (1 if noise else self.gate)

        noise = self.params.late_noise
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.bench.battery.toys.Encoder", Gated)
            return super().fit(view, ctx)


def test_what_stands_idle_in_a_variant_alone_is_found_or_declared() -> None:
    assert "never learn in 'idle': Gated.gate." in complaint("variant-learns", _Halved, "idle")
    declared = type("Declared", (_Halved,), {"idle_variants": {"idle": "it has no gate"}})
    CHECK_OF["variant-learns"](declared, "idle")


def test_what_is_declared_idle_is_idle() -> None:
    wrong = broken(idle_variants={"late noise": "it is late"})
    assert "(it is late), but all of them do" in complaint("variant-learns", wrong, "late noise")


def test_decay_alone_is_no_learning() -> None:
    @dataclass(frozen=True)
    class Params(ToyParams):
        dim: int = 8

    class Decayed(Encoder):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.gate = nn.Parameter(torch.ones(3))

        def forward(self) -> torch.Tensor:
            return super().forward() + 0 * self.gate.sum()

    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.bench.battery.toys.Encoder", Decayed)
            return Toy.fit(self, view, ctx)

    assert "Decayed.gate" in complaint("parameters-learn", broken(fit=fit, Params=Params))


def test_a_method_that_updates_by_itself_learns_too() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.moved, self.still = (nn.Parameter(torch.zeros(2)) for _ in range(2))

    def fit(self: Toy, view: Any, ctx: Any) -> Embeddings:
        table = Table()
        for epoch in range(1, 4):
            table.moved.data += 1
            ctx.tick(epoch, 3, 0.0)
        sizes = (view.source.n_entities, view.target.n_entities)
        return Embeddings(*(torch.from_numpy(np.ones((size, 2), np.float32)) for size in sizes))

    assert "never learn: Table.still." in complaint("parameters-learn", broken(fit=fit))

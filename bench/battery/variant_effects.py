"""Checks that a variant changes what its name says, once its stages have begun."""

from __future__ import annotations

from mmea_bench.bench.battery.declarations import modality_variants, removed_modalities
from mmea_bench.bench.battery.failures import NotApplicableError, require
from mmea_bench.bench.battery.fits import applicable, brief, fit, is_same
from mmea_bench.bench.battery.small_pairs import (
    REMOVABLE,
    main_task,
    poorer_pair,
    tiny_pair,
    tiny_pair_for,
)
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.methods.core.base import FULL, Method


def check_variant_differs(method_type: type[Method], variant: str) -> None:
    """A variant gives other vectors than the full method, or says why it does not."""
    reason = method_type.no_op_variants.get(variant)
    pair = _pair_with(method_type, removed_modalities(variant))
    full = fit(applicable(brief(method_type), pair), pair)
    changed = fit(applicable(brief(method_type, variant), pair), pair)
    same = is_same(full, changed)
    require(
        not same or reason is not None,
        f"'{variant}' gives the very vectors of the full method. Its overrides do nothing: correct "
        "them, let test_params begin its stage earlier, or give the reason in no_op_variants.",
    )
    require(
        same or reason is None,
        f"no_op_variants says of '{variant}' that it changes no vector ({reason}), but it does.",
    )


def removal_variants(method_type: type[Method]) -> tuple[str, ...]:
    """Variants without a modality that a dataset can lack too."""
    removable = REMOVABLE[main_task(method_type)]
    return tuple(
        variant
        for variant in modality_variants(method_type)
        if len(removed := removed_modalities(variant)) == 1
        and removed <= set(removable) - {"structure"}
        and not variant.partition(",")[2]
    )


def check_variant_is_a_poorer_dataset(method_type: type[Method], variant: str) -> None:
    """``w/o X`` gives what the full method gives on a dataset that lacks X."""
    (modality,) = removed_modalities(variant)
    pair, poorer = tiny_pair_for(method_type), poorer_pair(main_task(method_type), modality)
    method = applicable(brief(method_type, variant), pair)
    if modality in method.used_modalities(pair.modalities):
        raise NotApplicableError(f"'{variant}' declares that it still reads {modality} elsewhere")
    named = fit(method, pair)
    lacking = fit(applicable(brief(method_type, FULL), poorer), poorer)
    require(
        is_same(named, lacking),
        f"'{variant}' gives other vectors than the full method on a dataset without {modality}: "
        "something else is left out or kept.",
    )


def _pair_with(method_type: type[Method], modalities: frozenset[str]) -> KGPair:
    """The pair of the first task that offers the modalities; else that of the main task."""
    tasks = [main_task(method_type), *method_type.tasks]
    offering = [task for task in tasks if modalities <= set(tiny_pair(task).modalities)]
    return tiny_pair(offering[0]) if offering else tiny_pair_for(method_type)

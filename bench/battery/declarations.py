"""Checks of what a method declares, without a training."""

from __future__ import annotations

import dataclasses
import re
from itertools import combinations

from mmea_bench.bench.battery.failures import CheckFailedError, NotApplicableError, require
from mmea_bench.bench.battery.small_pairs import TINY
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import MODALITIES
from mmea_bench.methods.core.base import FULL, Method
from mmea_bench.methods.core.search_space import Choice, Float, Int

_WORDS = {
    "structure": "structure",
    "relation": "relation",
    "attribute": "attribute",
    "image": "image",
    "visual": "image",
    "vision": "image",
    "name": "name",
    "surface form": "name",
    "text": "text",
}
"""How papers call the modalities in the names of their variants."""


def check_metadata(method_type: type[Method]) -> None:
    """Docstrings, parameter defaults, variants, sweeps and test parameters all fit together."""
    name = method_type.__name__
    require(bool((method_type.__doc__ or "").strip()), f"{name} has no docstring: say what it is.")
    require(
        dataclasses.is_dataclass(method_type.Params),
        f"{name}.Params is no dataclass: declare every tunable with its default in one.",
    )
    _configure(method_type, FULL, dict(method_type.test_params), "test_params")
    for variant in method_type.variants:
        _configure(method_type, variant, {}, f"variant '{variant}'")
    for parameter, values in method_type.grid.items():
        for value in values:
            _configure(method_type, FULL, {parameter: value}, f"grid of '{parameter}'")
    _check_search_space(method_type)
    for declared, known, what in (
        (method_type.requires, method_type.modalities, "requires a modality not in modalities"),
        (method_type.modalities, MODALITIES, "declares an unknown modality"),
        (method_type.tasks, tuple(TINY), "declares an unknown task"),
        (method_type.no_op_variants, tuple(method_type.variants), "has no variant of the name"),
        (method_type.idle_variants, tuple(method_type.variants), "has no variant of the name"),
    ):
        wrong = ", ".join(sorted(set(declared) - set(known)))
        require(not wrong, f"{name} {what}: {wrong}.")
    require(bool(method_type.tasks), f"{name} declares no task.")


def _configure(
    method_type: type[Method], variant: str, overrides: dict[str, object], where: str
) -> None:
    try:
        method_type.configure(method_type.__name__, variant, overrides)
    except UserError as error:
        raise CheckFailedError(f"The {where} of {method_type.__name__}: {error}") from error


def _check_search_space(method_type: type[Method]) -> None:
    """Every value that a tuning may try fits its parameter, and the default is one of them."""
    name = method_type.__name__
    for parameter, dimension in method_type.search_space.items():
        where = f"search_space of '{parameter}'"
        values = dimension.values if isinstance(dimension, Choice) else _ends(dimension)
        for value in values:
            _configure(method_type, FULL, {parameter: value}, where)
        default = getattr(method_type.Params(), parameter)
        require(dimension.holds(default), f"The {where} of {name} lacks its default, {default}.")


def _ends(dimension: Float | Int) -> tuple[object, ...]:
    return (dimension.low, dimension.high)


def removed_modalities(variant: str) -> frozenset[str]:
    """Modalities that the name of a variant says are left out: ``w/o visual`` is ``image``.

    Words that are no modality (``w/o ICL``) leave none out.
    """
    found = set()
    for part in re.findall(r"\bw/o ([^,()]+)", variant):
        words = [word.strip().lower() for word in re.split(r"\band\b|&|\+", part)]
        meant = [_WORDS.get(word) or _WORDS.get(word.removesuffix("s")) for word in words]
        if all(meant):
            found |= {modality for modality in meant if modality}
    return frozenset(found)


def modality_variants(method_type: type[Method]) -> tuple[str, ...]:
    """Variants whose names say that they leave a modality out."""
    return tuple(variant for variant in method_type.variants if removed_modalities(variant))


def check_variant_modalities(method_type: type[Method], variant: str) -> None:
    """A variant ``w/o X`` encodes exactly what the full method encodes, X aside."""
    removed = removed_modalities(variant)
    full, left = (
        set(method_type.configure(method_type.__name__, name).chosen_modalities(MODALITIES))
        for name in (FULL, variant)
    )
    wrong = sorted(removed - full)
    require(
        not wrong,
        f"'{variant}' leaves out what the full method does not encode: {', '.join(wrong)}.",
    )
    require(
        left == full - removed,
        f"'{variant}' encodes {_listed(left)}; the full method without {_listed(removed)} encodes "
        f"{_listed(full - removed)}. Correct the overrides of the variant, or its name.",
    )


def check_variants_differ_in_parameters(method_type: type[Method]) -> None:
    """No two variants are the same configuration, and no override repeats its default."""
    name = method_type.__name__
    if not method_type.variants:
        raise NotApplicableError("the method has no variants")
    configured = {
        variant: method_type.configure(name, variant).params
        for variant in (FULL, *method_type.variants)
    }
    for first, second in combinations(configured, 2):
        require(
            configured[first] != configured[second],
            f"'{first}' and '{second}' are the same configuration: one of both is wrong.",
        )
    for variant, overrides in method_type.variants.items():
        idle = [key for key in overrides if _is_default(method_type, variant, key)]
        require(not idle, f"'{variant}' sets {', '.join(idle)} to what it is anyway: leave it out.")


def check_combined_variants(method_type: type[Method]) -> None:
    """A variant ``w/o X and Y`` is ``w/o X`` and ``w/o Y`` together, where both are there."""
    variants = method_type.variants
    found = False
    for variant, overrides in variants.items():
        first, joint, second = variant.partition(" and ")
        parts = (first, f"w/o {second}")
        if not joint or not all(part in variants for part in parts):
            continue
        found = True
        together = {**variants[parts[0]], **variants[parts[1]]}
        require(
            dict(overrides) == together,
            f"'{variant}' is not '{parts[0]}' and '{parts[1]}' together: it sets "
            f"{dict(overrides)}, they set {together}.",
        )
    if not found:
        raise NotApplicableError("no variant combines two others")


def _is_default(method_type: type[Method], variant: str, key: str) -> bool:
    chosen = method_type.configure(method_type.__name__, variant).params
    return bool(getattr(chosen, key) == getattr(method_type.Params(), key))


def _listed(modalities: set[str] | frozenset[str]) -> str:
    return ", ".join(name for name in MODALITIES if name in modalities) or "nothing"

"""Every transform, and what the options of an address ask for."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmea_bench.datasets.core.errors import MissingDataError, UserError, shown, unknown_name
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.options import convert_plain, format_address, split_address
from mmea_bench.datasets.core.transforms import (
    attribute_ratio,
    dangling,
    image_noise,
    image_ratio,
    name_noise,
    names,
    part,
    seed_noise,
)
from mmea_bench.datasets.core.transforms.transform import Transform

# In the order of acting: images and attributes by the entities of the files, then who is there,
# then which seeds are wrong, as long as entities go by their URIs, then what they are called.
TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {
        each.name: each
        for each in (
            image_noise.TRANSFORM,
            image_ratio.TRANSFORM,
            attribute_ratio.TRANSFORM,
            part.TRANSFORM,
            dangling.TRANSFORM,
            seed_noise.TRANSFORM,
            name_noise.TRANSFORM,
            names.TRANSFORM,
        )
    }
)
SEED = "transform_seed"
TRANSFORM_OPTIONS = (*TRANSFORMS, SEED)
"""What stands in the address of any dataset beside its own options."""


@dataclass(frozen=True)
class Chosen:
    """Transforms that an address asks for.

    Attributes:
        values: Name of each transform that changes something to its value, in order of acting.
        seed: Seed of all of them.
    """

    values: Mapping[str, float]
    seed: int = 0

    def options(self) -> dict[str, object]:
        """The same as options of an address; empty where nothing changes."""
        if not self.values:
            return {}
        spelled: dict[str, object] = {
            name: ("on" if value else "off") if TRANSFORMS[name].is_switch else value
            for name, value in self.values.items()
        }
        return spelled | ({SEED: self.seed} if self.seed else {})

    @property
    def change_names(self) -> bool:
        """Whether features that are made from names must be made anew."""
        return any(TRANSFORMS[name].changes_names for name in self.values)


def chosen_transforms(kind: str, given: Mapping[str, str], own: Collection[str] = ()) -> Chosen:
    """The transforms behind the options of an address that are not a dataset's own.

    Args:
        kind: Words for the error text, such as "option of fb15k-db15k".
        given: Option to its text.
        own: Options of the dataset itself, for the error text.

    Raises:
        UserError: If an option does not exist, or a value cannot be.
    """
    values: dict[str, float] = {}
    seed = 0
    for name, text in given.items():
        if name == SEED:
            seed = _seed(kind, text)
        elif name in TRANSFORMS:
            values[name] = _value(kind, TRANSFORMS[name], text)
        else:
            raise UserError(unknown_name(kind, name, {*own, *TRANSFORM_OPTIONS}))
    acting = {
        name: values[name]
        for name, each in TRANSFORMS.items()
        if name in values and values[name] != each.neutral
    }
    return Chosen(acting, seed)


def transformed(pair: KGPair, chosen: Chosen) -> KGPair:
    """The dataset with all changes, one after the other.

    Raises:
        MissingDataError: If the dataset lacks what a transform changes, or cannot have it changed.
    """
    for name, value in chosen.values.items():
        each = TRANSFORMS[name]
        if pair.task not in each.tasks:
            raise MissingDataError(
                f"{pair.dataset} has the task {pair.task}, for which there is no '{name}'. "
                "Leave it out of the address."
            )
        if each.needs and each.needs not in pair.modalities:
            raise MissingDataError(
                f"{pair.dataset} lacks the modality '{each.needs}', which '{name}' changes. Leave "
                "it out of the address."
            )
        pair = each.apply(pair, value, chosen.seed)
    return pair


def plain_address(address: str) -> str:
    """The address without transforms: the dataset whose splits and random starts it shares."""
    try:
        name, options = split_address(address)
    except UserError:  # a folder whose own name ends with brackets
        return address
    kept = {key: value for key, value in options.items() if key not in TRANSFORM_OPTIONS}
    return address if len(kept) == len(options) else format_address(name, kept)


def _seed(kind: str, text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise UserError(f"{kind} '{SEED}' must be a whole number of 0 or more, not {shown(text)}.")


def _value(kind: str, each: Transform, text: str) -> float:
    try:
        value = float(convert_plain(text, bool if each.is_switch else float))
    except ValueError:
        value = math.nan
    if not each.lowest <= value <= each.highest:  # true for nan
        wanted = "be on or off" if each.is_switch else f"lie in {each.values}"
        raise UserError(f"{kind} '{each.name}' must {wanted}, not {shown(text)}.")
    return value

"""The values of a suite, built one by one from what its table says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmea_bench.bench.partitions.cutting import load_metis
from mmea_bench.bench.planning.values.toml_values import as_number, as_table, as_whole
from mmea_bench.bench.scoring.approximate.options import checked_ranking
from mmea_bench.bench.scoring.decoders import (
    DECODERS,
    Csls,
    NoDecoder,
    decoder_address,
    parse_decoder,
)
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.options import build_options
from mmea_bench.methods.core.base import Method

ALL = "all"
MOST_PARTITIONS = 10_000

Table = Mapping[str, object]
Parameters = dict[str, dict[str, object]]


def configure(
    method_type: type[Method], name: str, variant: str, overrides: Table, dataset: str | None
) -> Method | None:
    """The method of a variant with overrides and the published settings of a dataset."""
    return method_type.configure(name, variant, overrides, dataset)


def build(kind: str, options_type: type[Any], given: Table) -> Any | None:
    """An options dataclass of given values."""
    return build_options(kind, options_type, given)


def build_protocol(given: object) -> Protocol:
    """The protocol, each decoder in its one spelling."""
    protocol = build_options("protocol setting", Protocol, as_table("protocol", given))
    asked = DECODERS if ALL in protocol.decoders else protocol.decoders
    # One decoder has one spelling, so that a cell has one key.
    decoders = {decoder_address(decoder): decoder for decoder in map(parse_decoder, asked)}
    ranked = [each.csls_size for each in decoders.values() if isinstance(each, NoDecoder | Csls)]
    others = [name for name, each in decoders.items() if not isinstance(each, NoDecoder | Csls)]
    sizes = (*protocol.csls, *ranked)
    ranking = checked_ranking(protocol.ranking, sizes, tuple(others))
    return replace(protocol, decoders=tuple(decoders), ranking=ranking)


def number_or_none(key: str, value: object) -> float | None:
    """A number, in a type that leaves room for none."""
    return as_number(key, value)


def timeout_or_none(value: object) -> float | None:
    """Seconds allowed; None is no limit."""
    if value is None:
        return None
    timeout = as_number("timeout_s", value)
    if not 0 < timeout < math.inf:
        raise UserError(f"`timeout_s` must be above 0 and finite, not {timeout:g}.")
    return timeout


def partitions(value: object) -> int:
    """Parts of the KGs that are trained one after the other; what cuts them must be there."""
    number = as_whole("partitions", value)
    if not 1 <= number <= MOST_PARTITIONS:
        raise UserError(
            f"`partitions` must lie in 1..{MOST_PARTITIONS}, not {number}; 1 trains on the whole."
        )
    if number > 1:
        load_metis()
    return number


def no_parameters() -> Parameters:
    """Parameters of no method."""
    return {}

"""Names of results folders after what was asked, so that requests stay apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mmea_bench.bench.planning.cell import LATER_FIELDS, further_settings
from mmea_bench.bench.planning.suite import Suite

_MOST_NAMES = 3
_LONGEST_PART = 40
_HASH_DIGITS = 6


def folder_name(suite: Suite, base: Suite | None = None, own_files: Sequence[Path] = ()) -> str:
    """Name of the folder of a request that names none.

    A suite as it stands, a part of it, or with a further method, goes into the folder of the
    suite's name. Every other request is named after its methods and datasets, with a short hash of
    what else was asked. The number of repeats is no part of it: more of them join those that are
    there.

    Args:
        suite: What is run, with the changes of the command line.
        base: The suite without them; None if the request names no suite.
        own_files: The user's files; two of one name give two folders.
    """
    if base is not None and _is_part(suite, base):
        return base.name
    asked = json.dumps([_settings(suite), list(map(str, own_files))], default=str, sort_keys=True)
    digits = hashlib.sha256(asked.encode()).hexdigest()[:_HASH_DIGITS]
    if base is not None:
        return f"{base.name}_{digits}"
    methods = _joined(suite.methods, "methods")
    return f"{methods}_on_{_joined(suite.datasets, 'datasets')}_{digits}"


def _is_part(suite: Suite, base: Suite) -> bool:
    """Whether the suite keeps the places and rules of its base; methods may leave or join."""
    return (
        set(suite.datasets) <= set(base.datasets)
        and set(suite.seed_ratios) <= set(base.seed_ratios)
        and suite.protocol == base.protocol
        and suite.splits == base.splits
        and all(
            _settings_of(suite, method) == _settings_of(base, method)
            and set(suite.variants.get(method, ())) <= set(base.variants.get(method, ()))
            for method in set(suite.methods) & set(base.methods)
        )
    )


def _settings_of(suite: Suite, method: str) -> object:
    own = suite.overrides.get(method, {}), suite.grid.get(method, {})
    return (*own, suite.grid_mode, suite.partitions, suite.precision)


def _settings(suite: Suite) -> Mapping[str, object]:
    """What tells requests apart: neither texts nor limits nor the number of repeats."""
    left_out = {"name", "title", "description", "repeats", "timeout_s", "left_out"}
    content = asdict(suite)
    # What joined later renames no folder where it is not asked for.
    left_out |= set(LATER_FIELDS) - further_settings(content).keys()
    found = {name: value for name, value in content.items() if name not in left_out}
    for name in suite.protocol.unset_rules:
        del found["protocol"][name]
    return found


def _joined(names: Sequence[str], noun: str) -> str:
    if len(names) > _MOST_NAMES:
        return f"{len(names)}-{noun}"
    # An own folder is named by its last part; its path would be no file name.
    short = [name.rstrip("/").rpartition("/")[2] for name in names]
    words = "+".join(re.sub(r"[^A-Za-z0-9_.+]+", "-", name).strip("-.") for name in short)
    return words[:_LONGEST_PART].strip("-.+") or noun

"""Small readers of TOML values whose errors name the key, the value found and the remedy."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast, get_args

from mmea_bench.bench.scoring.protocol import SplitKind
from mmea_bench.datasets.core.errors import UserError, shown, unknown_name

NAME_TABLES = ("methods", "variants", "datasets")
"""What a suite may give printed names."""


def as_texts(key: str, value: object) -> tuple[str, ...]:
    """A list of names; a single name counts as a list of one."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise UserError(
            f'`{key}` must be a list of names such as ["a", "b"], not {reprlib.repr(value)}.'
        )
    if not items:
        raise UserError(f"`{key}` is empty. Name at least one.")
    return tuple(dict.fromkeys(items))


def as_number(key: str, value: object) -> float:
    """A number; text is no number, so that a typo in a file does not pass unseen."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"`{key}` must be a number, not {reprlib.repr(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise UserError(f"`{key}` must be a number below 1e308.") from None


def as_whole(key: str, value: object) -> int:
    """A whole number."""
    number = as_number(key, value)
    if not number.is_integer():
        raise UserError(f"`{key}` must be a whole number, not {reprlib.repr(value)}.")
    return int(number)


def as_table(key: str, value: object) -> dict[str, object]:
    """A TOML table."""
    if not isinstance(value, Mapping):
        raise UserError(f"`{key}` must be a table `[{key}]`, not {reprlib.repr(value)}.")
    return dict(value)


def parameter_table(value: object, key: str = "set") -> dict[str, dict[str, object]]:
    """Method to parameter to value, from ``"mclea.epochs" = 10`` or ``[set.mclea] epochs = 10``.

    Args:
        value: What stands below ``key``.
        key: ``set``, or ``grid``, whose values are lists.

    Raises:
        UserError: If an entry names no method or no parameter.
    """
    table: dict[str, dict[str, object]] = {}
    for name, given in as_table(key, value).items():
        method, dot, parameter = name.partition(".")
        if dot and parameter:
            table.setdefault(_method(method), {})[parameter] = given
        elif isinstance(given, Mapping):
            table.setdefault(_method(method), {}).update(cast("Mapping[str, object]", given))
        else:
            sample = "[100, 200]" if key == "grid" else "100"
            raise UserError(
                f'Cannot read {shown(name)} in `{key}`. Write `"method.parameter" = value`, '
                f'such as `"mclea.epochs" = {sample}`; "*" stands for every method.'
            )
    return table


def sections_of_others(suite: Mapping[str, object], methods: Collection[str]) -> Iterator[str]:
    """A sentence for each section of a suite that is about a method which it does not list."""
    for key in ("set", "grid", "variants"):
        sections = suite.get(key)
        if not isinstance(sections, Mapping):
            continue
        for method in dict.fromkeys(_method(str(name).partition(".")[0]) for name in sections):
            if method != "*" and method not in methods:
                yield (
                    f"`{key}` has a section for {method}, which `methods` does not list. List it "
                    "there, or take the section out."
                )


def split_kinds(
    value: object, datasets: Sequence[str], address: Callable[[str], str | None]
) -> dict[str, SplitKind]:
    """Dataset to the kind of its split, from one word for all or a table by dataset.

    Args:
        value: What the suite says.
        datasets: Addresses of the suite.
        address: The address of a dataset in its one spelling.

    Raises:
        UserError: If a word is no kind of split.
    """
    given = value if isinstance(value, Mapping) else dict.fromkeys(datasets, value)
    kinds: dict[str, SplitKind] = {}
    for dataset, word in given.items():
        if word not in get_args(SplitKind):
            raise UserError(unknown_name("`split`", str(word), get_args(SplitKind)))
        kinds[address(dataset) or dataset] = cast("SplitKind", word)
    return kinds


def printed_names(value: object) -> dict[str, dict[str, str]]:
    """How reports print ids: tables of ids to texts.

    Raises:
        UserError: If there is another table, or a name is no text.
    """
    if not isinstance(value, Mapping) or not set(value) <= set(NAME_TABLES):
        raise UserError(f"`names` takes the tables {', '.join(NAME_TABLES)}, each id to text.")
    for kind, table in value.items():
        if not isinstance(table, Mapping) or not all(isinstance(n, str) for n in table.values()):
            raise UserError(f'`names.{kind}` must map ids to texts, such as eva = "EVA".')
    return {str(kind): dict(table) for kind, table in value.items()}


def merged(table: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The table of a suite with changes on top: ``set`` and ``protocol`` entry by entry.

    Raises:
        UserError: If one of these two is not a table.
    """
    result = {**table, **changes}
    if "protocol" in table and "protocol" in changes:
        result["protocol"] = {**_protocol(table["protocol"]), **_protocol(changes["protocol"])}
    if "set" in table and "set" in changes:
        result["set"] = _merged_parameters(
            parameter_table(table["set"]), parameter_table(changes["set"])
        )
    return result


def _merged_parameters(
    below: Mapping[str, Mapping[str, object]], above: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    shared = above.get("*", {})
    # `--set '*.epochs=1'` must win over the file's `mclea.epochs`, though it names no method.
    kept = {
        method: {name: value for name, value in values.items() if name not in shared}
        for method, values in below.items()
    }
    for method, values in above.items():
        kept[method] = {**kept.get(method, {}), **values}
    return kept


def _protocol(value: object) -> dict[str, object]:
    return {"name": value} if isinstance(value, str) else as_table("protocol", value)


def _method(name: str) -> str:
    return name.strip().replace("-", "_")

"""How methods, variants and datasets are called in print: by their ids, or as the reader says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.results.core.disk.files import read_regular

FULL = "full"
_ASSIGNED = re.compile(r"([\w.*]+)=")


@dataclass(frozen=True)
class Names:
    """Printed names; what has none here is printed by its id.

    Attributes:
        methods: Id of a method to its printed name.
        variants: Variant, or method and variant with a space between, to the printed name of the
            variant alone.
        datasets: Address of a dataset, with or without options, to its printed name.
        in_words: Whether settings in brackets are spelled out, ``full[epochs=150]`` as
            ``epochs = 150``, and ids lose their underscores.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    in_words: bool = False

    def method(self, method: str) -> str:
        """Printed name of a method."""
        return self.methods.get(method, method.replace("_", " ") if self.in_words else method)

    def variant(self, method: str, variant: str) -> str:
        """Printed name of a variant in a column of its own."""
        named = self._named(method, variant)
        if named is None:
            return in_words(variant) if self.in_words else variant
        return named

    def of(self, method: str, variant: str) -> str:
        """Printed name of a method in a variant; the full method has the name of the method."""
        own, named = self.method(method), self._named(method, variant)
        if variant == FULL:
            return own
        if named is not None:
            return f"{own} {named}".rstrip()
        base, bracket, settings = variant.partition("[")
        if self.in_words:
            text = in_words(variant)
            return f"{own} ({text})" if base == FULL else f"{own} {text}"
        return f"{own}{bracket}{settings}" if base == FULL else f"{own} {variant}"

    def dataset(self, address: str) -> str:
        """Printed name of a dataset; its options stay, the size of a generated one among them."""
        if address in self.datasets:
            return self.datasets[address]
        base, bracket, options = address.partition("[")
        printed = f"{self.datasets.get(base, base)}{bracket}{options}"
        return in_words(printed) if self.in_words else printed

    def _named(self, method: str, variant: str) -> str | None:
        return self.variants.get(f"{method} {variant}", self.variants.get(variant))


BY_ID = Names()
"""Every name as it is addressed."""


def in_words(text: str) -> str:
    """A name with settings as prose: ``full[tau=0.1,dim=50]`` gives ``tau = 0.1, dim = 50``."""
    base, bracket, rest = text.partition("[")
    if not bracket:
        return text
    spaced = re.sub(r",(?! )", ", ", rest.removesuffix("]"))
    settings = _ASSIGNED.sub(lambda found: f"{found[1].replace('_', ' ')} = ", spaced)
    return settings if base == FULL else f"{base} ({settings})"


def read_names(path: Path) -> Names:
    """Printed names of a TOML file with the tables ``methods``, ``variants`` and ``datasets``.

    Raises:
        ReportError: If the file cannot be read or holds anything else.
    """
    try:
        content = tomllib.loads(read_regular(path).decode("utf-8"))
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ReportError(f"{path} is no TOML file: {error}.") from error
    return names_of(content, str(path))


def names_of(content: Mapping[str, object], where: str) -> Names:
    """Printed names of a table read from TOML or JSON.

    Args:
        content: ``methods``, ``variants`` and ``datasets``, each id to printed name.
        where: Where it stands, for the message.

    Raises:
        ReportError: If there is another table, a name is no text, or that of a method or a dataset
            is empty; a variant's may be, which leaves the method's.
    """
    known = [each.name for each in fields(Names) if each.name != "in_words"]
    for kind, table in content.items():
        if kind not in known:
            raise ReportError(f"{where}: unknown table '{kind}'. Valid: {', '.join(known)}.")
        if not isinstance(table, Mapping) or not all(
            isinstance(name, str) and (name.strip() or kind == "variants") and name.isprintable()
            for name in table.values()
        ):
            raise ReportError(
                f"{where}: table '{kind}' must map ids to printed names, such as eva = \"EVA\"."
            )
    return Names(**{str(kind): dict(table) for kind, table in content.items()})  # type: ignore[call-overload]


def unused_names(
    names: Names, variants: Iterable[tuple[str, str]], datasets: Iterable[str]
) -> list[str]:
    """Ids that have a printed name and stand in no cell, with their table: ``methods.evaa``.

    Args:
        names: How things are printed.
        variants: Every method and variant of the cells.
        datasets: Address of every dataset of the cells.
    """
    pairs = set(variants)
    of_variants = {text for _, variant in pairs for text in (variant, _base(variant))}
    of_variants |= {f"{method} {variant}" for method, variant in pairs}
    addresses = set(datasets)
    used = {
        "methods": {method for method, _ in pairs},
        "variants": of_variants,
        "datasets": addresses | {_base(address) for address in addresses},
    }
    return [
        f"{kind}.{own}"
        for kind, known in used.items()
        for own in getattr(names, kind)
        if own not in known
    ]


def check_distinct(
    names: Names, variants: Iterable[tuple[str, str]], datasets: Iterable[str] = ()
) -> None:
    """Refuses names under which reports would take two things for one and average over both.

    Args:
        names: How things are printed.
        variants: Every method and variant that is shown.
        datasets: Address of every dataset that is shown.

    Raises:
        ReportError: If two of them would be printed alike.
    """
    pairs = sorted(set(variants))
    methods = sorted({method for method, _ in pairs})
    _refuse_alike("methods", {method: names.method(method) for method in methods})
    # Sweeps and ablations print variants without their settings.
    for shown in (pairs, sorted({(method, _base(variant)) for method, variant in pairs})):
        _refuse_alike("variants", {f"{m} ({v})": names.of(m, v) for m, v in shown})
        for method in methods:
            own = {f"{m} ({v})": names.variant(m, v) for m, v in shown if m == method}
            _refuse_alike("variants", own)
    _refuse_alike(
        "datasets", {address: names.dataset(address) for address in sorted(set(datasets))}
    )


def _base(variant: str) -> str:
    return variant.partition("[")[0]


def _refuse_alike(kind: str, printed: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for own, name in printed.items():
        text = " ".join(name.split())
        other = seen.setdefault(text, own)
        if other != own:
            raise ReportError(
                f"The {kind} {other} and {own} would both be printed as '{text}', and tables would "
                "take their numbers for those of one. Give one of them another name in the names "
                f"file (or in `names` of the suite), or show only one of them with --{kind}."
            )

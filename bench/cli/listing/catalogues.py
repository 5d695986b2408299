"""The verb ``list``: what there is to run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    get_args,
    get_origin,
    get_type_hints,
)

import typer

from mmea_bench.bench.cli.checked_values import CheckedValues
from mmea_bench.bench.cli.texts import (
    AsJson,
    DatasetFiles,
    MethodFiles,
    print_json,
    print_table,
    split_list,
    user_errors,
)

if TYPE_CHECKING:
    from mmea_bench.methods.core.base import Method
    from mmea_bench.methods.core.catalogue import CatalogueEntry

list_app = typer.Typer(
    cls=CheckedValues,
    name="list",
    help="List methods, datasets, suites, variants, parameters, decoders or reports.",
    epilog="Example: mmea-bench list methods",
    no_args_is_help=True,
)

Rows = Sequence[Mapping[str, object]]


@list_app.command("methods", epilog="Example: mmea-bench list methods")
def list_methods(
    method_files: MethodFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Every method: its paper, what it reads and requires, how its numbers were published."""
    with user_errors():
        entries = _entries(method_files)
    rows: list[dict[str, object]] = []
    for entry in entries:
        kind = entry.method_type
        paper = kind.paper if kind is not None else None
        rows.append(
            {
                "method": entry.name,
                "paper": "" if paper is None else f"{paper.venue} {paper.year}",
                "reads": "" if kind is None else ", ".join(kind.modalities),
                "requires": "" if kind is None else ", ".join(kind.requires),
                "published_scoring": "" if kind is None else scoring_text(kind),
                "published_settings": "" if kind is None else _settings_text(kind),
                "variants": 0 if kind is None else len(kind.variants),
                "problem": entry.error or "",
            }
        )
    show_rows(rows, as_json=as_json)


@list_app.command("datasets", epilog="Example: mmea-bench list datasets")
def list_datasets(
    dataset_files: DatasetFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Every dataset; `mmea-bench data list` says where their files are."""
    from mmea_bench.datasets.core.access.catalogue import catalogue_entries, own_dataset_files

    with user_errors(), own_dataset_files(dataset_files or ()):
        entries = catalogue_entries()
    rows: list[dict[str, object]] = [
        {
            "dataset": entry.name,
            "title": "" if entry.dataset_type is None else entry.dataset_type.title,
            "problem": entry.error or "",
        }
        for entry in entries
    ]
    show_rows(rows, as_json=as_json)


@list_app.command("suites", epilog="Example: mmea-bench list suites")
def list_suites(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Every suite that comes with the program."""
    from mmea_bench.bench.planning.suite_files import read_suite_table, suite_names

    rows: list[dict[str, object]] = []
    for name in suite_names():
        table = read_suite_table(name)[1]
        description = " ".join(str(table.get("description", "")).split())
        rows.append({"suite": name, "title": table.get("title", name), "description": description})
    show_rows(rows, as_json=as_json)


@list_app.command("suite-keys", epilog="Example: mmea-bench list suite-keys")
def list_suite_keys(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Every key of a suite file, and every setting of its table `protocol`."""
    from dataclasses import fields

    from mmea_bench.bench.planning.suite import SuiteTable
    from mmea_bench.bench.scoring.protocol import Protocol

    rows: list[dict[str, object]] = [
        {"key": each.name, **{name: each.metadata[name] for name in ("form", "default", "meaning")}}
        for each in fields(SuiteTable)
    ]
    types = get_type_hints(Protocol)
    of_protocol: Rows = [
        {"key": f"protocol.{each.name}", "form": _form(types[each.name])}
        | {"default": json.dumps(each.default), "meaning": "see docs/protocol.md"}
        for each in fields(Protocol)
    ]
    show_rows([*rows, *of_protocol], as_json=as_json)


def _form(kind: Any) -> str:
    """What a value of this type is called in a TOML file."""
    if get_origin(kind) is Literal:
        *others, last = (f'"{choice}"' for choice in get_args(kind))
        return f"{', '.join(others)} or {last}"
    if get_origin(kind) is tuple:
        return f"list of {_form(get_args(kind)[0])}s"
    return {str: "text", int: "whole number", float: "number"}[kind]


@list_app.command("variants", epilog="Example: mmea-bench list variants --methods mclea,eva")
def list_variants(
    methods: Annotated[
        list[str] | None, typer.Option("--methods", help="Only these methods.")
    ] = None,
    method_files: MethodFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Every variant of every method with the parameters that make it."""
    from mmea_bench.methods.core.base import FULL
    from mmea_bench.methods.core.catalogue import get_method

    with user_errors():
        wanted = split_list(methods)
        files = method_files or []
        kinds = (
            {entry.name: entry.method_type for entry in _entries(files) if entry.method_type}
            if wanted is None
            else {name.replace("-", "_"): get_method(name, files) for name in wanted}
        )
    rows: list[dict[str, object]] = [
        {
            "method": name,
            "variant": variant,
            "parameters": ", ".join(f"{key}={value}" for key, value in overrides.items()),
        }
        for name, kind in kinds.items()
        for variant, overrides in {FULL: {}, **kind.variants}.items()
    ]
    show_rows(rows, as_json=as_json)


def _entries(method_files: Sequence[Path] | None) -> list[CatalogueEntry]:
    """The catalogue with the user's files, which win over methods of their name."""
    from mmea_bench.methods.core.catalogue import CatalogueEntry, catalogue_entries, get_method

    own = {path.stem.replace("-", "_"): path for path in method_files or ()}
    of_user = [CatalogueEntry(name, get_method(name, [path]), None) for name, path in own.items()]
    return [*(entry for entry in catalogue_entries() if entry.name not in own), *of_user]


def scoring_text(kind: type[Method]) -> str:
    """How the published numbers were scored, in a few words; "" where no source states it."""
    scoring = kind.published_scoring
    if scoring is None:
        return ""
    parts: list[str] = [scoring.similarity or "own similarity"]
    parts.append(f"CSLS {scoring.csls}" if scoring.csls else "no CSLS")
    parts += [] if scoring.decoder == "none" else [scoring.decoder]
    parts += [] if scoring.candidates == "test" else [f"{scoring.candidates} candidates"]
    return ", ".join(parts)


def _settings_text(kind: type[Method]) -> str:
    """What the protocol ``paper`` sets by itself, by pattern of datasets."""
    return "; ".join(
        f"{pattern}: " + ", ".join(f"{name}={value}" for name, value in overrides.items())
        for pattern, overrides in kind.published_settings.items()
    )


@list_app.command("decoders", epilog="Example: mmea-bench list decoders")
def list_decoders(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Every decoder with its parameters; --decoders of `run` takes them."""
    from dataclasses import asdict

    from mmea_bench.bench.scoring.decoders import DECODERS

    rows: list[dict[str, object]] = [
        {
            "decoder": name,
            "parameters": ", ".join(f"{key}={value}" for key, value in asdict(kind()).items()),
            "what it does": (kind.__doc__ or "").partition("\n")[0],
        }
        for name, kind in DECODERS.items()
    ]
    show_rows(rows, as_json=as_json)


def show_rows(rows: Rows, *, as_json: bool) -> None:
    """Rows as a table without the columns that are empty in all, or as JSON."""
    if as_json:
        print_json(rows)
        return
    headers = [key for key in (rows[0] if rows else {}) if any(row[key] for row in rows)]
    print_table(headers, [[str(row[key]) for key in headers] for row in rows])

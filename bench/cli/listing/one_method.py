"""``list method``: what one method is, where it comes from, and what of it can be run."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.listing.catalogues import list_app, scoring_text, show_rows
from mmea_bench.bench.cli.listing.parameters import named_method
from mmea_bench.bench.cli.texts import AsJson, MethodFiles, print_json, user_errors

if TYPE_CHECKING:
    from mmea_bench.datasets.core.paper import Paper
    from mmea_bench.methods.core.base import Method


@list_app.command("method", epilog="Example: mmea-bench list method mclea")
def list_method(
    method: Annotated[str, typer.Argument(help="Method, or a method file.")],
    method_files: MethodFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """One method: paper and code, how it is read here, what it needs, forms and settings.

    `list parameters` has its parameters, `cite` its BibTeX, `fidelity` what was measured of it.
    """
    with user_errors():
        name, kind = named_method(method, method_files)
        facts = method_facts(name, kind)
    if as_json:
        print_json(facts)
        return
    rows = [
        {"method": what, name: value} for what, value in _lines(facts) if value and what != "name"
    ]
    show_rows(rows, as_json=False)


def method_facts(name: str, kind: type[Method]) -> dict[str, object]:
    """All that a method declares of itself, but for its parameters.

    Args:
        name: Catalogue name.
        kind: The method.

    Raises:
        UserError: If a variant sets what the method does not have.
    """
    from mmea_bench.methods.core.base import FULL

    forms = {FULL: {}, **kind.variants}
    return {
        "name": name,
        **_source_facts(kind.paper),
        "reading": inspect.cleandoc(sys.modules[kind.__module__].__doc__ or kind.__doc__ or ""),
        "tasks": list(kind.tasks),
        "reads": list(kind.modalities),
        "requires": list(kind.requires),
        "published_scoring": scoring_text(kind),
        "published_stop": kind.paper_stop,
        "published_settings": _texts(kind.published_settings),
        "variants": _texts(forms),
        "learns_pseudo_labels": [form for form in forms if kind.configure(name, form).is_iterative],
        "n_parameters": len(dataclasses.fields(kind.Params)),
    }


def _source_facts(paper: Paper | None) -> dict[str, object]:
    """What is known of the paper and of its authors' code."""
    if paper is None:
        return {}
    return {
        "title": paper.title,
        "authors": paper.authors,
        "venue": f"{paper.venue} {paper.year}",
        "paper": paper.url,
        "code": paper.code_url,
        "code_commit": paper.code_commit,
        "interpretation": paper.interpretation,
    }


def _texts(overrides: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {
        name: ", ".join(f"{key}={value}" for key, value in values.items())
        for name, values in overrides.items()
    }


def _lines(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Every fact in a line of its own; each setting and each variant in one, too."""
    for name, fact in facts.items():
        words = name.replace("_", " ")
        if isinstance(fact, Mapping):
            for entry, text in fact.items():
                yield f"{words.removesuffix('s')}: {entry}", text or "defaults"
        elif isinstance(fact, list):
            yield words, ", ".join(map(str, fact))
        else:
            yield words, str(fact)

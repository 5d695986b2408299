"""Hook of mkdocs: pages of methods and datasets from what their files declare.

Nothing that it makes is kept in the repository; ``make docs`` makes it anew.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmea_bench.bench.cli.about.bibtex import bibtex
from mmea_bench.bench.cli.listing.parameters import parameter_rows
from mmea_bench.datasets.core.access import catalogue as datasets
from mmea_bench.methods.core import catalogue as methods

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

    from mmea_bench.datasets.core.access.base import PairDataset
    from mmea_bench.datasets.core.paper import Paper
    from mmea_bench.methods.core.base import Method

_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)#]*)(?:#[^)]*)?\)")
"""A link from a page to a file of the repository that is no page."""


@cache
def pages() -> Mapping[str, str]:
    """Path to text of every generated page."""
    found = {
        "methods/index.md": _index(
            "Methods",
            ("method", "paper", "reads", "requires", "variants"),
            (_method_row(name, kind) for name, kind in _methods()),
        ),
        "datasets/index.md": _index(
            "Datasets",
            ("dataset", "title", "KGs", "paper"),
            (_dataset_row(name, kind) for name, kind in _datasets()),
        ),
    }
    found |= {f"methods/{name}.md": method_page(name, kind) for name, kind in _methods()}
    found |= {f"datasets/{name}.md": dataset_page(name, kind) for name, kind in _datasets()}
    return found


def method_page(name: str, kind: type[Method]) -> str:
    """What a method is, reads, needs and takes; its variants and its paper."""
    variants = [
        (variant, ", ".join(f"`{key}={value!r}`" for key, value in changed.items()))
        for variant, changed in kind.variants.items()
    ]
    rows = list(parameter_rows(kind))
    names = ("parameter", "default", "meaning and source", "published settings", "sweep")
    parameters = [[str(row[column]) for column in names] for row in rows]
    reads, requires = ", ".join(kind.modalities), ", ".join(kind.requires) or "nothing"
    parts = [
        f"# {name}",
        _text(kind),
        f"- Reads: {reads}\n- Requires: {requires}\n- Tasks: {', '.join(kind.tasks)}",
        f"```console\npython -m bench run --methods {name} --datasets DATASET\n```",
        "## Parameters\n\n" + (_table(names, parameters) if parameters else "None."),
        "## Variants\n\n" + (_table(("variant", "changes"), variants) if variants else "None."),
        _paper_part(kind.paper),
    ]
    return "\n\n".join(parts) + "\n"


def dataset_page(name: str, kind: type[PairDataset]) -> str:
    """What a dataset is, its options, published counts, files and paper."""
    options = [
        (each.name, "" if each.default is MISSING else str(each.default), str(each.type))
        for each in fields(kind.Options)
    ]
    counts = [
        (graph or "both", statistic.replace("_", " "), f"{count:,}")
        for (graph, statistic), count in kind.expected.items()
    ]
    files = [
        (f"`{file.path}`", f"{file.n_bytes:,}" if file.n_bytes else "", file.sha256[:16])
        for file in kind.files
    ]
    parts = [
        f"# {kind.title}",
        _text(kind),
        f"- Address: `{name}`\n- KGs: {' and '.join(kind.graph_names)}\n- Licence: {kind.licence}",
        f"```console\npython -m bench data check {name} --data-root data\n```",
    ]
    if options:
        parts.append("## Options\n\n" + _table(("option", "default", "type"), options))
    if counts:
        parts.append("## Published counts\n\n" + _table(("KG", "of", "count"), counts))
    if files:
        parts.append("## Files\n\n" + _table(("file", "bytes", "SHA-256 begins"), files))
    return "\n\n".join([*parts, _paper_part(kind.paper)]) + "\n"


def without_outside_links(text: str) -> str:
    """A page whose links to files that are no pages are their text and the file's path."""
    return _OUTSIDE.sub(lambda found: f"{found[1]} (`{found[2]}`)", text)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the generated pages to the navigation, behind the index of their folder."""
    for part in config.nav or ():
        for listed in part.values():
            for folder in ("methods", "datasets"):
                if f"{folder}/index.md" in listed:
                    made = (path for path in pages() if path.startswith(f"{folder}/"))
                    listed.extend(path for path in made if path not in listed)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links out of ``docs`` become text; the pages are read in the repository as well."""
    del page
    return without_outside_links(markdown)


def _methods() -> Iterator[tuple[str, type[Method]]]:
    for name in methods.built_in_methods():
        yield name, methods.get_method(name)


def _datasets() -> Iterator[tuple[str, type[PairDataset]]]:
    for entry in datasets.catalogue_entries():
        if entry.dataset_type is not None:
            yield entry.name, entry.dataset_type


def _method_row(name: str, kind: type[Method]) -> list[str]:
    paper = "" if kind.paper is None else f"{kind.paper.venue} {kind.paper.year}"
    reads, requires = ", ".join(kind.modalities), ", ".join(kind.requires)
    return [f"[{name}]({name}.md)", paper, reads, requires, str(len(kind.variants))]


def _dataset_row(name: str, kind: type[PairDataset]) -> list[str]:
    paper = "" if kind.paper is None else f"{kind.paper.venue} {kind.paper.year}"
    return [f"[{name}]({name}.md)", kind.title, " and ".join(kind.graph_names), paper]


def _text(kind: type) -> str:
    """What the file of a class says of it."""
    module = inspect.getmodule(kind)
    return inspect.cleandoc((module and module.__doc__) or kind.__doc__ or "").replace("``", "`")


def _paper_part(paper: Paper | None) -> str:
    if paper is None:
        return "## Paper\n\nNone; cite the program."
    link = f"{paper.authors}: [{paper.title}]({paper.url}). {paper.venue} {paper.year}."
    code = f" Code: <{paper.code_url}>." if paper.code_url else ""
    return f"## Paper\n\n{link}{code}\n\n```bibtex\n{bibtex(paper)}\n```"


def _index(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"# {title}\n\n{_table(names, rows)}\n"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(words: Sequence[str]) -> str:
        cells = (" ".join(word.split()).replace("|", "\\|") for word in words)
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(names), "|---" * len(names) + "|", *map(line, rows)])


def page_names(nav: Any) -> Iterator[PurePosixPath]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        yield PurePosixPath(nav)
    elif isinstance(nav, Mapping):
        for value in nav.values():
            yield from page_names(value)
    else:
        for item in nav or ():
            yield from page_names(item)

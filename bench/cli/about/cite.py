"""The verb ``cite``: BibTeX of methods, datasets and the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.options import dataset_words, method_words
from mmea_bench.bench.cli.texts import AsJson, DatasetFiles, MethodFiles, print_json, user_errors
from mmea_bench.bench.running.console import echo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmea_bench.datasets.core.paper import Paper

PROGRAM = "mmea-bench"


@dataclass(frozen=True)
class Citation:
    """What is known of the paper of a name.

    Attributes:
        names: Methods and datasets that share the paper.
        key: Key of the BibTeX entry; empty where there is none.
        bibtex: The entry; empty where there is none.
        remark: Why there is none.
    """

    names: tuple[str, ...]
    key: str = ""
    bibtex: str = ""
    remark: str = ""


def _words(incomplete: str) -> list[str]:
    return [*method_words(incomplete), *dataset_words(incomplete), PROGRAM]


def cite_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Methods and datasets; none cites the program alone.",
            autocompletion=_words,
            metavar="[METHOD_OR_DATASET]...",
        ),
    ] = None,
    method_files: MethodFiles = None,
    dataset_files: DatasetFiles = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """BibTeX of methods and datasets, each paper once, and of the program.

    A paper that several of the names share stands once. What has no paper, such as a baseline, is
    named on standard error. Exit code 2: a name does not exist.
    """
    with user_errors():
        found = [*_papers(names or (), method_files or (), dataset_files or ()), _program()]
    if as_json:
        rows = [{**vars(each), "names": list(each.names)} for each in found]
        print_json(rows)
        return
    echo("\n\n".join(f"% {', '.join(each.names)}\n{each.bibtex}" for each in found if each.bibtex))
    for each in found:
        if each.remark:
            echo(f"Note: {each.remark}", err=True)


def _papers(
    names: Sequence[str], method_files: Sequence[Path], dataset_files: Sequence[Path]
) -> list[Citation]:
    """A citation for each paper, in the order of the names.

    Raises:
        UserError: If a name is neither method nor dataset.
    """
    from mmea_bench.bench.cli.about.bibtex import bibtex, citation_key
    from mmea_bench.datasets.core.access.catalogue import own_dataset_files

    by_paper: dict[Paper, list[str]] = {}
    without: list[Citation] = []
    with own_dataset_files(dataset_files):
        for name in dict.fromkeys(names):
            if name.replace("_", "-").lower() == PROGRAM:
                continue
            paper = _paper_of(name, method_files)
            if paper is None:
                without.append(Citation((name,), remark=f"{name} has no paper; cite the program."))
            else:
                by_paper.setdefault(paper, []).append(name)
    cited = [
        Citation(tuple(of_paper), citation_key(paper), bibtex(paper))
        for paper, of_paper in by_paper.items()
    ]
    return [*cited, *without]


def _paper_of(name: str, method_files: Sequence[Path]) -> Paper | None:
    from mmea_bench.datasets.core.access.catalogue import dataset_names, open_dataset
    from mmea_bench.datasets.core.errors import UserError, unknown_name
    from mmea_bench.datasets.core.options import parse_address
    from mmea_bench.datasets.core.user_files import user_name
    from mmea_bench.methods.core.catalogue import get_method, method_names

    methods = [*method_names(), *map(user_name, method_files)]
    if name.replace("-", "_") in methods:
        return get_method(name, method_files).paper
    address = parse_address(name)[0].replace("_", "-").lower()
    if address not in dataset_names():
        raise UserError(unknown_name("method or dataset", name, [*methods, *dataset_names()]))
    return open_dataset(name).paper


def _program() -> Citation:
    from mmea_bench.bench.cli.about.bibtex import entry
    from mmea_bench.bench.planning.machine import code_version, library_versions

    version = library_versions()[PROGRAM]
    fields = {
        "author": "{The mmea-bench authors}",
        "title": "{mmea-bench: a benchmark harness for multi-modal entity alignment}",
        "version": version,
        "year": "2026",
        "note": f"Commit {code_version()}",
    }
    return Citation((PROGRAM,), "mmeabench", entry("software", "mmeabench", fields))

"""BibTeX of methods, datasets and the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.about.bibtex import bibtex, citation_key
from mmea_bench.bench.cli.app import app
from mmea_bench.datasets.core.access.catalogue import catalogue_entries as datasets
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.catalogue import catalogue_entries as methods


def cite(*words: str) -> Any:
    return CliRunner().invoke(app, ["cite", *words])


def test_an_entry_by_hand() -> None:
    paper = Paper(
        "García-Durán, O_Brien, et al.", "On R&D: The 100% Graph", "TKDE", 2021, "https://x.org/1"
    )
    assert bibtex(paper) == (
        "@article{garciaduran2021r,\n"
        "  author = {García-Durán and O\\_Brien and others},\n"
        "  title = {{On R\\&D: The 100\\% Graph}},\n"
        "  journal = {TKDE},\n"
        "  year = {2021},\n"
        "  url = {https://x.org/1},\n"
        "}"
    )


def test_the_kind_follows_the_venue() -> None:
    def kind(venue: str) -> str:
        return bibtex(Paper("A", "B", venue, 2020, "https://arxiv.org/abs/2001.00001v2"))

    assert kind("arXiv").startswith("@misc{")
    assert "eprint = {2001.00001v2}" in kind("arXiv")
    assert kind("Neurocomputing").startswith("@article{")
    assert "booktitle = {AAAI}" in kind("AAAI")


def test_methods_datasets_and_the_program() -> None:
    done = cite("kecg", "dbp15k-zh-en", "dbp15k_ja_en", "mmea-bench")
    assert done.exit_code == 0, done.output
    assert re.findall(r"^@\w+\{([^,]+),$", done.stdout, re.MULTILINE) == [
        "li2019semi",
        "sun2017cross",
        "mmeabench",
    ]
    assert "% dbp15k-zh-en, dbp15k_ja_en\n" in done.stdout  # one paper, named once
    assert cite().stdout.startswith("% mmea-bench\n@software{mmeabench,")


def test_what_has_no_paper_is_named_beside() -> None:
    done = cite("random_scores", "synthetic[n=200]", "eva")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "Note: random_scores has no paper; cite the program.",
        "Note: synthetic[n=200] has no paper; cite the program.",
    ]
    assert done.stdout.startswith("% eva\n@inproceedings{")


def test_an_unknown_name_is_a_sentence() -> None:
    for given, meant in (("mclae", "mclea"), ("fb15k-db15", "fb15k-db15k")):
        done = cite(given)
        assert done.exit_code == 2
        assert f"Unknown method or dataset '{given}'. Did you mean '{meant}'?" in done.stderr
        assert done.stdout == ""


def test_json_has_the_same(tmp_path: Path) -> None:
    kecg, program = json.loads(cite("kecg", "--json").stdout)
    assert kecg["names"] == ["kecg"]
    assert kecg["key"] == "li2019semi"
    assert program["bibtex"].startswith("@software{mmeabench")


@pytest.mark.parametrize("kind", ["methods", "datasets"])
def test_every_paper_makes_a_whole_entry_with_a_key_of_its_own(kind: str) -> None:
    if kind == "methods":
        papers = {entry.method_type.paper for entry in methods() if entry.method_type}
    else:
        papers = {entry.dataset_type.paper for entry in datasets() if entry.dataset_type}
    papers.discard(None)
    keys = {}
    for paper in papers:
        assert paper is not None
        text = bibtex(paper)
        assert text.count("{") == text.count("}")
        assert all(f"  {name} = {{" in text for name in ("author", "title", "year", "url"))
        other = keys.setdefault(citation_key(paper), paper)
        # The same paper may stand in two records that differ in the commit only.
        assert other.title == paper.title

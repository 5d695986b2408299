"""The documentation site: generated pages say what the files declare, and every page is found."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from mmea_bench.bench import api
from mmea_bench.datasets.core.access.catalogue import catalogue_entries
from mmea_bench.methods.core.catalogue import built_in_methods, get_method

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The hook of mkdocs, loaded as mkdocs does."""
    spec = importlib.util.spec_from_file_location("site_pages", DOCS / "site" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nav() -> list[object]:
    return list(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def test_every_method_and_dataset_has_a_page(hook: ModuleType) -> None:
    made = hook.pages()
    assert {f"methods/{name}.md" for name in built_in_methods()} <= made.keys()
    assert {f"datasets/{entry.name}.md" for entry in catalogue_entries()} <= made.keys()
    for name in built_in_methods():
        assert f"[{name}]({name}.md)" in made["methods/index.md"]


def test_a_page_of_a_method_says_what_its_file_declares(hook: ModuleType) -> None:
    kind = get_method("mclea")
    page = hook.method_page("mclea", kind)
    assert "| tau1 | 0.1 | " in page
    assert all(f"| {variant} |" in page for variant in kind.variants)
    assert kind.paper is not None
    assert f"[{kind.paper.title}]({kind.paper.url})" in page
    assert "@inproceedings{" in page


def test_a_page_of_a_dataset_has_its_counts_and_options(hook: ModuleType) -> None:
    by_name = {entry.name: entry.dataset_type for entry in catalogue_entries()}
    page = hook.dataset_page("fb15k-db15k", by_name["fb15k-db15k"])
    assert "| FB15K | relation triples | 592,213 |" in page
    assert "| n | 1000 |" in hook.dataset_page("synthetic", by_name["synthetic"])


def test_links_out_of_the_site_become_text(hook: ModuleType) -> None:
    text = "see [security](../SECURITY.md#reports), [this](protocol.md) and [x](https://a.org/../b)"
    assert hook.without_outside_links(text) == (
        "see security (`SECURITY.md`), [this](protocol.md) and [x](https://a.org/../b)"
    )


def test_every_page_of_the_folder_is_in_the_navigation(hook: ModuleType) -> None:
    named = {str(path) for path in hook.page_names(nav())}
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("*.md")}
    assert written <= named
    assert named - written == {"methods/index.md", "datasets/index.md"}


def test_the_reference_has_every_call() -> None:
    listed = set(re.findall(r"^ {8}- (\w+)$", (DOCS / "reference.md").read_text(), re.MULTILINE))
    assert set(api.__all__) - listed <= {"DataError", "MissingDataError"}


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "methods" / "mclea.html").is_file()
    assert "n_candidates" in (tmp_path / "reference.html").read_text()

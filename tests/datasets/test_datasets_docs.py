from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from mmea_bench.datasets.core.access import catalogue
from mmea_bench.datasets.core.access.cache import load_pair
from mmea_bench.datasets.core.errors import MissingDataError, UserError
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.plugins import DATASETS_GROUP, METHODS_GROUP
from tests.datasets.layouts import by_uri, lines

PAGE = Path(__file__).parents[2] / "docs" / "add_a_dataset.md"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with the files of the page, and the page's plugin in the catalogue."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    plugins = tmp_path / "page_plugins"
    plugins.mkdir()
    (plugins / "films.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalogue, "PLUGIN_FOLDER", plugins)
    monkeypatch.setattr(catalogue, "_PACKAGE", "page_plugins")
    importlib.invalidate_caches()
    films = tmp_path / "films"
    lines(films / "source.tsv", ["s/Alien\tby\ts/Scott", "s/Heat\tby\ts/Mann"])
    lines(films / "target.tsv", ["t/Heat\tfrom\tt/1995", "t/Alien\tfrom\tt/1979"])
    lines(films / "links.tsv", ["s/Alien\tt/Alien", "s/Heat\tt/Heat"])
    return tmp_path


def load(address: str, root: Path) -> KGPair:
    return load_pair(catalogue.open_dataset(address, root), root / "cache")


def test_the_example_of_the_page_runs(root: Path) -> None:
    entries = catalogue.catalogue_entries()
    assert [(entry.name, entry.error) for entry in entries] == [("films", None)]
    pair = by_uri(load("films", root))
    assert pair.source.entities.tolist() == ["s/Alien", "s/Heat", "s/Mann", "s/Scott"]
    assert pair.anchor_links.tolist() == [[0, 2], [1, 3]]
    assert pair.simulated == ("image",)
    assert len(load("films[dropped=0.5]", root).target.relation_triples) == 1
    with pytest.raises(UserError, match=r"dropped must be in \[0, 1\), not 2\.0"):
        load("films[dropped=2]", root)
    (root / "films" / "links.tsv").unlink()
    with pytest.raises(MissingDataError, match=r"links\.tsv: the file is missing"):
        load("films", root)


def test_every_layout_file_on_the_page_is_one_that_the_readers_know() -> None:
    page = PAGE.read_text()
    for name in ("ill_ent_ids", "ent_links", "NAME_SameAsLink.txt", "images.npz", "721_5fold/1"):
        assert name in page


def test_the_entry_point_of_the_page_is_in_the_group_that_is_read() -> None:
    for page, group in (("add_a_dataset", DATASETS_GROUP), ("add_a_method", METHODS_GROUP)):
        text = PAGE.with_name(f"{page}.md").read_text()
        blocks = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        tables = [tomllib.loads(block) for block in blocks]
        assert any(group in table["project"]["entry-points"] for table in tables)


def test_the_page_s_file_is_read_by_its_path(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "movies.py"
    own.write_text((tmp_path / "page_plugins" / "films.py").read_text())
    with catalogue.own_dataset_files([own]):
        assert load("movies[dropped=0.5]", root).dataset == "movies[dropped=0.5]"

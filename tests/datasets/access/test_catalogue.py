from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mmea_bench.datasets.core.access import catalogue
from mmea_bench.datasets.core.access.catalogue import (
    catalogue_entries,
    dataset_names,
    open_dataset,
    resolve_data_root,
)
from mmea_bench.datasets.core.access.layouts import FolderDataset
from mmea_bench.datasets.core.access.writers import write_openea_layout
from mmea_bench.datasets.core.errors import DataError, UserError
from mmea_bench.datasets.core.model.statistics import PAIR, STATISTICS
from tests.datasets.layouts import write_eva, write_raw

REAL = ["dbp15k-fr-en", "dbp15k-ja-en", "dbp15k-zh-en", "fb15k-db15k", "fb15k-yago15k"]


def test_the_files_of_the_folder_are_the_catalogue() -> None:
    assert set(dataset_names()) >= {*REAL, "synthetic"}
    assert dataset_names() == sorted(dataset_names())
    assert [entry.name for entry in catalogue_entries()] == dataset_names()
    assert [entry.error for entry in catalogue_entries()] == [None] * len(dataset_names())


@pytest.mark.parametrize("name", dataset_names())
def test_metadata_is_complete(name: str) -> None:
    dataset = open_dataset(name, Path("nowhere"))
    assert dataset.title
    assert len(set(dataset.graph_names)) == 2
    assert dataset.licence
    if name == "synthetic":
        return
    paper = dataset.paper
    assert paper is not None
    assert all((paper.authors, paper.title, paper.venue))
    assert paper.url.startswith("https://")
    assert 2000 < paper.year < 2100


@pytest.mark.parametrize("name", REAL)
def test_the_published_counts_are_complete(name: str) -> None:
    dataset = open_dataset(name)
    per_graph = [statistic for statistic in STATISTICS if statistic != "pairs"]
    wanted = {(graph, statistic) for graph in dataset.graph_names for statistic in per_graph}
    assert set(dataset.expected) == wanted | {(PAIR, "pairs")}
    assert all(count > 0 for count in dataset.expected.values())


def test_published_counts_by_hand() -> None:
    expected = open_dataset("fb15k-db15k").expected
    assert expected["FB15K", "relation_triples"] == 592213
    assert expected["DB15K", "images"] == 12837
    assert expected["", "pairs"] == 12846
    assert open_dataset("dbp15k-fr-en").expected["EN", "attribute_triples"] == 351094


@pytest.mark.parametrize("spelled", ["fb15k-db15k", "fb15k_db15k", "FB15K-DB15K", "FB15K_DB15K"])
def test_hyphens_and_underscores_are_the_same(spelled: str) -> None:
    assert open_dataset(spelled).address == "fb15k-db15k"


def test_options_have_one_spelling() -> None:
    assert open_dataset("synthetic[seed=3, n=200]").address == "synthetic[n=200,seed=3]"
    assert open_dataset("synthetic[]").address == "synthetic"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("fb15k-db16k", "Unknown dataset 'fb15k-db16k'. Did you mean 'fb15k-db15k'?"),
        ("fb15k-db15k[n=3]", "Unknown option of fb15k-db15k 'n'."),
        ("synthetic[n=few]", "'n' must be int"),
        ("synthetic[", "Cannot read the address"),
        ("./no-such-folder", "there is no such folder"),
    ],
)
def test_unknown_addresses_are_explained(address: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        open_dataset(address)
    assert words in str(caught.value)


def test_a_folder_may_hold_brackets_but_not_end_with_one(tmp_path: Path) -> None:
    pair = open_dataset("synthetic[n=100]").read()
    folder = tmp_path / "copies [1]" / "of it"
    write_openea_layout(pair, folder)
    opened = open_dataset(f"{folder}[part=0.5]")
    assert 0 < opened.read().source.n_entities < pair.source.n_entities
    assert open_dataset(opened.address).address == opened.address
    with pytest.raises(UserError, match="reads as one with options"):
        open_dataset(str(folder.parent))


def test_a_folder_has_one_address_that_opens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    spellings = ["mine", "./mine", "mine/", str(tmp_path / "mine"), "../" + tmp_path.name + "/mine"]
    addresses = {open_dataset(spelled).address for spelled in spellings}
    assert addresses == {"./mine"}
    dataset = open_dataset("./mine")
    assert isinstance(dataset, FolderDataset)
    pair = dataset.read()
    assert pair.dataset == "./mine"
    assert (pair.source.name, pair.target.name) == ("FB15K", "DB15K")
    assert "raw MMKG" in dataset.layout().sentences[0]
    monkeypatch.chdir("/")
    assert open_dataset(str(tmp_path / "mine")).address == f".{tmp_path / 'mine'}"


def test_the_address_is_the_path_that_was_given_not_where_a_link_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, store = tmp_path / "here", tmp_path / "store" / "release3"
    here.mkdir()
    write_raw(store)
    (here / "pair").symlink_to(store)
    (here / "data").symlink_to(store.parent)
    monkeypatch.chdir(here)
    assert open_dataset("./pair").address == "./pair"
    assert open_dataset(str(here / "pair")).address == "./pair"
    assert open_dataset("data/release3").address == "./data/release3"
    assert open_dataset("./data/../store/release3").address == store.as_posix()
    assert open_dataset("./pair").read().version == open_dataset(str(store)).read().version
    (tmp_path / "alias").symlink_to(here)
    assert open_dataset(str(tmp_path / "alias" / "pair")).address == "./pair"


def test_a_registered_name_wins_over_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_eva(tmp_path / "fb15k-db15k")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("fb15k-db15k").title == "FB15K-DB15K"
    assert isinstance(open_dataset("./fb15k-db15k"), FolderDataset)


def test_the_data_root() -> None:
    assert resolve_data_root(Path("given"), {"MMEA_DATA": "set"}) == Path("given")
    assert resolve_data_root(None, {"MMEA_DATA": "set"}) == Path("set")
    assert resolve_data_root(None, {"MMEA_DATA": ""}).name == "mmea-bench"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of plugins that stands in for the one of the package."""
    package = tmp_path / "own_plugins"
    package.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalogue, "PLUGIN_FOLDER", package)
    monkeypatch.setattr(catalogue, "_PACKAGE", "own_plugins")
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "own_plugins"]:
        del sys.modules[name]


def test_broken_files_stay_visible(plugins: Path) -> None:
    (plugins / "broken_one.py").write_text("x = 1\nraise RuntimeError('no luck')\n")
    (plugins / "empty_one.py").write_text("")
    (plugins / "_private.py").write_text("raise RuntimeError")
    (plugins / "template_dataset.py").write_text("raise RuntimeError")
    entries = {entry.name: entry for entry in catalogue_entries()}
    assert list(entries) == ["broken-one", "empty-one"]
    assert entries["broken-one"].dataset_type is None
    assert entries["broken-one"].error == "RuntimeError: no luck (broken_one.py, line 2)"
    assert "must define exactly one dataset class, not 0" in str(entries["empty-one"].error)
    with pytest.raises(DataError, match="'broken-one' cannot be imported: RuntimeError: no luck"):
        open_dataset("broken-one")


def test_a_new_file_is_seen_without_any_list(plugins: Path) -> None:
    (plugins / "mine_too.py").write_text(
        "from mmea_bench.datasets.core.access.layouts import FolderDataset\n"
        "class Mine(FolderDataset):\n    title = 'Mine'\n"
    )
    assert open_dataset("mine-too").title == "Mine"

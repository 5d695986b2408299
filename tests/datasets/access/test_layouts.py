from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError, MissingDataError
from tests.datasets.layouts import write_eva, write_openea, write_raw


@pytest.mark.parametrize(
    ("write", "kind", "some_file"),
    [
        (write_raw, "raw MMKG", "DB15K/DB15K_SameAsLink.txt"),
        (write_eva, "DBP15K (EVA, MCLEA, MEAformer)", "ill_ent_ids"),
        (write_openea, "OpenEA", "721_5fold/1/train_links"),
    ],
)
def test_each_layout_is_told_and_what_is_missing_too(
    tmp_path: Path, write, kind: str, some_file: str
) -> None:
    layout = detect(write(tmp_path))
    assert layout.kind == kind
    assert some_file in layout.found
    assert layout.sentences[0].startswith(f"{tmp_path} has the {kind} layout: ")
    assert any("images" in sentence for sentence in layout.missing)
    assert set(layout.files.input_files()) <= set(tmp_path.rglob("*"))


def test_a_folder_without_a_layout_lists_all_three(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "deep").mkdir()
    with pytest.raises(DataError) as caught:
        detect(tmp_path)
    for words in ("deep/, notes.txt", "ill_ent_ids", "ent_links", "NAME_SameAsLink.txt"):
        assert words in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        detect(tmp_path / "no")


def test_three_graphs_are_one_too_many(tmp_path: Path) -> None:
    write_raw(tmp_path)
    (tmp_path / "X").mkdir()
    (tmp_path / "X" / "X_EntityTriples.txt").write_text("a b c .\n")
    with pytest.raises(DataError, match=r"of 3 KGs \(DB15K, FB15K, X\)"):
        detect(tmp_path)


def test_two_graphs_of_one_name_are_refused(tmp_path: Path) -> None:
    write_raw(tmp_path)
    for path in (tmp_path / "FB15K").iterdir():
        path.rename(path.with_name(path.name.replace("FB15K", "DB15K")))
    with pytest.raises(
        DataError, match=r"of 2 KGs \(DB15K, DB15K\).* Keep exactly two .*two names"
    ):
        detect(tmp_path)


def test_raw_files_may_lie_in_one_folder(tmp_path: Path) -> None:
    write_raw(tmp_path / "a")
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (tmp_path / "a").glob("*/*"):
        path.rename(flat / path.name)
    assert detect(flat).files.graph_names == ("FB15K", "DB15K")


@pytest.mark.parametrize("place", ["mmkb", "."])
def test_registered_mmkg_datasets_are_found_in_the_usual_places(tmp_path: Path, place: str) -> None:
    write_raw(tmp_path / place)
    pair = open_dataset("fb15k-db15k", tmp_path).read()
    assert pair.dataset == "fb15k-db15k"
    assert pair.target.relations.tolist() == ["http://o/born", "http://o/near"]


@pytest.mark.parametrize("place", ["FB15K_DB15K", "mmkb/FB15K_DB15K", "mmkb-datasets/FB15K_DB15K"])
def test_converted_mmkg_datasets_are_found(tmp_path: Path, place: str) -> None:
    write_eva(tmp_path / place)
    pair = open_dataset("fb15k-db15k", tmp_path).read()
    assert (pair.source.name, pair.target.name) == ("FB15K", "DB15K")
    assert len(pair.anchor_links) == 3


@pytest.mark.parametrize("place", ["dbp15k/zh_en", "DBP15K/zh_en", "zh_en"])
def test_registered_dbp15k_datasets_are_found(tmp_path: Path, place: str) -> None:
    write_eva(tmp_path / place)
    assert open_dataset("dbp15k-zh-en", tmp_path).read().source.name == "ZH"


@pytest.mark.parametrize("name", ["fb15k-db15k", "dbp15k-fr-en"])
def test_an_absent_dataset_says_where_it_was_sought(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingDataError) as caught:
        open_dataset(name, tmp_path).input_files()
    assert f"data fetch {name}" in str(caught.value)
    assert str(tmp_path / ("mmkb" if "db15k" in name else "dbp15k")) in str(caught.value)


def test_a_second_layout_in_one_folder_is_named(tmp_path: Path) -> None:
    write_openea(write_eva(tmp_path))
    layout = detect(tmp_path)
    assert layout.kind.startswith("DBP15K")
    assert f"{tmp_path} holds the files of the OpenEA layout, too; they are not read." in (
        layout.sentences
    )

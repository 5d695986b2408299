"""Files that the system does not let the program open: one sentence with the file's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mmea_bench.bench.cli.data_status import check_dataset
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers import images
from tests.datasets.layouts import (
    assert_sentence,
    write_eva,
    write_eva_extras,
    write_h5,
    write_openea,
)

Forbid = Callable[[str], None]


def _forbidding(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def opened(path: Any, *given: Any, **options: Any) -> Any:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *given, **options)

    return opened


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Forbid:
    """Makes files of one name impossible to open; rights would not bind the superuser."""

    def of_name(name: str) -> None:
        for place, function in ((Path, "open"), (os, "open")):
            monkeypatch.setattr(place, function, _forbidding(name, getattr(place, function)))

    return of_name


@pytest.mark.parametrize("name", ["ent_ids_1", "ill_ent_ids", "eva_id_img_feature_dict.pkl"])
@pytest.mark.parametrize("is_cached", [True, False])
def test_a_file_that_may_not_be_read_is_a_sentence(
    tmp_path: Path, forbid: Forbid, name: str, is_cached: bool
) -> None:
    folder = write_eva(tmp_path / "eva")
    write_eva_extras(folder)
    forbid(name)
    with pytest.raises(DataError) as caught:
        load_pair(open_dataset(str(folder)), tmp_path / "cache" if is_cached else None)
    assert_sentence(caught.value, folder / name, "cannot be read (Permission denied)")


def test_arrays_that_may_not_be_read_are_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_openea(tmp_path / "openea")
    archive = folder / "images.npz"
    np.savez(archive, entities=np.array(["/m/a"]), features=np.eye(1))
    h5 = write_h5(tmp_path / "x.h5", {"a": [1.0]})

    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("zipfile.ZipFile", refuse)
    with pytest.raises(DataError) as caught:
        detect(folder).files.read("tiny", ("A", "B"))
    assert_sentence(caught.value, archive, "cannot be read (Permission denied)")
    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(DataError) as caught:
        images.read_h5(h5, ["a"])
    assert_sentence(caught.value, h5, "cannot be read (Permission denied)")


def test_a_folder_that_may_not_be_listed_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(str(write_eva(tmp_path / "eva")))

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError) as caught:
        load_pair(dataset, tmp_path / "cache")
    assert_sentence(caught.value, tmp_path / "eva", "cannot be read (Permission denied)")


def test_the_check_of_the_data_calls_it_unreadable_not_missing(
    tmp_path: Path, forbid: Forbid
) -> None:
    folder = write_eva(tmp_path / "eva")
    forbid("triples_1")
    found = check_dataset(str(folder), tmp_path, None)
    assert (found.status, "triples_1: cannot be read" in found.sentence) == ("unreadable", True)

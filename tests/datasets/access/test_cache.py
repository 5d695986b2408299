from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access import cache
from mmea_bench.datasets.core.access.base import NoOptions
from mmea_bench.datasets.core.access.cache import cache_key, dataset_version, load_pair
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.layouts import FolderDataset
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import KGPair
from tests.datasets.layouts import write_eva, write_eva_extras

pytestmark = [
    pytest.mark.filterwarnings("ignore:Exception while loading results"),
    pytest.mark.filterwarnings("ignore:Unable to write"),
]


class Counting(FolderDataset):
    """A folder that counts how often its files are parsed."""

    reads = 0

    def read(self) -> KGPair:
        self.reads += 1
        return super().read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_eva(tmp_path / "data")
    write_eva_extras(folder)
    return folder


def opened(folder: Path) -> Counting:
    return Counting("./data", NoOptions(), folder)


def test_the_second_load_parses_nothing(folder: Path, tmp_path: Path) -> None:
    first, second = opened(folder), opened(folder)
    fresh = load_pair(first, tmp_path / "cache")
    cached = load_pair(second, tmp_path / "cache")
    assert (first.reads, second.reads) == (1, 0)
    assert cached.version == fresh.version == dataset_version(second, tmp_path / "cache")
    assert cached.source.names.tolist() == fresh.source.names.tolist()
    assert cached.notes == fresh.notes
    assert isinstance(cached.features["image"][0].values, np.memmap)
    for array in (cached.source.entities, cached.features["image"][0].values):
        assert not array.flags.writeable


def test_a_name_that_appears_beside_the_files_makes_an_entry_stale(folder: Path) -> None:
    (folder / "splits" / "1").mkdir(parents=True)
    (folder / "splits" / "1" / "train_links").write_text("")
    before = cache_key(opened(folder))
    assert cache_key(opened(folder)) == before
    (folder / "images.bin").touch()
    assert cache_key(opened(folder)) != before


def test_without_a_folder_nothing_is_kept(folder: Path, tmp_path: Path) -> None:
    dataset = opened(folder)
    assert load_pair(dataset, None).version == load_pair(dataset, None).version
    assert dataset.reads == 2
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("change", ["content", "time", "address"])
def test_another_input_is_another_entry(folder: Path, tmp_path: Path, change: str) -> None:
    before = load_pair(opened(folder), tmp_path / "cache")
    dataset = opened(folder)
    path = folder / "ill_ent_ids"
    if change == "content":
        path.write_text(path.read_text() + "2\t12\n")
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        dataset.address = "./other"
    after = load_pair(dataset, tmp_path / "cache")
    assert dataset.reads == 1
    assert len(after.anchor_links) - len(before.anchor_links) == (change == "content")
    assert after.dataset == dataset.address


def test_another_release_with_equal_size_and_time_is_read(folder: Path, tmp_path: Path) -> None:
    path = folder / "ill_ent_ids"
    before = load_pair(opened(folder), tmp_path / "cache")
    facts, rows = path.stat(), path.read_text().splitlines()
    other = "\n".join([rows[0].replace("10", "12"), *rows[1:]]) + "\n"
    path.unlink()
    path.write_text(other)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    after = load_pair(opened(folder), tmp_path / "cache")
    assert after.version == opened(folder).read().version
    assert (after.version != before.version) == (other != "\n".join(rows) + "\n")


@pytest.fixture
def equal_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time of a file's own change is the same, as on a file system that keeps none."""
    plain = Path.stat

    def without_change(path: Path, **options: bool) -> os.stat_result:
        facts = plain(path, **options)
        changed = {"st_ctime_ns": 1, "st_mtime_ns": facts.st_mtime_ns, "st_atime_ns": 1}
        return os.stat_result(tuple(facts), changed)

    monkeypatch.setattr(Path, "stat", without_change)


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Other bytes in place: size, inode and the time of the last write stay."""
    facts = path.stat()
    assert len(old) == len(new)
    with path.open("r+b") as stream:
        content = stream.read()
        assert old in content
        stream.seek(content.index(old))
        stream.write(new)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = path.stat()
    for fact in ("st_size", "st_ino", "st_mtime_ns", "st_ctime_ns"):
        assert getattr(after, fact) == getattr(facts, fact)


@pytest.mark.usefixtures("equal_facts")
def test_other_content_in_place_with_equal_facts_is_read(folder: Path, tmp_path: Path) -> None:
    before = load_pair(opened(folder), tmp_path / "cache")
    rewrite(folder / "ill_ent_ids", b"0\t11", b"2\t12")
    dataset = opened(folder)
    after = load_pair(dataset, tmp_path / "cache")
    assert dataset.reads == 1
    assert after.version == opened(folder).read().version != before.version


@pytest.mark.usefixtures("equal_facts")
@pytest.mark.parametrize(("byte", "is_seen"), [("first", True), ("last", True), ("between", False)])
def test_of_a_large_file_samples_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch, byte: str, is_seen: bool
) -> None:
    for name, value in (("_LARGEST_WHOLE", 999), ("_N_SAMPLES", 3), ("_SAMPLE_BYTES", 10)):
        monkeypatch.setattr(cache, name, value)
    path = folder / "pair_GA_id_img_feature_dict.pkl"
    path.write_bytes(b"a" + b"." * 299 + b"b" + b"." * 698 + b"c")

    class OneFile(Counting):
        def input_files(self) -> tuple[Path, ...]:
            return (path,)

    dataset = OneFile("./data", NoOptions(), folder)
    before = cache_key(dataset)
    old = {"first": b"a", "between": b"b", "last": b"c"}[byte]
    rewrite(path, old, b"x")
    assert (cache_key(dataset) != before) == is_seen


def test_a_file_that_is_gone_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    class Gone(Counting):
        def input_files(self) -> tuple[Path, ...]:
            return (folder / "gone",)

    with pytest.raises(DataError, match=r"gone.*cannot be read"):
        load_pair(Gone("./data", NoOptions(), folder), tmp_path / "cache")


def test_a_dataset_without_files_is_kept_by_its_address(tmp_path: Path) -> None:
    small, large = (open_dataset(f"synthetic[n={n}]", tmp_path) for n in (100, 150))
    assert cache_key(small) != cache_key(large)
    first = load_pair(small, tmp_path / "cache")
    assert load_pair(small, tmp_path / "cache").version == first.version
    assert load_pair(large, tmp_path / "cache").version != first.version


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_corrupt_entry_is_read_again(folder: Path, tmp_path: Path, damage: bytes | None) -> None:
    version = load_pair(opened(folder), tmp_path / "cache").version
    entries = list((tmp_path / "cache").rglob("output.pkl"))
    assert len(entries) == 1
    raw = entries[0].read_bytes()
    entries[0].write_bytes(raw[: len(raw) // 2] if damage is None else damage)
    dataset, later = opened(folder), opened(folder)
    assert load_pair(dataset, tmp_path / "cache").version == version
    assert dataset.reads == 1
    assert load_pair(later, tmp_path / "cache").version == version
    assert later.reads == 0


def test_a_cache_that_cannot_be_written_costs_time_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    assert load_pair(opened(folder), tmp_path / "cache").version


def test_errors_of_the_files_pass_through_and_are_not_kept(folder: Path, tmp_path: Path) -> None:
    path = folder / "ill_ent_ids"
    whole = path.read_text()
    path.write_text(whole + "0\t99\n")
    with pytest.raises(DataError, match="ill_ent_ids, line 4"):
        load_pair(opened(folder), tmp_path / "cache")
    path.write_text(whole)
    assert len(load_pair(opened(folder), tmp_path / "cache").anchor_links) == 3


def _load(folder: str, cache: str) -> str:
    return load_pair(open_dataset(folder), Path(cache)).version


def test_processes_may_load_at_the_same_time(folder: Path, tmp_path: Path) -> None:
    arguments = [(str(folder), str(tmp_path / "cache"))] * 6
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        versions = set(pool.starmap(_load, arguments, chunksize=1))
    assert versions == {open_dataset(str(folder)).read().version}

"""The verbs of ``mmea-bench data`` on tiny datasets."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mmea_bench.bench.cli import data_status
from mmea_bench.bench.cli.data import data_app
from mmea_bench.bench.cli.user_errors import sentences
from mmea_bench.datasets.core.access import catalogue, fetch
from mmea_bench.datasets.core.access.base import NoOptions, PairDataset, RemoteFile
from mmea_bench.datasets.core.access.catalogue import CatalogueEntry
from mmea_bench.datasets.core.errors import DataError, MissingDataError, UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.folds import fold_version
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair

RUNNER = CliRunner()


def tiny_graph(name: str) -> KnowledgeGraph:
    return KnowledgeGraph(
        name,
        text_array(f"{name}{i}" for i in range(3)),
        text_array(["r"]),
        text_array([]),
        np.array([[0, 0, 1], [1, 0, 2]], dtype=np.int32),
        np.zeros((0, 2), dtype=np.int32),
        text_array([]),
        text_array([""] * 3),
    )


class Tiny(PairDataset):
    title = "TINY"
    graph_names = ("A", "B")
    expected: ClassVar[Any] = {
        ("A", "relation_triples"): 4,
        ("A", "attributes"): 9,
        ("", "pairs"): 3,
    }

    def input_files(self) -> tuple[Path, ...]:
        path = self.data_root / self.address / "triples"
        if not path.exists():
            raise MissingDataError(f"{path} is not there. Run `mmea-bench data fetch`.")
        return (path,)

    def read(self) -> KGPair:
        (path,) = self.input_files()
        if path.read_text() == "broken":
            raise DataError.at(path, "cannot be read", "Fetch it again.", line=1)
        mask = np.array([True, True, False])
        images = Features(np.ones((3, 2), dtype=np.float32) * mask[:, None], mask)
        links = np.array([(0, 0), (1, 1), (2, 1)], dtype=np.int32)
        sides = {"image": (images, images)}
        graphs = (tiny_graph("A"), tiny_graph("B"))
        return KGPair(self.address, *graphs, links, sides, simulated=("image",))


class Whole(Tiny):
    title = "WHOLE"
    expected: ClassVar[Any] = {("", "pairs"): 3, ("A", "images"): 2}


class Published(Whole):
    files = (RemoteFile("published/triples", instructions="Open the drive."),)


KINDS = {"tiny": Tiny, "whole": Whole, "gone": Tiny, "bad": Tiny, "published": Published}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("tiny", "whole", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "triples").write_text("broken" if name == "bad" else "fine")
    entries = [CatalogueEntry(name, kind, None) for name, kind in KINDS.items()]
    entries.append(CatalogueEntry("cracked", None, "SyntaxError: line 3"))

    def opened(address: str, data_root: Path) -> PairDataset:
        if address not in KINDS:
            raise UserError(f"Unknown dataset '{address}'.")
        return KINDS[address](address, NoOptions(), data_root)

    def loaded(dataset: PairDataset, cache_dir: Path | None) -> KGPair:
        return dataset.read()

    for module in (data_status, catalogue):
        monkeypatch.setattr(module, "catalogue_entries", lambda: entries)
        monkeypatch.setattr(module, "open_dataset", opened)
        monkeypatch.setattr(module, "load_pair", loaded)
    monkeypatch.setattr(catalogue, "dataset_names", lambda: list(KINDS))
    return tmp_path


def call(*words: str, code: int = 0, typed: str | None = None) -> Any:
    result = RUNNER.invoke(data_app, [*words], input=typed)
    assert result.exit_code == code, result.output
    return result


def test_every_help_ends_with_an_example():
    for verb in ("list", "check", "fetch", "stats"):
        text = call(verb, "--help").stdout
        assert text.strip().splitlines()[-1].strip().startswith(f"Example: mmea-bench data {verb}")
    assert "Example: mmea-bench data" in call("--help").stdout


def test_list_shows_found_missing_and_broken(root: Path):
    rows = json.loads(call("list", "--json", "--data-root", str(root)).stdout)
    status = {row["name"]: row["status"] for row in rows}
    assert status == {
        "tiny": "found",
        "whole": "found",
        "gone": "missing",
        "bad": "found",
        "published": "missing",
        "cracked": "broken",
    }
    where = {row["name"]: row["where"] for row in rows}
    assert where["tiny"] == str(root / "tiny")
    assert "data fetch" in next(row["sentence"] for row in rows if row["name"] == "gone")
    table = call("list", "--data-root", str(root)).stdout
    assert "SyntaxError: line 3" in table


def test_check_names_each_deviation_and_does_not_fail(root: Path):
    text = call("check", "tiny", "--data-root", str(root)).stdout
    assert "tiny: partial copy  version " in text
    assert "A relation triples: 2 of 4 (50.0 %)" in text
    assert "A attributes: not in these files (9 published)" in text
    assert "B: 1 entities stand in several links (not one-to-one)" in text
    assert "SIMULATED image features" in text
    assert "pairs:" not in text


def test_check_as_json(root: Path):
    checks = json.loads(call("check", "tiny", "whole", "--json", "--data-root", str(root)).stdout)
    assert [check["status"] for check in checks] == ["partial copy", "complete"]
    assert checks[0]["deviations"][1] == {
        "graph": "A",
        "statistic": "relation_triples",
        "published": 4,
        "found": 2,
        "difference": -2,
        "kind": "fewer",
        "sentence": "A relation triples: 2 of 4 (50.0 %)",
    }
    assert checks[1]["deviations"] == []
    assert checks[1]["simulated"] == ["image"]
    assert len(checks[0]["version"]) == 12


def test_check_of_all_fails_for_unreadable_but_not_for_missing(root: Path):
    result = call("check", "--data-root", str(root), code=2)
    assert "gone: missing" in result.stdout
    assert "bad: unreadable" in result.stdout
    errors = result.stderr.strip().splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("Error: bad: ")
    assert "cannot be read" in errors[0]
    assert errors[1].startswith("Error: cracked: ")


def test_check_fails_for_a_missing_dataset_that_was_named(root: Path):
    result = call("check", "gone", "--data-root", str(root), code=2)
    assert "is not there" in result.stderr
    call("check", "tiny", "whole", "--data-root", str(root), code=0)


def test_an_unknown_name_is_one_sentence(root: Path):
    result = call("check", "nosuch", "--data-root", str(root), code=2)
    assert result.stderr == "Error: Unknown dataset 'nosuch'.\n"
    assert result.stdout == ""


def test_data_root_comes_from_the_environment_too(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MMEA_DATA", str(root))
    assert "complete" in call("check", "whole").stdout


def test_an_image_index_with_more_lines_than_entities_is_explained(root: Path):
    (root / "whole/B_ImageIndex.txt").write_text("b0\tI1\nb0\tI2\nb1\tI3\n")
    (root / "whole/A_ImageIndex.txt").write_text("a0\tI1\n")
    (check,) = json.loads(call("check", "whole", "--json", "--data-root", str(root)).stdout)
    assert check["notes"] == ["B_ImageIndex.txt lists 3 images of 2 entities."]
    assert check["status"] == "complete"


def test_stats_prints_counts_degrees_and_coverage(root: Path):
    (row,) = json.loads(call("stats", "tiny", "--json", "--data-root", str(root)).stdout)
    assert row["pairs"] == 3
    assert row["is_one_to_one"] is False
    assert row["simulated"] == ["image"]
    side = row["graphs"]["A"]
    assert side["counts"]["relation_triples"] == 2
    assert side["degrees"] == {
        "mean": pytest.approx(4 / 3),
        "median": 1.0,
        "largest": 2,
        "n_isolated": 0,
    }
    assert side["coverage"]["image"] == pytest.approx(2 / 3)
    table = call("stats", "tiny", "whole", "--data-root", str(root)).stdout
    (row_of_a,) = [line for line in table.splitlines() if "1.3" in line and "tiny" in line][:1]
    cells = [cell.strip() for cell in row_of_a.split("│")[1:-2]]
    assert cells == ["tiny", "A", "1.3", "1", "2", "0", "0"]
    assert "image 66.7% SIMULATED" in table


def test_fetch_prints_the_plan_and_asks(root: Path):
    text = call("fetch", "published", "--data-root", str(root), typed="n\n").stdout
    assert "published/triples" in text
    assert "Nothing was downloaded." in text
    plan = json.loads(call("fetch", "published", "--json", "--data-root", str(root)).stdout)["plan"]
    assert [(item["path"], item["is_there"]) for item in plan] == [("published/triples", False)]


def test_fetch_prints_instructions_then_verifies_and_checks(root: Path):
    words = ("fetch", "published", "--yes", "--json", "--data-root", str(root))
    first = json.loads(call(*words).stdout)
    assert first["files"][0]["status"] == "needs_browser"
    assert "Open the drive." in first["files"][0]["sentence"]
    assert first["checks"][0]["status"] == "missing"
    (root / "published").mkdir()
    (root / "published/triples").write_text("fine")
    second = json.loads(call(*words).stdout)
    assert second["files"][0]["sentence"].startswith("present, no published checksum: recorded")
    assert second["checks"][0]["status"] == "complete"
    (root / "published/triples").write_text("other")
    assert "left as it is" in call(*words, code=2).stderr


def test_fetch_reports_a_failed_download(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    file = RemoteFile("published/triples", "http://127.0.0.1:9/triples")  # nothing listens
    monkeypatch.setattr(Published, "files", (file,))
    allowed = functools.partial(fetch.fetch_files, allow_loopback_http=True)
    monkeypatch.setattr(fetch, "fetch_files", allowed)
    result = call("fetch", "published", "--yes", "--data-root", str(root), code=2)
    assert "the connection failed 3 times" in result.stderr


def test_fetch_of_an_unknown_name_is_a_sentence(root: Path):
    result = call("fetch", "publisched", "--yes", "--data-root", str(root), code=2)
    assert "Did you mean 'published'?" in result.stderr


def test_sentences_lets_defects_pass():
    with pytest.raises(ZeroDivisionError), sentences():
        _ = 1 / 0
    with pytest.raises(typer.Exit) as caught, sentences():
        raise UserError("Mend this.")
    assert caught.value.exit_code == 2


def test_convert_writes_a_layout_and_says_whether_the_copy_is_the_same(tmp_path: Path):
    def convert(address: str, layout: str, out: str) -> Any:
        options = ["--layout", layout, "--out", str(tmp_path / out)]
        return RUNNER.invoke(data_app, ["convert", address, *options], env={"COLUMNS": "500"})

    first = convert("synthetic[n=100]", "openea", "a")
    assert (first.exit_code, "version" in first.stdout) == (0, True)
    second = convert(str(tmp_path / "a"), "openea", "b")
    assert f"the same content as {tmp_path / 'a'}" in second.stdout
    assert "is there already" in convert("synthetic[n=100]", "openea", "b").stderr
    assert "Did you mean 'openea'" in convert("synthetic[n=100]", "openeaa", "c").stderr


def with_split(folder: Path, *, has_valid: bool = False) -> Path:
    """A generated dataset in the OpenEA layout, with one published split."""
    data_status.convert("synthetic[n=100]", "openea", folder, folder, None)
    links = (folder / "ent_links").read_text().splitlines(keepends=True)
    n_valid = 10 if has_valid else 0
    parts = {"train": links[:20], "valid": links[20 : 20 + n_valid], "test": links[20 + n_valid :]}
    (folder / "splits" / "1").mkdir(parents=True)
    for part, own in parts.items():
        (folder / "splits" / "1" / f"{part}_links").write_text("".join(own))
    return folder


@pytest.mark.parametrize("layout", ["openea", "dbp15k"])
def test_convert_takes_a_published_split_along(tmp_path: Path, layout: str):
    first = with_split(tmp_path / "first")
    said = data_status.convert(str(first), layout, tmp_path / "copy", tmp_path, None)
    ((one,), (other,)) = (
        catalogue.open_dataset(str(tmp_path / name)).read().folds for name in ("first", "copy")
    )
    assert fold_version(one) == fold_version(other)
    assert "lost" not in said


@pytest.mark.parametrize("layout", ["mmkg", "dbp15k"])
def test_convert_says_that_a_layout_has_no_place_for_a_published_split(tmp_path: Path, layout: str):
    """The versions of both may well be equal: they say nothing of splits."""
    first = with_split(tmp_path / "first", has_valid=True)
    said = data_status.convert(str(first), layout, tmp_path / "copy", tmp_path, None)
    assert f"Published splits of {first} are lost (splits/1): the layout has no place for" in said
    assert "the same content" not in said
    assert (f"copy: the graphs and links of {first}, version" in said) is (layout == "mmkg")


def test_a_copy_that_its_reader_refuses_leaves_nothing(tmp_path: Path):
    """Without relation triples no entity is left for the links to name."""
    folder = tmp_path / "first"
    data_status.convert("synthetic[n=100]", "dbp15k", folder, tmp_path, None)
    for side in "12":
        rows = (folder / f"triples_{side}").read_text().splitlines(keepends=True)
        (folder / f"triples_{side}").write_text(rows[0])
    with pytest.raises(UserError, match=r"does not fit the layout openea: .*/copy/ent_links"):
        data_status.convert(str(folder), "openea", tmp_path / "copy", tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_convert_writes_the_address_as_it_was_given(tmp_path: Path):
    options = ["convert", "synthetic[n=100]", "--layout", "openea", "--out", str(tmp_path / "a")]
    assert "where synthetic[n=100] has" in RUNNER.invoke(data_app, options).stdout

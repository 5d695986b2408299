"""A dataset in a file of the user's own: known by its name, read anew when its code changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmea_bench.bench import api
from mmea_bench.bench.cli.app import app
from mmea_bench.datasets.core.access.cache import cache_key
from mmea_bench.datasets.core.access.catalogue import (
    catalogue_entries,
    dataset_names,
    open_dataset,
    own_dataset_files,
)
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.user_files import load_user_file

SMALL_WORLD = '''"""A generated pair under a name of its own."""
from dataclasses import dataclass
from mmea_bench.datasets.api import PairDataset
from mmea_bench.datasets.core.synthesis.generate import generate_pair
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions

@dataclass(frozen=True)
class Options:
    seed: int = 5

class SmallWorld(PairDataset):
    title = "Small World"
    graph_names = ("A", "B")
    licence = "CC0"
    Options = Options

    def input_files(self):
        return ()

    def read(self):
        return generate_pair(self.address, SyntheticOptions(n=100, seed=self.options.seed))
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``small_world.py`` in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMEA_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small_world.py"
    path.write_text(SMALL_WORLD)
    return path


def test_the_name_is_known_inside_the_block_only(file: Path) -> None:
    with own_dataset_files([file]):
        assert "small-world" in dataset_names()
        assert open_dataset("small_world[seed=7]").address == "small-world[seed=7]"
    assert "small-world" not in dataset_names()
    with pytest.raises(UserError, match="Unknown dataset 'small-world'"):
        open_dataset("small-world")


def test_a_broken_file_stays_in_the_list_with_its_line(file: Path) -> None:
    file.write_text("import numpy\nprint(1 / 0)\n")
    with own_dataset_files([file]):
        (entry,) = [each for each in catalogue_entries() if each.name == "small-world"]
        assert entry.error is not None
        assert "line 2: ZeroDivisionError" in entry.error
        assert [each.name for each in catalogue_entries() if each.error] == ["small-world"]


@pytest.mark.parametrize(
    ("line", "broken", "words"),
    [
        ("return generate_pair", "raise ValueError('boom') #", "line 21: ValueError: boom"),
        ("return generate_pair", "raise SystemExit(3) #", "line 21: SystemExit: 3"),
        ("return generate_pair", "pair = generate_pair", "read returns NoneType, not a KGPair"),
        ("return ()", "return ('films.csv',)", "input_files gives something that is no Path"),
    ],
)
def test_a_mistake_of_a_dataset_is_a_sentence_and_the_others_run(
    file: Path, line: str, broken: str, words: str
) -> None:
    file.write_text(SMALL_WORLD.replace(line, broken))
    asked = {"dataset_files": [file], "out": file.parent / "out", "repeats": 1, "device": "cpu"}
    result = api.run("random_scores", ["small-world", "synthetic[n=100]"], **asked)  # type: ignore[arg-type]
    cells = result.cells.set_index("dataset")
    assert cells.loc["synthetic[n=100]", "status"] == "ok"
    assert words in str(cells.loc["small-world", "reason"])


def test_a_dataset_that_cannot_be_made_is_a_sentence(file: Path) -> None:
    file.write_text(SMALL_WORLD.replace('    licence = "CC0"', "    def __init__(self): ..."))
    with own_dataset_files([file]), pytest.raises(UserError, match=r"cannot be opened: small_wo"):
        open_dataset("small-world")


def test_what_a_dataset_prints_is_no_part_of_json(file: Path) -> None:
    reads = SMALL_WORLD.replace("return gen", "print('reading')\n        return gen")
    file.write_text(f"print('loading')\n{reads}")
    words = ["plan", "--dataset-file", str(file), "--methods", "random_scores", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["cells"]
    assert "loading" in done.stderr


def test_two_classes_are_one_too_many(file: Path) -> None:
    file.write_text(SMALL_WORLD + "\nclass Other(SmallWorld): ...\n")
    with own_dataset_files([file]), pytest.raises(UserError, match="exactly one subclass"):
        open_dataset("small-world")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("synthetic.py", "gives the name 'synthetic', which is that of another dataset"),
        ("DBP15K-zh_en.py", "gives the name 'dbp15k-zh-en', which is that of another dataset"),
        ("films.txt", "is no Python file"),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / name).write_text(SMALL_WORLD)
    with pytest.raises(UserError, match=sentence), own_dataset_files([tmp_path / name]):
        pass


def test_what_does_not_exist_and_what_is_there_twice(tmp_path: Path, file: Path) -> None:
    with pytest.raises(UserError, match="does not exist"), own_dataset_files([tmp_path / "x.py"]):
        pass
    other = tmp_path / "copy" / "small-world.py"
    other.parent.mkdir()
    other.write_text(SMALL_WORLD)
    with pytest.raises(UserError, match="gives too"), own_dataset_files([file, other]):
        pass


def test_the_cache_follows_the_file_and_what_it_imports_beside_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    helper = file.parent / "small_world_helper.py"
    helper.write_text("SEED = 1\n")
    file.write_text("import small_world_helper\n" + SMALL_WORLD)

    def key() -> str:
        with own_dataset_files([file]):
            return cache_key(open_dataset("small-world"))

    keys = [key(), key()]
    helper.write_text("SEED = 2\n")
    keys.append(key())
    file.write_text(file.read_text() + "# another remark\n")
    keys.append(key())
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_the_verbs_know_the_file(file: Path) -> None:
    option = ["--dataset-file", str(file)]
    listed = CliRunner().invoke(app, ["list", "datasets", "--json", *option])
    assert {"dataset": "small-world", "title": "Small World", "problem": ""} in json.loads(
        listed.stdout
    )
    places = CliRunner().invoke(app, ["data", "list", "--json", *option])
    assert [row["status"] for row in json.loads(places.stdout) if row["name"] == "small-world"] == [
        "generated"
    ]
    for verb in ("check", "stats"):
        done = CliRunner().invoke(app, ["data", verb, "small-world", *option])
        assert done.exit_code == 0, done.output
        assert "small-world" in done.output
    refused = CliRunner().invoke(app, ["data", "list", "--dataset-file", "nothing.py"])
    assert refused.exit_code == 2
    assert refused.stderr == "Error: Dataset file nothing.py does not exist.\n"


def test_cells_in_processes_of_their_own_read_it(file: Path) -> None:
    """Named alone, its dataset runs; named with an option by the call, that one."""
    words = ["run", "--methods", "random_scores", "--seed-ratios", "0.3", "--repeats", "1"]
    out = ["--out", "out", "--json", "--device", "cpu"]
    done = CliRunner().invoke(app, [*words, *out, "--dataset-file", str(file)])
    assert done.exit_code == 0, done.output
    found = api.run(
        "random_scores", "small_world[seed=6]", dataset_files=file, repeats=1, out="other"
    )
    assert found.problems == []
    assert found.cells["dataset"].tolist() == ["small-world[seed=6]"]
    assert len(api.load_dataset(file).anchor_links) > 0


def test_an_edit_that_changes_the_content_is_a_new_cell(file: Path) -> None:
    def plan() -> tuple[str, ...]:
        asked = {"methods": ("random_scores",), "seed_ratios": (0.3,), "repeats": 1}
        request = api.Request(**asked, dataset_files=(file,), out=Path("out"))  # type: ignore[arg-type]
        return tuple(key for key, _cell in api.plan_request(request).plan.cells)

    keys = [plan()]
    file.write_text(SMALL_WORLD + "# a remark\n")
    keys.append(plan())
    file.write_text(SMALL_WORLD.replace("seed: int = 5", "seed: int = 8"))
    os.utime(file)
    keys.append(plan())
    assert keys[0] == keys[1] != keys[2]


def test_a_record_is_repeated_with_the_file_beside_it(file: Path) -> None:
    found = api.run("random_scores", file, repeats=1, out="out", device="cpu")
    record = next((found.folder / "cells").glob("*.json"))
    out = ["--no-report", "--out", "again", "--device", "cpu"]
    words = ["run", "--from-record", str(record), *out]
    again = CliRunner().invoke(app, [*words, "--dataset-file", str(file)])
    assert again.exit_code == 0, again.output
    assert "numbers are those of the record" in again.stderr
    without = CliRunner().invoke(app, words)
    assert without.exit_code == 2
    assert "Unknown dataset 'small-world'" in without.stderr


def test_a_file_that_ends_the_program_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(UserError, match="cannot be imported: line 2: SystemExit: 3"):
        load_user_file(tmp_path / "leaves.py", "leaving", "The")

"""Methods and datasets of installed packages, found by entry points; a made-up package each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmea_bench.bench import api
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.planning.keys import hash_files
from mmea_bench.datasets.core.access.cache import cache_key
from mmea_bench.datasets.core.access.catalogue import catalogue_entries, open_dataset
from mmea_bench.datasets.core.errors import DataError, UserError
from mmea_bench.methods.core.catalogue import (
    built_in_methods,
    get_method,
    method_names,
    method_sources,
)
from mmea_bench.methods.core.catalogue import catalogue_entries as method_entries
from tests.cases.small_methods import random_method
from tests.datasets.access.test_own_files import SMALL_WORLD

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with entry points on the path, as an installer would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMEA_CACHE", str(tmp_path / "cache"))

    def put(package: str, points: str, **files: str) -> Path:
        site = tmp_path / f"site_{package}"
        (site / package).mkdir(parents=True)
        for name, text in {"__init__": "", **files}.items():
            (site / package / f"{name}.py").write_text(text)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(site))
        return site / package

    return put


def test_a_method_of_a_package_runs_like_any_other(install: Install) -> None:
    points = "[mmea_bench.methods]\nlucky-guess = lucky_a.mine\n"
    install("lucky_a", points, mine=random_method())
    assert "lucky_guess" in method_names()
    assert "lucky_guess" not in built_in_methods()
    found = api.run("lucky-guess", "synthetic[n=100]", repeats=1, out="out", device="cpu")
    assert found.problems == []
    assert found.cells["method"].tolist() == ["lucky_guess"]


def test_a_class_may_be_named(install: Install) -> None:
    two = random_method() + "\nclass Other(Fake):\n    pass\n"
    install("lucky_b", "[mmea_bench.methods]\ntwice = lucky_b.mine:Other\n", mine=two)
    assert get_method("twice").__name__ == "Other"


def test_the_key_follows_the_files_of_the_package_and_no_others(install: Install) -> None:
    text = "import numpy\nfrom lucky_c.parts import SIZE\nfrom . import more\n" + random_method()
    points = "[mmea_bench.methods]\nparted = lucky_c.mine\n"
    folder = install("lucky_c", points, mine=text, parts="SIZE = 4\n", more="", aside="")
    sources = method_sources("parted")
    own = {path.name for path in sources if folder in path.parents}
    assert own == {"__init__.py", "mine.py", "parts.py", "more.py"}
    assert not [path for path in sources if "numpy" in path.parts]
    assert any(path.as_posix().endswith("methods/core/base.py") for path in sources)
    before = hash_files(sources)
    (folder / "parts.py").write_text("SIZE = 5\n")
    assert hash_files(method_sources("parted")) != before


def test_a_dataset_of_a_package_is_known(install: Install) -> None:
    points = "[mmea_bench.datasets]\nsmall-world = lucky_d.world\n"
    folder = install("lucky_d", points, world=SMALL_WORLD)
    dataset = open_dataset("small_world[seed=7]")
    assert dataset.address == "small-world[seed=7]"
    before = cache_key(dataset)
    (folder / "world.py").write_text(SMALL_WORLD + "# changed\n")
    assert cache_key(dataset) != before
    found = api.run("random_scores", "small-world", repeats=1, out="out", device="cpu")
    assert found.problems == []


BROKEN = """[mmea_bench.methods]
crashing = lucky_e.crashing
leaving = lucky_e.leaving
absent = lucky_e.no_such_module
empty = lucky_e
wrong_class = lucky_e.crashed:int
transe = lucky_e.mine
9lives = lucky_e.mine

[mmea_bench.datasets]
crashing-data = lucky_e.crashing
synthetic = lucky_e.mine
"""


@pytest.fixture
def broken(install: Install) -> None:
    """A package of which nothing can be used."""
    install("lucky_e", BROKEN, crashing="1 / 0", leaving="raise SystemExit(3)", mine="", crashed="")


def test_broken_plugins_stay_in_the_list_with_a_reason(broken: None) -> None:
    reasons = {entry.name: entry.error for entry in method_entries() if entry.error}
    assert {name: reason.rpartition(": ")[2] for name, reason in reasons.items()} == {
        "crashing": "division by zero",
        "leaving": "3",
        "absent": "No module named 'lucky_e.no_such_module'",
        "empty": "none.",
        "wrong_class": "The method 'wrong_class' of the package lucky_e names lucky_e.crashed:int, "
        "which is no subclass of Method.",
        "transe (lucky_e)": "the package lucky_e offers 'transe', which is a name of the "
        "program's own; the package has to rename it.",
        "9lives": "the package lucky_e offers '9lives'; a name is letters, digits, _.",
    }
    (*_, data) = [entry for entry in catalogue_entries() if entry.error]
    assert data.name == "synthetic (lucky-e)"
    assert get_method("transe").__module__ == "mmea_bench.methods.transe"
    assert open_dataset("synthetic").title == "Synthetic"


def test_a_broken_plugin_that_is_asked_for_is_a_sentence(broken: None) -> None:
    with pytest.raises(UserError, match=r"'crashing' of the package lucky_e cannot be imported"):
        get_method("crashing")
    with pytest.raises(DataError, match=r"'crashing-data' cannot be imported"):
        open_dataset("crashing-data")


def test_broken_plugins_stop_no_command(broken: None) -> None:
    listed = CliRunner().invoke(app, ["list", "methods", "--json"])
    assert listed.exit_code == 0, listed.output
    rows = {row["method"]: row["problem"] for row in json.loads(listed.stdout)}
    assert "division by zero" in rows["crashing"]
    assert rows["mclea"] == ""
    plan = ["plan", "--methods", "all", "--datasets", "synthetic[n=100]", "--seed-ratios", "0.3"]
    planned = CliRunner().invoke(app, [*plan, "--json"])
    assert planned.exit_code == 0, planned.output
    assert any("division by zero" in text for text in json.loads(planned.stdout)["left_out"])
    data = CliRunner().invoke(app, ["data", "list", "--json"])
    assert data.exit_code == 0, data.output
    status = {row["name"]: row["status"] for row in json.loads(data.stdout)}
    assert status["crashing-data"] == status["synthetic (lucky-e)"] == "broken"
    assert status["synthetic"] == "generated"


def test_two_packages_with_one_name_are_both_refused(install: Install) -> None:
    for package in ("lucky_f", "lucky_g"):
        install(package, f"[mmea_bench.methods]\nshared = {package}.mine\n", mine=random_method())
    with pytest.raises(UserError, match="lucky_f and lucky_g both offer 'shared'; remove one"):
        get_method("shared")

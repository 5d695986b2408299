"""``tune``: a small tuning from the command line to its suites, and requests that cannot be met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app

pytest.importorskip("optuna")
DATASET = "synthetic[n=100]"


def tune(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tune", *(str(argument) for argument in arguments)])


def test_a_tuning_gives_a_table_suites_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("seu", "--dataset", DATASET, "--csls", 0, "--out", out, "--cache-dir", tmp_path / "c")
    done = tune(*asked, "--trials", 2)
    assert done.exit_code == 0, done.output
    assert "seu on synthetic[n=100], trial 1/2: " in done.stderr
    assert "test links were not scored" in done.stdout
    assert f"mmea-bench run --suite {out}/tuned_synthetic-n-100.toml" in done.stdout
    again = json.loads(tune(*asked, "--trials", 3, "--json").stdout)
    (method,) = again["methods"]
    assert [trial["number"] for trial in method["trials"]] == [1, 2, 3]
    assert method["tuned"] >= method["default"] > 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("default_synthetic-n-100.toml", "trials", "tuned_synthetic-n-100.toml"),
        *("tuning.journal", "tuning.json"),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("seu", "--dataset", DATASET), "--trials N, or --minutes M"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--minutes", 1), "--trials N, or --minutes"),
        (("seu", "--dataset", DATASET, "--minutes", "nan"), "--minutes must be above 0"),
        (("seu", "--dataset", DATASET, "--minutes", "-1"), "--minutes must be above 0"),
        (("seu", "--dataset", DATASET, "--minutes", ".01"), "less than the 1 s that a trial needs"),
        (("seo", "--dataset", DATASET, "--trials", 1), "Did you mean 'seu'?"),
        (("seu", "--dataset", "dbp", "--trials", 1), "dbp"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--metric", "f1"), "--metric takes mrr"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--device", "tpu"), "--device takes auto"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--variant", "none"), "none"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--seed-ratio", 2), "`seed_ratios`"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--timeout", -1), "`timeout_s`"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--set", "depth"), "--set takes"),
        (("seu", "--dataset", DATASET, "--trials", 1, "--set", "seu.depth=x"), "depth"),
        (("random_scores", "--dataset", DATASET, "--trials", 1), "There is nothing to tune"),
        (("crossea", "--dataset", "synthetic-nmmkg[n=300]", "--trials", 1), "is not tuned"),
        (("seu", "--dataset", f"{DATASET[:-1]},name=false]", "--trials", 1), "name"),
    ],
)
def test_what_cannot_be_tuned_is_a_sentence(
    tmp_path: Path, arguments: tuple[object, ...], sentence: str
) -> None:
    done = tune(*arguments, "--out", tmp_path / "out", "--cache-dir", tmp_path / "c")
    assert done.exit_code == 2, done.output
    assert sentence in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_broken_journal_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tuning.journal").write_text("nothing\nto read\n")
    done = tune("seu", "--dataset", DATASET, "--trials", 1, "--out", tmp_path)
    assert done.exit_code == 2
    assert "is no journal of a tuning" in done.stderr


def test_what_is_said_next_serves_every_dataset_with_its_data(tmp_path: Path) -> None:
    out, data = tmp_path / "out", tmp_path / "data"
    places = ("--out", out, "--cache-dir", tmp_path / "c", "--data-root", data)
    datasets = ("--dataset", "synthetic[n=100]", "--dataset", "synthetic[n=120]")
    done = tune("seu", *datasets, "--csls", 0, "--trials", 1, *places)
    assert done.exit_code == 0, done.output
    assert "Tuning 1 method on 2 datasets with 1 trials each" in done.stderr
    for n in (100, 120):
        tuned, default = (f"{out}/{kind}_synthetic-n-{n}" for kind in ("tuned", "default"))
        assert f"run --suite {tuned}.toml --out {tuned} --data-root {data}\n" in done.stdout
        assert f"mmea-bench compare {default} {tuned}\n" in done.stdout

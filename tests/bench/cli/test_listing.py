"""What there is to run, and what can be set."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.methods.core.catalogue import get_method, method_names


def listed(*words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["list", *words, "--json"])
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout))


def test_parameters_have_default_source_sweep_and_published_settings() -> None:
    rows = {row["parameter"]: row for row in listed("parameters", "meaformer")}
    pattern, published = next(iter(get_method("meaformer").published_settings.items()))
    name, value = next(iter(published.items()))
    assert f"{pattern}: {value}" in rows[name]["published settings"]
    tau = {row["parameter"]: row for row in listed("parameters", "mclea")}["tau1"]
    assert tau["default"] == "0.1"
    assert "paper, script" in tau["meaning and source"]


def shown(*words: str) -> Any:
    done = CliRunner().invoke(app, ["list", "method", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_method_is_shown_with_paper_code_reading_and_forms() -> None:
    facts = shown("mclea")
    assert facts["code"] == get_method("mclea").paper.code_url  # type: ignore[union-attr]
    assert facts["reading"].startswith("MCLEA: ")
    assert facts["variants"]["w/o iter. strategy"] == "iterative=False"
    assert "full" in facts["learns_pseudo_labels"]
    assert "w/o iter. strategy" not in facts["learns_pseudo_labels"]


@pytest.mark.parametrize("method", method_names())
def test_every_method_is_shown(method: str) -> None:
    assert shown(method)["name"] == method


def test_a_method_of_ones_own_is_shown_by_its_file(make_method: Any) -> None:
    path = str(make_method("mine", variants={"w/o image": {"use_image": False}}))
    assert list(shown(path)["variants"]) == ["full", "w/o image"]


def test_a_method_shown_as_a_table_names_each_variant_in_a_line() -> None:
    done = CliRunner().invoke(app, ["list", "method", "seu"])
    assert done.exit_code == 0, done.output
    assert "variant: full" in done.stdout


@pytest.mark.parametrize("method", method_names())
def test_every_parameter_of_every_method_is_listed(method: str) -> None:
    fields = [field.name for field in dataclasses.fields(get_method(method).Params)]
    assert [row["parameter"] for row in listed("parameters", method)] == fields


def test_methods_and_variants_know_the_users_file(make_method: Any) -> None:
    path = Path(make_method("mine", variants={"w/o image": {"use_image": False}}))
    files = ["--method-file", str(path)]
    assert "mine" in [row["method"] for row in listed("methods", *files)]
    assert "w/o image" in [row["variant"] for row in listed("variants", *files)]
    assert [row["variant"] for row in listed("variants", "--methods", "mine", *files)] == [
        "full",
        "w/o image",
    ]
    assert listed("parameters", str(path))[0]["parameter"] == "epochs"


def test_every_report_says_what_it_shows() -> None:
    assert all(len(row["shows"].split()) > 4 for row in listed("reports"))


def test_the_page_on_suites_has_every_key_as_the_dataclass_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "suites.md").read_text(encoding="utf-8")
    found = [line for line in page.splitlines() if line.startswith("| `")]
    expected = [
        f"| `{row['key']}` | {row['form']} | {row['default']} | {row['meaning']} |"
        for row in listed("suite-keys")
        if not row["key"].startswith("protocol.")
    ]
    assert found == expected


def test_settings_of_the_protocol_are_listed_as_a_suite_file_writes_them() -> None:
    rows = {row["key"]: (row["form"], row["default"]) for row in listed("suite-keys")}
    assert rows["protocol.name"] == ('"strict" or "paper"', '"strict"')
    assert rows["protocol.csls"] == ("list of whole numbers", "[0, 3]")
    assert rows["protocol.ranking"] == ("text", '"exact"')
    assert rows["protocol.valid_share"] == ("number", "0.1")

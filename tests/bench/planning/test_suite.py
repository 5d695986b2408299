"""Suites: every problem is found at once, and a suite expands to exactly its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.suite import Suite
from mmea_bench.bench.planning.suite_files import read_suite_table, suite_names
from mmea_bench.datasets.core.errors import UserError

DATASETS = ["synthetic[n=100]", "synthetic[n=120]"]


@pytest.fixture
def load(tmp_path: Path, make_method: Any) -> Any:
    files = (make_method("alpha"), make_method("beta", variants={"w/o text": {"size": 2}}))

    def call(toml: str, changes: dict[str, object] | None = None) -> Suite:
        path = tmp_path / "mine.toml"
        path.write_text(toml, encoding="utf-8")
        return load_suite(str(path), changes, tmp_path, files)

    return call


def toml(*lines: str, methods: str = '["alpha", "beta"]', datasets: str = str(DATASETS)) -> str:
    return "\n".join([f"methods = {methods}", f"datasets = {datasets}", *lines])


def test_a_suite_expands_to_every_combination_once(load: Any) -> None:
    cells = expand(load(toml("seed_ratios = [0.2, 0.5]", "repeats = 3", 'variants = ["all"]')))
    # 2 methods with 2 variants each, 2 datasets, 2 ratios, 3 repeats.
    assert len(cells) == 4 * 2 * 2 * 3
    assert len(set(cells)) == len(cells)
    assert {cell.dataset for cell in cells} == set(DATASETS)
    assert [cell.repeat for cell in cells] == sorted(cell.repeat for cell in cells)


def test_equal_suites_expand_in_equal_order(load: Any) -> None:
    text = toml("repeats = 2", 'variants = ["all"]', "[grid.alpha]", "tau = [0.3, 0.1]")
    assert expand(load(text)) == expand(load(text))


def test_names_given_twice_or_in_another_spelling_count_once(load: Any) -> None:
    text = toml(methods='["alpha", "alpha"]', datasets='["synthetic[n=100]", "synthetic[ n=100 ]"]')
    # `beta` is there because its file is named.
    assert {cell.method for cell in expand(load(text))} == {"alpha", "beta"}
    assert {cell.dataset for cell in expand(load(text))} == {"synthetic[n=100]"}


def test_a_grid_runs_in_all_combinations(load: Any) -> None:
    text = toml(
        "repeats = 1",
        "[grid.alpha]",
        "tau = [0.1, 1]",
        "size = [2, 4, 8]",
        datasets='["synthetic"]',
    )
    overrides = [cell.overrides for cell in expand(load(text)) if cell.method == "alpha"]
    assert len(overrides) == 6
    assert (("size", 2), ("tau", 1.0)) in overrides


def test_a_grid_can_vary_one_parameter_at_a_time(load: Any) -> None:
    text = toml(
        "repeats = 1",
        'grid_mode = "one at a time"',
        "[grid.alpha]",
        "tau = [0.1, 1]",
        "size = [2, 4, 8]",
        datasets='["synthetic"]',
    )
    cells = [cell for cell in expand(load(text)) if cell.method == "alpha"]
    assert [dict(cell.overrides) for cell in cells] == [
        {"tau": 0.1},
        {"tau": 1.0},
        {"size": 2},
        {"size": 4},
        {"size": 8},
    ]


def test_a_published_grid_is_the_one_of_the_method(load: Any) -> None:
    cells = expand(load(toml("repeats = 1", 'grid = "published"', datasets='["synthetic"]')))
    assert [dict(cell.overrides)["tau"] for cell in cells if cell.method == "alpha"] == [
        0.1,
        0.2,
        0.4,
    ]


def test_a_variant_exists_only_for_methods_that_have_it(load: Any) -> None:
    suite = load(toml('variants = ["full", "w/o text"]'))
    assert suite.variants == {"alpha": ("full",), "beta": ("full", "w/o text")}


def test_variants_can_be_chosen_by_method(load: Any) -> None:
    suite = load(toml("[variants]", 'alpha = ["w/o image"]'))
    assert suite.variants == {"alpha": ("w/o image",), "beta": ("full",)}


@pytest.mark.parametrize(
    "lines",
    [("[set]", '"alpha.epochs" = 7'), ("[set]", "alpha.epochs = 7"), ("[set.alpha]", "epochs = 7")],
)
def test_parameters_are_set_in_any_form_of_toml(load: Any, lines: tuple[str, ...]) -> None:
    suite = load(toml(*lines))
    assert suite.overrides["alpha"] == {"epochs": 7}
    assert suite.overrides["beta"] == {}


@pytest.mark.parametrize(
    "lines", [("[grid.alpha]", "tau = [0.1, 1]"), ("[grid]", '"alpha.tau" = [0.1, 1]')]
)
def test_a_grid_is_given_in_any_form_of_toml(load: Any, lines: tuple[str, ...]) -> None:
    assert load(toml(*lines)).grid["alpha"] == {"tau": (0.1, 1.0)}


@pytest.mark.parametrize(
    "lines",
    [
        ("[set.mclea]", "epochs = 1"),
        ("[grid.mclea]", "tau1 = [1]"),
        ("[variants]", 'mclea = "all"'),
    ],
)
def test_a_section_about_a_method_that_is_not_listed_is_no_wish_to_pass_over(
    load: Any, lines: tuple[str, ...]
) -> None:
    with pytest.raises(UserError, match="section for mclea, which `methods` does not list"):
        load(toml(*lines))
    assert load(toml(*lines), {"methods": "alpha"}).methods == ("alpha",)


def test_a_star_sets_every_method_and_a_name_wins_over_it(load: Any) -> None:
    suite = load(toml("[set]", '"*.epochs" = 7', '"beta.epochs" = 9'))
    assert suite.overrides == {"alpha": {"epochs": 7}, "beta": {"epochs": 9}}


def test_test_parameters_stand_below_set(load: Any) -> None:
    suite = load(toml("use_test_params = true", "[set]", '"beta.epochs" = 9'))
    assert suite.overrides == {"alpha": {"epochs": 1}, "beta": {"epochs": 9}}


def test_the_command_line_wins_over_the_file(load: Any) -> None:
    text = toml("repeats = 3", "[protocol]", "patience = 2", "[set]", '"alpha.epochs" = 7')
    changes: dict[str, object] = {
        "methods": ["alpha"],
        "repeats": 1,
        "protocol": "paper",
        "set": {"*.epochs": 2},
        "seed_ratios": [0.5],
    }
    suite = load(text, changes)
    assert suite.methods == ("alpha",)
    assert suite.repeats == 1
    assert suite.seed_ratios == (0.5,)
    assert (suite.protocol.name, suite.protocol.patience) == ("paper", 2)
    assert suite.overrides == {"alpha": {"epochs": 2}}


def test_a_parameter_of_the_command_line_leaves_the_grid(load: Any) -> None:
    text = toml("repeats = 1", "[grid.alpha]", "tau = [0.1, 0.2]", datasets='["synthetic"]')
    cells = expand(load(text, {"methods": ["alpha"], "set": {"alpha.tau": 0.7}}))
    assert [cell.overrides for cell in cells] == [(("tau", 0.7),)]


def test_methods_of_files_join_a_suite(load: Any) -> None:
    assert load(toml(methods='["random_scores"]')).methods == ("random_scores", "alpha", "beta")


def test_all_problems_of_a_file_are_listed_at_once(load: Any) -> None:
    text = toml(
        "seed_rations = [0.2]",
        "seed_ratios = [0.2, 1.5]",
        "repeats = 0",
        'variants = ["w/o imgae"]',
        "timeout_s = -1",
        "[protocol]",
        'nmae = "paper"',
        "[set]",
        '"alpha.epoch" = 1',
        '"beta.size" = "many"',
        methods='["alpa", "beta"]',
        datasets='["synthetic[m=3]", "fb15k-db15"]',
    )
    with pytest.raises(UserError) as caught:
        load(text)
    message = str(caught.value)
    for part in (
        "mine.toml has 11 problems",
        "Did you mean 'seed_ratios'?",
        "1.5",
        "`repeats` must be 1 or more",
        "variant 'w/o imgae'",
        "`timeout_s` must be above 0",
        "'nmae'. Did you mean 'name'?",
        "Did you mean 'epochs'?",
        "'size' must be int, not 'many'",
        "method 'alpa'. Did you mean 'alpha'?",
        "'m'",
        "Did you mean 'fb15k-db15k'?",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('methods = "alpha"\ndatasets = []', "`datasets` is empty"),
        ('datasets = ["synthetic"]\nmethods = [1]', "`methods` must be a list of names"),
        ('methods = ["alpha"]\ndatasets = ["synthetic"]\nrepeats = 1.5', "whole number"),
        ('methods = ["alpha"]\ndatasets = ["synthetic"]\ngrid = "all"', '"published"'),
        ('methods = ["alpha"]\ndatasets = ["synthetic"]\ngrid_mode = "some"', "one at a time"),
        ('methods = ["alpha"]\ndatasets = ["synthetic"]\n[set]\nepochs = 1', '"method.parameter"'),
        (
            'methods = ["alpha"]\ndatasets = ["synthetic"]\n[set]\n"alpha.is_odd" = true',
            "is_odd needs an odd size",
        ),
        ('methods = ["alpha"\n', "not valid TOML"),
    ],
)
def test_problems_are_sentences(load: Any, line: str, part: str) -> None:
    with pytest.raises(UserError, match=r".") as caught:
        load(line)
    assert part in str(caught.value)


def test_a_set_of_a_method_that_does_not_run_is_an_error_on_the_command_line(load: Any) -> None:
    with pytest.raises(UserError, match="method in --set 'gamma'"):
        load(toml(), {"set": {"gamma.epochs": 3}})


def test_an_unknown_suite_gets_a_hint() -> None:
    with pytest.raises(UserError, match="Did you mean 'quick'"):
        read_suite_table("quik")


@pytest.mark.parametrize("name", suite_names())
def test_suites_of_the_program_are_valid(name: str, tmp_path: Path) -> None:
    suite = load_suite(name, data_root=tmp_path)
    assert suite.title != name
    assert suite.description
    assert expand(suite)


def test_the_named_suites_exist() -> None:
    named = {"ablation", "full", "low-resource", "quick", "smoke", "temperature"}
    assert named <= set(suite_names())

"""What can be asked for on the command line: sweeps, devices, and where results go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.cli.texts import assignments, sweeps
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.requests.folder_names import folder_name
from mmea_bench.bench.planning.suite import Suite
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.store import ResultStore

HERE = ["--datasets", "synthetic[n=100]", "--repeats", "1", "--seed-ratios", "0.3"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"MMEA_DATA": "", "MMEA_CACHE": ""})


@pytest.fixture
def sweep(make_method: Any, tmp_path: Path) -> list[str]:
    """A request with a method whose ``tau`` is 0.1 and whose ``size`` is 4 by default."""
    places = ["--out", str(tmp_path / "out"), "--cache-dir", str(tmp_path / "cache")]
    return ["--method-file", str(make_method("swept")), *HERE, *places]


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        (["eva.epochs=3", "eva.epochs=4"], "--set names eva.epochs twice: 3 and 4"),
        (["gcn-align.dim=3", "gcn_align.dim=3"], "gcn_align.dim twice"),
        (["epochs=3", "*.epochs=4"], "--set names epochs twice"),
    ],
)
def test_a_parameter_is_set_once(texts: list[str], part: str) -> None:
    with pytest.raises(UserError, match="twice") as raised:
        assignments(texts)
    assert part in str(raised.value)


def test_a_sweep_is_values_separated_by_commas() -> None:
    assert sweeps(["mclea.tau=0.05,0.1,0.1", "sizes=[1, 2],[3]", "eva.mode=image"]) == {
        "mclea.tau": (0.05, 0.1),
        "*.sizes": ([1, 2], [3]),
        "eva.mode": ("image",),
    }
    with pytest.raises(UserError, match=r"--grid names mclea\.tau twice"):
        sweeps(["mclea.tau=1", "mclea.tau=2"])
    with pytest.raises(UserError, match=r"--grid takes method\.parameter=value,value"):
        sweeps(["mclea.tau="])


def test_a_sweep_of_the_command_line_runs_and_names_its_points(sweep: list[str]) -> None:
    done = invoke(
        "run", "--no-report", *sweep, "--grid", "swept.tau=0.05,0.2", "--grid", "size=4,8"
    )
    assert done.exit_code == 0, done.output
    for point in ("size=4,tau=0.05", "size=8,tau=0.05", "size=4,tau=0.2", "size=8,tau=0.2"):
        assert f"swept (full[{point}]) on synthetic" in done.stderr
    plan = invoke("plan", *sweep, "--grid", "swept.tau=0.05,0.2")
    assert "full[tau=0.05]" in plan.stdout


@pytest.mark.parametrize("command", ["plan", "run"])
def test_two_methods_of_one_printed_name_are_refused_before_they_train(
    command: str, tmp_path: Path
) -> None:
    suite = tmp_path / "clash.toml"
    names = '[names.methods]\nrandom_scores = "Same"\nname_match = "Same"'
    suite.write_text(f'methods = ["random_scores", "name_match"]\n{names}')
    out = tmp_path / "out"
    done = invoke(command, "--suite", str(suite), *HERE, "--out", str(out))
    assert done.exit_code == 2
    assert "name_match and random_scores would both be printed as 'Same'" in done.stderr
    assert not out.exists()


def test_a_point_that_equals_the_default_is_trained_once(sweep: list[str], tmp_path: Path) -> None:
    suite = tmp_path / "s.toml"
    lines = ['grid_mode = "one at a time"', 'methods = ["swept"]', "[grid.swept]"]
    suite.write_text("\n".join([*lines, "tau = [0.1, 0.2]", "size = [4, 8]"]))
    words = ["--suite", str(suite), *sweep]
    plan = json.loads(invoke("plan", *words, "--json").stdout)
    assert (plan["n_cells"], plan["n_to_train"]) == (4, 3)
    done = invoke("run", "--no-report", *words)
    assert done.exit_code == 0, done.output
    assert "[3/3]" in done.stderr
    assert "Cells of this run: 4 ok." in done.stdout
    records = {record.cell["variant"]: record for record in ResultStore(tmp_path / "out").records()}
    once, twin = records["full[tau=0.1]"], records["full[size=4]"]
    assert [row["value"] for row in once.results] == [row["value"] for row in twin.results]
    assert "the same training as full[tau=0.1], done once" in twin.cell["notes"]
    assert "nothing was left to run, 4 done before" in invoke("run", "--no-report", *words).stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--set", "tau=1", "--grid", "tau=1,2"], "--set and --grid both name tau of swept"),
        (["--grid", "eva.margin=1,2"], "method in --grid 'eva'"),
        (["--grid", "tua=1,2"], "Did you mean 'tau'?"),
        (["--grid", "swept.tau=1,x"], "parameter of swept 'tau' must be float"),
        (["--device", "cuda:x"], "--device takes auto, cpu, cuda or one GPU such as cuda:1"),
    ],
)
def test_wrong_requests_are_sentences(sweep: list[str], words: list[str], part: str) -> None:
    done = invoke("run", "--no-report", *sweep, *words)
    assert done.exit_code == 2, done.output
    assert part in done.stderr


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(
    sweep: list[str], tmp_path: Path
) -> None:
    done = invoke("run", "--no-report", *sweep, "--device", "cuda:99")
    assert done.exit_code == 2
    assert "No CUDA device 99" in done.stderr
    assert not (tmp_path / "out").exists()


def test_cells_that_will_be_skipped_are_not_counted_as_work(sweep: list[str]) -> None:
    words = [*sweep, "--methods", "swept,crossea", "--datasets", "fb15k-db15k", "--data-root", "/"]
    plan = json.loads(invoke("plan", *words, "--json").stdout)
    assert (plan["n_cells"], plan["n_to_train"], plan["n_to_skip"]) == (4, 1, 3)
    shown = invoke("plan", *words).stdout
    assert "crossea aligns N-MMKG pairs" in shown
    assert "1 to train" in shown


def test_one_reason_to_skip_is_said_once_for_all_methods_and_datasets(tmp_path: Path) -> None:
    places = ["--datasets", "synthetic[n=100],synthetic[n=120]", "--cache-dir", str(tmp_path)]
    asked = ["plan", "--repeats", "1", *places, "--out", str(tmp_path / "out"), "--methods"]
    one = " ".join(invoke(*asked, "crossea,clip_mmea").output.split())
    assert "4 that will be skipped (the method aligns N-MMKG pairs; the dataset asks" in one
    several = " ".join(invoke(*asked, "crossea,clip_mmea,selfkg,bert_int").output.split())
    assert "8 that will be skipped." in several
    assert several.count("the method aligns N-MMKG pairs") == 1


def test_a_plan_of_many_points_groups_them(sweep: list[str]) -> None:
    values = ",".join(f"{n / 100:g}" for n in range(1, 61))
    shown = invoke("plan", *sweep, "--grid", f"tau={values}").stdout
    assert "60 variants and points" in shown
    assert shown.count("\n") < 20


def test_requests_without_a_suite_stay_apart() -> None:
    def name(*methods: str, **further: Any) -> str:
        return folder_name(Suite("custom", methods, ("synthetic[n=100]",), **further))

    assert name("eva").startswith("eva_on_synthetic-n-100_")
    assert name("eva", repeats=3) == name("eva", repeats=5)
    others = [
        name("eva", seed_ratios=(0.2,)),
        name("eva", "mclea"),
        name("eva", variants={"eva": ("iterative",)}),
        name("eva", overrides={"eva": {"margin": 1.0}}),
    ]
    assert len({name("eva"), *others}) == 5
    own = folder_name(Suite("custom", ("a", "b", "c", "d"), ("/data/my folder",)))
    assert own.startswith("4-methods_on_my-folder_")


def test_a_suite_keeps_its_folder_unless_its_rules_change() -> None:
    base = load_suite("quick")
    same = [
        load_suite("quick", {"methods": ["eva"], "repeats": 1}),
        load_suite("quick", {"methods": ["eva", "poe"]}),
    ]
    assert {folder_name(suite, base) for suite in same} == {"quick"}
    changed = load_suite("quick", {"protocol": "paper"})
    assert folder_name(changed, base).startswith("quick_")
    assert folder_name(changed, base) != "quick"


def test_a_crash_in_a_users_file_says_where(
    sweep: list[str], make_method: Any, tmp_path: Path
) -> None:
    body = "_ = torch.zeros(2, 3) @ torch.zeros(2, 3)"
    path = make_method("crashes", f"print('so far')\n{body}")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if body in text)
    words = ["--methods", "crashes", "--method-file", str(path), *sweep[2:]]
    done = invoke("run", "--no-report", *words)
    where = f"crashes.py, line {line}, in fit: {body}"
    assert done.exit_code == 1
    assert where in done.stderr
    assert "RuntimeError: mat1" in done.stderr
    assert where in invoke("status", str(tmp_path / "out")).stdout
    (log,) = (tmp_path / "out" / "logs").glob("*.log")
    printed, last = log.read_text().splitlines()
    assert printed == "so far"
    assert last.startswith(f"{where}: RuntimeError: mat1")


@pytest.mark.parametrize("returned", ["None", "(1, 2)", "{'source': 3}"])
def test_a_wrong_return_value_says_what_fit_must_return(
    sweep: list[str], make_method: Any, returned: str
) -> None:
    path = make_method("returns", f"return {returned}")
    done = invoke("run", "--methods", "returns", "--method-file", str(path), *sweep[2:])
    assert done.exit_code == 1
    assert "it must return Embeddings(source, target) with one row per entity" in done.stderr


@pytest.mark.parametrize(
    ("text", "part"),
    [("import torch\n\nx = undefined", "line 3: NameError"), ("\nx = (", "line 2: SyntaxError")],
)
def test_a_file_that_cannot_be_loaded_names_the_line(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    done = invoke("run", "--method-file", str(path), *HERE)
    assert done.exit_code == 2
    assert part in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", *HERE, "--protocol", ""], "--protocol was given an empty value"),
        (["plan", *HERE, "--out="], "--out was given an empty value"),
        (["plan", *HERE, "--methods", "eva", "--methods", ""], "--methods was given an empty"),
        (["report", ""], "FOLDER was given an empty value"),
        (
            ["plan", *HERE, "--protocol", "paper", "--protocol", "strict"],
            "--protocol was given twice",
        ),
        (["data", "check", "x", "--data-root", ""], "--data-root was given an empty value"),
    ],
)
def test_an_empty_value_is_refused(words: list[str], sentence: str) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_of_two_values_the_last_counts_and_a_note_says_so() -> None:
    words = ["--methods", "random_scores", "--protocol", "strict", "--protocol", "paper"]
    result = invoke("plan", *HERE, *words, "--json")
    assert "Note: --protocol was given twice; the last value counts: paper." in result.stderr
    assert {cell["protocol"] for cell in json.loads(result.stdout)["cells"]} == {"paper"}

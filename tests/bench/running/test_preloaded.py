"""What is imported once for all cells of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmea_bench.bench.running.preloaded import FIRST_OPTIMISER, preloaded_modules
from tests.cases.small_methods import walking_method


def test_methods_of_the_project_are_imported_once() -> None:
    assert "mmea_bench.methods.seu" in preloaded_modules(["seu", "name_match"], [])


@pytest.mark.parametrize(("method", "is_trained"), [("mclea", True), ("name_match", False)])
def test_what_an_optimiser_imports_is_there_for_trainings_alone(
    method: str, is_trained: bool
) -> None:
    assert (FIRST_OPTIMISER in preloaded_modules([method], [])) is is_trained


def test_a_users_file_is_left_to_its_cells_which_may_train(tmp_path: Path) -> None:
    file = tmp_path / "walk.py"
    file.write_text(walking_method(), encoding="utf-8")
    assert preloaded_modules(["walk"], [file]) == [FIRST_OPTIMISER]


def test_a_file_that_broke_meanwhile_is_left_to_its_cells(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("class")
    assert preloaded_modules(["broken"], [file]) == []


def test_the_first_optimiser_of_a_process_imports_what_is_preloaded() -> None:
    program = (
        f"import sys, torch; before = {FIRST_OPTIMISER!r} in sys.modules; "
        "torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).zero_grad(); "
        f"print(before, {FIRST_OPTIMISER!r} in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]

"""Reduced precision trains another way, is scored in float32, and is told apart everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from mmea_bench.bench.battery.fits import brief, numbers_of
from mmea_bench.bench.battery.interruption import check_continues
from mmea_bench.bench.battery.small_pairs import easy_pair_for, tiny_view
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.job import Job, failure_record
from mmea_bench.bench.planning.keys import CodeHashes, cell_key, keyed
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.requests.from_record import suite_of
from mmea_bench.bench.precision.reduced import Precision, in_precision
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Alignment, RunContext
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.results.core.store import ResultStore
from tests.bench.battery.toys import Toy, broken

CELL = Cell("alpha", "full", (("tau", 0.1),), "synthetic[n=100]", 0.3, 1, Protocol())


def trained(method: Any, precision: Precision, **given: Any) -> Alignment:
    torch.manual_seed(3)
    view = tiny_view(easy_pair_for(type(method)), method)
    return in_precision(method, precision).fit(view, RunContext(rng_seed=3, **given))


def test_full_precision_is_the_method_itself() -> None:
    toy = Toy()
    assert in_precision(toy, "full") is toy


@pytest.mark.parametrize("method_type", [Toy, get_method("eva")])
def test_bf16_trains_in_bfloat16_and_is_scored_in_float32(method_type: type[Toy]) -> None:
    seen: list[tuple[torch.dtype, bool]] = []

    def monitor(_epoch: int, _loss: float, found: Alignment) -> float:
        seen.append((numbers_of(found)[0].dtype, torch.is_autocast_enabled("cpu")))
        return 0.0

    full, half = (
        trained(brief(method_type), precision, monitor=monitor, eval_every=2)
        for precision in ("full", "bf16")
    )
    source, other = numbers_of(full)[0], numbers_of(half)[0]
    assert set(seen) == {(torch.float32, False)}
    assert other.dtype == torch.float32
    assert not torch.equal(source, other)
    assert torch.isfinite(other).all()
    assert not torch.is_autocast_enabled("cpu")


def test_sparse_products_stay_in_float32() -> None:
    matrix, dense = FixedMatrix.of(torch.eye(3)), torch.rand(3, 2, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = matrix @ dense.bfloat16()
        product.sum().backward()  # type: ignore[no-untyped-call]
    assert product.dtype == torch.float32
    assert dense.grad is not None
    assert dense.grad.dtype == torch.float32


def test_each_step_in_bf16_sees_the_weights_as_they_are_now() -> None:
    """Autocast's cache kept the weights of the first step to the end of the training."""
    found: list[float] = []

    def fit(self: Toy, view: Any, ctx: RunContext) -> Alignment:
        weight = torch.nn.Parameter(torch.ones(4, 4))
        for value in (1.0, 2.0, 3.0):
            with torch.no_grad():
                weight.fill_(value)
            found.append((torch.ones(1, 4) @ weight)[0, 0].item())
        return Toy.fit(self, view, ctx)

    trained(broken(fit=fit)(), "bf16")
    assert found == [4.0, 8.0, 12.0]


def test_tf32_without_a_gpu_is_refused() -> None:
    with pytest.raises(UserError, match="trains on the CPU"):
        trained(Toy(), "tf32")


def test_a_training_in_bf16_goes_on_after_an_interruption() -> None:
    def fit(self: Toy, view: Any, ctx: RunContext) -> Alignment:
        return in_precision(Toy(self.params), "bf16").fit(view, ctx)

    check_continues(broken(fit=fit))


def test_the_precision_stands_in_the_variant_of_a_row() -> None:
    assert CELL.label == "full[tau=0.1]"
    assert replace(CELL, precision="bf16").label == "full[precision=bf16,tau=0.1]"


def test_the_key_moves_only_where_the_precision_is_not_full() -> None:
    code = CodeHashes("method", "scoring")
    assert "precision" not in CELL.identity
    keys = {
        cell_key(replace(CELL, precision=precision), {}, "v1", code)
        for precision in ("full", "tf32", "bf16")
    }
    assert len(keys) == 3


def test_a_suite_takes_one_precision_for_all_its_cells() -> None:
    changes = {"methods": ["transe"], "datasets": ["synthetic[n=100]"], "repeats": 1}
    plain = expand(load_suite(None, changes))
    reduced = expand(load_suite(None, {**changes, "precision": "bf16"}))
    assert [cell.precision for cell in (*plain, *reduced)] == ["full", "bf16"]
    versions = {"synthetic[n=100]": "v1"}
    (first, _), (second, _) = keyed([*plain, *reduced], versions, [])
    assert first != second
    with pytest.raises(UserError, match="Did you mean 'bf16'"):
        load_suite(None, {**changes, "precision": "bf-16"})


def test_a_record_is_repeated_in_its_precision() -> None:
    cell = replace(CELL, overrides=(), method="transe", precision="bf16")
    record = failure_record(Job(cell, "key", "mine", None, None), "failed", "no reason")
    kept = {"overrides": {}, "protocol": {}, "precision": "bf16"}
    found = suite_of(replace(record, configuration=kept))
    assert (found["variants"], found["precision"]) == (["full"], "bf16")


def test_a_cell_runs_in_bf16_and_says_so_in_its_row(tmp_path: Path) -> None:
    asked = ["--methods", "random_scores", "--datasets", "synthetic[n=100]", "--repeats", "1"]
    out = tmp_path / "out"
    found = CliRunner().invoke(
        app, ["run", "--no-report", *asked, "--precision", "bf16", "--out", str(out)]
    )
    assert found.exit_code == 0, found.output
    (record,) = ResultStore(out).records()
    assert (record.cell["status"], record.cell["variant"]) == ("ok", "full[precision=bf16]")
    assert record.configuration["precision"] == "bf16"


def test_the_command_line_refuses_another_precision(tmp_path: Path) -> None:
    asked = ["run", "--methods", "transe", "--datasets", "synthetic[n=100]", "--precision", "fp8"]
    found = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out")])
    assert found.exit_code == 2
    assert "no precision" in found.output.lower() or "precision 'fp8'" in found.output.lower()

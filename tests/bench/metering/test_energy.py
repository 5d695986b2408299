"""Energy per cell: measured where codecarbon is there, said where not, and never a failure."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.metering import energy
from mmea_bench.bench.metering.energy import check_energy, metered
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.record import Record
from tests.bench.tracking.runs import job, record


def measured(country: str) -> Record:
    with metered(country) as meter:
        made = record(job(), {})
    return meter.added(made)


class FakeTracker:
    """Codecarbon's tracker, with numbers known beforehand."""

    def __init__(self, **settings: Any) -> None:
        assert not settings["save_to_file"]
        assert not settings["save_to_api"]
        self._country = settings["country_iso_code"]

    def start(self) -> None:
        if self._country == "XXX":
            raise RuntimeError("no such country")

    def stop(self) -> None:
        self.final_emissions_data = SimpleNamespace(energy_consumed=0.00123456789, emissions=2e-5)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = FakeTracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    monkeypatch.setattr(energy, "version", lambda _package: "3.0")


@pytest.mark.usefixtures("fake")
def test_a_record_gets_energy_co2_and_how_they_were_found() -> None:
    cell = measured("FRA").cell
    assert (cell["energy_kwh"], cell["co2_kg"]) == (0.00123457, 2e-5)
    assert "estimates of codecarbon 3.0 for this process (FRA)" in cell["notes"]
    assert measured("").cell == record(job(), {}).cell


@pytest.mark.usefixtures("fake")
def test_what_cannot_be_measured_is_a_note() -> None:
    cell = measured("XXX").cell
    assert cell["status"] == "ok"
    assert cell["energy_kwh"] is None
    assert cell["notes"] == "energy was not measured (RuntimeError: no such country)"


def test_without_codecarbon_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon.input", None)
    words = ["run", "--methods", "random_scores", "--datasets", "synthetic[n=100]"]
    done = CliRunner().invoke(app, [*words, "--energy", "FRA", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "pip install 'mmea-bench[energy]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_codecarbon_measures_offline() -> None:
    pytest.importorskip("codecarbon", reason="codecarbon is not installed")
    with pytest.raises(UserError, match="such as FRA or USA, not 'France'"):
        check_energy("France")
    check_energy("FRA")
    cell = measured("FRA").cell
    assert cell["energy_kwh"] > cell["co2_kg"] > 0

"""Energy of a cell and the CO2 of a country's electricity, as codecarbon estimates them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from mmea_bench.datasets.core.errors import UserError, lacking_extra, shown
from mmea_bench.results.core.record import Record

_PACKAGE = "codecarbon"
_DIGITS = 6


def check_energy(country: str) -> None:
    """Refuses what could not be measured.

    Args:
        country: ISO 3166 code of three letters.

    Raises:
        UserError: If codecarbon is not installed, or does not know the country.
    """
    try:
        from codecarbon.input import DataSource
    except ImportError as error:
        raise lacking_extra("--energy needs codecarbon", "energy") from error
    if country not in DataSource().get_global_energy_mix_data():
        raise UserError(
            f"--energy takes the ISO code of a country in three letters, such as FRA or USA, not "
            f"{shown(country)}."
        )


@dataclass
class Meter:
    """What a cell has used.

    Attributes:
        energy_kwh: None where nothing was measured.
        co2_kg: The same for CO2 equivalents.
        note: How it was measured, or why not.
    """

    energy_kwh: float | None = None
    co2_kg: float | None = None
    note: str = ""

    def added(self, record: Record) -> Record:
        """The record with the cell's energy and how it was found."""
        if not self.note:
            return record
        notes = "; ".join(filter(None, (record.cell["notes"], self.note)))
        measured = {"energy_kwh": self.energy_kwh, "co2_kg": self.co2_kg, "notes": notes}
        return replace(record, cell={**record.cell, **measured})


@contextmanager
def metered(country: str) -> Iterator[Meter]:
    """Measures what this process uses meanwhile; one that cannot be measured runs all the same.

    Args:
        country: Whose electricity it is; "" measures nothing.
    """
    meter = Meter()
    tracker = _started(country, meter) if country else None
    yield meter
    if tracker is not None:
        try:
            tracker.stop()
            found = tracker.final_emissions_data
            meter.energy_kwh = _rounded(found.energy_consumed)
            meter.co2_kg = _rounded(found.emissions)
            meter.note = (
                f"energy and CO2 are estimates of {_PACKAGE} {version(_PACKAGE)} for this process "
                f"({country}), from loading the data to the last score"
            )
        except Exception as error:  # what cannot be measured is no failure of the cell
            meter.note = f"energy was not measured ({_spelled(error)})"


def _started(country: str, meter: Meter) -> Any:
    try:
        # Its remarks would fill the log of every cell.
        logging.getLogger(_PACKAGE).disabled = True
        from codecarbon import OfflineEmissionsTracker

        tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            tracking_mode="process",
            save_to_file=False,
            save_to_api=False,
            allow_multiple_runs=True,
            log_level="critical",
        )
        tracker.start()
    except Exception as error:
        meter.note = f"energy was not measured ({_spelled(error)})"
        return None
    return tracker


def _spelled(error: Exception) -> str:
    return f"{type(error).__name__}: {shown(str(error), '')}"


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

"""What people say of methods and of single measured numbers: hand-written files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.results.core.measured.folder import MEASURED_FOLDER
from mmea_bench.results.core.published import PACKAGED_FOLDER, name_key
from mmea_bench.results.core.published_files import (
    Parser,
    any_text,
    check_unique,
    filled_text,
    fraction_or_nan,
    one_of,
    read_csv_lines,
    typed_frame,
)

REMARKS_FILE = "remarks.csv"
ORIGINS_FILE = "methods.csv"
RELEASED, INTERPRETED = "released code", "interpretation"


@dataclass(frozen=True)
class Remark:
    """Why a measured number differs from the printed one.

    Attributes:
        method: Catalogue name.
        variant: Variant; "" for all.
        dataset: Dataset address; "" for all.
        seed_ratio: Text of the ratio; "" for all.
        sentence: What was tried, what the likely cause is.
    """

    method: str
    variant: str
    dataset: str
    seed_ratio: str
    sentence: str

    def fit(self, method: str, variant: str, dataset: str, seed_ratio: float) -> int | None:
        """How closely the remark is about a row: fields that it names; None if it is not."""
        if self.method != method:
            return None
        asked = (variant, dataset, f"{seed_ratio:g}")
        own = (self.variant, self.dataset, self.seed_ratio)
        if any(mine and mine != theirs for mine, theirs in zip(own, asked, strict=True)):
            return None
        return sum(map(bool, own))


def read_remarks(folder: Path = MEASURED_FOLDER) -> tuple[Remark, ...]:
    """The remarks of a folder of reference runs; none where it has no such file.

    Raises:
        ResultsError: If the file holds something else.
    """
    path = folder / REMARKS_FILE
    if not path.is_file():
        return ()
    parsers: dict[str, Parser] = {
        "method": filled_text,
        "variant": any_text,
        "dataset": any_text,
        "seed_ratio": fraction_or_nan,
        "sentence": filled_text,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["method", "variant", "dataset", "seed_ratio"])
    typed_frame(lines, parsers)
    return tuple(
        Remark(
            line.texts["method"],
            line.texts["variant"],
            line.texts["dataset"],
            f"{float(ratio):g}" if (ratio := line.texts["seed_ratio"]) else "",
            line.texts["sentence"],
        )
        for line in lines
    )


def remark_on(
    remarks: Sequence[Remark], method: str, variant: str, dataset: str, seed_ratio: float
) -> str:
    """The sentence that is most closely about a measured row; "" for none."""
    fits = [(remark.fit(method, variant, dataset, seed_ratio), remark) for remark in remarks]
    about = [(fit, remark.sentence) for fit, remark in fits if fit is not None]
    return max(about, key=lambda pair: pair[0])[1] if about else ""


def read_origins(folder: Path = PACKAGED_FOLDER) -> dict[str, str]:
    """Key of a method's name (``name_key``) to what its implementation here stands on.

    ``released code`` where constants of the authors' program could be followed; else
    ``interpretation``: the paper, or what others say of it, leaves things open.

    Raises:
        ResultsError: If the file is missing or holds something else.
    """
    parsers: dict[str, Parser] = {
        "method": filled_text,
        "origin": one_of(RELEASED, INTERPRETED),
        "note": any_text,
    }
    lines = read_csv_lines(folder / ORIGINS_FILE, list(parsers))
    check_unique(lines, ["method"])
    typed_frame(lines, parsers)
    return {name_key(line.texts["method"]): line.texts["origin"] for line in lines}

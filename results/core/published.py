"""Published numbers as data: what papers and repositories print, and which numbers to trust.

The files are described in ``results/published/README.md``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mmea_bench.results.core.published_files import (
    HOLDS,
    METRICS,
    VERDICTS,
    CsvLine,
    Parser,
    any_text,
    check_unique,
    filled_text,
    fraction,
    fraction_or_nan,
    number,
    number_or_nan,
    one_of,
    read_csv_lines,
    typed_frame,
    whole_number,
)
from mmea_bench.results.core.published_scoring import PrintedScoring, read_scoring
from mmea_bench.results.core.published_trust import SELECTORS, with_trust

PACKAGED_FOLDER = Path(__file__).resolve().parent.parent / "published"
RESULT_KEY = SELECTORS
SETTING_WORDS = {"names", "no-names", "iterative", "non-iterative", "unsupervised"}


class Source(NamedTuple):
    """A paper or repository that prints numbers.

    Attributes:
        citation: Authors, title and place, as one line.
        year: Year of publication; of the described work, for a repository.
    """

    citation: str
    year: int


@dataclass(frozen=True, eq=False)
class Published:
    """Everything that the sources print. Readers share these tables: copy before changing one.

    Attributes:
        results: One row per printed number: source, table, method, variant ("" is the full
            model), dataset, seed_ratio (NaN where there is none), setting ("" where the source
            says nothing), metric, value (a fraction), printed (the value with its digits), note,
            row (printing order in the file, from 1), trust (trusted, loose or avoid), tolerance
            (for loose rows, else NaN), use_value (the number to compare with), reads_as (the
            metric that the number really is), contradictions (ids, "" for none) and why.
        other_results: The same columns, for datasets that this program does not have.
        datasets: Counts of datasets: source, table, dataset, kg, statistic, value, printed.
        significance: Repeated runs: source, table, method, run, metric, value.
        contradictions: Which cells contradict another source, arithmetic, or the text.
        statements: Sentences, captions and counts of the sources that were checked.
        sources: Key of a source to its citation and year.
        scoring: How the numbers of a method in a table were scored, where somebody says.
    """

    results: pd.DataFrame
    other_results: pd.DataFrame
    datasets: pd.DataFrame
    significance: pd.DataFrame
    contradictions: pd.DataFrame
    statements: pd.DataFrame
    sources: Mapping[str, Source]
    scoring: tuple[PrintedScoring, ...] = ()

    @property
    def all_results(self) -> pd.DataFrame:
        """``results`` and ``other_results`` as one table."""
        return pd.concat([self.results, self.other_results], ignore_index=True)


def read_published(folder: Path | None = None) -> Published:
    """The published numbers of a folder; None means those that come with the program.

    Raises:
        ResultsError: If a file is missing or holds something else than it should; the text names
            file, line and column.
    """
    return _packaged() if folder is None else _read(folder)


@functools.cache
def _packaged() -> Published:
    return _read(PACKAGED_FOLDER)


def _read(folder: Path) -> Published:
    sources = _read_sources(folder / "sources.csv")
    source = one_of(*sources)
    contradictions = _read_contradictions(folder / "contradictions.csv", sources)
    return Published(
        results=with_trust(_read_results(folder / "results.csv", source), contradictions),
        other_results=with_trust(
            _read_results(folder / "results_other_datasets.csv", source), contradictions
        ),
        datasets=_read_datasets(folder / "datasets.csv", source),
        significance=_read_significance(folder / "significance.csv", source),
        contradictions=contradictions,
        statements=_read_statements(folder / "statements.csv", sources),
        sources=sources,
        scoring=read_scoring(folder / "scoring.csv", sources),
    )


def _read_sources(path: Path) -> dict[str, Source]:
    parsers: dict[str, Parser] = {
        "source": filled_text,
        "citation": filled_text,
        "year": whole_number,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["source"])
    rows = typed_frame(lines, parsers).to_dict("records")
    return {str(row["source"]): Source(str(row["citation"]), int(row["year"])) for row in rows}


def _read_results(path: Path, source: Parser) -> pd.DataFrame:
    parsers: dict[str, Parser] = {
        "source": source,
        "table": filled_text,
        "method": filled_text,
        "variant": any_text,
        "dataset": filled_text,
        "seed_ratio": fraction_or_nan,
        "setting": _setting,
        "metric": one_of(*METRICS),
        "value": fraction,
        "note": any_text,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, RESULT_KEY)
    frame = typed_frame(lines, parsers)
    frame.insert(
        list(frame.columns).index("note"), "printed", [line.texts["value"] for line in lines]
    )
    return frame.assign(row=range(1, len(frame) + 1))


def _setting(text: str) -> str:
    if text and not set(text.split(";")) <= SETTING_WORDS:
        words = ", ".join(sorted(SETTING_WORDS))
        raise ValueError(f"must hold words from {words}, joined by ';'")
    return text


def _read_datasets(path: Path, source: Parser) -> pd.DataFrame:
    parsers: dict[str, Parser] = {
        "source": source,
        "table": filled_text,
        "dataset": filled_text,
        "kg": any_text,
        "statistic": filled_text,
        "value": number,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["source", "table", "dataset", "kg", "statistic"])
    frame = typed_frame(lines, parsers)
    return frame.assign(printed=[line.texts["value"] for line in lines])


def _read_significance(path: Path, source: Parser) -> pd.DataFrame:
    parsers: dict[str, Parser] = {
        "source": source,
        "table": filled_text,
        "method": filled_text,
        "run": whole_number,
        "metric": one_of(*METRICS),
        "value": fraction,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["source", "table", "method", "run", "metric"])
    return typed_frame(lines, parsers)


def _read_contradictions(path: Path, sources: Collection[str]) -> pd.DataFrame:
    parsers: dict[str, Parser] = {
        "id": _contradiction_id,
        **dict.fromkeys(SELECTORS, any_text),
        "verdict": one_of(*VERDICTS),
        "use_value": fraction_or_nan,
        "tolerance": fraction_or_nan,
        "reads_as": one_of("", *METRICS),
        "why": filled_text,
    }
    parsers["source"] = _sources_parser(sources)
    parsers["seed_ratio"] = _ratio_selector
    lines = read_csv_lines(path, list(parsers))
    frame = typed_frame(lines, parsers)
    for line in lines:
        _check_verdict(line)
    return frame


def _check_verdict(line: CsvLine) -> None:
    """A tolerance belongs to ``loose`` rows, another number or metric to ``use`` rows."""
    verdict = line.texts["verdict"]
    if (verdict == "loose") != bool(line.texts["tolerance"]):
        raise line.error("tolerance", "must be filled for the verdict 'loose', and for it alone")
    for column in ("use_value", "reads_as"):
        if line.texts[column] and verdict != "use":
            raise line.error(column, f"must be empty for the verdict '{verdict}'")


def _read_statements(path: Path, sources: Collection[str]) -> pd.DataFrame:
    parsers: dict[str, Parser] = {
        "id": _contradiction_id,
        "source": _sources_parser(sources),
        "place": filled_text,
        "dataset": any_text,
        "kg": any_text,
        "statistic": any_text,
        "says": filled_text,
        "holds": one_of(*HOLDS),
        "found": filled_text,
        "use_value": number_or_nan,
        "trust": filled_text,
    }
    return typed_frame(read_csv_lines(path, list(parsers)), parsers)


def _contradiction_id(text: str) -> str:
    if not (text.startswith("C") and text[1:].isdecimal()):
        raise ValueError("must hold an id such as C12")
    return text


def _sources_parser(sources: Collection[str]) -> Parser:
    def parse(text: str) -> str:
        if text and not set(text.split("|")) <= set(sources):
            raise ValueError(f"must hold sources from {', '.join(sources)}, joined by '|'")
        return text

    return parse


def _ratio_selector(text: str) -> str:
    for word in text.split("|") if text else ():
        if word != "-":
            fraction(word)
    return text


def name_key(name: str) -> str:
    """The normal form in which names of this program and printed names are equal.

    Lower case, letters and digits only, and "plus" for "+": ``SE-CLIP-MMEA+`` and
    ``se_clip_mmea_plus`` both give ``seclipmmeaplus``.
    """
    return "".join(letter for letter in name.lower().replace("+", "plus") if letter.isalnum())


def find(
    frame: pd.DataFrame,
    *,
    method: str | None = None,
    dataset: str | None = None,
    variant: str | None = None,
    seed_ratio: float | None = None,
    metric: str | None = None,
) -> pd.DataFrame:
    """The rows of published results for one method, dataset, variant, seed ratio or metric.

    Args:
        frame: ``Published.results`` or a table like it.
        method: Name in any spelling (``name_key``).
        dataset: Name in any spelling.
        variant: As printed; "" is the full model.
        seed_ratio: Share of anchor links that train; NaN means rows without one.
        metric: Metric that the number really is (``reads_as``).

    Returns:
        The rows that agree with everything given, with their index.
    """
    chosen = pd.Series(data=True, index=frame.index)
    for column, name in (("method", method), ("dataset", dataset)):
        if name is not None:
            chosen &= frame[column].map(name_key) == name_key(name)
    if variant is not None:
        chosen &= frame["variant"] == variant
    if metric is not None:
        chosen &= frame["reads_as"] == metric
    if seed_ratio is not None:
        ratios = frame["seed_ratio"]
        chosen &= ratios.isna() if math.isnan(seed_ratio) else ratios == seed_ratio
    return frame[chosen]

"""Which rows of the tables a report may put side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.remembered import remembered
from mmea_bench.reports.core.rows.identity import (
    CELL_IDENTITY,
    newest_numbers,
    with_protocol_settings,
)
from mmea_bench.reports.core.rows.origins import origin_notes, origins
from mmea_bench.reports.core.words import DIRECTION_NAMES
from mmea_bench.results.core.schema import NO_DECODER
from mmea_bench.results.core.table import Tables

DEFAULT_CSLS = 3
PUBLISHED = "+published split"
"""Ends the version of a dataset whose published split a number was measured on."""
PAIRS = "pairs"
"""Direction of numbers that judge pairs, not ranks: they are shown whatever direction is asked."""


@dataclass(frozen=True)
class Current:
    """The cells that count, with their numbers.

    Attributes:
        tables: Tables in which every number counts.
        n_replaced: Cells left out because the same cell was run again.
    """

    tables: Tables
    n_replaced: int

    @property
    def replaced_notes(self) -> tuple[str, ...]:
        """A sentence about what was left out, if anything was."""
        if not self.n_replaced:
            return ()
        return (
            f"{self.n_replaced} cell(s) were run again with changed code or settings; only the "
            "newest run of each that ended ok counts.",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """The same, and sentences about means over repeats that were made unlike."""
        cells = self.tables.cells
        ended_ok = cells[cells["status"] == "ok"]
        return self.replaced_notes + origin_notes(ended_ok.assign(origin=origins(ended_ok)))


@remembered
def current_cells(tables: Tables) -> Current:
    """One cell per method, variant, dataset version, ratio, repeat, and protocol with settings.

    A cell that was run again under another key must not count as one more repeat: the one that
    ended ok wins, then the newest. Several stand where each was scored in another way; every
    number then comes from the newest cell that has it.
    """
    tables = with_protocol_settings(_with_split_versions(tables))
    cells = tables.cells
    order = cells.assign(
        _ok=cells["status"] == "ok", _when=cells["finished_at"].fillna("").astype(str)
    ).sort_values(["_ok", "_when", "key"], kind="stable")
    kept = order.drop_duplicates(CELL_IDENTITY, keep="last")
    # A cell that failed before its dataset was read has no version; it matches any.
    unversioned = [name for name in CELL_IDENTITY if name != "dataset_version"]
    places = pd.Series(list(kept[unversioned].itertuples(index=False, name=None)), kept.index)
    kept = kept[~(kept["dataset_version"].isna() & places.isin(set(places[kept["_ok"]])))]
    results = newest_numbers(tables.results, order)
    keys = set(kept["key"]) | set(results["key"])
    curves = newest_numbers(tables.curves, order)
    return Current(
        replace(
            tables,
            results=results.reset_index(drop=True),
            cells=cells[cells["key"].isin(keys)].reset_index(drop=True),
            curves=curves.reset_index(drop=True),
        ),
        len(cells) - len(keys),
    )


def _with_split_versions(tables: Tables) -> Tables:
    """Tables in which numbers on the published split are about another version of the dataset.

    What they were trained and tested on differs from a split that was drawn, so that they stand
    in rows and tables of their own wherever versions of a dataset do.
    """
    cells = tables.cells
    keys = set(cells.loc[cells["split"] == "published", "key"])
    if not keys:
        return tables

    def marked(frame: pd.DataFrame) -> pd.DataFrame:
        if "dataset_version" not in frame:
            return frame
        versions = frame["dataset_version"]
        is_published = frame["key"].isin(keys) & versions.notna()
        return frame.assign(dataset_version=versions.where(~is_published, versions + PUBLISHED))

    return replace(
        tables, results=marked(tables.results), cells=marked(cells), curves=marked(tables.curves)
    )


def files_version(versions: pd.Series[str]) -> pd.Series[str]:
    """The versions of the files alone, whatever split was used."""
    return versions.str.removesuffix(PUBLISHED)


def with_sections(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns ``section``, ``rules`` and ``is_ranked``, and no empty ``inference``.

    ``section`` says what a number was made from: names, pseudo-labels, a decoder. ``rules`` says
    among what and how it was counted: numbers with equal rules, section and (where ``is_ranked``)
    CSLS size are comparable. The similarity belongs to the method, and so does the inference of
    predicted pairs. ``is_ranked`` is false where pairs were predicted or a decoder was used: no
    reader's choice of a CSLS size concerns these. ``inference`` and ``modality`` are "" for none.

    Args:
        frame: Rows of results.csv or curves.csv.
    """
    texts = {
        name: frame[name].astype(object).where(frame[name].notna(), "").astype(str)
        for name in ("inference", "modality", "candidates", "ties")
    }
    decoders = frame["decoder"].where(frame["decoder"] != NO_DECODER, "").astype(str)
    of_section = zip(frame["names"], frame["iterative"], decoders, strict=True)
    of_rules = zip(texts["candidates"], texts["ties"], decoders, frame["csls"], strict=True)
    return frame.assign(
        inference=texts["inference"],
        modality=texts["modality"],
        section=_texts([_section(*words) for words in of_section], frame),
        rules=_texts([_rules(*words) for words in of_rules], frame),
        is_ranked=(texts["inference"] == "") & (decoders == ""),
    )


def _texts(values: list[str], frame: pd.DataFrame) -> pd.Series[str]:
    return pd.Series(values, frame.index, dtype=str)


def input_words(names: str, iterative: str) -> list[str]:
    """What a method was given, from the columns of these names."""
    return ["names" if names == "yes" else "no names", *["iterative"] * (iterative == "yes")]


def _section(names: str, iterative: str, decoder: str) -> str:
    words = [decoder_words(decoder)] if decoder else []
    return ", ".join([*input_words(names, iterative), *words])


def _rules(candidates: str, ties: str, decoder: str, csls: int) -> str:
    # A decoder's own words come last, so that decoded numbers stand behind the others.
    words = {"candidates": candidates, "ties": ties, "decoder": decoder}
    if _tells_csls(decoder, csls):
        words["csls"] = str(csls)
    return " ".join(f"{name}={word}" for name, word in words.items() if word)


def _tells_csls(decoder: str, csls: int) -> bool:
    """Whether the CSLS size before a decoder is not told by its own parameters."""
    return bool(decoder and csls) and f"csls={csls}" not in decoder


def decoder_words(decoder: str) -> str:
    """Printed name of a decoder."""
    return f"decoder {decoder}"


def scoring_heading(numbers: pd.DataFrame, csls: int | None, direction: str) -> str:
    """How numbers of equal ``rules`` were scored, for captions.

    Args:
        numbers: Rows of ``with_sections``.
        csls: The size that the reader chose.
        direction: Direction that the reader chose.
    """
    way = DIRECTION_NAMES[direction if (numbers["direction"] == direction).any() else PAIRS]
    first = numbers.iloc[0]
    if (numbers["inference"] != "").all():
        return DIRECTION_NAMES[PAIRS]
    if first["is_ranked"]:
        return f"csls={csls}, {way}"
    size = f", csls={first['csls']}" if _tells_csls(first["decoder"], first["csls"]) else ""
    return f"{decoder_words(str(first['decoder']))}{size}, {way}"


def choose_csls(found: set[int], asked: int | None) -> int | None:
    """The neighbourhood size to show; None if the one asked for is not there."""
    if asked is not None:
        return asked if asked in found else None
    return DEFAULT_CSLS if DEFAULT_CSLS in found else min(found, default=None)


def dataset_labels(frame: pd.DataFrame, names: Names = BY_ID) -> dict[tuple[str, str], str]:
    """Printed name of each (dataset, version); the version shows where there are several.

    A published split shows wherever one was used.
    """
    pairs = frame[["dataset", "dataset_version"]].dropna().drop_duplicates()
    files = files_version(pairs["dataset_version"]).groupby(pairs["dataset"])
    n_versions = files.nunique()

    def label(dataset: str, version: str) -> str:
        name = names.dataset(dataset) + (f" @{version[:6]}" if n_versions[dataset] > 1 else "")
        return f"{name}, published split" if version.endswith(PUBLISHED) else name

    return {
        (dataset, version): label(dataset, version)
        for dataset, version in pairs.itertuples(index=False)
    }


def name_of(method: str, variant: str) -> str:
    """A method in a variant as it is addressed; what the reader calls it says ``Names.of``."""
    return BY_ID.of(method, variant)


def percent(ratio: float) -> str:
    """Printed seed ratio."""
    return f"{100 * ratio:.10g} %"

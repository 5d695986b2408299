"""Which predictions are compared: systems that ranked the same links in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.select import choose_csls, current_cells, percent
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.predictions.schema import (
    DIRECTIONS,
    DatasetFacts,
    Predictions,
    RankedLinks,
)
from mmea_bench.results.core.predictions.store import kept_keys, read_facts, read_predictions
from mmea_bench.results.core.schema import NO_DECODER
from mmea_bench.results.core.table import Tables

Ranks = NDArray[np.float64]
_PLACE = ("dataset", "dataset_version", "seed_ratio", "protocol", "split")


@dataclass(frozen=True, eq=False)
class System:
    """A method in a variant, with the decoder that ranked its links.

    Attributes:
        name: As it is printed.
        keys: Repeat to the key of its cell.
        ranks: The ranks, [n].
    """

    name: str
    keys: Mapping[int, str]
    ranks: Ranks

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether the partner stands first, [n]."""
        return self.ranks <= 1

    @property
    def reciprocal(self) -> Ranks:
        """Reciprocal ranks, [n]."""
        return 1.0 / self.ranks


@dataclass(frozen=True, eq=False)
class Family:
    """Systems that ranked the same links.

    An observation is a link in a repeat. Repeats test other links, some of them the same.

    Attributes:
        title: Says the place.
        links: Link of each observation, [n, 2].
        repeats: Repeat of each observation, [n].
        systems: The systems, by name.
        facts: On the entities.
        notes: Sentences on what is left out.
        direction: Which KG asks.
    """

    title: str
    links: NDArray[np.int32]
    repeats: NDArray[np.int64]
    systems: tuple[System, ...]
    facts: DatasetFacts
    notes: tuple[str, ...] = ()
    direction: str = "src2tgt"


def families(
    folder: Path, tables: Tables, options: ReportOptions
) -> tuple[list[Family], tuple[str, ...]]:
    """The systems of a folder whose predictions are kept, by what they can be compared in.

    Args:
        folder: Results folder.
        tables: Its tables, with the cells to show.
        options: Choices of the reader; CSLS and direction are read.

    Returns:
        The families, and sentences on predictions that cannot be used.
    """
    cells = current_cells(tables).tables.cells
    # Of a protocol with several settings, the settings too: they are no one system.
    protocols = dict(zip(cells["key"], cells["protocol"], strict=True))
    with_predictions = kept_keys(folder)
    ended = cells[cells["status"] == "ok"].sort_values("finished_at", ascending=False)
    # Of two cells that differ in their code alone the newer one, as in every table.
    wanted = [key for key in ended["key"] if key in with_predictions]
    found: dict[tuple[Any, ...], list[Predictions]] = {}
    notes: list[str] = []
    for key in wanted:
        try:
            kept = read_predictions(folder, key)
        except ResultsError as error:
            notes.append(f"{error} Not shown.")
            continue
        words = {**kept.words, "protocol": protocols[key]}
        found.setdefault(tuple(words.get(name) for name in _PLACE), []).append(kept)
        if not kept.equals_record:
            method = kept.words["method"]
            notes.append(
                f"{method} ({key}): its predictions come from a repetition whose numbers are not "
                "those of the record."
            )
    made: list[Family] = []
    for place, all_kept in sorted(found.items(), key=lambda item: str(item[0])):
        try:
            facts = read_facts(folder, str(place[1]))
            made += _families_of(place, all_kept, facts, options)
        except ResultsError as error:
            notes.append(f"{error} Not shown.")
    return made, tuple(notes)


def _families_of(
    place: tuple[Any, ...], kept: list[Predictions], facts: DatasetFacts, options: ReportOptions
) -> Iterator[Family]:
    dataset, _version, ratio, protocol, split = place
    rules = dict.fromkeys(
        (ranked.scoring.candidates, ranked.scoring.ties) for each in kept for ranked in each.ranked
    )
    for candidates, ties in rules:
        chosen, csls = _chosen(kept, (candidates, ties), options)
        if not chosen:
            continue
        size = "" if csls is None else f", csls={csls}"
        title = f"{options.names.dataset(dataset)}, {percent(float(ratio))} seeds, {protocol}"
        title += " protocol" + (", published split" if split == "published" else "")
        title += f", candidates={candidates}" * (candidates != "test") + size
        yield from _family(title, chosen, facts, options)


_Chosen = dict[str, dict[int, tuple[Predictions, RankedLinks]]]
"""Name of a system, to repeat, to its predictions and the ranking of them that counts."""


def _chosen(
    kept: list[Predictions], rules: tuple[str, str], options: ReportOptions
) -> tuple[_Chosen, int | None]:
    """Each method by its own similarity and the reader's CSLS size; decoders beside it."""
    of_rules = [
        (each, ranked)
        for each in kept
        for ranked in each.ranked
        if (ranked.scoring.candidates, ranked.scoring.ties) == rules
    ]
    sizes = {r.scoring.csls for _each, r in of_rules if r.scoring.decoder == NO_DECODER}
    csls = choose_csls(sizes, options.csls)
    found: _Chosen = {}
    for each, ranked in of_rules:
        scoring, words = ranked.scoring, each.words
        is_plain = scoring.decoder == NO_DECODER
        if is_plain and scoring.csls != csls:
            continue
        if scoring.similarity != each.ranked[0].scoring.similarity:
            continue  # for the comparison with printed numbers alone, as in every table
        name = options.names.of(words["method"], words["variant"])
        name += "" if is_plain else f", {scoring.decoder}"
        found.setdefault(name, {}).setdefault(int(words["repeat"]), (each, ranked))
    return dict(sorted(found.items())), csls


def _family(
    title: str, chosen: _Chosen, facts: DatasetFacts, options: ReportOptions
) -> Iterator[Family]:
    """One family of the repeats that all its systems have; those without any stand alone."""
    repeats = sorted(set.intersection(*(set(own) for own in chosen.values())))
    if not repeats:
        for name, own in chosen.items():
            yield from _family(title, {name: own}, facts, options)
        return
    notes = []
    lacking = sorted({repeat for own in chosen.values() for repeat in own} - set(repeats))
    if lacking:
        notes.append(
            f"Left out: repeats {', '.join(map(str, lacking))}, which not all systems have."
        )
    first = next(iter(chosen.values()))
    links = [first[repeat][0].links for repeat in repeats]
    way = options.direction if options.direction in DIRECTIONS else DIRECTIONS[0]
    systems = []
    for name, own in chosen.items():
        is_same = all(
            np.array_equal(own[repeat][0].links, own_links)
            for repeat, own_links in zip(repeats, links, strict=True)
        )
        if not is_same:
            notes.append(f"{name} was tested on other links and is not compared.")
            continue
        ranks = np.concatenate([own[repeat][1].ranks[way] for repeat in repeats])
        keys = {repeat: own[repeat][0].key for repeat in repeats}
        systems.append(System(name, keys, ranks))
    sizes = (len(facts.source.uris), len(facts.target.uris))
    if any((each.max(axis=0) >= sizes).any() for each in links):
        raise ResultsError(f"The predictions of {title} name entities that are not there.")
    yield Family(
        title,
        np.concatenate(links),
        np.repeat(np.array(repeats), [len(each) for each in links]),
        tuple(systems),
        facts,
        tuple(notes),
        way,
    )

"""What a run says of the things it keeps besides records, and what it does for equal cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from mmea_bench.bench.planning.cell import Cell, cell_words
from mmea_bench.bench.planning.keeping import EMBEDDINGS, PREDICTIONS, Keeping
from mmea_bench.bench.planning.plan import Plan
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.predictions.store import (
    bytes_per_link,
    has_facts,
    kept_keys,
    predictions_path,
    read_facts,
    read_predictions,
    renamed,
    write_facts,
    write_predictions,
)
from mmea_bench.results.core.predictions.vectors import (
    embeddings_paths,
    load_embeddings,
    write_embeddings,
)
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

_MIB = 2**20
_COLUMNS_TOLD = 300
_FACTS_BYTES = 100
"""About what the facts on an entity take: mostly its URI and name."""


def keeping_notes(plan: Plan, keeping: Keeping) -> Iterator[str]:
    """Sentences before a run: how much room is needed, and what done cells do not have.

    Args:
        plan: What is run.
        keeping: What is kept of it.
    """
    if keeping.keeps(PREDICTIONS):
        yield (
            f"Predictions of {len(plan.to_train)} cells to train, with the "
            f"{keeping.n_candidates} best candidates of each link: at most "
            f"{_mib(predictions_bytes(plan, keeping.n_candidates))} in "
            f"{keeping.folder}/predictions."
        )
    if keeping.keeps(EMBEDDINGS):
        n_rows = sum(plan.sizes.get(cell.dataset, (0, 0))[1] for _key, cell in plan.to_train)
        yield (
            f"Vectors of {len(plan.to_train)} cells to train: "
            f"{_mib(4 * _COLUMNS_TOLD * n_rows)} for every {_COLUMNS_TOLD} columns (a method says "
            f"how many only by training) in {keeping.folder}/embeddings."
        )
    for kind in keeping.kinds:
        lacking = sorted(plan.done - _keys_with(keeping, kind))
        if lacking:
            where = quote(str(keeping.folder))
            yield (
                f"{len(lacking)} cells that are done have no {kind} kept, and are not trained anew "
                f"for them: `mmea-bench predict {where} {lacking[0]} --keep {kind}`."
            )


def predictions_bytes(plan: Plan, n_candidates: int) -> int:
    """At most what the predictions of the cells to train take, with facts on their datasets."""
    links = sum(_ranked_links(plan, cell) for _key, cell in plan.to_train)
    datasets = {cell.dataset for _key, cell in plan.to_train}
    n_entities = sum(plan.sizes.get(dataset, (0, 0))[1] for dataset in datasets)
    return links * bytes_per_link(n_candidates) + n_entities * _FACTS_BYTES


def _ranked_links(plan: Plan, cell: Cell) -> int:
    """Test links of a cell by the ways in which they may be ranked."""
    n_links = plan.sizes.get(cell.dataset, (0, 0))[0]
    n_scorings = len(set(cell.protocol.csls)) + len(cell.protocol.decoders)
    n_scorings += cell.protocol.name == "paper"  # as the method's published numbers
    return round(n_links * (1.0 - cell.seed_ratio)) * n_scorings


def _keys_with(keeping: Keeping, kind: str) -> set[str]:
    assert keeping.folder is not None  # noqa: S101 - what is kept has a place
    if kind == PREDICTIONS:
        return kept_keys(keeping.folder)
    vectors, _entities = embeddings_paths(keeping.folder, "*")
    return {path.stem for path in vectors.parent.glob(vectors.name)}


def keep_twins(plan: Plan, store: ResultStore, keeping: Keeping) -> list[str]:
    """Gives cells whose training another one had what that one kept, under their own key.

    Args:
        plan: The plan whose cells were run.
        store: Their results folder.
        keeping: What is kept.

    Returns:
        Sentences on files that cannot be read.
    """
    problems: list[str] = []
    cells = dict(plan.cells)
    for key, leader in plan.twins.items():
        if store.record(key) is None:
            continue
        words = cell_words(cells[key])
        for kind, copy in ((PREDICTIONS, _copy_predictions), (EMBEDDINGS, _copy_vectors)):
            if keeping.keeps(kind):
                try:
                    copy(store.folder, leader, key, words)
                except ResultsError as error:
                    problems.append(str(error))
    return problems


def _copy_predictions(folder: Path, leader: str, key: str, words: Mapping[str, Any]) -> None:
    if predictions_path(folder, leader).is_file():
        found = read_predictions(folder, leader, with_candidates=True)
        write_predictions(folder, renamed(found, key, words))


def _copy_vectors(folder: Path, leader: str, key: str, words: Mapping[str, Any]) -> None:
    if embeddings_paths(folder, leader)[0].is_file():
        found = load_embeddings(folder, leader)
        write_embeddings(folder, key, replace(found, words={**found.words, **words}))


def adopt(made: Path, key: str, folder: Path, record: Record, *, equals_record: bool) -> list[Path]:
    """Takes what a repeated cell kept into the folder of its record, under the record's key.

    Args:
        made: Results folder of the repetition.
        key: Key of the repeated cell there; another one if code or rules have changed.
        folder: Where the record lies.
        record: The record.
        equals_record: Whether the repetition gave the numbers of the record.

    Returns:
        The files.
    """
    files = []
    if predictions_path(made, key).is_file():
        found = read_predictions(made, key, with_candidates=True)
        found = replace(found, key=record.key, equals_record=equals_record and found.equals_record)
        version = str(record.cell["dataset_version"])
        if not has_facts(folder, version):
            write_facts(folder, read_facts(made, version))
        files.append(write_predictions(folder, found))
    if embeddings_paths(made, key)[0].is_file():
        vectors = load_embeddings(made, key)
        marked = {**vectors.words, "equals_record": equals_record}
        files.append(write_embeddings(folder, record.key, replace(vectors, words=marked)))
    return files


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / _MIB:,.0f} MiB" if n_bytes >= 10 * _MIB else f"{n_bytes / _MIB:.1f} MiB"

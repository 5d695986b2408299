"""Predictions of cells and facts on their datasets, to disk and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa

from mmea_bench.results.core.errors import ResultsError, shown
from mmea_bench.results.core.predictions.parquet import (
    REMEDY,
    read_about,
    read_parquet,
    write_parquet,
)
from mmea_bench.results.core.predictions.schema import (
    DIRECTIONS,
    NO_CANDIDATE,
    PREDICTIONS_FOLDER,
    DatasetFacts,
    EntityFacts,
    KeptScoring,
    Predictions,
    RankedLinks,
)

_PREDICTIONS, _ENTITIES, _LINKS = "predictions", "entities", "links"
_WORDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("method", "variant", "dataset", "dataset_version", "protocol"), str),
    "seed_ratio": (int, float),
    "repeat": int,
}
_ENTITY_COLUMNS = (
    *("side", "uri", "name", "degree", "n_attributes"),
    *("has_image", "is_identified", "n_links"),
)
_SIDES = ("source", "target")


def predictions_path(folder: Path, key: str) -> Path:
    """File of a cell's predictions in a results folder."""
    return folder / PREDICTIONS_FOLDER / f"{key}.parquet"


def kept_keys(folder: Path) -> set[str]:
    """Keys of the cells whose predictions lie in a results folder, readable or not."""
    files = (folder / PREDICTIONS_FOLDER).glob("*.parquet")
    return {path.stem for path in files if not re.search(r"-(entities|links)$", path.stem)}


def bytes_per_link(n_candidates: int) -> int:
    """Of one test link under one way of scoring, before compression."""
    return 1 + 2 * 4 + 2 * 8 + 2 * n_candidates * (4 + 4)


def write_predictions(folder: Path, predictions: Predictions) -> Path:
    """Writes the predictions of a cell at once.

    Columns: ``scoring`` (place in the list of the metadata), ``source``, ``target`` (entity ids),
    and for both directions ``rank_D`` and lists ``candidates_D`` and ``scores_D``.

    Returns:
        The file.
    """
    ranked, n_links = predictions.ranked, len(predictions.links)
    places = np.repeat(np.arange(len(ranked), dtype=np.int8), n_links)
    links = np.tile(predictions.links.astype(np.int32), (len(ranked), 1))
    columns: dict[str, Any] = {"scoring": places, "source": links[:, 0], "target": links[:, 1]}
    for way in DIRECTIONS:
        columns[f"rank_{way}"] = np.concatenate([each.ranks[way] for each in ranked])
        for name, kind in (("candidates", pa.int32()), ("scores", pa.float32())):
            values = np.concatenate([getattr(each, name)[way] for each in ranked])
            flat = pa.array(values.ravel(), kind)
            columns[f"{name}_{way}"] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    about = {
        "key": predictions.key,
        "words": predictions.words,
        "scorings": [asdict(each.scoring) for each in ranked],
        "equals_record": predictions.equals_record,
    }
    path = predictions_path(folder, predictions.key)
    write_parquet(path, _PREDICTIONS, about, columns)
    return path


def read_predictions(folder: Path, key: str, *, with_candidates: bool = False) -> Predictions:
    """The predictions of a cell.

    Args:
        folder: Results folder.
        key: Key of the cell.
        with_candidates: Reads candidates and scores too.

    Raises:
        ResultsError: If there are none, or the file is damaged or foreign.
    """
    path = predictions_path(folder, key)
    if not path.is_file():
        raise ResultsError(
            f"{folder} holds no predictions of cell {key}. `mmea-bench predict "
            f"{quote(str(folder))} {key}` makes them; `mmea-bench run --keep predictions` keeps "
            "them from the start."
        )
    names = ["scoring", "source", "target", *(f"rank_{way}" for way in DIRECTIONS)]
    if with_candidates:
        names += [f"{name}_{way}" for way in DIRECTIONS for name in ("candidates", "scores")]
    about, table = read_parquet(path, _PREDICTIONS, names)
    try:
        predictions = _predictions(about, table, with_candidates=with_candidates)
    except ResultsError:
        raise
    except Exception as error:  # whatever another program wrote under our mark
        raise ResultsError(f"{path}: is damaged ({shown(error)}). {REMEDY}") from error
    if predictions.key != key:
        raise ResultsError(f"{path}: belongs to cell {shown(predictions.key)}. {REMEDY}")
    return predictions


def _predictions(about: dict[str, Any], table: pa.Table, *, with_candidates: bool) -> Predictions:
    scorings = [KeptScoring(**each) for each in about["scorings"]]
    words = dict(about["words"])
    for name, kind in _WORDS.items():
        if not isinstance(words[name], kind):
            raise ValueError(f"{name} is {shown(words[name])}")
    places = _column(table, "scoring")
    n_links = len(places) // max(1, len(scorings))
    if not n_links or not np.array_equal(places, np.repeat(np.arange(len(scorings)), n_links)):
        raise ValueError("its rows do not belong to its ways of scoring")
    links = np.stack([_column(table, side) for side in _SIDES], axis=1).astype(np.int32)
    parts = np.split(links, len(scorings))
    if links.min() < 0 or any(not np.array_equal(part, parts[0]) for part in parts):
        raise ValueError("its ways of scoring hold different links")
    by_scoring = []
    for place, scoring in enumerate(scorings):
        rows = table.slice(place * n_links, n_links)
        ranks = {way: _column(rows, f"rank_{way}").astype(np.float64) for way in DIRECTIONS}
        if any(not (np.isfinite(each) & (each >= 1)).all() for each in ranks.values()):
            raise ValueError("a rank is below 1 or no number")
        found = RankedLinks(scoring, ranks)
        if with_candidates:
            candidates = {way: _lists(rows, f"candidates_{way}") for way in DIRECTIONS}
            scores = {way: _lists(rows, f"scores_{way}") for way in DIRECTIONS}
            found = replace(found, candidates=candidates, scores=scores)
            if any(int(each.min(initial=0)) < NO_CANDIDATE for each in candidates.values()):
                raise ValueError("a candidate is no entity")
        by_scoring.append(found)
    return Predictions(
        str(about["key"]), words, parts[0], tuple(by_scoring), bool(about["equals_record"])
    )


def _column(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"column '{name}' has gaps")
    return column.to_numpy()


def _lists(table: pa.Table, name: str) -> Any:
    kind = table.column(name).type
    flat = table.column(name).combine_chunks().flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(table.num_rows, kind.list_size)


def facts_paths(folder: Path, dataset_version: str) -> tuple[Path, Path]:
    """Files of the facts on a dataset: its entities and its anchor links."""
    place = folder / PREDICTIONS_FOLDER
    return place / f"{dataset_version}-entities.parquet", place / f"{dataset_version}-links.parquet"


def has_facts(folder: Path, dataset_version: str) -> bool:
    """Whether the facts on a dataset lie beside its predictions and can be read."""
    paths = zip(facts_paths(folder, dataset_version), (_ENTITIES, _LINKS), strict=True)
    try:
        return all(read_about(path, kind)["version"] == dataset_version for path, kind in paths)
    except (ResultsError, KeyError):
        return False


def write_facts(folder: Path, facts: DatasetFacts) -> None:
    """Writes the facts that slices of links are made from, beside the predictions."""
    sides = (facts.source, facts.target)
    columns: dict[str, Any] = {
        "side": np.repeat(np.arange(2, dtype=np.int8), [len(side.uris) for side in sides])
    }
    names = ("uris", "names", "degrees", "n_attributes", "has_image", "is_identified", "n_links")
    for column, name in zip(_ENTITY_COLUMNS[1:], names, strict=True):
        columns[column] = np.concatenate([getattr(side, name) for side in sides])
    entities, links = facts_paths(folder, facts.dataset_version)
    about = {"version": facts.dataset_version}
    write_parquet(entities, _ENTITIES, about, columns)
    write_parquet(
        links,
        _LINKS,
        about,
        {
            "source": facts.links[:, 0],
            "target": facts.links[:, 1],
            "name_similarity": facts.name_similarity,
        },
    )


def read_facts(folder: Path, dataset_version: str) -> DatasetFacts:
    """The facts on a dataset.

    Raises:
        ResultsError: If they are not there, or damaged.
    """
    if not re.fullmatch(r"[0-9a-zA-Z]+", dataset_version):
        raise ResultsError(f"{shown(dataset_version)} is no version of a dataset.")
    entities, links = facts_paths(folder, dataset_version)
    for path in (entities, links):
        if not path.is_file():
            raise ResultsError(
                f"{path} is not there: the facts on entities that slices are made from. {REMEDY}"
            )
    about, table = read_parquet(entities, _ENTITIES, _ENTITY_COLUMNS)
    _, of_links = read_parquet(links, _LINKS, ("source", "target", "name_similarity"))
    try:
        if about["version"] != dataset_version:
            raise ValueError(f"they are of version {shown(about['version'])}")
        side = _column(table, "side")
        source, target = (_entities(table.filter(pa.array(side == place))) for place in (0, 1))
        ids = np.stack([_column(of_links, name) for name in _SIDES], axis=1)
        sizes = (len(source.uris), len(target.uris))
        if len(ids) and (ids.min() < 0 or (ids.max(axis=0) >= sizes).any()):
            raise ValueError("a link names an entity that is not there")
        similarity = _column(of_links, "name_similarity").astype(np.float32)
    except Exception as error:
        raise ResultsError(f"{entities}: is damaged ({shown(error)}). {REMEDY}") from error
    return DatasetFacts(dataset_version, source, target, ids.astype(np.int32), similarity)


def _entities(table: pa.Table) -> EntityFacts:
    uris, names, degree, attributes, image, identified, n_links = (
        _column(table, name) for name in _ENTITY_COLUMNS[1:]
    )
    return EntityFacts(
        uris.astype(object),
        names.astype(object),
        degree.astype(np.int32),
        attributes.astype(np.int32),
        image.astype(bool),
        identified.astype(bool),
        n_links.astype(np.int32),
    )


def renamed(predictions: Predictions, key: str, words: Mapping[str, Any]) -> Predictions:
    """The predictions under another key, for a cell whose training was the same."""
    return replace(predictions, key=key, words={**predictions.words, **words})

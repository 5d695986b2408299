"""Made-up records with curves, fusion weights and dataset counts of chosen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmea_bench.reports.core.document import Document, Table
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.reports.reports_factory import make_record, own_numbers, scoring

MODALITY_SCORING = {"similarity": "cosine", "csls": 0, "decoder": "none"}
FAILED = {"status": "failed", "reason": "ValueError: no"}
SKIPPED = {"status": "skipped", "reason": "the dataset lacks: name", "dataset_version": None}
TIMEOUT = {"status": "timeout", "reason": "longer than 60 s"}

FB15K_DB15K: Mapping[tuple[str | None, str], float] = {
    ("FB15K", "entities"): 14951,
    ("FB15K", "relations"): 1209,
    ("FB15K", "attributes"): 116,
    ("FB15K", "relation_triples"): 505436,
    ("FB15K", "attribute_triples"): 29395,
    ("FB15K", "images"): 13444,
    ("DB15K", "entities"): 12842,
    ("DB15K", "relations"): 279,
    ("DB15K", "attributes"): 225,
    ("DB15K", "relation_triples"): 89197,
    ("DB15K", "attribute_triples"): 48080,
    ("DB15K", "images"): 12837,
    (None, "pairs"): 12846,
    ("FB15K", "coverage_structure"): 1.0,
    ("FB15K", "coverage_image"): 0.899,
    ("DB15K", "coverage_structure"): 1.0,
    ("DB15K", "coverage_image"): 0.9996,
}
"""The copy of the files that most people have: it lacks relations of FB15K."""

NMMEA: Mapping[tuple[str | None, str], float] = {
    ("NMMKG1", "text_nodes"): 7758,
    ("NMMKG1", "visual_nodes"): 7163,
    ("NMMKG2", "text_nodes"): 7597,
    ("NMMKG2", "visual_nodes"): 7000,
    (None, "pairs"): 20832,
    (None, "tt_pairs"): 8347,
    (None, "vv_pairs"): 4160,
    (None, "tv_pairs"): 8325,
}


def with_curves(
    method: str,
    test: Sequence[float],
    valid: Sequence[float] | None = None,
    *,
    losses: Sequence[float] | None = None,
    **changes: Any,
) -> Record:
    """A cell scored after epochs 10, 20, ...; the MRR of its test and validation links."""
    plain = make_record(method, 0.5, **changes)
    points = [
        {
            "epoch": 10 * step,
            "loss": 1.0 if losses is None else losses[step - 1],
            "links": links,
            **scoring(3),
            "metric": "mrr",
            "direction": "src2tgt",
            "value": value,
        }
        for links, values in (("test", test), ("valid", valid or ()))
        for step, value in enumerate(values, 1)
    ]
    return Record.of(plain.cell, own_numbers(plain), points)


def with_weights(method: str, weights: Mapping[str, float], **changes: Any) -> Record:
    """A cell whose method told these weights."""
    plain = make_record(method, 0.5, **changes)
    rows = [
        {
            **MODALITY_SCORING,
            "modality": modality,
            "metric": "weight",
            "direction": "mean",
            "value": weight,
            "n": 300,
        }
        for modality, weight in weights.items()
    ]
    return Record.of(plain.cell, [*own_numbers(plain), *rows])


def with_counts(counts: Mapping[tuple[str | None, str], float], **changes: Any) -> Record:
    """A cell that loaded a dataset with these counts."""
    plain = make_record("eva", 0.5, **changes)
    rows = [
        {"kg": kg, "statistic": statistic, "value": float(value)}
        for (kg, statistic), value in counts.items()
    ]
    return Record.of(plain.cell, own_numbers(plain), dataset=rows)


def texts(table: Table) -> dict[tuple[str, ...], list[str]]:
    """Labels of each row to what its cells print."""
    return {row.labels: [cell.plain for cell in row.cells] for row in table.rows}


def notes_of(document: Document) -> str:
    """All notes as one text."""
    return " ".join(document.notes)


def fill_analyses_folder(folder: Path) -> None:
    """Curves, weights and counts among cells that failed, timed out, were skipped or never ran."""
    store = ResultStore(folder)
    for repeat, shift in ((1, 0.0), (2, 0.01), (3, 0.03)):
        tests = [0.2 + shift, 0.4 + shift, 0.42 - shift, 0.41, 0.38, 0.36]
        valids = [0.1, 0.5, 0.45, 0.4, 0.35, 0.3]
        store.write(with_curves("eva", tests, valids, repeat=repeat))
        paper = {"protocol": "paper", "stopped_on": "test", "repeat": repeat}
        store.write(with_curves("meaformer", tests, **paper))
    store.write(with_curves("mclea", [0.3, 0.5], [0.2, 0.4], simulated_features="image"))
    store.write(make_record("mclea", 0.0, repeat=2, **FAILED))
    store.write(make_record("clamea", 0.0, **TIMEOUT))
    store.write(make_record("name_match", 0.0, **SKIPPED))
    store.write(make_record("image_only", 0.3))
    weights = {"structure": 0.5, "image": 0.3, "relation": 0.2}
    store.write(with_weights("eva", weights, seed_ratio=0.5, suite="b"))
    store.write(with_counts(FB15K_DB15K, seed_ratio=0.8, suite="c"))
    nmmea = {"dataset": "nmmea", "dataset_version": "cccccccccccc", "suite": "d"}
    store.write(with_counts(NMMEA, **nmmea))
    store.write(make_record("eva", 0.0, dataset="dbp15k-zh-en", suite="e", **SKIPPED))

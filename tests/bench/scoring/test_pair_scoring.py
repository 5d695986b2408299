"""Scoring of N-MMKG pairs, against full enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring import pair_scoring
from mmea_bench.bench.scoring.pair_scoring import (
    INFERENCES,
    Inference,
    PairTask,
    Thresholds,
    choose_thresholds,
    mean_true_scores,
    pair_metrics,
    score_pairs,
)
from mmea_bench.methods.core.base import DivergedError, Embeddings
from mmea_bench.methods.core.similarity import ScoreMatrix

SEEDS = range(4)
KINDS = ("tt", "vv", "tv")


def random_task(seed: int, n_source: int = 23, n_target: int = 19, n_pairs: int = 24) -> PairTask:
    """Many-to-many pairs between nodes of random modality."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(n_source * n_target, n_pairs, replace=False)
    pairs = np.stack(np.divmod(cells, n_target), axis=1)
    train, valid, test = np.split(pairs, [n_pairs // 4, n_pairs // 2])
    visual = [rng.random(n) < 0.5 for n in (n_source, n_target)]
    return PairTask(train, valid, test, visual[0], visual[1])


def random_vectors(task: PairTask, seed: int, levels: int = 0) -> Embeddings:
    """Vectors in which gold pairs are somewhat closer; few ``levels`` make many equal scores."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(len(task.visual_source), 5, generator=generator)
    target = torch.randn(len(task.visual_target), 5, generator=generator)
    for row, column in np.concatenate([task.train, task.valid, task.test]):
        target[column] += source[row]
    if levels:
        source, target = (torch.sign(side * 0.6).mul(levels).round() for side in (source, target))
    return Embeddings(source, target, "inner" if levels else "cosine")


def matrix_of(embeddings: Embeddings) -> np.ndarray:
    """All scores at once."""
    blocks = ScoreMatrix(embeddings.source, embeddings.target, embeddings.similarity)
    return torch.cat([block.scores for block in blocks]).double().numpy()


def cells_of(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in pairs}


def kind_of(task: PairTask, cell: tuple[int, int]) -> str:
    n_visual = int(task.visual_source[cell[0]]) + int(task.visual_target[cell[1]])
    return ("tt", "tv", "vv")[n_visual]


def class_of(task: PairTask, cell: tuple[int, int]) -> str:
    return "cross" if kind_of(task, cell) == "tv" else "intra"


def enumerated_grid(values: list[float], n_top: int) -> list[float]:
    """Quantiles of the largest values, from the largest down."""
    top = sorted(values, reverse=True)[:n_top]
    if len(top) < len(values):
        top = [value for value in top if value > top[-1]]
    if not top:
        return [np.inf]
    n_points = min(pair_scoring.GRID_POINTS, len(top))
    places = np.linspace(0, len(top) - 1, n_points).round().astype(int)
    return sorted({top[place] for place in places}, reverse=True)


def enumerated_choice(scores: np.ndarray, task: PairTask, inference: str) -> tuple[float, ...]:
    """(intra, cross, F1) of the best thresholds, by counting every set anew."""
    candidates = set(itertools.product(*map(range, scores.shape))) - cells_of(task.train)
    valid = cells_of(task.valid)
    by_class = {
        name: [float(scores[c]) for c in candidates if class_of(task, c) == name]
        for name in ("intra", "cross")
    }
    if inference == "two-thresholds":
        grids = [enumerated_grid(by_class[name], task.n_top) for name in ("intra", "cross")]
        tried = list(itertools.product(*grids))
    else:
        both = enumerated_grid(by_class["intra"] + by_class["cross"], task.n_top)
        tried = [(value, value) for value in both]
    known = [(float(scores[c]), class_of(task, c), c in valid) for c in candidates]
    best = (np.inf, np.inf, -1.0)
    for intra, cross in tried:
        limits = {"intra": intra, "cross": cross}
        above = [is_valid for score, name, is_valid in known if score >= limits[name]]
        v, c = sum(above), len(above)
        scale = (len(task.valid) + len(task.test)) / len(task.valid)
        precision, recall = min(1.0, scale * v / max(c, 1)), v / len(valid)
        f1 = 2 * precision * recall / (precision + recall) if v else 0.0
        if f1 > best[2]:
            best = (intra, cross, f1)
    return best


def enumerated_metrics(
    scores: np.ndarray, task: PairTask, thresholds: Thresholds
) -> dict[str, tuple[float, int]]:
    candidates = set(itertools.product(*map(range, scores.shape)))
    candidates -= cells_of(task.train) | cells_of(task.valid)
    predicted = {c for c in candidates if scores[c] >= thresholds.of_kind(kind_of(task, c))}
    found = {}
    for suffix, kinds in {"": KINDS, **{f"_{kind}": (kind,) for kind in KINDS}}.items():
        gold = {c for c in cells_of(task.test) if kind_of(task, c) in kinds}
        chosen = {c for c in predicted if kind_of(task, c) in kinds}
        precision = len(gold & chosen) / len(chosen) if chosen else 0.0
        recall = len(gold & chosen) / len(gold) if gold else 0.0
        total = precision + recall
        if gold:
            found[f"precision{suffix}"] = precision, len(gold)
            found[f"recall{suffix}"] = recall, len(gold)
            f1 = 2 * precision * recall / total if total else 0.0
            found[f"f1{suffix}"] = f1, len(gold)
    return found


@pytest.fixture(params=[500, 7], ids=["every score", "few quantiles"])
def grid_points(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_scoring, "GRID_POINTS", request.param)


@pytest.fixture(params=[8, 2], ids=["roomy", "truncated"])
def top_factor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_scoring, "TOP_FACTOR", request.param)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("levels", [0, 2], ids=["distinct", "ties"])
@pytest.mark.parametrize("inference", INFERENCES)
@pytest.mark.usefixtures("grid_points", "top_factor")
def test_thresholds_and_metrics_equal_full_enumeration(
    seed: int, levels: int, inference: Inference
) -> None:
    task = random_task(seed)
    embeddings = random_vectors(task, seed, levels)
    matrix = matrix_of(embeddings)
    scores = score_pairs(embeddings, task)
    chosen = choose_thresholds(scores, task, inference)
    assert (chosen.intra, chosen.cross, chosen.f1) == enumerated_choice(matrix, task, inference)
    assert pair_metrics(scores, task, chosen) == enumerated_metrics(matrix, task, chosen)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("levels", [0, 1], ids=["distinct", "ties"])
def test_hits_at_1_equals_full_enumeration(seed: int, levels: int) -> None:
    task = random_task(seed)
    embeddings = random_vectors(task, seed, levels)
    matrix = matrix_of(embeddings)
    known, gold = cells_of(task.train) | cells_of(task.valid), cells_of(task.test)
    hits = []
    for row in sorted({row for row, _ in gold}):
        cells = [(row, column) for column in range(matrix.shape[1]) if (row, column) not in known]
        wrong = max(matrix[c] for c in cells if c not in gold)
        hits.append(max(matrix[c] for c in cells if c in gold) > wrong)
    scores = score_pairs(embeddings, task)
    assert (scores.hits_at_1, scores.n_asked) == (np.mean(hits), len(hits))


def test_block_size_changes_nothing() -> None:
    task = random_task(1, n_source=150, n_target=140, n_pairs=90)
    embeddings = random_vectors(task, 1)
    small, large = (score_pairs(embeddings, task, block_rows=rows) for rows in (64, 256))
    assert all(np.array_equal(small.top[kind], large.top[kind]) for kind in KINDS)
    assert np.array_equal(small.valid, large.valid)
    assert small.hits_at_1 == large.hits_at_1


def test_kept_scores_are_the_largest_of_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_scoring, "TOP_FACTOR", 3)
    task = random_task(2, n_source=150, n_target=140, n_pairs=40)
    embeddings = random_vectors(task, 2)
    matrix = matrix_of(embeddings)
    matrix[task.train[:, 0], task.train[:, 1]] = -np.inf
    scores = score_pairs(embeddings, task, block_rows=64)
    for kind in KINDS:
        n_visual = task.visual_source[:, None].astype(int) + task.visual_target
        values = np.sort(matrix[np.array(["tt", "tv", "vv"])[n_visual] == kind])
        assert np.array_equal(scores.top[kind], values[-task.n_top :])


def test_test_labels_change_no_threshold() -> None:
    task = random_task(3)
    embeddings = random_vectors(task, 3)
    other = PairTask(
        task.train,
        task.valid,
        np.stack([task.test[:, 0], np.roll(task.test[:, 1], 1)], axis=1),
        task.visual_source,
        task.visual_target,
    )
    for inference in INFERENCES:
        first, second = (
            choose_thresholds(score_pairs(embeddings, given), given, inference)
            for given in (task, other)
        )
        assert first == second


def test_nothing_predicted_gives_zero() -> None:
    task = random_task(4)
    scores = score_pairs(random_vectors(task, 4), task)
    found = pair_metrics(scores, task, Thresholds(np.inf, np.inf, 0.0, 0.0, 0.0))
    assert {value for value, _n in found.values()} == {0.0}


def test_constant_scores_predict_nothing_rather_than_a_part_of_equals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair_scoring, "TOP_FACTOR", 1)
    task = random_task(5)
    same = Embeddings(torch.ones(23, 3), torch.ones(19, 3))
    chosen = choose_thresholds(score_pairs(same, task), task, "two-thresholds")
    assert (chosen.intra, chosen.cross, chosen.f1) == (np.inf, np.inf, 0.0)


def test_absolute_cosine_takes_opposite_vectors_for_partners() -> None:
    visual = (np.array([False, True]), np.array([True, False]))
    pairs = np.array([[0, 0], [1, 1]])
    task = PairTask(pairs[:0], pairs[:1], pairs[1:], *visual)
    source = torch.eye(2)
    opposite = Embeddings(source, -source, "abs-cosine")
    scores = score_pairs(opposite, task)
    found = pair_metrics(scores, task, choose_thresholds(scores, task, "two-thresholds"))
    assert found["f1_tv"] == (1.0, 1)
    assert mean_true_scores(scores, task) == {"cross": 1.0}


def test_vectors_that_are_not_finite_are_diverged() -> None:
    task = random_task(0)
    embeddings = random_vectors(task, 0)
    embeddings.target[3, 1] = torch.nan
    with pytest.raises(DivergedError):
        score_pairs(embeddings, task)

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.features import Features, fill_lacking

VALUES = np.array([[1, 2], [0, 0], [3, 6]], dtype=np.float32)
PRESENT = np.array([True, False, True])


def test_counts_and_dimension() -> None:
    features = Features(VALUES.copy(), PRESENT.copy())
    assert (features.dim, features.n_present) == (2, 2)


def test_arrays_are_read_only_also_after_a_trip_through_pickle() -> None:
    features = Features(VALUES.copy(), PRESENT.copy())
    for copy in (features, pickle.loads(pickle.dumps(features))):  # noqa: S301
        with pytest.raises(ValueError, match="read-only"):
            copy.values[0, 0] = 9
        with pytest.raises(ValueError, match="read-only"):
            copy.present[0] = False


def test_wrong_shapes_and_values() -> None:
    with pytest.raises(DataError, match=r"not \[3, 2\] and \[2\]"):
        Features(VALUES.copy(), PRESENT[:2].copy())
    with pytest.raises(DataError, match="of entity 1 holds a value that is not finite"):
        Features(np.array([[0], [np.nan]], dtype=np.float32), np.array([True, True]))


def test_fill_rules_by_hand() -> None:
    rng = np.random.default_rng(0)
    assert fill_lacking(VALUES, PRESENT, "zeros", rng)[1].tolist() == [0, 0]
    assert fill_lacking(VALUES, PRESENT, "mean", rng)[1].tolist() == [2, 4]
    noise = np.random.default_rng(0).standard_normal((1, 2), dtype=np.float32)
    filled = fill_lacking(VALUES, PRESENT, "normal", rng)  # mean (2, 4), deviation (1, 2)
    assert filled[1].tolist() == pytest.approx([2 + noise[0, 0], 4 + 2 * noise[0, 1]], rel=1e-6)
    assert filled[[0, 2]].tolist() == VALUES[[0, 2]].tolist()
    assert VALUES[1].tolist() == [0, 0]


def test_only_the_normal_rule_draws() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    fill_lacking(VALUES, PRESENT, "mean", rng)
    fill_lacking(VALUES, PRESENT, "zeros", rng)
    assert rng.bit_generator.state == before


def test_nothing_present_or_nothing_lacking() -> None:
    rng = np.random.default_rng(0)
    nobody = np.zeros(3, dtype=bool)
    assert fill_lacking(VALUES, nobody, "normal", rng).tolist() == [[0, 0]] * 3
    assert fill_lacking(VALUES, ~nobody, "mean", rng).tolist() == VALUES.tolist()

"""How often a table calls the best of equal methods better than another: ``python -m`` this file.

Every method has the same true mean, so that each "is better than" is an error. Printed is the share
of tables with at least one, for the tests of the best against the others corrected for themselves
alone, and for those corrected for all pairs (``best_p_values``), at the 5 % level after Holm.
"""

from __future__ import annotations

import argparse

import numpy as np

from mmea_bench.reports.core.statistics.selected_best import best_p_values
from mmea_bench.reports.core.statistics.statistics import LEVEL, corrected


def share_of_errors(n_methods: int, n_repeats: int, n_tables: int) -> tuple[float, float]:
    """Share of tables with an error: corrected for the best's own tests, and for all pairs."""
    rng = np.random.default_rng(n_methods * 1000 + n_repeats)
    errors = np.zeros(2)
    for _ in range(n_tables):
        samples = rng.normal(size=(n_methods, n_repeats))
        best = int(samples.mean(axis=1).argmax())
        own = list(best_p_values(list(samples), best, "none").values())
        all_pairs = best_p_values(list(samples), best, "holm")
        errors += (
            min(corrected(own, "holm")) < LEVEL,
            min(all_pairs.values()) < LEVEL,
        )
    return float(errors[0] / n_tables), float(errors[1] / n_tables)


def main() -> None:
    """Prints a table for the page on statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=4000)
    n_tables = parser.parse_args().tables
    print("| methods | repeats | best against the others alone | all pairs |\n|---|---|---|---|")
    for n_methods in (3, 14):
        for n_repeats in (3, 5, 10):
            own, pairs = share_of_errors(n_methods, n_repeats, n_tables)
            print(f"| {n_methods} | {n_repeats} | {own:.3f} | {pairs:.3f} |")


if __name__ == "__main__":
    main()

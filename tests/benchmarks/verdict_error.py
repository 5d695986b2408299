"""How often ``reproduced`` is said of a method that is not the published one (``python -m``).

The published number is one run of the true method with the spread sd; ours are n runs of a method
whose true mean lies ``shift`` away, with the same spread. A shift of 0 shows how often a true
reproduction is told so, every other shift how often the rule errs.
"""

from __future__ import annotations

import numpy as np

from mmea_bench.reports.core.published.verdicts import verdict_of

SHIFTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1)
SPREADS = (0.002, 0.005, 0.01, 0.03)
N_DRAWS = 5000


def share_reproduced(shift: float, sd: float, n_repeats: int) -> float:
    """Share of draws with the verdict ``reproduced``."""
    rng = np.random.default_rng(1)
    printed = rng.normal(0.0, sd, N_DRAWS)
    ours = rng.normal(shift, sd, (N_DRAWS, n_repeats))
    means, deviations = ours.mean(axis=1), ours.std(axis=1, ddof=1)
    found = [
        verdict_of(mean - number, deviation, n_repeats) == "reproduced"
        for mean, number, deviation in zip(means, printed, deviations, strict=True)
    ]
    return float(np.mean(found))


def main() -> None:
    """Prints a table for the page on the regression check."""
    print("| sd | repeats | " + " | ".join(f"{shift:g} away" for shift in SHIFTS) + " |")
    print("|---|---|" + "---|" * len(SHIFTS))
    for sd in SPREADS:
        for n_repeats in (3, 5):
            shares = (f"{share_reproduced(shift, sd, n_repeats):.2f}" for shift in SHIFTS)
            print(f"| {sd:g} | {n_repeats} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()

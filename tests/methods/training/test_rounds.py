"""When pairs are promoted in a training of rounds."""

from __future__ import annotations

import pytest

from mmea_bench.methods.core.rounds.promotions import RoundSettings


@pytest.mark.parametrize(
    ("settings", "epochs_of_promotion"),
    [
        (RoundSettings(epochs=20, bootstrap_every=5), [5, 10, 15]),
        (RoundSettings(epochs=20, bootstrap_every=5, bootstrap_start=8), [8, 13, 18]),
        (RoundSettings(epochs=20, bootstrap_every=5, bootstrap_start=20), []),
        (RoundSettings(epochs=4, bootstrap_every=5), []),
    ],
    ids=["equal rounds", "a longer first round", "never", "shorter than a round"],
)
def test_pairs_are_promoted_at_the_end_of_every_round_but_the_last(
    settings: RoundSettings, epochs_of_promotion: list[int]
) -> None:
    found = [epoch for epoch in range(1, settings.epochs + 1) if settings.is_promoting(epoch)]

    assert found == epochs_of_promotion
    assert settings.first_promotion == (found[0] if found else 0)

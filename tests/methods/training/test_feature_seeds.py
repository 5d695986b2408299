"""Seeds without seed links."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.training.feature_seeds import seeds_among_present


def test_seeds_join_the_most_similar_entities_among_those_that_have_the_feature() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = normalize(torch.randn(9, 3, generator=generator), dim=1)
    present = torch.tensor([True, False, True, True, True, True, False, True, True])
    found = seeds_among_present(vectors, present, 4, 10)
    free_source, free_target = {0, 2, 3}, {4, 5, 7, 8}
    expected = []
    while free_source and free_target:  # greedily, the most similar pair first
        cells = [(a, b) for a in free_source for b in free_target]
        best = max(cells, key=lambda cell: float(vectors[cell[0]] @ vectors[cell[1]]))
        expected.append(list(best))
        free_source.remove(best[0])
        free_target.remove(best[1])
    assert found.tolist() == expected
    assert seeds_among_present(vectors, present, 4, 1).tolist() == expected[:1]

"""Negatives of triples and pairs against plain enumeration."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    NearestCandidates,
    TypedCandidates,
    UniformCandidates,
    bernoulli_head_share,
    drawn_of,
    nearest_entities,
    nearest_pair_negatives,
    random_pair_negatives,
)
from mmea_bench.methods.core.training.triple_corruption import Pools, TripleBatches

N_SOURCE, N_ENTITIES = 4, 7
SIDES = (set(range(4)), {4, 5, 6})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def few_triples() -> tuple[Tensor, Tensor]:
    triples = torch.tensor([[0, 0, 1], [0, 0, 2], [1, 1, 3], [4, 0, 5], [6, 1, 4]])
    return triples, (triples[:, 0] >= N_SOURCE).long()


def everyone() -> UniformCandidates:
    return UniformCandidates.of_graphs(N_SOURCE, N_ENTITIES)


def drawn_ends(
    corruption: FilteredCorruption, n: int = 400
) -> dict[int, tuple[set[int], set[int]]]:
    """Distinct stand-ins of each triple's head and tail."""
    batch = corruption.draw(n, generator())
    return {
        row: (
            set(batch.stand_ins[row][batch.replaces_head[row]].tolist()),
            set(batch.stand_ins[row][~batch.replaces_head[row]].tolist()),
        )
        for row in range(len(corruption.triples))
    }


def possible(triples: Tensor, row: int, candidates: set[int]) -> tuple[set[int], set[int]]:
    """Stand-ins of a triple's head and tail that make no known triple."""
    known = {tuple(triple) for triple in triples.tolist()}
    head, relation, tail = triples[row].tolist()
    return (
        {other for other in candidates if (other, relation, tail) not in known},
        {other for other in candidates if (head, relation, other) not in known},
    )


def test_uniform_negatives_are_every_false_triple_of_the_own_graph() -> None:
    triples, side = few_triples()
    found = drawn_ends(FilteredCorruption(triples, side, N_ENTITIES, everyone()))
    for row in range(len(triples)):
        assert found[row] == possible(triples, row, SIDES[int(side[row])])


def test_uniform_negatives_may_be_kept_to_the_entities_of_a_list_of_triples() -> None:
    # Entity 5 was swapped into a triple of the source KG; entity 3 stands in none.
    triples = torch.tensor([[0, 0, 1], [5, 0, 2]])
    side = torch.tensor([0, 0])
    found = drawn_ends(
        FilteredCorruption(triples, side, 7, UniformCandidates.of_triples(triples, side))
    )
    assert found[0] == possible(triples, 0, {0, 1, 2, 5})


def test_typed_negatives_stand_on_the_same_side_of_the_relation() -> None:
    triples = torch.tensor([[0, 0, 1], [2, 0, 3], [1, 1, 2]])
    side = torch.zeros(3, dtype=torch.int64)
    typed = TypedCandidates(triples, everyone())
    found = drawn_ends(FilteredCorruption(triples, side, N_ENTITIES, everyone(), typed))
    assert found[0] == ({2}, {3})
    # Relation 1 has one head and one tail, so anyone of the KG may stand in.
    assert found[2] == possible(triples, 2, SIDES[0])


def test_truncated_negatives_are_the_nearest_of_the_own_graph() -> None:
    vectors = torch.tensor([[1.0, 0], [0.9, 0.1], [0.8, 0], [-1, 0], [1, 0], [0, 1], [0.6, 0.6]])
    triples, side = torch.tensor([[0, 0, 3], [4, 0, 5]]), torch.tensor([0, 1])
    near = NearestCandidates(vectors, N_SOURCE, 0.75, everyone())
    found = drawn_ends(FilteredCorruption(triples, side, N_ENTITIES, everyone(), near))
    # Inner products of 0 within the source KG: 1, .9, .8, -1; of 3: 1, -.8, -.9, -1.
    assert found[0] == ({1, 2}, {1, 2})
    # Three quarters of three entities are two: 4 is near 4 and 6, 5 near 5 and 6.
    assert found[1] == ({6}, {6})


def test_an_entity_of_the_other_graph_is_replaced_by_anyone_of_the_triples_graph() -> None:
    vectors = torch.eye(7)
    vectors[0] = 2 * vectors[1]
    # Entity 4 is of the target KG and stands in a triple of the source KG.
    triples, side = torch.tensor([[4, 0, 1]]), torch.tensor([0])
    near = NearestCandidates(vectors, N_SOURCE, 0.25, everyone())
    found = drawn_ends(FilteredCorruption(triples, side, N_ENTITIES, everyone(), near))
    assert found[0] == (SIDES[0], {0})


def test_candidates_that_all_make_true_triples_give_way_to_the_whole_graph() -> None:
    triples = torch.tensor([[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 1]])
    side = torch.zeros(4, dtype=torch.int64)
    only_known = UniformCandidates(Pools(torch.tensor([0, 1]), torch.tensor([2, 0])))
    found = drawn_ends(FilteredCorruption(triples, side, N_ENTITIES, everyone(), only_known))
    assert all(ends == ({2, 3}, {2, 3}) for ends in found.values())


def test_a_graph_in_which_everything_is_true_still_gives_negatives() -> None:
    triples = torch.tensor(list(itertools.product(range(2), [0], range(2))))
    pair = UniformCandidates.of_graphs(2, 2)
    batch = FilteredCorruption(triples, torch.zeros(4), 2, pair).draw(3, generator())
    assert batch.stand_ins.shape == (4, 3)
    assert set(batch.stand_ins.flatten().tolist()) <= {0, 1}


def test_coins_are_fair_and_one_per_triple_where_asked() -> None:
    triples = torch.stack([torch.arange(2000) % 4, torch.zeros(2000).long(), torch.arange(2000)], 1)
    parts = (triples, torch.zeros(2000), 2000, UniformCandidates.of_graphs(2000, 2000))
    each = FilteredCorruption(*parts).draw(2, generator()).replaces_head
    assert each.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert bool((each[:, 0] != each[:, 1]).any())
    shared = FilteredCorruption(*parts, ends="one coin").draw(2, generator()).replaces_head
    assert torch.equal(shared[:, 0], shared[:, 1])


def test_both_ends_get_as_many_negatives_each() -> None:
    triples, side = few_triples()
    corruption = FilteredCorruption(triples, side, N_ENTITIES, everyone(), ends="both")
    drawn = corruption.draw(3, generator())
    assert drawn.replaces_head.tolist() == [[True] * 3 + [False] * 3] * len(triples)
    found = drawn_ends(corruption)
    for row in range(len(triples)):
        assert found[row] == possible(triples, row, SIDES[int(side[row])])


@pytest.mark.parametrize("ends", ["one coin", "both"])
def test_distinct_stand_ins_repeat_at_no_end_and_make_no_known_triple(ends: Any) -> None:
    # A KG of twelve entities with few triples has eight stand-ins for every end to spare.
    triples = torch.tensor([[0, 0, 1], [0, 0, 2], [3, 1, 4], [5, 0, 0]])
    anyone = UniformCandidates.of_graphs(12, 12)
    corruption = FilteredCorruption(triples, torch.zeros(4), 12, anyone, ends=ends, distinct=True)
    known = {tuple(triple) for triple in triples.tolist()}
    for seed in range(20):
        drawn = corruption.draw(5, torch.Generator().manual_seed(seed))
        for triple in drawn.negatives():
            rows = [tuple(each) for each in triple.tolist()]
            assert len(set(rows)) == len(rows)
            assert not known & set(rows)


def test_bernoulli_shares_replace_the_end_that_has_many_partners() -> None:
    # Relation 0: one head with three tails; relation 1: two triples, two heads, one tail.
    triples = torch.tensor([[0, 0, 1], [0, 0, 2], [0, 0, 3], [1, 1, 3], [2, 1, 3]])
    share = bernoulli_head_share(triples, 3)
    tails_per_head, heads_per_tail = 3 / 1, 3 / 3
    assert share[0].item() == pytest.approx(tails_per_head / (tails_per_head + heads_per_tail))
    assert share[1].item() == pytest.approx(1 / (1 + 2))
    assert share[2].item() == 0.5
    corruption = FilteredCorruption(triples, torch.zeros(5), 4, everyone(), head_share=share)
    heads = corruption.draw(4000, generator()).replaces_head.float().mean(dim=1)
    assert heads.tolist() == pytest.approx([0.75] * 3 + [1 / 3] * 2, abs=0.03)


def test_filtered_negatives_go_through_the_batches_of_an_epoch() -> None:
    triples, side = few_triples()
    corruption = FilteredCorruption(triples, side, N_ENTITIES, everyone())
    batches = list(TripleBatches(corruption, 3, 1, 2, RunContext(rng_seed=1)).epoch(1))
    assert [batch.stand_ins.shape for batch in batches] == [(2, 3), (2, 3), (1, 3)]


def test_members_of_a_group_are_drawn_evenly() -> None:
    pools = Pools.of(torch.tensor([1, 1, 0, 1]), torch.tensor([7, 8, 9, 7]))
    drawn = pools.draw(torch.tensor([1, 0]), 1000, generator())
    assert torch.bincount(drawn[0])[7:].tolist() == pytest.approx([500, 500], abs=60)
    assert set(drawn[1].tolist()) == {9}


@pytest.mark.parametrize("similarity", ["inner", "cosine", "manhattan", "euclidean"])
def test_nearest_entities_equal_sorting_all_scores(similarity: str) -> None:
    vectors = torch.randn(300, 5, generator=generator())
    queries, among = torch.arange(290), torch.arange(10, 300)
    near = nearest_entities(vectors, queries, among, 6, similarity, queries)  # type: ignore[arg-type]
    for query in range(290):
        own, others = vectors[query], vectors[10:]
        scores = {
            "inner": others @ own,
            "cosine": others @ own / others.norm(dim=1),
            "manhattan": -(others - own).abs().sum(dim=1),
            "euclidean": -(others - own).norm(dim=1),
        }[similarity].clone()
        if query >= 10:
            scores[query - 10] = -torch.inf
        expected = (torch.argsort(scores, descending=True)[:6] + 10).tolist()
        assert sorted(near[query].tolist()) == sorted(expected)


def test_hard_pair_negatives_near_the_partner_or_near_the_anchor() -> None:
    vectors = torch.tensor([[0.0], [1.0], [2.5], [0.4], [1.5], [9.0]])
    pairs = torch.tensor([[0, 3], [1, 4]])
    sides = (torch.tensor([3, 4, 5]), torch.tensor([0, 1, 2]))  # for targets, for sources
    partner = nearest_pair_negatives(vectors, pairs, sides, 1, near_partner=True, skip_partner=True)
    # Near target 3 is 4 and the other way round; near source 0 is 1, near 1 is 0.
    assert partner.squeeze(2).tolist() == [[4, 3], [1, 0]]
    everybody = (torch.arange(6), torch.arange(6))
    anchor = nearest_pair_negatives(
        vectors, pairs, everybody, 2, near_partner=False, skip_partner=False
    )
    # Stand-ins for targets are near the sources 0 (0, .4) and 1 (1, 1.5 or .4), itself among them.
    assert set(anchor[0, 0].tolist()) == {0, 3}
    assert set(anchor[0, 1].tolist()) == {1, 4}
    # Stand-ins for sources are near the targets: of .4 itself and 0, of 1.5 itself and 1.
    assert set(anchor[1, 0].tolist()) == {3, 0}
    assert set(anchor[1, 1].tolist()) == {4, 1}


def test_no_more_neighbours_than_there_are_candidates() -> None:
    pairs, sides = torch.tensor([[0, 2]]), (torch.tensor([2, 3]), torch.tensor([0, 1]))
    found = nearest_pair_negatives(
        torch.eye(4), pairs, sides, 5, near_partner=True, skip_partner=True
    )
    assert found.tolist() == [[[3]], [[1]]]


def test_random_pair_negatives_come_from_either_sides_entities() -> None:
    sides = (torch.tensor([3, 4]), torch.tensor([0, 1, 2]))
    drawn = random_pair_negatives(50, sides, 4, generator())
    assert drawn.shape == (2, 50, 4)
    assert set(drawn[0].flatten().tolist()) == {3, 4}
    assert set(drawn[1].flatten().tolist()) == {0, 1, 2}


def test_members_drawn_of_lists_are_members_of_their_list() -> None:
    lists = torch.tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    drawn = drawn_of(lists, 100, generator())
    assert drawn.shape == (2, 2, 100)
    assert set(drawn[1, 0].tolist()) == {5, 6}

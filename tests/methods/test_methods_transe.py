"""TransE's negatives against plain enumeration."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.shared_ids import SharedGraph
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.core.training.row_adagrad import RowAdagrad
from mmea_bench.methods.transe import TransE, TransEParams, corruption, initial_rows, losses

# Source KG: entities 0 to 5; target KG: 5 to 8. Entity 5 is a merged pair and stands in both.
TRIPLES = [[0, 0, 1], [0, 0, 2], [3, 0, 1], [4, 1, 5], [5, 2, 6], [7, 2, 8]]
SOURCE_SIDE = [True, True, True, True, False, False]
WHOLE = ({0, 1, 2, 3, 4, 5}, {5, 6, 7, 8})


def graph(triples: list[list[int]], source_side: list[bool], n_ids: int = 9) -> SharedGraph:
    return SharedGraph(torch.arange(n_ids), n_ids, torch.tensor(triples), torch.tensor(source_side))


def drawn(shared: SharedGraph, kind: str, n: int = 300) -> CorruptedTriples:
    generator = torch.Generator().manual_seed(0)
    return corruption(shared, kind).draw(n, generator)  # type: ignore[arg-type]


def rows(triples: Tensor) -> set[tuple[int, ...]]:
    return {tuple(row) for row in triples.reshape(-1, 3).tolist()}


def expected(row: int, heads: set[int], tails: set[int]) -> set[tuple[int, ...]]:
    """A triple with these entities in the place of its head or its tail, true triples left out."""
    head, relation, tail = TRIPLES[row]
    made = {(other, relation, tail) for other in heads}
    made |= {(head, relation, other) for other in tails}
    return made - rows(torch.tensor(TRIPLES))


def test_typed_negatives_are_every_false_triple_of_the_relations_own_ends() -> None:
    negatives = drawn(graph(TRIPLES, SOURCE_SIDE), "typed").negatives()
    # Relation 0 has the heads 0 and 3 and the tails 1 and 2. Whatever head stands in for 0 before
    # 1 is a true triple, so that after ten tries anyone of the KG may; 0 0 1 has no typed tail.
    assert rows(negatives[2]) >= expected(2, set(), {2})
    assert rows(negatives[1]) >= expected(1, {3}, set())
    # Relation 1 has one head and one tail, which leaves the whole KG of the triple.
    assert rows(negatives[3]) == expected(3, WHOLE[0], WHOLE[0])
    assert rows(negatives[5]) == expected(5, {5}, {6})


def test_uniform_negatives_are_every_false_triple_of_the_own_kg() -> None:
    negatives = drawn(graph(TRIPLES, SOURCE_SIDE), "uniform").negatives()
    for row, in_source in enumerate(SOURCE_SIDE):
        whole = WHOLE[0 if in_source else 1]
        assert rows(negatives[row]) == expected(row, whole, whole)


@pytest.mark.parametrize("kind", ["typed", "uniform"])
def test_no_negative_is_a_true_triple(kind: str) -> None:
    generator = torch.Generator().manual_seed(3)
    # Four heads and eight tails per relation of which half are true: a fair share of typed
    # negatives would be true ones.
    whole = torch.cartesian_prod(torch.arange(4), torch.arange(3), torch.arange(4, 12))
    true = whole[torch.rand(len(whole), generator=generator) < 0.5].tolist()
    negatives = drawn(graph(true, [True] * len(true), 12), kind, 20).negatives()
    assert not rows(negatives) & rows(torch.tensor(true))


def test_either_end_is_replaced_as_often() -> None:
    batch = drawn(graph(TRIPLES, SOURCE_SIDE), "typed", 2000)
    shares = batch.replaces_head.float().mean(dim=1)
    assert shares.tolist() == pytest.approx([0.5] * len(TRIPLES), abs=0.04)


def params_of(variant: str) -> TransEParams:
    params = TransE.configure("transe", variant).params
    assert isinstance(params, TransEParams)
    return params


def test_the_variant_starts_from_truncated_values_whose_deviation_follows_the_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = initial_rows(4000, params_of("OpenEA"), generator)
    assert rows.abs().max() <= 2 * 0.1  # 1 / sqrt(100), cut at two deviations
    assert rows.std() == pytest.approx(0.0880, abs=1e-3)  # which leaves 0.8796 of the deviation
    rows = initial_rows(4000, params_of("full"), generator)
    assert rows.std() == pytest.approx((2 / 4100) ** 0.5, rel=0.01)


def test_the_variant_takes_tensorflows_steps_on_the_sum_of_a_batch() -> None:
    """Adagrad by hand on two triples with one negative each."""
    params = params_of("OpenEA")
    generator = torch.Generator().manual_seed(1)
    entities, relations = (nn.Parameter(initial_rows(n, params, generator)) for n in (5, 2))
    batch = CorruptedTriples(
        torch.tensor([[0, 0, 1], [2, 1, 3]]),
        torch.tensor([[4], [0]]),
        torch.tensor([[True], [False]]),
    )
    tables = [table.detach().clone().requires_grad_() for table in (entities, relations)]
    e, r = (normalize(table, dim=1) for table in tables)
    own = (e[[0, 2]] + r - e[[1, 3]]).square().sum(dim=1)
    others = (e[[4, 2]] + r - e[[1, 0]]).square().sum(dim=1)
    torch.relu(1 + own - others).sum().backward()  # type: ignore[no-untyped-call]
    adagrad = RowAdagrad((entities, relations), params.learning_rate, params.initial_sum)
    (loss,) = losses(adagrad, iter([batch.distinct()]), params)
    loss.backward()  # type: ignore[no-untyped-call]
    adagrad.step()
    for table, start in zip((entities, relations), tables, strict=True):
        assert start.grad is not None
        step = 0.01 * start.grad / (0.1 + start.grad.square()).sqrt()
        torch.testing.assert_close(table.detach(), start.detach() - step)

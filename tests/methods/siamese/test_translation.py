"""Translation of the entities of a batch, and what stands in for them."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.siamese.stand_ins import StandIns
from mmea_bench.methods.core.siamese.translation import BatchEntities, Triples, translation_loss
from tests.methods.small_graphs import small_view


def test_translation_loss_by_hand() -> None:
    entities = torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    ends = (torch.tensor([0, 1]), torch.tensor([1, 1]), torch.tensor([2, 3]))
    at_head = torch.tensor([True, False])
    batch = Triples(ends, torch.tensor([0, 0]), at_head)
    # 1 + 2 - 4 < 0 and 1 + 0 - 9 < 0 vanish; with margin 3 the first leaves 1.
    assert float(translation_loss(entities, torch.zeros(1, 2), batch, 1.0)) == 0.0
    assert float(translation_loss(entities, torch.zeros(1, 2), batch, 3.0)) == 1.0


@pytest.mark.parametrize("block", [25, 7])
def test_translation_of_batch_entities_equals_the_whole_table(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.methods.core.siamese.translation._BLOCK", block)
    torch.manual_seed(0)
    tables = [torch.randn(size, 5, dtype=torch.float64) for size in (30, 4)]
    head, tail, other = torch.randint(0, 20, (3, 25))
    kinds, at_head = torch.randint(0, 4, (25,)), torch.rand(25) < 0.5
    results = []
    for fast in (True, False):
        entities, relations = (table.clone().requires_grad_() for table in tables)
        if fast:
            used = BatchEntities(torch.cat([head, tail, other]), entities)
            batch = used.triples(head, tail, other, kinds, at_head)
            loss = translation_loss(used.vectors, relations, batch, 1.0)
        else:
            unit = torch.nn.functional.normalize(entities, dim=1)
            h, t, o, r = unit[head], unit[tail], unit[other], relations[kinds]
            swapped = torch.where(at_head.unsqueeze(1), o + r - t, h + r - o)
            gaps = (h + r - t).square().sum(dim=1) - swapped.square().sum(dim=1)
            assert 0 < int((gaps < -1).sum()) < 25  # both sides of the hinge occur
            loss = (1.0 + gaps).clamp_min(0).sum()
        (3 * loss).backward()  # type: ignore[no-untyped-call]
        results.append([loss.detach(), entities.grad, relations.grad])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_stand_ins_come_from_the_same_graph_and_are_no_known_triple() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    known = TripleSet.of(graph)
    triples = {tuple(triple) for triple in known.triples.tolist()}
    sampler = StandIns(known, graph)
    generator = torch.Generator().manual_seed(2)
    heads = 0
    for _ in range(10):
        drawn, replaces_head = sampler.draw(generator)
        heads += int(replaces_head.sum())
        for (head, relation, tail), side, entity, at_head in zip(
            known.triples.tolist(),
            known.from_source,
            drawn.tolist(),
            replaces_head.tolist(),
            strict=True,
        ):
            assert (entity < graph.n_source) == side
            corrupted = (entity, relation, tail) if at_head else (head, relation, entity)
            # The target KG has two entities, so a stand-in can always avoid the known triple.
            assert corrupted not in triples
    assert 10 < heads < 40

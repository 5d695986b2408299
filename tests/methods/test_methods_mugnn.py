"""MuGNN's rules, groundings, channels and truth values against plain computations."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.mugnn import rule_batch
from mmea_bench.methods.parts.mugnn.edges import LabelledEdges
from mmea_bench.methods.parts.mugnn.encoder import TwoChannels
from mmea_bench.methods.parts.mugnn.groundings import ground, transferred
from mmea_bench.methods.parts.mugnn.inputs import (
    JointGroundings,
    SeparateRelations,
    relation_pairs,
)
from mmea_bench.methods.parts.mugnn.rule_files import read_rules
from mmea_bench.methods.parts.mugnn.rule_mining import NO_PREMISE, RuleLimits, mine_rules
from mmea_bench.methods.parts.mugnn.truth import (
    RuleBatch,
    rule_loss,
    triple_losses,
    truth_values,
)
from tests.cases.odd_files import ODD_FILES
from tests.methods.small_graphs import knowledge_graph, small_view

N_ENTITIES, N_RELATIONS = 9, 3


def drawn_triples() -> np.ndarray:
    rng = np.random.default_rng(3)
    sizes = (N_ENTITIES, N_RELATIONS, N_ENTITIES)
    return np.stack([rng.integers(size, size=40) for size in sizes], axis=1)


def walks(triples: set[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Every triple in both directions, with its label."""
    return triples | {(t, r + N_RELATIONS, h) for h, r, t in triples}


def holding(
    triples: set[tuple[int, int, int]], body: tuple[int, int]
) -> set[tuple[int, int, tuple[tuple[int, int, int], ...]]]:
    """(x, y, steps) for which premises hold, by enumeration."""
    first, second = body
    steps = walks(triples)
    found = set()
    for one in steps:
        if one[1] != first:
            continue
        if second == NO_PREMISE:
            found.add((one[0], one[2], (one,)))
        else:
            found |= {
                (one[0], two[2], (one, two))
                for two in steps
                if two[1] == second and two[0] == one[2] and two[2] != one[0]
            }
    return found


def test_rules_have_the_support_and_confidence_of_plain_enumeration() -> None:
    raw = drawn_triples()
    triples = {(int(h), int(r), int(t)) for h, r, t in raw if h != t}
    labels = range(2 * N_RELATIONS)
    expected = {}
    for first, second, head in itertools.product(labels, (NO_PREMISE, *labels), range(N_RELATIONS)):
        if second == NO_PREMISE and first == head:
            continue
        pairs = {(x, y) for x, y, _ in holding(triples, (first, second))}
        of_head = {(h, t) for h, r, t in triples if r == head}
        support = len(pairs & of_head)
        known = sum(x in {h for h, _ in of_head} for x, _ in pairs)
        if support >= 2 and support / known >= 0.3:
            expected[(first, second, head)] = (support, pytest.approx(support / known))
    edges = LabelledEdges.of(raw, N_ENTITIES, N_RELATIONS)
    rules = mine_rules(edges, RuleLimits(2, 0.0, 0.3, 10_000))
    columns = (rules.bodies, rules.heads, rules.support, rules.confidence)
    found = {
        (int(body[0]), int(body[1]), int(head)): (int(support), float(confidence))
        for body, head, support, confidence in zip(*columns, strict=True)
    }
    assert len(found) > 10
    assert found == expected


@pytest.mark.parametrize("body", [(0, NO_PREMISE), (4, NO_PREMISE), (0, 1), (3, 2), (2, 5)])
def test_groundings_are_the_new_conclusions_of_all_paths(body: tuple[int, int]) -> None:
    raw = drawn_triples()
    triples = {(int(h), int(r), int(t)) for h, r, t in raw if h != t}
    edges = LabelledEdges.of(raw, N_ENTITIES, N_RELATIONS)
    found = ground(edges, np.array([body]), np.array([2]), 10_000)

    def triple(step: tuple[int, int, int]) -> tuple[int, int, int]:
        start, label, end = step
        if label < N_RELATIONS:
            return start, label, end
        return end, label - N_RELATIONS, start

    expected = {
        ((x, 2, y), *(triple(step) for step in steps))
        for x, y, steps in holding(triples, body)
        if (x, 2, y) not in triples
    }
    ours = {
        (tuple(conclusion), *(tuple(edges.triples[p].tolist()) for p in places if p >= 0))
        for conclusion, places in zip(
            found.conclusions.tolist(), found.premises.tolist(), strict=True
        )
    }
    assert len(found) == len(expected)
    assert ours == expected


def test_rules_cross_over_where_all_their_relations_have_partners() -> None:
    # Three relations here and four there; relation 2 has no partner.
    bodies = np.array([[0, 4], [3, NO_PREMISE], [2, 0]])
    partner = np.array([3, 1, -1])
    labels, heads = transferred(bodies, np.array([1, 0, 1]), partner, (3, 4))
    assert labels.tolist() == [[3, 5], [7, NO_PREMISE]]
    assert heads.tolist() == [1, 3]


def test_relations_of_equal_local_name_are_partners() -> None:
    source = knowledge_graph("s", 1, [], ["http://a/x#Born", "http://a/died", "http://b/born"])
    target = knowledge_graph("t", 1, [], ["http://c/height", "http://c/born"])
    assert relation_pairs(source, target).tolist() == [[0, 1]]


RULES = """# comment
Rule\tPCA Confidence
?a <born> ?b  => ?a lives ?b\t0.9
?b born ?a => ?a lives ?b
?a born ?c  ?c in ?b => ?a lives ?b
?b in ?c  ?c born ?a => ?a lives ?b
"""


def test_rules_are_read_with_premises_in_any_direction(tmp_path: Path) -> None:
    file = tmp_path / "rules.tsv"
    file.write_text(RULES)
    bodies, heads = read_rules(file, ["born", "in", "lives"])
    assert bodies.tolist() == [[0, NO_PREMISE], [3, NO_PREMISE], [0, 1], [3, 4]]
    assert heads.tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("?a born ?b", "Line 1 .* is no rule"),
        ("?a born ?b ?b in ?c ?c in ?d => ?a lives ?d", "is no rule"),
        ("?a dies ?b => ?a lives ?b", "no relation 'dies'"),
        ("?a born ?c => ?a lives ?b", "do not lead from [?]a to [?]b"),
        ("?a born ?c ?d in ?b => ?a lives ?b", "do not lead"),
        ("?a born ?a => ?a lives ?a", "do not lead"),
    ],
)
def test_a_line_that_is_no_rule_is_refused_with_its_number(
    line: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "rules.tsv"
    file.write_text(line)
    with pytest.raises(UserError, match=complaint):
        read_rules(file, ["born", "in", "lives"])


def test_a_missing_file_of_rules_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_rules(tmp_path / "none.tsv", ["born"])


@pytest.mark.parametrize("kind", ODD_FILES)
def test_rules_come_from_a_regular_file(tmp_path: Path, kind: str) -> None:
    ODD_FILES[kind](tmp_path / "odd")
    with pytest.raises(UserError, match=r"cannot be read: .*no regular file"):
        read_rules(tmp_path / "odd", ["born"])


def tables() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 4, generator=generator), torch.randn(3, 4, generator=generator)


def test_truth_falls_with_the_absolute_components_of_the_gap() -> None:
    entities = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    found = truth_values(entities, torch.zeros(1, 4), torch.tensor([[0, 0, 1], [0, 0, 0]]))
    assert found.tolist() == pytest.approx([1 - 2 / 6, 1])


def test_triples_are_set_against_their_negatives_by_truth() -> None:
    entities, relations = tables()
    triples = torch.tensor([[0, 0, 1], [2, 1, 3], [4, 2, 0]])
    heads = torch.tensor([[True, False]]).expand(3, 2)
    drawn = CorruptedTriples(triples, torch.tensor([[2, 3], [1, 0], [2, 2]]), heads)
    own = truth_values(entities, relations, triples).unsqueeze(1)
    others = truth_values(entities, relations, drawn.negatives().view(-1, 3)).view(3, 2)
    expected = (0.12 - own + others).clamp_min(0).mean()
    parts = list(triple_losses(entities, relations, drawn, 0.12, chunk=2))
    assert float(sum(parts)) == pytest.approx(float(expected), abs=1e-6)


def test_a_rule_is_true_unless_its_premises_are_and_its_conclusion_is_not() -> None:
    entities, relations = tables()
    both = torch.tensor([[[0, 0, 1], [1, 1, 2]], [[3, 0, 4], [3, 0, 4]]])
    right, wrong = torch.tensor([[0, 2, 2], [3, 1, 4]]), torch.tensor([[0, 1, 2], [3, 2, 4]])
    batch = RuleBatch.of(both, torch.tensor([True, False]), right, wrong)
    truth = [truth_values(entities, relations, part) for part in both.unbind(1)]
    f, g = (truth_values(entities, relations, part) for part in (right, wrong))
    premises = torch.stack([truth[0][0] * truth[1][0], truth[0][1]])
    gaps = (1 + premises * (f - 1)) - (1 + premises * (g - 1))
    expected = (0.12 - gaps).clamp_min(0).mean()
    found = rule_loss(entities, relations, batch, 0.12)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_groundings_that_share_triples_look_them_up_once() -> None:
    triples = torch.tensor([[0, 0, 1], [1, 1, 2], [0, 2, 2], [0, 1, 2]])
    both, second = torch.tensor([[0, 1], [0, 3]]), torch.tensor([True, False])
    batch = RuleBatch.of(triples[both], second, triples[[2, 2]], triples[[3, 1]])
    assert len(batch.triples) == 4
    listed = batch.triples[batch.places]
    assert listed[0].equal(triples)
    assert listed[1].equal(triples[[0, 0, 2, 1]])


def encoder() -> tuple[TwoChannels, SeparateRelations]:
    inputs = SeparateRelations.of(small_view(), by_name=True)
    sizes = (4, 1, 0.2)
    generators = (torch.Generator().manual_seed(1), torch.Generator())
    return TwoChannels(inputs, *sizes, *generators, torch.device("cpu")).eval(), inputs


def test_edges_weigh_as_their_last_relation_resembles_one_of_the_other_kg() -> None:
    made, _ = encoder()
    unit = torch.nn.functional.normalize(made.relations, dim=1)
    # Source relations are 0 and 1, the target has 2. Entity 2 has 0 (by 1) and itself.
    score = (unit[1] @ unit[2]).reshape(1)
    shares = torch.cat([score, torch.ones(1)]).softmax(dim=0)
    expected = shares @ made.entities[[0, 2]]
    assert torch.allclose(made.cross_channel()[2], torch.nn.functional.elu(expected), atol=1e-6)


def test_vectors_are_the_normalised_mean_of_both_channels() -> None:
    made, _ = encoder()
    mean = (made.own_channel() + made.cross_channel()) / 2
    assert torch.allclose(made(), mean / mean.norm(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize("corrupted", [True, False])
def test_premises_about_the_target_are_negatives_in_the_released_code(corrupted: bool) -> None:
    _, inputs = encoder()
    n, last = len(inputs.triples), len(inputs.triples) - 1
    found = JointGroundings(
        torch.tensor([[0, 1], [last, last]]),
        torch.tensor([True, False]),
        torch.stack([inputs.triples[0], inputs.triples[last]]),
    )
    drawn = CorruptedTriples(
        inputs.triples, torch.full((n, 1), 4), torch.ones(n, 1, dtype=torch.bool)
    )
    batch = rule_batch(inputs, found, drawn, torch.Generator(), corrupted=corrupted)
    (*premises, _, negative), others = batch.triples[batch.places]
    assert torch.equal(torch.stack(premises), inputs.triples[:2])
    head = 4 if corrupted else int(inputs.triples[last, 0])
    assert others[:2, 0].tolist() == [head, head]
    assert others[3, 1] == 2  # the only relation of the target KG
    assert negative[1] in (0, 1)

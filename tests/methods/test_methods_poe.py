"""PoE: each expert against its formula, and the product as an inner product of vectors."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.sampled_softmax import query_loss, shared_query_loss
from mmea_bench.methods.parts.poe.batches import TripleAndLinkBatches, links_apart
from mmea_bench.methods.parts.poe.experts import (
    ExpertVectors,
    FitBy,
    feature_expert,
    numeric_values,
    numerical_expert,
    principal_directions,
    relational_expert,
)
from mmea_bench.methods.parts.poe.product import ProductOfExperts
from mmea_bench.methods.poe import Losses, PoE
from tests.methods.nmmkg_views import nmmkg_view
from tests.methods.small_graphs import knowledge_graph, small_view

CPU = torch.device("cpu")


def context() -> RunContext:
    return RunContext(rng_seed=1)


def path_view() -> TrainView:
    """Source 0-1, 0-2, 3-1; target 0-1, 0-2, 3-2; seeds 1-1 and 2-2."""
    source = knowledge_graph("s", 4, [(0, 0, 1), (0, 0, 2), (3, 0, 1), (1, 0, 0)], ["r"])
    target = knowledge_graph("t", 4, [(0, 0, 1), (2, 0, 0), (3, 0, 2)], ["q"])
    seeds = np.array([[1, 1], [2, 2]], dtype=np.int32)
    return TrainView(source, target, {}, ("structure", "relation"), seeds)


def numeric_view(n: int = 40) -> TrainView:
    """Years that agree up to a year, and populations of the source alone."""
    generator = np.random.default_rng(3)
    years = generator.integers(1800, 2000, size=n)
    graphs = []
    for name, shift in (("s", 0), ("t", 1)):
        graph = knowledge_graph(name, n, [(0, 0, 1)], ["r"], (["year"], [(i, 0) for i in range(n)]))
        values = text_array([str(year + shift) for year in years])
        graphs.append(replace(graph, attribute_values=values))
    seeds = np.stack([np.arange(10)] * 2, axis=1).astype(np.int32)
    return TrainView(graphs[0], graphs[1], {}, ("structure", "attribute"), seeds)


def with_values(graph: KnowledgeGraph, values: list[str]) -> KnowledgeGraph:
    return replace(graph, attribute_values=text_array(values))


def test_paths_through_seed_links_by_hand() -> None:
    view = path_view()
    graph = JointGraph.of(view)
    expert = relational_expert(graph, graph.seed_pairs(view), 8, context())
    assert expert is not None
    # Degrees: s1 has 2 neighbours, s2 has 1; t1 has 1, t2 has 2.
    root = math.sqrt(1 / 2)
    source0 = torch.tensor([root, 1.0])
    target0 = torch.tensor([1.0, root])
    scores = expert.source @ expert.target.T
    cosine = float(source0 @ target0 / source0.norm() / target0.norm())
    assert float(scores[0, 0]) == pytest.approx(cosine)
    assert float(scores[0, 3]) == pytest.approx(1 / float(source0.norm()))  # through s2, t2
    assert float(scores[3, 0]) == pytest.approx(1 / float(target0.norm()))  # through s1, t1
    assert float(scores[3, 3]) == 0.0
    assert float(expert.source[1:3].abs().sum()) == 0.0  # their only neighbours are no seeds


def test_projected_paths_are_preserved_on_average() -> None:
    generator = np.random.default_rng(2)
    edges = [(int(a), 0, int(b)) for a, b in generator.integers(60, size=(300, 2))]
    source, target = (knowledge_graph(name, 60, edges, ["r"]) for name in ("s", "t"))
    seeds = np.stack([np.arange(50)] * 2, axis=1).astype(np.int32)
    view = TrainView(source, target, {}, ("structure",), seeds)
    graph = JointGraph.of(view)
    pairs = graph.seed_pairs(view)
    exact = relational_expert(graph, pairs, 50, context())
    assert exact is not None
    mean = torch.zeros(60, 60)
    for rng_seed in range(200):
        projected = relational_expert(graph, pairs, 20, RunContext(rng_seed))
        assert projected is not None
        assert projected.source.shape == (60, 20)
        mean += projected.source @ projected.target.T / 200
    torch.testing.assert_close(mean, exact.source @ exact.target.T, atol=0.08, rtol=0)


def test_paths_need_seed_links() -> None:
    view = path_view()
    assert relational_expert(JointGraph.of(view), torch.zeros(0, 2).long(), 8, context()) is None


def test_features_are_compared_by_centred_cosines() -> None:
    view = nmmkg_view()
    expert = feature_expert(view, "image", 8, context())
    assert expert is not None
    source, target = view.features["image"]
    values = np.concatenate([source.values[source.present], target.values[target.present]])
    mean = values.mean(axis=0)
    first, second = np.flatnonzero(source.present)[1], np.flatnonzero(target.present)[2]
    a, b = source.values[first] - mean, target.values[second] - mean
    expected = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert float(expert.source[first] @ expert.target[second]) == pytest.approx(expected, abs=1e-5)


def test_lacking_features_say_nothing() -> None:
    expert = feature_expert(small_view(), "image", 8, context())
    assert expert is not None
    assert float(expert.source[1].abs().sum()) == 0.0
    assert float(expert.target[1].abs().sum()) == 0.0


def test_principal_directions_span_the_largest_variance() -> None:
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(80, 30, generator=generator) * torch.logspace(1, -2, 30)
    directions = principal_directions(rows, 4, generator)
    _, _, exact = torch.linalg.svd(rows, full_matrices=False)
    torch.testing.assert_close(directions.T @ directions, torch.eye(4), atol=1e-4, rtol=0)
    overlap = torch.linalg.svdvals(exact[:4] @ directions)
    torch.testing.assert_close(overlap, torch.ones(4), atol=1e-3, rtol=0)


def test_numbers_by_hand() -> None:
    attributes = (["a", "b"], [(0, 0), (0, 0), (1, 0), (1, 1), (2, 1)])
    graph = with_values(
        knowledge_graph("s", 3, [], [], attributes), ["0", "-1e2", "nan", "7", "1912-07"]
    )
    found = numeric_values(graph)
    expected = [[-50, math.nan], [math.nan, 7], [math.nan, 1912.5]]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("fit_by", ["moments", "robust"])
def test_numerical_expert_approximates_its_gaussian(fit_by: FitBy) -> None:
    view = numeric_view()
    expert = numerical_expert(view, 4, 20_000, context(), fit_by)
    assert expert is not None
    source, target = numeric_values(view.source)[:, 0], numeric_values(view.target)[:, 0]
    if fit_by == "robust":
        source, target = np.log1p(source), np.log1p(target)
    differences = source[:10] - target[:10]
    centre, width = differences.mean(), differences.std()
    if fit_by == "robust":
        centre = np.median(differences)
        width = 1.4826 * np.median(np.abs(differences - centre))
    width = max(1e-3, width)
    expected = np.exp(-(((source[:, None] - target[None] - centre) / width) ** 2))
    np.testing.assert_allclose((expert.source @ expert.target.T).numpy(), expected, atol=0.05)


def test_attributes_without_numbers_give_no_expert() -> None:
    view = numeric_view()
    words = ["word"] * len(view.source.attribute_values)
    view = replace(view, source=with_values(view.source, words))
    assert numerical_expert(view, 4, 8, context()) is None


def test_logits_of_the_experts_add_up() -> None:
    view = path_view()
    graph = JointGraph.of(view)
    fixed = {
        name: ExpertVectors(torch.randn(4, dim), torch.randn(4, dim))
        for name, dim in (("relational", 3), ("image", 2))
    }
    model = ProductOfExperts(graph, fixed, 5, 10.0, context())
    with torch.no_grad():
        model.log_weights["image"].fill_(-0.4)
        model.log_weights["latent"].fill_(0.7)
        source, target = model.vectors()
        found = source @ target.T
        table = model.entities
        for i in range(4):
            for j in range(4):
                latent = float((table[i] * model.relations[2] * table[4 + j]).sum())
                expected = math.exp(0.7) * latent
                for name, expert in fixed.items():
                    weight = math.exp(-0.4) if name == "image" else 10.0
                    expected += weight * float(expert.source[i] @ expert.target[j])
                assert float(found[i, j]) == pytest.approx(expected, abs=1e-4)
        everyone = torch.arange(8)
        torch.testing.assert_close(
            model.link_logits(everyone[:4], everyone[4:], paired=False), found
        )
        torch.testing.assert_close(
            model.link_logits(everyone[:4], everyone[4:], paired=True), found.diagonal()
        )


def test_rows_gathered_at_once_give_the_loss_and_the_gradient_of_single_look_ups() -> None:
    graph = JointGraph.of(path_view())
    pairs = torch.tensor([[1, 5], [2, 6]])
    model = ProductOfExperts(graph, {}, 5, 10.0, context())
    triples = torch.from_numpy(graph.triples[graph.triples[:, 0] < graph.n_source])
    kinds = pairs, pairs[:0]
    gathered = Losses(model, TripleAndLinkBatches(graph, kinds, (9, 9), context()), 3, CPU)
    found = gathered.of(triples, *kinds)

    draws = TripleAndLinkBatches(graph, kinds, (9, 9), context())
    drawn, other_heads, other_tails = (
        draws.others_of(3, is_source=is_source) for is_source in (True, True, False)
    )
    table, (heads, relations, tails) = model.entities, triples.T
    of_pair = table[heads] * model.relations[relations] * table[tails]
    from_head = (table[heads] * model.relations[relations]) @ table[drawn].T
    from_tail = (table[tails] * model.relations[relations]) @ table[drawn].T
    expected = query_loss(of_pair.sum(1), from_head, tails.unsqueeze(1) != drawn)
    expected = expected + query_loss(of_pair.sum(1), from_tail, heads.unsqueeze(1) != drawn)
    source, target = pairs.T
    same_as = model.relations[graph.n_relations]
    own = (table[source] * same_as * table[target]).sum(1)
    forth = (table[source] * same_as) @ table[other_tails].T
    back = (table[target] * same_as) @ table[other_heads].T
    expected = expected + query_loss(own, forth, target.unsqueeze(1) != other_tails)
    expected = expected + query_loss(own, back, source.unsqueeze(1) != other_heads)
    torch.testing.assert_close(found, expected)
    wanted = (model.entities, model.relations)
    for gradient, plain in zip(
        torch.autograd.grad(found, wanted), torch.autograd.grad(expected, wanted), strict=True
    ):
        torch.testing.assert_close(gradient, plain)


def test_query_loss_by_hand() -> None:
    answers, others = torch.tensor([2.0, 2.0]), torch.tensor([[1.0, 0.0], [2.0, 6.0]])
    wrong = torch.tensor([[True, True], [True, False]])
    first = math.log(math.exp(2) + math.exp(1) + 1) - 2
    second = math.log(2 * math.exp(2)) - 2
    found = query_loss(answers, others, wrong)
    assert float(found) == pytest.approx((first + second) / 2)


def test_queries_that_share_negatives_have_the_loss_and_the_gradients_of_written_out_logits() -> (
    None
):
    generator = torch.Generator().manual_seed(4)
    queries, negatives = (torch.randn(n, 3, generator=generator) for n in (4, 5))
    answers = torch.randn(4, generator=generator)
    inputs = [each.requires_grad_() for each in (queries, answers, negatives)]
    answer_ids, negative_ids = torch.tensor([7, 1, 2, 7]), torch.tensor([2, 7, 3, 7, 2])
    wrong = answer_ids.unsqueeze(1) != negative_ids
    expected = query_loss(answers, queries @ negatives.T, wrong)
    found = shared_query_loss(queries, answers, negatives, (answer_ids, negative_ids))
    torch.testing.assert_close(found, expected)
    slopes = (torch.autograd.grad(3 * loss, inputs) for loss in (found, expected))
    for ours, plain in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, plain)


def test_experts_are_weighed_on_links_that_the_latent_one_does_not_learn() -> None:
    pairs = torch.arange(40).reshape(20, 2)
    learned, weighed = links_apart(pairs, 0.1, context())
    assert (len(learned), len(weighed)) == (18, 2)
    both = torch.cat([learned, weighed])
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, pairs.tolist()))
    only, same = links_apart(pairs[:1], 0.1, context())
    assert only.tolist() == same.tolist() == [[0, 1]]


def test_weighing_gives_the_latent_table_no_gradient_and_the_weights_the_products_one() -> None:
    graph = JointGraph.of(path_view())
    fixed = {"image": ExpertVectors(torch.randn(4, 3), torch.randn(4, 3))}
    model = ProductOfExperts(graph, fixed, 5, 10.0, context())
    pairs = torch.tensor([[1, 5], [2, 6]])
    kinds = pairs[:0], pairs
    batches = TripleAndLinkBatches(graph, kinds, (9, 9), context(), with_triples=False)
    loss = Losses(model, batches, 3, CPU).of(torch.empty(0, 3, dtype=torch.int64), *kinds)
    loss.backward()  # type: ignore[no-untyped-call]
    assert model.entities.grad is None

    draws = TripleAndLinkBatches(graph, kinds, (9, 9), context(), with_triples=False)
    others = [draws.others_of(3, is_source=is_source) for is_source in (True, False)]
    source, target = model.vectors()
    source, target = source.detach(), target.detach()
    roots = [
        (model.log_weights[name] - start).div(2).exp()
        for name, start in (("latent", 0.0), ("image", math.log(10.0)))
    ]
    scale = torch.cat([roots[0].expand(5), roots[1].expand(3)])
    scores = (source * scale) @ (target * scale).T
    heads, tails = pairs.T
    own, wrong = scores[heads, tails - 4], (tails.unsqueeze(1) != others[1])
    plain = query_loss(own, scores[heads][:, others[1] - 4], wrong)
    wrong = heads.unsqueeze(1) != others[0]
    plain = plain + query_loss(own, scores[others[0]][:, tails - 4].T, wrong)
    torch.testing.assert_close(loss, plain)
    for name, expected in zip(
        ("latent", "image"),
        torch.autograd.grad(plain, [model.log_weights[n] for n in ("latent", "image")]),
        strict=True,
    ):
        torch.testing.assert_close(model.log_weights[name].grad, expected)


def test_an_epoch_sees_every_triple_once_and_links_in_turn() -> None:
    view = nmmkg_view()
    graph = JointGraph.of(view)
    pairs = graph.seed_pairs(view)
    batches = TripleAndLinkBatches(graph, (pairs, pairs[:3]), (7, 4), context())
    triples, links, weighed = zip(*batches.epoch(), strict=True)
    seen = torch.cat(triples)
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, graph.triples.tolist()))
    assert all(len({row[0] < graph.n_source for row in part.tolist()}) == 1 for part in triples)
    for kind, n_links in ((links, len(pairs)), (weighed, 3)):
        counts = torch.unique(torch.cat(kind), dim=0, return_counts=True)[1]
        assert len(counts) == n_links
        assert int(counts.max() - counts.min()) <= 1


def test_without_triples_seed_links_alone_make_the_epoch() -> None:
    view = nmmkg_view()
    graph = JointGraph.of(view)
    pairs = graph.seed_pairs(view)
    kinds = pairs[:0], pairs
    batches = TripleAndLinkBatches(graph, kinds, (7, 4), context(), with_triples=False)
    triples, learned, links = zip(*batches.epoch(), strict=True)
    assert all(len(part) == 0 for part in (*triples, *learned))
    assert len(links) == math.ceil(len(pairs) / 4)


def test_negatives_come_from_the_graph_asked_for() -> None:
    graph = JointGraph.of(small_view())
    nothing = torch.empty(0, 2, dtype=torch.int64)
    batches = TripleAndLinkBatches(graph, (nothing, nothing), (7, 4), context())
    assert set(batches.others_of(60, is_source=True).tolist()) == {0, 1, 2}
    assert set(batches.others_of(60, is_source=False).tolist()) == {3, 4}
    assert batches.is_of_source(torch.tensor([[2, 0, 0]]))
    assert not batches.is_of_source(torch.tensor([[3, 0, 4]]))


def test_inner_products_rank_entities_and_cosines_nodes() -> None:
    overrides = {"epochs": 2, "dim": 4}
    found = [
        PoE.configure("poe", overrides=overrides).fit(view, context()).similarity
        for view in (small_view(), nmmkg_view())
    ]
    assert found == ["inner", "cosine"]


def test_seed_links_end_above_others() -> None:
    view = nmmkg_view()
    overrides = {"epochs": 60, "dim": 16, "learning_rate": 1e-2}
    embeddings = PoE.configure("poe", "l", overrides).fit(view, context())
    scores = normalize(embeddings.source, dim=1) @ normalize(embeddings.target, dim=1).T
    links = torch.from_numpy(view.seed_links.astype(np.int64))
    assert float(scores[links[:, 0], links[:, 1]].mean()) > float(scores.mean()) + 0.3


def test_unknown_experts_are_refused() -> None:
    with pytest.raises(UserError, match="letters among lrni"):
        PoE.configure("poe", overrides={"experts": "lx"})


def test_experts_without_input_are_a_reason_to_skip() -> None:
    method = PoE.configure("poe", overrides={"experts": "n"})
    assert method.skip_reason(("structure", "image")) is not None
    assert method.skip_reason(("structure", "attribute")) is None

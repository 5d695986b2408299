"""PathFusion's paths, against loops over single values and images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.attribute_texts import attribute_name
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.parts.pathfusion import paths as parts
from mmea_bench.methods.parts.pathfusion.paths import (
    HeldPath,
    ImagePath,
    ScaledPath,
    value_similarities,
)
from mmea_bench.methods.parts.pathfusion.values import ValueItems, path_number
from mmea_bench.methods.pathfusion import PathFusionParams, similarity_paths, summed_scores


def graph_of(facts: list[tuple[int, str, str]], n_entities: int = 4) -> KnowledgeGraph:
    """A KG with attribute triples alone: (entity, attribute, value)."""
    names = list(dict.fromkeys(name for _, name, _ in facts))
    return KnowledgeGraph(
        "g",
        text_array([f"e{index}" for index in range(n_entities)]),
        text_array([]),
        text_array(names),
        np.empty((0, 3), dtype=np.int32),
        np.array([(entity, names.index(name)) for entity, name, _ in facts], np.int32).reshape(
            -1, 2
        ),
        text_array([value for *_, value in facts]),
        text_array([""] * n_entities),
    )


SOURCE = [
    (0, "http://x/height", "178.0"),
    (0, "http://x/height", "180"),
    (1, "http://x/height", "178.0"),
    (1, "http://x/born", "1950-12-03"),
    (3, "http://x/born", "unknown"),
]
TARGET = [
    (0, "/m/person.height", "178.0"),
    (0, "/m/person.height", "178.0"),
    (2, "/m/birth", "1951"),
    (2, "/m/birth", "1951-01-02"),
]


def letters(first: list[str], second: list[str]) -> Tensor:
    """Share of the letters of the first text that the second one has."""
    return torch.tensor([[sum(a in b for a in one) / len(one) for b in second] for one in first])


@pytest.mark.parametrize("slip", [False, True])
def test_attribute_path_is_the_sum_over_all_pairs_of_values(
    *, slip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_BLOCK_ITEMS", 2)
    expected = np.zeros((4, 4))
    read = {"178.0": 178.0, "180": 180.0}
    read |= {"1950-12-03": 1951.0, "unknown": 0.0, "1951": 1951.0, "1951-01-02": 1951 + 1 / 12}
    for entity, uri, value in SOURCE:
        for other, other_uri, other_value in dict.fromkeys(TARGET):
            # The source is FB15K, which the released code, having it as its target, encodes so.
            text = attribute_name(uri) + (f" {value}" if slip else "")
            kernel = float(letters([text], [attribute_name(other_uri)])[0, 0])
            expected[entity, other] += kernel / (abs(read[value] - read[other_value]) + 1e-3)
    items = ValueItems.of(graph_of(SOURCE)), ValueItems.of(graph_of(TARGET))
    found = value_similarities(*items, letters, 1e-3, slip=slip)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_equal_values_of_one_name_are_one_item_and_count_once_for_an_entity() -> None:
    items = ValueItems.of(graph_of(SOURCE))
    assert items.names == ["height", "height", "born", "born"]
    assert items.texts == ["178.0", "180", "1950-12-03", "unknown"]
    assert ValueItems.of(graph_of(TARGET)).holders.toarray()[0].tolist() == [1, 0, 0]


def test_quotes_are_of_a_text_and_of_no_number() -> None:
    literals = ['"Heroes"', "C^^2", '"178.0"^^<http://w3/double>']
    items = ValueItems.of(graph_of([(0, "http://x/a", literal) for literal in literals]))
    assert items.texts == literals
    assert items.numbers.tolist() == [0, 0, 178]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("54.2", 54.2),
        ("1912-09-01", 1912.75),
        ("1999-12-31", 2000.0),
        ("-44-03-15", -43.75),
        ("1.5e2", 150.0),
        ("Vienna", 0.0),
        ("1974-##-##", 0.0),
        ("1974-05-##", 0.0),
        ("1,234", 0.0),
        ("inf", 0.0),
    ],
)
def test_numbers_of_values(text: str, number: float) -> None:
    assert path_number(text) == pytest.approx(number)


def test_without_values_the_attribute_path_is_zero() -> None:
    items = ValueItems.of(graph_of([])), ValueItems.of(graph_of(TARGET))
    assert not value_similarities(*items, letters, 1e-3, slip=False).any()


def test_a_path_is_scaled_over_the_free_block_and_not_beyond() -> None:
    matrix = torch.tensor([[9.0, 2.0, 3.0], [7.0, 4.0, 6.0], [1.0, 2.0, 4.0]])
    path = ScaledPath.over(HeldPath(matrix), torch.tensor([1, 2]), torch.tensor([1, 2]))
    torch.testing.assert_close(path.rows(torch.tensor([0, 1, 2])), (matrix - 2) / 4)


def test_a_constant_path_adds_nothing() -> None:
    everyone = torch.arange(3)
    path = ScaledPath.over(HeldPath(torch.full((3, 3), 5.0)), everyone, everyone)
    assert not path.rows(everyone).any()


def test_a_lacking_image_is_like_none() -> None:
    images = torch.tensor([[0.6, 0.8], [0.0, 0.0]])
    path = ImagePath(images, images)
    torch.testing.assert_close(path.rows(torch.arange(2)), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_scores_are_the_cosine_and_every_path_with_equal_weights() -> None:
    view = tiny_view(easy_pair("entity-alignment"))
    graph = JointGraph.of(view)
    params = dataclasses.replace(PathFusionParams(), text_encoder="hashed")
    used = ("structure", "attribute", "image")
    ctx = RunContext(rng_seed=1)
    paths = similarity_paths(view, graph, used, params, ctx)
    vectors = torch.randn(graph.n_entities, 8, generator=torch.Generator().manual_seed(1))
    scores = summed_scores(graph, vectors, paths, ctx.device)
    rows = torch.tensor([3, 17])
    cosines = torch.cosine_similarity(
        vectors[rows].unsqueeze(1), vectors[graph.n_source :].unsqueeze(0), dim=2
    )
    expected = cosines + sum(path.rows(rows) for path in paths)
    assert len(paths) == 2
    torch.testing.assert_close(scores.rows(rows), expected)


def test_paths_of_free_entities_lie_between_zero_and_one() -> None:
    view = tiny_view(easy_pair("entity-alignment"))
    graph = JointGraph.of(view)
    params = dataclasses.replace(PathFusionParams(), text_encoder="hashed")
    seeds = torch.from_numpy(np.array(view.seed_links, dtype=np.int64))
    free = [torch.ones(n, dtype=torch.bool) for n in (graph.n_source, view.target.n_entities)]
    for mask, ids in zip(free, seeds.T, strict=True):
        mask[ids] = False
    for path in similarity_paths(view, graph, ("attribute", "image"), params, RunContext(1)):
        block = path.rows(torch.nonzero(free[0]).squeeze(1))[:, free[1]]
        assert float(block.min()) == pytest.approx(0, abs=1e-6)
        assert float(block.max()) == pytest.approx(1, abs=1e-6)

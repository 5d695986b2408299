"""The synthetic N-MMKG: published counts and shares, no leaks, feature statistics."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.errors import DataError, UserError
from mmea_bench.datasets.core.families.nmmea import NMMEA_EXPECTED
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.nodes import pair_kinds, triple_kinds, visual_nodes
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.statistics import PAIR, compare, count_kinds, count_pair
from mmea_bench.datasets.core.synthesis.nmmkg import generate_nmmkg
from mmea_bench.datasets.core.synthesis.nmmkg_settings import (
    PRESETS,
    Knobs,
    NmmkgOptions,
    counts_of,
)
from mmea_bench.datasets.core.synthesis.nmmkg_triples import first_distinct, with_every_name

TENTH = 1492
# Card of the dataset: (random cosine, matched cosine, Hits@1) of texts and of images.
RAW = {
    "base": ((0.90, 0.97, 0.99), (0.37, 0.74, 0.95)),
    "easy": ((0.90, 0.98, 1.00), (0.37, 0.80, 0.995)),
    "gap": ((0.90, 0.98, 1.00), (0.38, 0.80, 1.00)),
    "hard": ((0.89, 0.96, 0.96), (0.37, 0.67, 0.83)),
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, KGPair]:
    return {
        preset: generate_nmmkg(preset, NmmkgOptions(n=TENTH, preset=preset))  # type: ignore[arg-type]
        for preset in PRESETS
    }


@pytest.fixture(scope="module")
def pair(pairs: dict[str, KGPair]) -> KGPair:
    return pairs["base"]


@pytest.fixture(scope="module")
def published() -> KGPair:
    return generate_nmmkg("published", NmmkgOptions(n=14921))


def units(features: Features) -> np.ndarray:
    rows = features.values[features.present].astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gold_of(pair: KGPair, modality: str, kind: str) -> np.ndarray:
    source, target = pair.features[modality]
    links = pair.anchor_links[pair_kinds(pair.anchor_links, *visual_nodes(pair.features)) == kind]
    gold = np.zeros((source.n_present, target.n_present), dtype=bool)
    rows, columns = (np.cumsum(side.present) - 1 for side in (source, target))
    gold[rows[links[:, 0]], columns[links[:, 1]]] = True
    return gold


def test_kinds_by_hand() -> None:
    visual = np.array([False, True])
    links = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert pair_kinds(links, visual, visual).tolist() == ["tt", "tv", "tv", "vv"]
    triples = np.array([[0, 9, 0], [0, 9, 1], [1, 9, 0], [1, 9, 1]])
    assert triple_kinds(triples, visual).tolist() == ["TT", "TV", "TV", "VV"]


def test_object_counts_meet_every_published_total() -> None:
    counts = counts_of(1.0, Knobs())
    assert (counts.c11, counts.c10, counts.c01, counts.c00) == (1396, 2603, 2929, 80)
    assert (counts.cw, counts.e1, counts.e2) == (2764, 750, 589)


def test_the_published_size_has_the_published_counts(published: KGPair) -> None:
    (only,) = compare(published, NMMEA_EXPECTED)
    # An odd number of tv pairs cannot come from objects with one image per side.
    assert (only.statistic, only.difference) == ("pairs", -1)


def test_a_tenth_of_the_published_counts(pair: KGPair) -> None:
    counts = count_pair(pair)
    assert [counts["NMMKG1", name] for name in ("text_nodes", "visual_nodes")] == [776, 716]
    assert [counts["NMMKG2", name] for name in ("text_nodes", "visual_nodes")] == [760, 709]
    assert counts[PAIR, "pairs"] == 2084
    shares = [counts[PAIR, f"{kind}_pairs"] / 2084 for kind in ("tt", "vv", "tv")]
    assert shares == pytest.approx([0.4007, 0.1997, 0.3996], abs=0.002)
    wanted = {"NMMKG1": (13880, 1957, 477), "NMMKG2": (9150, 1317, 516)}
    for graph, triples in wanted.items():
        found = [counts[graph, f"{kind}_triples"] for kind in ("tt", "vv", "tv")]
        assert found == pytest.approx(list(triples), abs=2)


@pytest.mark.parametrize("size", ["pair", "published"])
def test_shares_of_relations(size: str, request: pytest.FixtureRequest) -> None:
    pair: KGPair = request.getfixturevalue(size)
    for graph, visual in zip((pair.source, pair.target), visual_nodes(pair.features), strict=True):
        kinds = triple_kinds(graph.relation_triples, visual)
        names = graph.relations[graph.relation_triples[:, 1]]
        assert (names[kinds == "TV"] == "imageOf").mean() == pytest.approx(0.838, abs=0.005)
        frequent = np.isin(
            names[kinds == "VV"].astype(str), ["sameAs", "contain", "nearBy", "similar"]
        )
        assert frequent.mean() == pytest.approx(0.924, abs=0.005)
        assert (kinds == "TT").sum() > (kinds == "VV").sum() > (kinds == "TV").sum()
        assert len(np.unique(graph.relation_triples, axis=0)) == len(graph.relation_triples)
        assert {"TT", "TV", "VV"} == set(kinds[names == "bornIn"])


def test_ids_say_nothing_about_partners_or_modality(pair: KGPair) -> None:
    links = pair.anchor_links
    assert abs(np.corrcoef(links[:, 0], links[:, 1])[0, 1]) < 0.05
    for visual in visual_nodes(pair.features):
        assert abs(np.corrcoef(np.arange(len(visual)), visual)[0, 1]) < 0.08


@pytest.mark.parametrize("preset", list(RAW))
def test_raw_features_are_those_of_the_card(pairs: dict[str, KGPair], preset: str) -> None:
    for (modality, kind), wanted in zip(
        (("text", "tt"), ("image", "vv")), RAW[preset], strict=True
    ):
        source, target = pairs[preset].features[modality]
        cosine = units(source) @ units(target).T
        gold = gold_of(pairs[preset], modality, kind)
        rows = np.flatnonzero(gold.any(axis=1))
        hits = gold[rows, cosine[rows].argmax(axis=1)].mean()
        found = (cosine[~gold].mean(), cosine[gold].mean(), hits)
        assert found == pytest.approx(wanted, abs=0.03)


def linear_map_hits(pair: KGPair, share: float) -> float:
    """Hits@1 of a ridge map from source images to target texts, other objects than it saw."""
    images, texts = pair.features["image"][0], pair.features["text"][1]
    visual = visual_nodes(pair.features)
    links = pair.anchor_links[pair_kinds(pair.anchor_links, *visual) == "tv"]
    links = links[visual[0][links[:, 0]]]
    x, y = (
        (side.values - side.values[side.present].mean(axis=0))
        / (side.values[side.present].std(axis=0) + 1e-6)
        for side in (images, texts)
    )
    links = links[np.random.default_rng(0).permutation(len(links))]
    train, test = np.split(links, [int(share * len(links))])
    inputs = x[train[:, 0]].astype(np.float64)
    weights = np.linalg.solve(inputs @ inputs.T + np.eye(len(train)), y[train[:, 1]])
    mapped = x[test[:, 0]] @ inputs.T @ weights
    candidates = np.flatnonzero(texts.present)
    scores = mapped @ (y[candidates] / np.linalg.norm(y[candidates], axis=1, keepdims=True)).T
    return float((candidates[scores.argmax(axis=1)] == test[:, 1]).mean())


def test_modalities_cannot_be_compared_by_a_linear_map(pairs: dict[str, KGPair]) -> None:
    assert linear_map_hits(pairs["base"], 0.1) == pytest.approx(0.01, abs=0.03)
    assert linear_map_hits(pairs["base"], 0.5) == pytest.approx(0.05, abs=0.04)
    assert linear_map_hits(pairs["gap"], 0.5) > 3 * linear_map_hits(pairs["base"], 0.5)


def test_features_have_one_modality_per_node(pair: KGPair) -> None:
    (text, _), (image, _) = pair.features["text"], pair.features["image"]
    assert (text.dim, image.dim, text.values.dtype) == (768, 2048, np.float32)
    assert not text.values[image.present].any()
    assert image.values.min() == 0.0
    assert pair.modalities == ("structure", "relation", "attribute", "image", "text")
    assert pair.simulated == ("image", "text")


def test_matched_nodes_agree_on_seven_of_ten_values(published: KGPair) -> None:
    tables = [
        {
            (node, graph.attributes[attribute]): value
            for (node, attribute), value in zip(
                graph.attribute_triples.tolist(), graph.attribute_values, strict=True
            )
        }
        for graph in (published.source, published.target)
    ]
    partners: dict[int, list[int]] = {}
    for source, target in published.anchor_links.tolist():
        partners.setdefault(source, []).append(target)
    agrees = [
        value == tables[1][other, name]
        for (node, name), value in tables[0].items()
        for other in partners.get(node, [])
        if (other, name) in tables[1]
    ]
    assert len(agrees) > 1000
    assert np.mean(agrees) == pytest.approx(0.7, abs=0.03)


def test_equal_options_give_equal_content() -> None:
    first, again, other = (open_dataset(f"synthetic-nmmkg[n=300,seed={s}]").read() for s in "112")
    assert first.version == again.version != other.version
    assert first.dataset == "synthetic-nmmkg[n=300,seed=1]"
    assert len({generate_nmmkg("x", NmmkgOptions(n=300, preset=p)).version for p in PRESETS}) == 4


def test_the_content_of_a_seed_is_known() -> None:
    """A change here changes every synthetic result that was published."""
    assert open_dataset("synthetic-nmmkg[n=300]").read().version == "7c20edb0374e"


def test_the_task_is_part_of_the_version(pair: KGPair) -> None:
    plain = dataclasses.replace(pair, task="entity-alignment", version="")
    assert plain.version != pair.version


def test_knobs_replace_those_of_the_preset() -> None:
    dataset = open_dataset("synthetic-nmmkg[preset=hard,rho=0.9]")
    assert dataset.address == "synthetic-nmmkg[preset=hard,rho=0.9]"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("n=10", "n must be in 300..150000"),
        ("rho=2", "rho must be in 0..1"),
        ("fam=1", "fam must be in 2..1000"),
        ("s_t=-1", "s_t must be in 0..10"),
        ("seed=-1", "seed must not be negative"),
        ("u1=0", "u1 + u2 must be at least 240"),
        ("preset=odd", "valid are base, easy, gap, hard"),
    ],
)
def test_impossible_options_are_explained(options: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        open_dataset(f"synthetic-nmmkg[{options}]")
    assert words in str(caught.value)


def test_a_node_with_both_modalities_is_refused(pair: KGPair) -> None:
    text, other = pair.features["text"]
    both = Features(text.values, np.ones_like(text.present))
    features = {**pair.features, "text": (both, other)}
    with pytest.raises(DataError, match=r"node 'kg1-\d{7}' of NMMKG1 has both text and image"):
        dataclasses.replace(pair, features=features)
    with pytest.raises(DataError, match="an N-MMKG needs image features"):
        dataclasses.replace(pair, features={"text": pair.features["text"]})


def test_kinds_are_counted_by_hand(pair: KGPair) -> None:
    counts = count_kinds(pair)
    assert sum(counts[PAIR, f"{kind}_pairs"] for kind in ("tt", "vv", "tv")) == 2084
    assert counts["NMMKG1", "visual_attributes"] == 6
    assert counts["NMMKG2", "tt_relations"] == 489


def test_lists_are_walked_in_order_without_repeats() -> None:
    numbers = np.array([4, 4, -1, 2, 7, 2, 9] + [5] * 100)
    found = first_distinct(lambda place: numbers[place], 3, np.array([7]))
    assert found.tolist() == [4, 2, 9]


def test_lacking_names_take_the_place_of_frequent_ones() -> None:
    assert with_every_name(np.array([0, 1, 0, 0]), 3).tolist() == [0, 1, 0, 2]
    assert with_every_name(np.array([0]), 3).tolist() == [0]

"""The built-in dataset: reproducible, shaped like FB15K-DB15K, hard in the documented places."""

import dataclasses
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.options import build_options
from mmea_bench.datasets.core.synthesis.generate import generate_pair
from mmea_bench.datasets.core.synthesis.randomness import Stream, collect, thin
from mmea_bench.datasets.core.synthesis.settings import SyntheticOptions
from mmea_bench.datasets.synthetic import Synthetic


@cache
def make(**options):
    return generate_pair("synthetic", SyntheticOptions(**options))


def hits_at_1(scores):
    """Hits@1 of square scores with the truth on the diagonal; ties share the hit."""
    truth = np.diag(scores)[:, None]
    larger = (scores > truth + 1e-9).sum(axis=1)
    equal = (np.abs(scores - truth) <= 1e-9).sum(axis=1)
    return float(np.mean((larger == 0) / equal))


def normalised(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def image_hits(pair):
    links = pair.anchor_links
    source, target = (side.values[links[:, i]] for i, side in enumerate(pair.features["image"]))
    return hits_at_1(normalised(source) @ normalised(target).T)


def exact_names(pair):
    links = pair.anchor_links
    return float(np.mean(pair.source.names[links[:, 0]] == pair.target.names[links[:, 1]]))


def bigram_name_hits(pair):
    def rows(names):
        table = np.zeros((len(names), 27 * 27))
        for row, name in enumerate(names):
            codes = [max(0, ord(letter) - 96) for letter in f" {name.lower()} "]
            np.add.at(table[row], [a * 27 + b for a, b in pairwise(codes)], 1)
        return normalised(table)

    links = pair.anchor_links
    return hits_at_1(rows(pair.source.names[links[:, 0]]) @ rows(pair.target.names[links[:, 1]]).T)


def seed_neighbour_hits(pair, seed_ratio=0.3):
    """Hits@1 from the seeds that an entity's neighbours are, rare seeds weighing more."""
    links = pair.anchor_links[np.random.default_rng(0).permutation(len(pair.anchor_links))]
    n_seed = int(seed_ratio * len(links))
    rows = []
    for column, graph in enumerate((pair.source, pair.target)):
        near = np.zeros((graph.n_entities, graph.n_entities), dtype=np.float32)
        heads, _, tails = graph.relation_triples.T
        near[heads, tails] = near[tails, heads] = 1.0
        rows.append(near[links[n_seed:, column]][:, links[:n_seed, column]])
    weight = 1.0 / np.sqrt(rows[0].sum(axis=0) + 1.0)
    return hits_at_1(normalised(rows[0] * weight) @ normalised(rows[1] * weight).T)


def common_fact_share(pair):
    """Share of linked entities' source values that the partner states literally."""
    source_of = dict(pair.anchor_links[:, ::-1].tolist())
    target = {
        (source_of.get(int(entity)), value)
        for entity, value in zip(
            pair.target.attribute_triples[:, 0], pair.target.attribute_values, strict=True
        )
    }
    linked = set(pair.anchor_links[:, 0].tolist())
    facts = [
        (int(entity), value)
        for entity, value in zip(
            pair.source.attribute_triples[:, 0], pair.source.attribute_values, strict=True
        )
        if int(entity) in linked
    ]
    return float(np.mean([fact in target for fact in facts]))


def test_equal_options_give_equal_content():
    again = generate_pair("another name", SyntheticOptions())
    assert again.version == make().version
    assert again.dataset == "another name"


@pytest.mark.parametrize("block_rows", [1000, 4099, 1 << 20])
def test_the_block_size_changes_nothing(block_rows):
    options = SyntheticOptions(n=300)
    assert generate_pair("s", options, block_rows).version == make(n=300).version


def test_the_seed_changes_every_part():
    first, second = make(), make(seed=1)
    assert first.version != second.version
    for one, other in ((first.source, second.source), (first.target, second.target)):
        assert not np.array_equal(one.relation_triples, other.relation_triples)
        assert not np.array_equal(one.attribute_triples, other.attribute_triples)
        assert not np.array_equal(one.names, other.names)
    assert not np.array_equal(first.anchor_links, second.anchor_links)
    images = [pair.features["image"][0].values for pair in (first, second)]
    assert not np.array_equal(*images)


def test_the_content_of_the_default_pair_is_pinned():
    """Numbers that people report must not move by accident; change this on purpose only."""
    assert make().version == "029b869ef09d"


def test_the_pair_is_canonical_and_the_reader_gives_it():
    dataset = Synthetic("synthetic[n=200]", SyntheticOptions(n=200), Path("unused"))
    pair = dataset.read()
    assert dataset.input_files() == ()
    assert pair.dataset == "synthetic[n=200]"
    assert (pair.source.name, pair.target.name) == Synthetic.graph_names
    assert canonical(pair).version == pair.version
    assert pair.simulated == ()
    assert pair.modalities == ("structure", "relation", "attribute", "image", "name")


def test_proportions_follow_the_published_dataset():
    pair = make(n=2000)
    source, target = pair.source, pair.target
    ratios = {
        "entities": (target.n_entities / source.n_entities, 12842 / 14951),
        "pairs": (len(pair.anchor_links) / source.n_entities, 12846 / 14951),
        "source triples": (len(source.relation_triples) / source.n_entities, 592213 / 14951),
        "target triples": (len(target.relation_triples) / target.n_entities, 89197 / 12842),
        "source facts": (len(source.attribute_triples) / source.n_entities, 29395 / 14951),
        "target facts": (len(target.attribute_triples) / target.n_entities, 48080 / 12842),
        "relations": (source.n_relations / target.n_relations, 1345 / 279),
        "attributes": (source.n_attributes / target.n_attributes, 116 / 225),
        "source images": (pair.features["image"][0].present.mean(), 13444 / 14951),
        "target images": (pair.features["image"][1].present.mean(), 12837 / 12842),
    }
    for what, (measured, published) in ratios.items():
        assert measured == pytest.approx(published, rel=0.06), what
    assert len(pair.anchor_links) <= source.n_entities * 12846 / 14951


@pytest.mark.parametrize("n", [100, 1000])
def test_small_pairs_keep_sensible_vocabularies(n):
    pair = make(n=n)
    for graph in (pair.source, pair.target):
        assert graph.n_relations >= 8
        assert graph.n_attributes >= 8
        assert graph.has_names
        counts = np.bincount(graph.relation_triples[:, 1], minlength=graph.n_relations)
        assert counts.min() > 0


def test_degrees_are_skewed_and_nobody_is_isolated():
    pair = make()
    for graph in (pair.source, pair.target):
        degrees = np.bincount(graph.relation_triples[:, [0, 2]].ravel(), minlength=graph.n_entities)
        assert degrees.min() >= 1
        assert degrees.max() > 8 * np.median(degrees)
        assert np.median(degrees) < 0.85 * degrees.mean()


def test_triples_are_distinct_and_join_different_entities():
    for graph in (make().source, make().target):
        assert len(np.unique(graph.relation_triples, axis=0)) == len(graph.relation_triples)
        assert (graph.relation_triples[:, 0] != graph.relation_triples[:, 2]).all()
        assert len(np.unique(graph.attribute_triples, axis=0)) == len(graph.attribute_triples)


def test_links_are_one_to_one_and_some_entities_have_no_partner():
    pair = make()
    for column, graph in enumerate((pair.source, pair.target)):
        linked = np.unique(pair.anchor_links[:, column])
        assert len(linked) == len(pair.anchor_links)
        assert len(linked) < graph.n_entities


def test_the_order_of_uris_says_nothing_about_the_alignment():
    pair = make()
    uris = [
        graph.entities[pair.anchor_links[:, column]]
        for column, graph in enumerate((pair.source, pair.target))
    ]
    ranks = [np.argsort(np.argsort(side.astype(str))) for side in uris]
    assert np.mean(ranks[0] == ranks[1]) < 0.01
    assert abs(np.corrcoef(ranks[0], ranks[1])[0, 1]) < 0.1
    numbers = [{uri.rsplit("/", 1)[1] for uri in side[:1]} for side in uris]
    assert numbers[0] != numbers[1]


def test_lacking_images_are_zero_rows_and_features_are_not_negative():
    for side in make().features["image"]:
        assert (side.values[~side.present] == 0).all()
        assert (side.values >= 0).all()
        assert side.values[side.present].any(axis=1).all()
        assert side.dim == 64


def test_default_difficulty_lies_where_the_documentation_says():
    pair = make()
    assert 0.05 <= image_hits(pair) <= 0.20
    assert 0.30 <= exact_names(pair) <= 0.50
    assert 0.40 <= bigram_name_hits(pair) <= 0.62
    # Chance is 0.002.
    assert seed_neighbour_hits(pair) >= 0.2


def test_overlap_sets_the_share_of_linked_entities():
    few = make(overlap=0.3)
    assert len(few.anchor_links) == round(0.3 * few.target.n_entities)
    assert len(make(overlap=1.0).anchor_links) == few.target.n_entities


def test_edge_overlap_acts():
    low, high = make(edge_overlap=0.1), make(edge_overlap=1.0)
    assert seed_neighbour_hits(low) < seed_neighbour_hits(make()) < seed_neighbour_hits(high)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_edge_overlap_is_the_share_of_common_edges(share):
    pair = make(edge_overlap=share)
    source_of = np.full(pair.target.n_entities, -1)
    source_of[pair.anchor_links[:, 1]] = pair.anchor_links[:, 0]
    n_src = pair.source.n_entities
    source_pairs = pair.source.relation_triples[:, 0] * n_src + pair.source.relation_triples[:, 2]
    heads = source_of[pair.target.relation_triples[:, 0]]
    tails = source_of[pair.target.relation_triples[:, 2]]
    joined = (heads >= 0) & (tails >= 0) & np.isin(heads * n_src + tails, source_pairs)
    # Two entities can be joined by another relation in the source, hence the room above.
    assert share - 0.01 <= joined.mean() <= share + 0.25 * (1 - share)


def test_image_coverage_acts_on_both_sides():
    half = make(image_coverage=0.45)
    shares = [side.present.mean() for side in half.features["image"]]
    assert shares == pytest.approx([0.45, 0.5], abs=0.05)
    assert "image" not in make(n=100, image_coverage=0.0).modalities
    assert all(side.present.all() for side in make(image_coverage=1.0).features["image"])


def test_picture_noise_and_image_dim_act():
    assert (
        image_hits(make(picture_noise=2.0))
        < image_hits(make())
        < image_hits(make(picture_noise=0.4))
    )
    assert make(n=100, image_dim=17).features["image"][1].values.shape == (86, 17)


def test_attribute_noise_acts():
    shares = [common_fact_share(make(attribute_noise=noise)) for noise in (0.0, 0.3, 0.9)]
    assert shares[0] > 0.8
    assert shares[0] > shares[1] + 0.2 > shares[2] + 0.4


def test_name_deviation_acts():
    assert exact_names(make(name_deviation=0.0)) == 1.0
    assert exact_names(make(name_deviation=0.8)) < 0.15
    assert bigram_name_hits(make(name_deviation=0.8)) < bigram_name_hits(make()) < 0.95


def test_names_are_clean_text_and_sometimes_repeat():
    names = make(n=5000).source.names.tolist()
    assert all(name == " ".join(name.split()) and name.isascii() and name for name in names)
    assert 0.9 < len(set(names)) / len(names) < 1.0


def test_text_switches_names_off_and_nothing_else():
    bare, full = make(text=False), make()
    assert "name" not in bare.modalities
    assert np.array_equal(bare.source.relation_triples, full.source.relation_triples)
    assert np.array_equal(bare.target.attribute_values, full.target.attribute_values)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n", 99),
        ("n", 1_000_001),
        ("seed", -1),
        ("overlap", 0.0),
        ("overlap", 1.1),
        ("edge_overlap", -0.1),
        ("image_coverage", 1.5),
        ("picture_noise", -1.0),
        ("picture_noise", float("inf")),
        ("picture_noise", float("nan")),
        ("image_dim", 0),
        ("attribute_noise", 2.0),
        ("name_deviation", float("nan")),
    ],
)
def test_bad_options_are_refused_with_their_range(option, value):
    with pytest.raises(ValueError, match=f"{option} must"):
        SyntheticOptions(**{option: value})
    with pytest.raises(UserError, match=option):
        build_options("option of synthetic", SyntheticOptions, {option: str(value)})


def test_the_options_are_few():
    assert len(dataclasses.fields(SyntheticOptions)) == 10


@pytest.mark.parametrize(
    "extreme",
    [
        {"overlap": 0.05, "edge_overlap": 1.0},
        {"overlap": 1.0, "edge_overlap": 1.0, "attribute_noise": 0.0},
        {"edge_overlap": 0.0, "attribute_noise": 1.0, "name_deviation": 1.0},
    ],
)
def test_the_smallest_pair_survives_extreme_options(extreme):
    pair = make(n=100, **extreme)
    assert len(pair.source.relation_triples) == pytest.approx(3961, rel=0.01)
    assert len(pair.target.relation_triples) == pytest.approx(597, rel=0.02)


def test_random_numbers_are_uniform_and_normal():
    position = np.arange(100_000)
    uniform = Stream(0, "a").uniform(position)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.005)
    assert np.corrcoef(uniform, Stream(0, "b").uniform(position))[0, 1] == pytest.approx(
        0, abs=0.02
    )
    assert np.corrcoef(uniform[1:], uniform[:-1])[0, 1] == pytest.approx(0, abs=0.02)
    normal = Stream(0, "c").normal(position)
    assert (normal.mean(), normal.std()) == pytest.approx((0, 1), abs=0.02)


def test_thin_keeps_exactly_the_wanted_number_in_order():
    keys = np.arange(0, 1000, 3)
    kept = thin(keys, 57, Stream(0, "thin"))
    assert len(kept) == 57
    assert (np.diff(kept) > 0).all()
    assert np.isin(kept, keys).all()


def test_collect_stops_when_the_draws_are_exhausted():
    keys = collect(lambda at: at % 10, 50, np.array([3]), np.array([7]), Stream(0, "s"), 16)
    assert keys.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]


@pytest.mark.slow
def test_a_pair_of_published_size_has_the_published_counts():
    pair = make(n=14951)
    assert len(pair.source.relation_triples) == 592213
    assert len(pair.target.relation_triples) == 89197
    assert len(pair.source.attribute_triples) == 29395
    assert len(pair.target.attribute_triples) == 48080
    assert pair.source.n_relations == pytest.approx(1345, rel=0.02)
    assert pair.target.n_relations == pytest.approx(279, rel=0.02)
    assert (pair.source.n_attributes, pair.target.n_attributes) == (116, 225)

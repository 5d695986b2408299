"""Transforms in the address of a dataset."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.access.writers import write_openea_layout
from mmea_bench.datasets.core.errors import MissingDataError, UserError
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import split_links
from mmea_bench.datasets.core.model.statistics import compare, count_pair
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.model.wrong_seeds import trained_links, wrong_seed_note
from mmea_bench.datasets.core.transforms.catalogue import (
    TRANSFORMS,
    Chosen,
    plain_address,
    transformed,
)
from mmea_bench.datasets.core.transforms.name_noise import edited


@cache
def _read(options: str = "") -> KGPair:
    inner = ",".join(filter(None, ("n=200", options)))
    return open_dataset(f"synthetic[{inner}]").read()


def _linked(pair: KGPair) -> set[tuple[str, str]]:
    links = pair.anchor_links
    sides = pair.source.entities[links[:, 0]], pair.target.entities[links[:, 1]]
    return set(zip(*(side.tolist() for side in sides), strict=True))


def _triples(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
    head, relation, tail = graph.relation_triples.T
    words = graph.entities[head], graph.relations[relation], graph.entities[tail]
    return set(zip(*(column.tolist() for column in words), strict=True))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_neutral_value_is_the_plain_dataset(name: str) -> None:
    each = TRANSFORMS[name]
    value = "on" if each.is_switch else f"{each.neutral:g}"
    changed = open_dataset(f"synthetic[n=200,{name}={value},transform_seed=3]")
    assert changed.address == "synthetic[n=200]"
    assert changed.read().version == _read().version


@pytest.mark.parametrize(
    "option",
    [
        *("image_ratio=0.4", "image_noise=0.3", "attribute_ratio=0.3", "dangling=0.3"),
        *("part=0.5", "name_noise=0.2", "names=off", "seed_noise=0.2"),
    ],
)
def test_a_transform_changes_the_version_and_nothing_is_random_about_it(option: str) -> None:
    address = f"synthetic[n=200,{option}]"
    first, second = open_dataset(address).read(), open_dataset(address).read()
    assert first.version == second.version != _read().version
    assert option in first.dataset
    if option != "names=off":
        assert _read(f"{option},transform_seed=1").version != first.version


def test_masks_are_nested_and_a_lacking_image_is_as_one_that_never_was() -> None:
    plain, more, less = (_read(option) for option in ("", "image_ratio=0.4", "image_ratio=0.2"))
    for side in range(2):
        sides = [pair.features["image"][side] for pair in (plain, more, less)]
        assert sides[1].n_present == round(0.4 * sides[0].n_present)
        assert not np.any(sides[2].present & ~sides[1].present)
        assert not np.any(sides[1].present & ~sides[0].present)
        assert not sides[1].values[~sides[1].present].any()
        kept = sides[1].present
        assert np.array_equal(sides[1].values[kept], sides[0].values[kept])
    assert "image" not in _read("image_ratio=0").modalities


def test_entities_keep_all_of_their_attributes_or_none() -> None:
    plain, few = _read().source, _read("attribute_ratio=0.3").source
    owners, counts = np.unique(plain.attribute_triples[:, 0], return_counts=True)
    kept, own = np.unique(few.attribute_triples[:, 0], return_counts=True)
    assert len(kept) == round(0.3 * len(owners))
    assert np.array_equal(own, counts[np.isin(owners, kept)])
    assert len(few.attributes) == len(np.unique(few.attribute_triples[:, 1]))
    assert set(few.attribute_values) <= set(plain.attribute_values)


def test_image_noise_has_the_strength_that_is_asked_for() -> None:
    plain, noisy, noisier = (
        _read(option).features["image"][0] for option in ("", "image_noise=0.5", "image_noise=1")
    )
    change = (noisy.values - plain.values)[plain.present]
    scale = plain.values[plain.present].std(axis=0)
    assert (change / scale).std() == pytest.approx(0.5, rel=0.05)
    assert np.allclose(noisier.values - plain.values, 2 * (noisy.values - plain.values), atol=1e-4)
    assert not noisy.values[~plain.present].any()


def test_dangling_entities_lose_their_partner_and_keep_their_triples() -> None:
    plain, hidden = _read(), _read("dangling=0.3")
    n_chosen = round(0.3 * len(plain.anchor_links))
    assert len(hidden.anchor_links) == len(plain.anchor_links) - n_chosen
    assert sum(map(len, hidden.dangling)) == n_chosen
    assert abs(len(hidden.dangling[0]) - len(hidden.dangling[1])) <= 1
    assert _linked(hidden) < _linked(plain)
    partner = dict(_linked(plain))
    gone = {partner[hidden.source.entities[row]] for row in hidden.dangling[0]}
    assert not gone & set(hidden.target.entities)
    assert not set(hidden.dangling[0]) & set(hidden.anchor_links[:, 0])


def test_more_danglings_hide_what_fewer_hide() -> None:
    less, more = _read("dangling=0.1"), _read("dangling=0.3")
    assert set(more.source.entities) < set(less.source.entities)
    names = [set(pair.source.entities[pair.dangling[0]]) for pair in (less, more)]
    assert names[0] < names[1]


def test_a_part_is_the_graph_among_some_linked_and_some_lonely_entities() -> None:
    plain, part = _read(), _read("part=0.5")
    assert len(part.anchor_links) == round(0.5 * len(plain.anchor_links))
    assert _linked(part) < _linked(plain)
    for side in range(2):
        whole, own = ((pair.source, pair.target)[side] for pair in (plain, part))
        n_lonely = len(whole.entities) - len(plain.anchor_links)
        assert len(own.entities) - len(part.anchor_links) == round(0.5 * n_lonely)
        left = set(own.entities)
        assert _triples(own) == {each for each in _triples(whole) if {each[0], each[2]} <= left}
        rows = np.isin(whole.entities, own.entities)
        images = [pair.features["image"][side].values for pair in (plain, part)]
        assert np.array_equal(images[0][rows], images[1])


def test_a_smaller_part_lies_in_a_larger_one() -> None:
    assert _linked(_read("part=0.2")) < _linked(_read("part=0.5"))


def test_an_object_of_an_nmmkg_stays_or_goes_as_a_whole() -> None:
    plain, part = (
        open_dataset(f"synthetic-nmmkg[n=300{option}]").read() for option in ("", ",part=0.3")
    )
    left = set(part.source.entities), set(part.target.entities)
    links = _linked(plain)
    assert all((source in left[0]) == (target in left[1]) for source, target in links)
    assert _linked(part) == {(source, target) for source, target in links if source in left[0]}
    assert 0 < len(left[0]) < 0.5 * plain.source.n_entities


def test_entities_without_a_partner_stay_known_in_a_part() -> None:
    plain, part = _read("dangling=0.3"), transformed(_read("dangling=0.3"), Chosen({"part": 0.5}))
    for side in range(2):
        whole, own = ((pair.source, pair.target)[side] for pair in (plain, part))
        known = set(whole.entities[plain.dangling[side]]) & set(own.entities)
        assert set(own.entities[part.dangling[side]]) == known


def test_what_was_taken_on_purpose_is_no_gap_of_the_copy() -> None:
    published = count_pair(_read())
    for option in ("image_ratio=0.4", "attribute_ratio=0.3", "dangling=0.3", "part=0.5"):
        assert compare(_read(option), published) == []


def test_without_names_nothing_spells_them() -> None:
    pair = _read("names=off")
    assert "name" not in pair.modalities
    assert not pair.source.has_names


def test_name_noise_edits_more_letters_where_there_is_more_of_it() -> None:
    assert edited("Berlin", 0.0, 7) == "Berlin"
    assert edited("B", 1.0, 3) != ""
    changed = [
        (_read(f"name_noise={share}").source.names != _read().source.names).mean()
        for share in (0.05, 0.2, 0.6)
    ]
    assert changed == sorted(changed)
    assert changed[-1] > 0.95
    renamed = _read("name_noise=0.2").source
    assert all(
        uri.startswith("renamed:") == (new != old)
        for uri, new, old in zip(renamed.entities, renamed.names, _read().source.names, strict=True)
    )


def test_the_uri_of_a_renamed_entity_says_nothing() -> None:
    renamed = [uri for uri in _read("name_noise=0.2").source.entities if uri.startswith("renamed:")]
    assert len(set(renamed)) == len(renamed) > 50
    assert {surface_form(uri) for uri in renamed} == {""}


def test_wrong_seeds_are_as_many_as_asked_nested_and_never_of_other_parts() -> None:
    pair = _read()
    split = split_links(pair.anchor_links, 0.3, 5, 0.1)
    known = set(map(tuple, pair.anchor_links.tolist()))
    found = {}
    for share in (0.1, 0.4, 1.0):
        noisy = _read(f"seed_noise={share}")
        links = trained_links(noisy, split.seed_links)
        wrong = np.flatnonzero(links[:, 1] != split.seed_links[:, 1])
        assert len(wrong) == round(share * len(links))
        assert not known & {tuple(link) for link in links[wrong].tolist()}
        assert set(links[:, 1]) <= set(split.seed_links[:, 1])
        assert np.array_equal(links[:, 0], split.seed_links[:, 0])
        assert np.array_equal(noisy.anchor_links, pair.anchor_links)
        found[share] = {tuple(link) for link in links[wrong].tolist()}
    assert found[0.1] < found[0.4] < found[1.0]
    assert trained_links(pair, split.seed_links) is split.seed_links
    assert wrong_seed_note(split.seed_links, split.seed_links) == ""


@pytest.mark.parametrize("other", ["name_noise=0.5", "names=off"])
def test_the_same_seeds_are_wrong_whatever_entities_are_called(other: str) -> None:
    seeds = split_links(_read().anchor_links, 0.3, 5, 0.1).seed_links
    plain, both = (_read(options) for options in ("seed_noise=0.2", f"seed_noise=0.2,{other}"))
    assert np.array_equal(trained_links(plain, seeds), trained_links(both, seeds))


def test_a_folder_of_ones_own_takes_transforms(tmp_path: Path) -> None:
    write_openea_layout(_read(), tmp_path / "own")
    changed = open_dataset(f"{tmp_path / 'own'}[image_ratio=0.5]")
    assert changed.address == f"{(tmp_path / 'own').as_posix()}[image_ratio=0.5]"
    cached = load_pair(changed, tmp_path / "cache")
    assert cached.version == changed.read().version
    assert plain_address(changed.address) == (tmp_path / "own").as_posix()


def test_the_plain_address_keeps_what_is_the_datasets_own() -> None:
    assert plain_address("synthetic[dangling=0.2,n=300]") == "synthetic[n=300]"
    assert plain_address("fb15k-db15k[names=off]") == "fb15k-db15k"
    assert plain_address("fb15k-db15k") == "fb15k-db15k"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("synthetic[image_ration=0.4]", "Did you mean 'image_ratio'?"),
        ("fb15k-db15k[image_ratio=1.4]", "'image_ratio' must lie in 0..1, not '1.4'"),
        ("fb15k-db15k[seed_noise=nan]", "must lie in 0..1"),
        ("fb15k-db15k[names=maybe]", "'names' must be on or off"),
        ("fb15k-db15k[transform_seed=-1]", "must be a whole number of 0 or more"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(address: str, words: str) -> None:
    with pytest.raises(UserError, match="option of") as caught:
        open_dataset(address)
    assert words in str(caught.value)


def test_what_a_dataset_lacks_cannot_be_changed() -> None:
    with pytest.raises(MissingDataError, match="lacks the modality 'name'"):
        open_dataset("synthetic[n=200,name_noise=0.2,text=false]").read()
    with pytest.raises(MissingDataError, match=r"part=0.001 leaves none of the \d+ anchor links"):
        open_dataset("synthetic[n=100,part=0.001]").read()
    with pytest.raises(MissingDataError, match="n-mmkg"):
        open_dataset("synthetic-nmmkg[dangling=0.2]").read()

"""``meta.json``: what was made up and who has no partner, beside the files of every layout."""

import dataclasses
import json

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.writers import LAYOUTS
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.transforms.dangling import with_dangling

EACH_LAYOUT = pytest.mark.parametrize("layout", ["mmkg", "dbp15k", "openea"])


@pytest.fixture(scope="module")
def pair():
    """A dataset of made-up images that knows entities without a partner."""
    pair = open_dataset("synthetic[n=150,dangling=0.2,text=false,image_dim=8]").read()
    return dataclasses.replace(pair, simulated=("image",), version="")


def copied(pair, layout, folder):
    LAYOUTS[layout](pair, folder)
    return open_dataset(str(folder)).read()


def uris(pair):
    return [
        set(graph.entities[ids])
        for graph, ids in zip((pair.source, pair.target), pair.dangling, strict=True)
    ]


@EACH_LAYOUT
def test_every_layout_keeps_what_was_made_up(pair, layout, tmp_path):
    assert copied(pair, layout, tmp_path / "copy").simulated == ("image",)


@EACH_LAYOUT
def test_every_layout_keeps_who_has_no_partner(pair, layout, tmp_path):
    copy = copied(pair, layout, tmp_path / "copy")
    assert uris(copy) == uris(pair)
    assert all(np.all(np.diff(ids) > 0) for ids in copy.dangling)


@EACH_LAYOUT
def test_a_dataset_with_nothing_to_declare_gets_no_file(layout, tmp_path):
    LAYOUTS[layout](open_dataset("synthetic[n=100]").read(), tmp_path / "copy")
    assert not (tmp_path / "copy" / "meta.json").exists()


@EACH_LAYOUT
def test_the_file_counts_among_those_that_are_read(pair, layout, tmp_path):
    """Else a dataset in the cache would outlive a change of it."""
    LAYOUTS[layout](pair, tmp_path / "copy")
    names = [path.name for path in open_dataset(str(tmp_path / "copy")).input_files()]
    assert names.count("meta.json") == 1


def test_entities_that_are_hidden_join_those_known_before(pair):
    hidden = with_dangling(pair, 0.3, 1)
    left = [set(graph.entities) for graph in (hidden.source, hidden.target)]
    for before, there, after in zip(uris(pair), left, uris(hidden), strict=True):
        assert before & there < after


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"simulated": ["picture"]}', "`simulated` must be a list of structure"),
        ('{"dangling": ["x"]}', "`dangling` must be an object of `source` and `target`"),
        ('{"dangling": {"both": []}}', "`dangling` must be an object of `source` and `target`"),
        ('{"dangling": {"source": [1]}}', "`dangling` must hold lists of URIs"),
    ],
)
def test_a_file_that_says_something_else_is_refused(pair, content, problem, tmp_path):
    LAYOUTS["openea"](pair, tmp_path)
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(DataError, match=problem):
        open_dataset(str(tmp_path)).read()


def test_a_dangling_entity_with_a_partner_is_refused(pair, tmp_path):
    LAYOUTS["openea"](pair, tmp_path)
    uri = pair.source.entities[pair.anchor_links[0, 0]]
    (tmp_path / "meta.json").write_text(json.dumps({"dangling": {"source": [uri]}}))
    with pytest.raises(DataError, match="dangling, and a link gives it a partner"):
        open_dataset(str(tmp_path)).read()


def test_a_dangling_entity_that_does_not_exist_is_left_out_with_a_note(pair, tmp_path):
    LAYOUTS["openea"](pair, tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"dangling": {"target": ["http://no/one"]}}))
    copy = open_dataset(str(tmp_path)).read()
    assert not any(map(len, copy.dangling))
    assert "meta.json: 1 dangling entities are no entities of target; they are left out." in (
        copy.notes
    )

"""The NMMEA layout: what is written is read back, and every rule of the format is checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.access.writers import write_nmmea_layout
from mmea_bench.datasets.core.errors import DataError, MissingDataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.graph import text_array
from mmea_bench.datasets.core.readers.nmmea import FEATURE_FILES
from mmea_bench.datasets.core.synthesis.nmmkg import generate_nmmkg
from mmea_bench.datasets.core.synthesis.nmmkg_settings import NmmkgOptions
from tests.datasets.layouts import by_uri, tiny_nmmkg


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_nmmea_layout(tiny_nmmkg(), tmp_path / "nmmea")
    return tmp_path


def test_a_written_dataset_reads_back_equal(tmp_path: Path) -> None:
    pair = generate_nmmkg("made", NmmkgOptions(n=300))
    write_nmmea_layout(pair, tmp_path / "nmmea")
    copy = open_dataset("nmmea", tmp_path).read()
    assert (copy.version, copy.task, copy.simulated) == (pair.version, "n-mmkg", pair.simulated)
    assert detect(tmp_path / "nmmea").kind == "NMMEA"
    assert open_dataset(str(tmp_path / "nmmea")).read().version == pair.version


def test_the_text_files_by_hand(root: Path) -> None:
    def content(name: str) -> str:
        return (root / "nmmea" / name).read_text()

    assert content("kg1/entities.tsv") == "id\tmodality\tlabel\np\tt\t\nq\tv\tpicture.jpg\n"
    assert content("kg1/rel_triples.tsv") == "head\trelation\ttail\tkind\np\tr\tq\tTV\n"
    assert content("pairs.tsv") == "id1\tid2\tkind\np\tx\ttt\np\ty\ttv\nq\ty\tvv\n"
    assert content("kg2/feat_v.ids") == "y\n"


def test_splits_become_folds(root: Path) -> None:
    pair = by_uri(open_dataset("nmmea", root).read())
    (fold,) = pair.folds
    assert (fold.name, fold.train.tolist(), fold.valid.tolist()) == ("0.3/1", [1], [0])
    assert pair.version == canonical(tiny_nmmkg()).version
    assert pair.notes == ()


def test_the_private_folder_is_never_opened(root: Path) -> None:
    (root / "nmmea" / "private").mkdir()
    (root / "nmmea" / "private" / "objects.tsv").write_bytes(b"\xff")
    dataset = open_dataset("nmmea", root)
    assert dataset.read().version
    assert not [path for path in dataset.input_files() if "private" in path.parts]


def test_a_missing_dataset_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"not released.*`synthetic-nmmkg`"):
        open_dataset("nmmea", tmp_path).input_files()


def test_names_of_both_graphs_are_shared_and_numbers_are_kept_apart(root: Path) -> None:
    """A relation is shared by its name; a number is none, and no file says that it is common."""
    pair = open_dataset("nmmea", root).read()
    assert pair.source.relations.tolist() == pair.target.relations.tolist() == ["r"]
    for graph in ("kg1", "kg2"):
        for name, text in (("rel_triples.tsv", "\tr\t"), ("attr_triples.tsv", "\ta\t")):
            path = root / "nmmea" / graph / name
            path.write_text(path.read_text().replace(text, "\t7\t"))
    pair = open_dataset("nmmea", root).read()
    for source, target in (
        (pair.source.relations, pair.target.relations),
        (pair.source.attributes, pair.target.attributes),
    ):
        assert (source.tolist(), target.tolist()) == (["7 (source)"], ["7 (target)"])
    assert [note.partition(" stand")[0] for note in pair.notes] == [
        "1 relation ids",
        "1 attribute ids",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("kg1/entities.tsv", "id\t", "node\t", r"entities\.tsv, line 1: cannot read"),
        ("kg1/entities.tsv", "q\tv", "q\tw", r"line 3: node 'q' has the modality 'w'"),
        ("kg1/entities.tsv", "q\tv", "p\tv", r"line 3: node 'p' stands here twice"),
        ("kg1/rel_triples.tsv", "TV", "TT", r"line 2: the triple of 'p' and 'q' is TV, not 'TT'"),
        ("kg1/rel_triples.tsv", "\tq", "\tz", r"line 2: 'z' is no node"),
        ("kg2/attr_triples.tsv", "x\t", "z\t", r"attr_triples\.tsv, line 2: 'z' is no node"),
        ("kg1/feat_t.ids", "p", "q", r"feat_t\.ids, line 1: node 'q' has image, not text"),
        ("kg1/feat_t.ids", "p", "p\np", r"line 2: node 'p' stands here twice"),
        ("kg1/feat_t.ids", "p", "z", r"feat_t\.ids, line 1: 'z' is no node"),
        ("kg2/entities.tsv", "x\tt\t", "x\tt\t\nw\tt\t", r"node 'w' has text, but no row"),
        ("pairs.tsv", "p\tx\ttt", "p\tx\tvv", r"line 2: the pair of 'p' and 'x' is tt, not 'vv'"),
        ("pairs.tsv", "p\tx", "x\tp", r"pairs\.tsv, line 2: 'x' is no node"),
        (
            "pairs.tsv",
            "p\ty\ttv",
            "p\tx\ttv",
            r"line 3: the pair of 'p' and 'x' is 'tv' here and 'tt'",
        ),
        ("meta.json", "{", "[", r"meta\.json: cannot be read"),
    ],
)
def test_every_rule_is_checked(root: Path, name: str, old: str, new: str, words: str) -> None:
    path = root / "nmmea" / name
    changed = path.read_text().replace(old, new, 1)
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(DataError, match=words):
        open_dataset("nmmea", root).read()


def test_a_pair_that_is_written_twice_counts_once(root: Path) -> None:
    path = root / "nmmea" / "pairs.tsv"
    plain = open_dataset("nmmea", root).read()
    header, first, *others = path.read_text().splitlines()
    path.write_text("\n".join([header, first, first, *others]) + "\n")
    repeated = open_dataset("nmmea", root).read()
    assert repeated.anchor_links.tolist() == plain.anchor_links.tolist()
    assert "pairs.tsv: 1 lines repeat a pair; each counts once." in repeated.notes


def test_what_is_no_file_is_not_called_missing(root: Path) -> None:
    path = root / "nmmea" / "kg1" / "attr_triples.tsv"
    path.unlink()
    path.mkdir()
    (other := root / "nmmea" / "kg2" / "attr_triples.tsv").unlink()
    other.symlink_to("nowhere.tsv")
    notes = "\n".join(open_dataset("nmmea", root).read().notes)
    assert "kg1/attr_triples.tsv is a folder, not a file: that graph has no attributes." in notes
    assert "kg2/attr_triples.tsv is a link to nothing: that graph has no attributes." in notes


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("p\ty\ttv\n", "already stands in train"),
        ("q\tx\ttv\n", "line 2: the tv pair of 'q' and 'x' is not in pairs.tsv"),
        ("", "1 pairs are in no part, such as 'q' and 'y'"),
        (None, "the file is missing"),
    ],
)
def test_a_split_that_cannot_be_used_refuses_nothing(
    root: Path, new: str | None, words: str
) -> None:
    path = root / "nmmea" / "splits" / "0.3" / "1" / "test.tsv"
    header, _, _ = path.read_text().partition("\n")
    path.unlink()
    if new is not None:
        path.write_text(f"{header}\n{new}")
    dataset = open_dataset("nmmea", root)
    assert all(file.is_file() for file in dataset.input_files())
    pair = dataset.read()
    (fold,) = pair.folds
    assert words in fold.problem
    assert pair.notes == (f"The published split 0.3/1 cannot be used: {fold.problem}",)


def test_a_split_without_training_pairs_keeps_its_place(root: Path) -> None:
    (root / "nmmea" / "splits" / "0.3" / "1" / "train.tsv").unlink()
    (fold,) = open_dataset("nmmea", root).read().folds
    assert (fold.name, "the file is missing" in fold.problem) == ("0.3/1", True)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 1)), "has 2 rows, the ids file has 1"),
        (np.array([[np.nan]]), "the vector of 'p' holds a value that is not finite"),
        (np.zeros(1), "holds no table of numbers"),
        (np.array([[None]]), "is no array of numbers"),
        (np.zeros((1, 2)), "text features have 2 columns in the source and 1 in the target"),
    ],
)
def test_vectors_are_checked(root: Path, array: np.ndarray, words: str) -> None:
    np.save(root / "nmmea" / "kg1" / "feat_t.npy", array)
    with pytest.raises(DataError, match=words):
        open_dataset("nmmea", root).read()


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "nmmea" / "kg2" / "feat_v.npy").unlink()
    with pytest.raises(DataError, match=r"feat_v\.npy: the file is missing"):
        open_dataset("nmmea", root).input_files()


@pytest.mark.parametrize("how", ["missing", "empty", "no rows"])
@pytest.mark.parametrize(("kind", "node"), [("text", "x"), ("image", "y")])
def test_a_graph_of_one_modality_loads(root: Path, how: str, kind: str, node: str) -> None:
    """Files of the other modality may be missing or empty; its nodes are gone from every file."""
    folder = root / "nmmea"
    graph, stem = folder / "kg2", FEATURE_FILES[kind]
    for path in (folder / "pairs.tsv", *graph.glob("*.tsv")):
        kept = [line for line in path.read_text().splitlines() if node not in line.split("\t")]
        path.write_text("\n".join(kept) + "\n")
    for path in (graph / f"{stem}.npy", graph / f"{stem}.ids"):
        path.unlink()
        if how != "missing" and path.suffix == ".ids":
            path.touch()
    if how == "no rows":
        np.save(graph / f"{stem}.npy", np.zeros((0, 3), dtype=np.float32))
    (graph / "rel_triples.tsv").write_text("head\trelation\ttail\tkind\n")
    dataset = open_dataset("nmmea", root)
    assert all(file.is_file() for file in dataset.input_files())
    pair = dataset.read()
    other = "image" if kind == "text" else "text"
    assert pair.features[kind][1].n_present == 0
    assert pair.features[other][1].n_present == pair.target.n_entities == 1
    assert (kind in pair.modalities, other in pair.modalities) == (False, True)
    how_lacking = "missing" if how == "missing" else "empty"
    assert f"kg2/{stem}.ids is {how_lacking}: that graph has no {kind}s." in pair.notes


@pytest.mark.parametrize("content", [None, "", "entity\tattribute\tvalue\n"])
def test_a_graph_without_attributes_loads(root: Path, content: str | None) -> None:
    path = root / "nmmea" / "kg1" / "attr_triples.tsv"
    path.unlink()
    if content is not None:
        path.write_text(content)
    pair = open_dataset("nmmea", root).read()
    assert (pair.source.n_attributes, pair.target.n_attributes) == (0, 1)
    assert "attribute" not in pair.modalities


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ('"1911"^^<http://www.w3.org/2001/XMLSchema#gYear>', "1911"),
        ('"Wien"@de', "Wien"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"\"Heroes\""^^<s>', '"Heroes"'),
        ("C^^2", "C^^2"),
        (" tall ", " tall "),
    ],
)
def test_a_value_is_what_its_literal_says(root: Path, written: str, stored: str) -> None:
    path = root / "nmmea" / "kg1" / "attr_triples.tsv"
    path.write_text(f"entity\tattribute\tvalue\np\ta\t{written}\n")
    assert open_dataset("nmmea", root).read().source.attribute_values.tolist() == [stored]


@pytest.mark.parametrize("value", ['"Heroes"', "a\tb", "two\nlines", '"1"^^<t>', " edges ", "C^^2"])
def test_every_value_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    pair = tiny_nmmkg()
    source = dataclasses.replace(pair.source, attribute_values=text_array([value]))
    write_nmmea_layout(dataclasses.replace(pair, source=source), tmp_path / "nmmea")
    copy = open_dataset("nmmea", tmp_path).read()
    assert copy.source.attribute_values.tolist() == [value]


def test_vectors_without_ids_are_refused(root: Path) -> None:
    (root / "nmmea" / "kg2" / "feat_v.ids").write_text("")
    with pytest.raises(DataError, match=r"node 'y' has image, but no row"):
        open_dataset("nmmea", root).read()


def test_ids_in_the_order_of_partners_are_noted(tmp_path: Path) -> None:
    pair = generate_nmmkg("made", NmmkgOptions(n=300))
    target = pair.target
    order = np.full(target.n_entities, pair.source.n_entities)
    place_of = {uri: place for place, uri in enumerate(sorted(pair.source.entities))}
    order[pair.anchor_links[:, 1]] = [
        place_of[pair.source.entities[row]] for row in pair.anchor_links[:, 0]
    ]
    names = text_array(f"{place:05d}-{row:05d}" for row, place in enumerate(order.tolist()))
    ordered = dataclasses.replace(
        pair, target=dataclasses.replace(target, entities=names), version=""
    )
    write_nmmea_layout(ordered, tmp_path / "nmmea")
    notes = open_dataset("nmmea", tmp_path).read().notes
    assert any("ids of partners are in a similar order" in note for note in notes)


def test_only_an_n_mmkg_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no N-MMKG"):
        write_nmmea_layout(dataclasses.replace(tiny_nmmkg(), task="entity-alignment"), tmp_path)

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.readers import images
from tests.datasets.layouts import assert_sentence, write_h5


def test_npz_with_text_or_bytes_keys(tmp_path: Path) -> None:
    for keys in (np.array(["ä", "b"]), np.array(["ä".encode(), b"b"])):
        np.savez(tmp_path / "x.npz", entities=keys, features=np.eye(2, dtype=np.float16))
        vectors = images.read_npz(tmp_path / "x.npz")
        assert list(vectors.keys) == ["ä", "b"]
        assert vectors.values.dtype == np.float32
        assert vectors.values.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"entities": np.array(["a"])}, "has no array 'features'"),
        ({"entities": np.array(["a"]), "features": np.ones((2, 2))}, "entities [1] and features"),
        ({"entities": np.array(["a"]), "features": np.array([["x"]])}, "not numbers"),
        ({"entities": np.array(["a"]), "features": np.array([[np.nan]])}, "'a' holds a value"),
        ({"entities": np.array([b"\xff"]), "features": np.ones((1, 1))}, "not UTF-8"),
        (
            {"entities": np.array([{}], dtype=object), "features": np.ones((1, 1))},
            "holds Python objects, which are not",
        ),
    ],
)
def test_a_bad_npz_archive_is_refused(tmp_path: Path, arrays: dict, words: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError) as caught:
        images.read_npz(tmp_path / "x.npz")
    assert_sentence(caught.value, tmp_path / "x.npz", words)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_a_truncated_npz_archive_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, entities=np.array(["a"]), features=np.ones((1, 50)))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep if keep >= 1 else keep * len(raw))])
    with pytest.raises(DataError) as caught:
        images.read_npz(path)
    assert_sentence(caught.value, path, "truncated or damaged")


def test_an_hdf5_image_of_another_dimension_is_named(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "x.h5", {"I1": [1, 2], "I2": [1, 2, 3], "other": [1]})
    with pytest.raises(DataError) as caught:
        images.read_h5(path, ["I1", "I2"])
    assert_sentence(caught.value, path, "image 'I2' has 3 numbers, the first image has 2")
    assert images.read_h5(path, ["I1", "absent"]).keys == ["I1"]


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.95])
def test_a_truncated_hdf5_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = write_h5(tmp_path / "x.h5", {f"I{row}": np.ones(500) for row in range(20)})
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep if keep >= 1 else keep * len(raw))])
    with pytest.raises(DataError) as caught:
        images.read_h5(path, ["I1", "I2"])
    assert_sentence(caught.value, path, "truncated or damaged")


@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("secret.h5", "/I1"), h5py.SoftLink("/elsewhere")]
)
def test_hdf5_links_to_other_places_are_not_followed(tmp_path: Path, link: object) -> None:
    write_h5(tmp_path / "secret.h5", {"I1": [1, 2]})
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["I1"] = link
    with pytest.raises(DataError) as caught:
        images.read_h5(path, ["I1"])
    assert_sentence(caught.value, path, "'I1' is a link to another place, which is not followed")


def test_hdf5_content_in_other_files_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(np.ones(4, dtype="f4").tobytes())
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "I1", shape=(4,), dtype="f4", external=[(str(tmp_path / "secret"), 0, 16)]
        )
    with pytest.raises(DataError) as caught:
        images.read_h5(path, ["I1"])
    assert_sentence(caught.value, path, "image 'I1' is stored in another file")


def test_an_hdf5_image_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("I1", shape=(2**40,), dtype="f4", chunks=(1024,))
    with pytest.raises(DataError, match="image 'I1' has 1099511627776 numbers"):
        images.read_h5(path, ["I1"])


@pytest.mark.parametrize(
    ("dim", "n_images", "chunk", "words"),
    [
        (64, 1, 2**22, "has 512 bytes and lies in a chunk of 33,554,432"),
        (4, 40, 2**17, "unpacks to more than 100 times its size"),
        (2**16, 1, 1, "lie in 65,536 chunks, more than"),
    ],
)
def test_hdf5_chunks_out_of_proportion_are_refused_unread(
    tmp_path: Path, dim: int, n_images: int, chunk: int, words: str
) -> None:
    path = tmp_path / "x.h5"
    keys = [f"image{number}" for number in range(n_images)]
    layout = {"maxshape": (None,), "chunks": (chunk,), "dtype": "f8", "compression": "gzip"}
    with h5py.File(path, "w") as file:
        for key in keys:
            made = file.create_dataset(key, shape=(dim,), **layout)
            if chunk > 1:
                made[:] = np.arange(dim)
    with pytest.raises(DataError) as caught:
        images.read_h5(path, keys)
    assert_sentence(caught.value, path, words)


def test_hdf5_vectors_in_honest_chunks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    vectors = np.random.default_rng(1).normal(size=(30, 512)).astype(np.float32)
    with h5py.File(path, "w") as file:
        for number, vector in enumerate(vectors):
            chunks = (1, 512 if number % 2 else 64)
            file.create_dataset(f"i{number}", data=vector[None], chunks=chunks, compression="gzip")
    read = images.read_h5(path, [f"i{number}" for number in range(30)])
    np.testing.assert_array_equal(read.values, vectors)


def test_a_circle_of_hdf5_groups_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("g")
        group["again"] = group
        file["I1"] = np.ones(2)
    assert images.read_h5(path, ["I1"]).values.tolist() == [[1, 1]]


def test_rows_become_masked_features() -> None:
    vectors = images.Vectors(["x", "b", "a", "a2"], np.array([[9], [2], [1], [3]], np.float32))
    features = images.to_features(vectors, {"a": 0, "a2": 0, "b": 2}, 3)
    assert features.values.tolist() == [[2], [0], [2]]
    assert features.present.tolist() == [True, False, True]


def test_the_mean_of_several_vectors_does_not_depend_on_their_order() -> None:
    """Sums of three float32 numbers do: rows of one key are added in an order of their own."""
    rows = np.array([[1e8], [-1e8], [1]], np.float32)
    orders = [rows[order] for order in ([0, 1, 2], [0, 2, 1], [2, 0, 1])]
    means = [images.to_features(images.Vectors("aaa", row), {"a": 0}, 1) for row in orders]
    assert len({mean.values[0, 0] for mean in means}) == 1

"""What is fuzzed: every reader of files that others made, with valid files to start from."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.access.fetch_record import RECORD_NAME, read_record
from mmea_bench.datasets.core.access.layouts import detect
from mmea_bench.datasets.core.access.writers import write_nmmea_layout
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.readers import images, nmmea, text, word_vectors
from mmea_bench.datasets.core.readers.names import lexical_value
from mmea_bench.datasets.core.readers.pickles import read_feature_pickle
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table import read_table_files, tables_of
from tests.datasets import layouts
from tests.fuzz import grammars
from tests.fuzz.mutations import mutate, packed
from tests.results.results_factory import make_count, make_number, make_point, make_record

OLD_RECORD = Path(__file__).parents[1] / "results" / "old_records" / "schema_1.json"

Make = Callable[[random.Random, Path, bytes], bytes | None]
"""Content of one file from (choices, its path, its valid content); None if it wrote it itself."""


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: Printed name.
        write: Writes valid files into an empty folder.
        read: Reads the folder; may raise the project's own errors and nothing else.
        make: Makes one damaged file; ``damaged`` where nothing is known about the format.
        only: Name endings of the files that are damaged; empty for all of them.
        many_lines: Whether an error may list several problems, one per line.
        weight: Share of the inputs; those that take long get fewer.
        needs: Modules that the reader imports late; torch, which makes every child large.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], object]
    make: Make = field(default=lambda rng, path, content: damaged(rng, path, content))
    only: tuple[str, ...] = ()
    many_lines: bool = False
    weight: float = 1.0
    needs: tuple[str, ...] = ()

    def files(self, folder: Path) -> Mapping[Path, bytes]:
        """The valid files that may be damaged."""
        return {
            path: path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and (not self.only or path.name.endswith(self.only))
        }


def damaged(rng: random.Random, path: Path, content: bytes) -> bytes | None:
    """A damaged copy of any file; text is sometimes put beside it as ``.gz``, in its place."""
    if path.suffix in ("", ".txt", ".tsv", ".ids") and rng.random() < 0.05:
        path.unlink()
        path.with_name(f"{path.name}.gz").write_bytes(packed(rng, content))
        return None
    return mutate(rng, content)


def _pickle(rng: random.Random, _path: Path, content: bytes) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return grammars.pickle_opcodes(rng)
    made = grammars.feature_pickle(rng) if kind == 1 else content
    return made if kind == 1 and rng.random() < 0.5 else mutate(rng, made)


def _npz(rng: random.Random, _path: Path, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        members = {name: read.read(name) for name in read.namelist()}
    kind = rng.randrange(4)
    if kind == 0:
        return mutate(rng, content)
    if kind == 1:
        name = rng.choice(list(members))
        members[name] = mutate(rng, members[name])
    return grammars.archive(rng, members)


def _npy(rng: random.Random, _path: Path, content: bytes) -> bytes:
    return grammars.npy(rng) if rng.random() < 0.5 else mutate(rng, content)


def _hdf5(rng: random.Random, path: Path, content: bytes) -> bytes | None:
    if rng.random() < 0.7:
        return mutate(rng, content)
    grammars.hdf5(rng, path, ["a", "b", "c"])
    if rng.random() < 0.3:
        path.write_bytes(mutate(rng, path.read_bytes()))
    return None


def _json(rng: random.Random, _path: Path, content: bytes) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return json.dumps(grammars.json_value(rng)).encode()
    if kind == 1:
        return rng.choice((b"[", b'{"a":', b"[[")) * rng.choice((3, 5000, 100_000))
    return grammars.changed_json(rng, content) if kind == 2 else mutate(rng, content)


def _glove(rng: random.Random, path: Path, content: bytes) -> bytes:
    if path.suffix == ".zip":
        return grammars.archive(rng, {word_vectors.FILE: b"red 1 0\nhouse 0 1\n"})
    return packed(rng, b"red 1 0\nhouse 0 1\n") if path.suffix == ".gz" else mutate(rng, content)


def _toml(rng: random.Random, _path: Path, content: bytes) -> bytes:
    return grammars.toml(rng) if rng.random() < 0.6 else mutate(rng, content)


def _write_vectors(folder: Path) -> None:
    names, rows = np.array(["a", "b"]), np.ones((2, 3), np.float32)
    np.savez(folder / "images.npz", entities=names, features=rows)


def _write_openea(folder: Path) -> None:
    layouts.write_openea(folder)
    np.savez(folder / "images.npz", entities=np.array(["/m/a"]), features=np.ones((1, 2)))


def _write_meta(folder: Path) -> None:
    _write_openea(folder)
    content = {"simulated": ["image"], "dangling": {"source": ["/m/c"], "target": []}}
    (folder / "meta.json").write_text(json.dumps(content))


def _write_eva(folder: Path) -> None:
    layouts.write_eva(folder)
    layouts.write_eva_extras(folder)


def _write_mmkg(folder: Path) -> None:
    layouts.write_raw(folder)
    layouts.write_index(folder)
    for graph, letter in (("FB15K", "F"), ("DB15K", "D")):
        vectors = {f"{letter}{row}": [1.0, 2.0] for row in range(4)}
        layouts.write_h5(folder / graph / f"{graph}_ImageData.h5", vectors)


def _write_record(folder: Path) -> None:
    ResultStore(folder).write(_record())


def _write_old_record(folder: Path) -> None:
    path = ResultStore(folder).path_of("old")
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD_RECORD.read_bytes())


def _record() -> Record:
    cell = make_record().cell
    return Record.of(cell, [make_number()], [make_point()], [make_count()])


def _write_tables(folder: Path, suffix: str) -> None:
    _write_record(folder)
    for path in ResultStore(folder).write_tables():
        if path.suffix != suffix:
            path.unlink()
    ResultStore(folder).path_of("k1").unlink()


def _write_glove(folder: Path) -> None:
    lines = b"red 1 0\nhouse 0 1\nblue -1 0\n"
    (folder / word_vectors.FILE).write_bytes(lines)
    (folder / f"{word_vectors.FILE}.gz").write_bytes(gzip.compress(lines, mtime=0))
    with zipfile.ZipFile(folder / word_vectors.ARCHIVE, "w") as archive:
        archive.writestr(word_vectors.FILE, lines)


def _write_h5(folder: Path) -> None:
    layouts.write_h5(folder / "x.h5", {"a": [1, 2], "b": [3, 4], "c": [5, 6]})


def _read_layout(folder: Path) -> object:
    return detect(folder).files.read("fuzzed", ("S", "T"))


def _read_store(folder: Path) -> object:
    store = ResultStore(folder)
    records = list(store.records())
    for problem in store.problems:
        assert problem.isprintable(), repr(problem)
    return tables_of(records) if records else None


def _read_glove(folder: Path) -> object:
    found = sorted(folder.glob("glove*"))
    return [word_vectors.read_word_vectors(path, {"red", "house"}) for path in found]


def _read_words(folder: Path) -> object:
    words = (folder / "words.txt").read_text("utf-8", errors="replace")
    return [surface_form(words), lexical_value(words)]


def _read_address(folder: Path) -> object:
    return open_dataset((folder / "address.txt").read_bytes().decode("utf-8", "replace"), folder)


def _one_file(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


_ROWS = "".join(f"{row}\thttp://x/{row}\n" for row in range(20)).encode()
_RECORD = json.dumps({"a/b.txt": "0" * 64}).encode()


def _write_suite(folder: Path) -> None:
    from mmea_bench.bench.planning.suite_files import SUITES_FOLDER

    (folder / "suite.toml").write_bytes((SUITES_FOLDER / "quick.toml").read_bytes())


def _read_suite(folder: Path) -> object:
    from mmea_bench.bench.planning.load_suite import load_suite

    return load_suite(str(folder / "suite.toml"), data_root=folder)


def _write_images(folder: Path) -> None:
    from PIL import Image

    settings = {"size": {"shortest_edge": 8}, "crop_size": 8, "image_mean": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    for suffix in ("png", "jpg", "gif", "bmp", "webp", "tiff"):
        Image.new("RGB", (12, 9), (9, 8, 7)).save(folder / f"x.{suffix}")


def _read_images(folder: Path) -> object:
    from mmea_bench.methods.core.inputs.clip_towers import image_settings, pixel_values

    settings = image_settings(folder, 8)
    return [pixel_values(path, settings) for path in sorted(folder.glob("x.*"))]


def _image(rng: random.Random, path: Path, content: bytes) -> bytes:
    return _json(rng, path, content) if path.suffix == ".json" else mutate(rng, content)


TARGETS = (
    Target(
        "feature pickle",
        layouts.write_eva_extras,
        lambda folder: read_feature_pickle(next(folder.glob("*.pkl"))),
        _pickle,
        (".pkl",),
    ),
    Target("npz", _write_vectors, lambda folder: images.read_npz(folder / "images.npz"), _npz),
    Target(
        "npy",
        lambda folder: np.save(folder / "v.npy", np.ones((2, 3), np.float32)),
        lambda folder: nmmea._read_vectors(folder / "v.npy", ["a", "b"]),
        _npy,
    ),
    Target(
        "HDF5",
        _write_h5,
        lambda folder: images.read_h5(folder / "x.h5", ["a", "b", "c"]),
        _hdf5,
    ),
    Target(
        "text columns",
        _one_file("rows", _ROWS),
        lambda folder: text.id_column(
            folder / "rows",
            [row[0] for row in text.read_rows(folder / "rows", ("id", "URI"))],
            "id",
        ),
    ),
    Target("MMKG layout", _write_mmkg, _read_layout, only=(".txt",)),
    Target("EVA layout", _write_eva, _read_layout),
    Target("OpenEA layout", _write_openea, _read_layout),
    Target(
        "NMMEA layout",
        lambda folder: write_nmmea_layout(layouts.tiny_nmmkg(), folder),
        _read_layout,
    ),
    Target("translated names", _write_eva, _read_layout, _json, (".json",)),
    Target("meta of a dataset", _write_meta, _read_layout, _json, ("meta.json",)),
    Target(
        "word vectors",
        _write_glove,
        _read_glove,
        _glove,
    ),
    Target(
        "URIs and literals",
        _one_file("words.txt", b"x"),
        _read_words,
        lambda rng, _path, _content: grammars.literal(rng).encode(),
    ),
    Target(
        "address",
        _one_file("address.txt", b"synthetic[n=100]"),
        _read_address,
        lambda rng, _path, content: (
            mutate(rng, content) if rng.random() < 0.3 else grammars.address(rng).encode()
        ),
    ),
    Target("fetch record", _one_file(RECORD_NAME, _RECORD), read_record, _json),
    Target("result record", _write_record, _read_store, _json, (".json",)),
    Target("old record", _write_old_record, _read_store, _json, (".json",)),
    Target(
        "result CSV",
        lambda folder: _write_tables(folder, ".csv"),
        read_table_files,
        only=(".csv",),
        weight=0.1,
    ),
    Target(
        "result Parquet",
        lambda folder: _write_tables(folder, ".parquet"),
        read_tables,
        only=(".parquet",),
        weight=0.1,
    ),
    Target(
        "suite TOML",
        _write_suite,
        _read_suite,
        _toml,
        many_lines=True,
        weight=0.3,
        needs=("mmea_bench.bench.planning.suite_checks",),
    ),
    Target(
        "images",
        _write_images,
        _read_images,
        _image,
        weight=0.3,
        needs=("PIL.Image", "mmea_bench.methods.core.inputs.clip_towers"),
    ),
)

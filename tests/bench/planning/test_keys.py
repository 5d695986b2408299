"""A key changes with everything that can move the number, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.planning import keys
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.keys import (
    KEY_DIGITS,
    CodeHashes,
    cell_key,
    hash_files,
    keyed,
    scoring_files,
)
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core import imports
from mmea_bench.methods.core.catalogue import get_method

CELL = Cell("alpha", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
CODE = CodeHashes("method", "scoring")
VERSIONS = {"synthetic[n=100]": "v1"}


def test_a_key_is_a_short_hex_number() -> None:
    key = cell_key(CELL, {"epochs": 3}, "v1", CODE)
    assert len(key) == KEY_DIGITS
    assert int(key, 16) >= 0
    assert key == cell_key(replace(CELL), {"epochs": 3}, "v1", CodeHashes("method", "scoring"))


@pytest.mark.parametrize(
    "changed",
    [
        (replace(CELL, method="beta"), {"epochs": 3}, "v1", CODE),
        (replace(CELL, variant="w/o image"), {"epochs": 3}, "v1", CODE),
        (replace(CELL, dataset="synthetic"), {"epochs": 3}, "v1", CODE),
        (replace(CELL, seed_ratio=0.2), {"epochs": 3}, "v1", CODE),
        (replace(CELL, repeat=2), {"epochs": 3}, "v1", CODE),
        (replace(CELL, protocol=Protocol("paper")), {"epochs": 3}, "v1", CODE),
        (replace(CELL, protocol=Protocol(csls=(0,))), {"epochs": 3}, "v1", CODE),
        (CELL, {"epochs": 4}, "v1", CODE),
        (CELL, {"epochs": 3}, "v2", CODE),
        (CELL, {"epochs": 3}, "v1", CodeHashes("other", "scoring")),
        (CELL, {"epochs": 3}, "v1", CodeHashes("method", "other")),
    ],
)
def test_everything_that_moves_a_number_moves_the_key(changed: tuple[Any, ...]) -> None:
    assert cell_key(CELL, {"epochs": 3}, "v1", CODE) != cell_key(*changed)


def keys_of(toml: str, tmp_path: Path, method: Path, name: str = "mine") -> list[str]:
    path = tmp_path / f"{name}.toml"
    path.write_text(f'datasets = ["synthetic[n=100]"]\nrepeats = 2\n{toml}', encoding="utf-8")
    suite = load_suite(str(path), None, tmp_path, (method,))
    return [key for key, _cell in keyed(expand(suite), VERSIONS, (method,))]


def test_the_name_of_the_suite_is_no_part_of_a_key(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    assert keys_of("", tmp_path, method) == keys_of("", tmp_path, method, "other")


def test_a_parameter_moves_all_keys_of_its_method(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    changed = keys_of('[set]\n"alpha.epochs" = 9', tmp_path, method)
    assert not set(keys_of("", tmp_path, method)) & set(changed)
    # 9 and 9.0 are one value of a whole-number parameter.
    assert changed == keys_of('[set]\n"alpha.epochs" = 9.0', tmp_path, method)


def test_the_code_of_a_method_moves_its_keys(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    before = keys_of("", tmp_path, method)
    make_method("alpha", "pass")
    assert not set(before) & set(keys_of("", tmp_path, method))


def test_an_imported_project_file_moves_the_keys(monkeypatch: Any, tmp_path: Path) -> None:
    imported = tmp_path / "losses.py"
    imported.write_text("margin = 1\n", encoding="utf-8")
    monkeypatch.setattr(keys, "method_sources", lambda *_: (imported,))
    cells = [replace(CELL, method="random_scores")]
    before = keyed(cells, VERSIONS, ())
    imported.write_text("margin = 2\n", encoding="utf-8")
    assert keyed(cells, VERSIONS, ())[0][0] != before[0][0]


def test_the_scoring_code_moves_the_keys(monkeypatch: Any) -> None:
    cells = [replace(CELL, method="random_scores")]
    before = keyed(cells, VERSIONS, ())[0][0]
    monkeypatch.setattr(keys, "scoring_hash", lambda: "changed")
    assert keyed(cells, VERSIONS, ())[0][0] != before


def test_the_scoring_code_is_a_folder_and_what_it_imports() -> None:
    names = {
        path.relative_to(keys.SCORING_FOLDER.parents[1]).as_posix() for path in scoring_files()
    }
    assert names >= {
        *(f"bench/scoring/{path.name}" for path in keys.SCORING_FOLDER.glob("*.py")),
        *("bench/cells/execute.py", "methods/core/similarity.py", "datasets/core/model/split.py"),
        *("datasets/core/model/wrong_seeds.py", "bench/precision/repeatable.py"),
    }


def test_what_scoring_imports_moves_the_keys_and_the_command_line_does_not(
    tmp_path: Path, monkeypatch: Any
) -> None:
    sources = {
        "bench/scoring/ranks.py": "from mmea_bench.methods.core.similarity import csls\n",
        "bench/scoring/seeds.py": "A = 1\n",
        "methods/core/similarity.py": "import mmea_bench.datasets.core.model.split\n",
        "datasets/core/model/split.py": "B = 1\n",
        "bench/cells/execute.py": "import mmea_bench.bench.cells.process\n",
        "bench/precision/repeatable.py": "F = 1\n",
    }
    others = {
        "bench/cells/process.py": "C = 1\n",
        "bench/cli/app.py": "import mmea_bench.bench.scoring.ranks\n",
        "bench/battery/run.py": "D = 1\n",
    }
    for name, text in {**sources, **others}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(imports, "_PROJECT", tmp_path)
    monkeypatch.setattr(keys, "_EXECUTION", tmp_path / "bench/cells/execute.py")
    monkeypatch.setattr(keys, "_BEFORE_TRAINING", [tmp_path / "bench/precision/repeatable.py"])

    def digest() -> str:
        return hash_files(scoring_files(tmp_path / "bench/scoring"))

    def moves(name: str) -> bool:
        before = digest()
        path = tmp_path / name
        path.write_text(path.read_text(encoding="utf-8") + "E = 2\n", encoding="utf-8")
        return digest() != before

    assert [name for name in sources if not moves(name)] == []
    assert [name for name in others if moves(name)] == []


def test_what_training_in_parts_imports_moves_its_keys(monkeypatch: Any) -> None:
    cells = [replace(CELL, method="random_scores", partitions=n) for n in (1, 2)]
    before = [key for key, _cell in keyed(cells, VERSIONS, ())]
    source_of = keys.project_sources

    def without_wrapping(files: Iterable[Path]) -> tuple[Path, ...]:
        return tuple(path for path in source_of(files) if path.name != "wrapped.py")

    monkeypatch.setattr(keys, "project_sources", without_wrapping)
    after = [key for key, _cell in keyed(cells, VERSIONS, ())]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]


def test_keys_hash_all_of_the_scoring_code() -> None:
    assert keys.scoring_hash() == hash_files(scoring_files())
    names = {path.parent.name for path in scoring_files()}
    assert not names & {"cli", "battery", "running", "clusters"}


def test_a_new_file_of_the_scoring_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "ranks.py").write_text("A = 1\n")
    before = hash_files(scoring_files(tmp_path))
    (tmp_path / "decoders.py").write_text("B = 1\n")
    assert hash_files(scoring_files(tmp_path)) != before


def test_hashes_ignore_place_order_and_line_ends(tmp_path: Path) -> None:
    files = []
    for folder, text in (("a", b"x = 1\n"), ("b", b"x = 1\r\n")):
        (tmp_path / folder).mkdir()
        files.append([tmp_path / folder / name for name in ("one.py", "two.py")])
        for path in files[-1]:
            path.write_bytes(text)
    assert hash_files(files[0]) == hash_files(files[1][::-1])
    assert hash_files(files[0]) != hash_files(files[0][:1])


def test_variant_and_overrides_reach_the_parameters(make_method: Any) -> None:
    method = make_method("alpha")
    configured = get_method("alpha", (method,)).configure("alpha", "w/o image", {"epochs": 9})
    assert (configured.params.use_image, configured.params.epochs) == (False, 9)


def test_a_users_file_is_loaded_once_for_all_cells(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    loads = tmp_path / "loads"
    note = f"open({str(loads)!r}, 'a').write('loaded ')\n"
    method.write_text(method.read_text(encoding="utf-8") + note, encoding="utf-8")
    cells = [replace(CELL, repeat=repeat) for repeat in range(50)]
    keyed(cells, VERSIONS, (method,))
    assert loads.read_text().split() == ["loaded"]


def key_of(method: Path, **overrides: object) -> str:
    cell = replace(CELL, method=method.stem, overrides=tuple(sorted(overrides.items())))
    return keyed([cell], VERSIONS, (method,))[0][0]


def test_a_helper_beside_a_users_file_moves_its_keys(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    text = method.read_text(encoding="utf-8")
    method.write_text(
        f"{text}\n\ndef late() -> None:\n    import helper\n    from blocks.layers import wide\n",
        encoding="utf-8",
    )
    sources = {
        "helper.py": "from blocks.deep import A\n",
        "blocks/__init__.py": "",
        "blocks/layers.py": "from . import losses\nfrom .deep import A\n",
        "blocks/losses.py": "L = 1\n",
        "blocks/deep.py": "A = 1\n",
    }
    others = {"unused.py": "B = 1\n", "blocks/unused.py": "C = 1\n"}
    for name, content in {**sources, **others}.items():
        path = method.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def moves(name: str) -> bool:
        before = key_of(method)
        path = method.parent / name
        path.write_text(path.read_text(encoding="utf-8") + "D = 2\n", encoding="utf-8")
        return key_of(method) != before

    assert [name for name in sources if not moves(name)] == []
    assert [name for name in others if moves(name)] == []


def test_weights_that_a_users_code_names_move_its_keys(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    weights, log = method.parent / "weights.pt", method.parent / "notes.log"
    text = method.read_text(encoding="utf-8")
    method.write_text(f"{text}\nFILES = ('weights.pt', 'notes.log', 'absent.pt', '\\0.pt')\n")
    keys_found = [key_of(method)]
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        keys_found.append(key_of(method))
        log.write_bytes(content)  # what a method writes must not change its key
        keys_found.append(key_of(method))
    assert keys_found[1] == keys_found[2]
    assert keys_found[3] == keys_found[4]
    assert len(set(keys_found)) == 3


def test_files_that_a_parameter_names_move_the_key(tmp_path: Path, make_method: Any) -> None:
    method = make_method("alpha")
    text = method.read_text(encoding="utf-8")
    method.write_text(text.replace("    epochs: int", '    model: str = ""\n    epochs: int', 1))
    folder = tmp_path / "models" / "small"
    (folder / "inner").mkdir(parents=True)
    one = folder / "inner" / "weights.bin"
    found = []
    for content in (b"first", b"later"):  # of one length
        one.write_bytes(content)
        found += [key_of(method, model=str(folder)), key_of(method, model=str(one))]
    assert len(set(found)) == 4
    assert key_of(method, model="cosine") != key_of(method, model="\0")


def test_the_files_of_a_text_encoder_move_the_key(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MMEA_MODELS", str(tmp_path))
    weights = tmp_path / "bert-base-uncased" / "model.safetensors"
    weights.parent.mkdir()
    cells = [replace(CELL, method="clamea", overrides=(("text_encoder", "bert"),))]
    found = [keyed(cells, VERSIONS, ())[0][0]]
    for content in (b"first", b"later"):
        weights.write_bytes(content)
        found.append(keyed(cells, VERSIONS, ())[0][0])
    assert len(set(found)) == 3


_PLAIN = """class Mine:
    variants = {"a": {"x": 1}}

    def fit(self):
        return 1
"""


@pytest.mark.parametrize(
    "text",
    [
        _PLAIN.replace("return 1", "return 1  # because"),
        _PLAIN.replace("def fit(self):", 'def fit(self):\n        """Why."""'),
        '"""Mine."""\n\n\n' + _PLAIN,
        _PLAIN.replace('{"a": {"x": 1}}', '{"a": {"x": 1}, "b": {"x": 2}}'),
        _PLAIN.replace("\n", "\r\n"),
    ],
)
def test_what_cannot_change_a_result_does_not_train_again(tmp_path: Path, text: str) -> None:
    assert _hash_of(tmp_path, text) == _hash_of(tmp_path, _PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        _PLAIN.replace("return 1", "return 2"),
        _PLAIN.replace("return 1", "return '1'"),
        _PLAIN + "x = 1\n",
        "no Python at all (",
    ],
)
def test_what_can_change_a_result_does(tmp_path: Path, text: str) -> None:
    assert _hash_of(tmp_path, text) != _hash_of(tmp_path, _PLAIN)


def test_variants_that_the_code_reads_count(tmp_path: Path) -> None:
    reads = _PLAIN.replace("return 1", "return len(self.variants)")
    more = reads.replace('{"a": {"x": 1}}', "{}")
    assert _hash_of(tmp_path, reads) != _hash_of(tmp_path, more)


def _hash_of(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_bytes(text.encode())
    return hash_files([path])

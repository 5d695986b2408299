"""A user's method file that imports a place that has moved is told the new one in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.catalogue import check_own_names, get_method

MOVED = {
    "from mmea_bench.methods.core.joint_graph import JointGraph": "methods",
    "from mmea_bench.methods.core.sparse import FixedMatrix": "methods",
    "from mmea_bench.methods.core.training import train": "methods",
    "from mmea_bench.datasets.core.view import TrainView": "datasets",
}


@pytest.mark.parametrize("line", MOVED)
def test_an_old_import_names_the_place_that_stays(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"{line}\n")
    with pytest.raises(UserError, match=rf"import from mmea_bench\.{MOVED[line]}\.api") as caught:
        get_method("mine", [path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_contract_is_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from mmea_bench.methods.core.base import Embeddings, Method, RunContext\n"
        "class Mine(Method):\n    def fit(self, view, ctx): ...\n"
    )
    assert get_method("mine", [path]).__name__ == "Mine"


def test_what_another_package_lacks_keeps_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import a_package_that_nobody_has\n")
    with pytest.raises(UserError, match="a_package_that_nobody_has") as caught:
        get_method("mine", [path])
    assert "api" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('modalities = "structure"', "`modalities` must be a tuple such as"),
        ('requires = ("structur",)', "Did you mean 'structure'"),
        ('tasks = ("x",)', "word in `tasks`"),
        ("Params = dict", "`Params` must be a dataclass"),
        ('variants = {"a": None}', "`variants` must map names to overrides"),
        ("def __init__(self): ...", "`__init__` must take the parameters"),
    ],
)
def test_a_wrong_declaration_names_the_file(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from mmea_bench.methods.api import Method\n"
        f"class Mine(Method):\n    {line}\n    def fit(self, view, ctx): ...\n"
    )
    with pytest.raises(UserError) as caught:
        get_method("mine", [path])
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_class_without_its_work_is_said_to_lack_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from mmea_bench.methods.api import Method\nclass Mine(Method): ...\n")
    with pytest.raises(UserError, match="found: Mine, which lacks fit"):
        get_method("mine", [path])


MINE = "class Mine(Method):\n    def fit(self, view, ctx): return K\n"
CONTRACT = "from mmea_bench.methods.api import Method\n"


def test_a_module_beside_the_file_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "a_helper_of_mine.py").write_text("K = 3\n")
    path = tmp_path / "mine.py"
    path.write_text(f"{CONTRACT}from a_helper_of_mine import K\n{MINE}")
    assert get_method("mine", [path])().fit(None, None) == 3  # type: ignore[arg-type]


def test_a_helper_that_stands_for_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    paths = [tmp_path / folder / "mine.py" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        (path.parent / "helper_of_two.py").write_text(f"K = '{path.parent.name}'\n")
        path.write_text(f"{CONTRACT}from helper_of_two import K\n{MINE}")
    get_method("mine", [paths[0]])
    with pytest.raises(UserError, match=r"imports helper_of_two, which stands for .*a/helper_of"):
        get_method("mine", [paths[1]])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("eva.py",), "gives the name 'eva', which is that of another method. Rename the file."),
        (("a/mine.py", "b/mine.py"), "mine.py gives too"),
        (("a/my-own.py", "b/my_own.py"), "gives the name 'my_own'"),
    ],
)
def test_a_file_whose_name_hides_another_method_is_refused(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        check_own_names([tmp_path / name for name in names])


def test_a_file_that_is_named_twice_is_one(tmp_path: Path) -> None:
    check_own_names([tmp_path / "mine.py", tmp_path / "a" / ".." / "mine.py"])

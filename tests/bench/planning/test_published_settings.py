"""Protocol ``paper`` applies the published settings of a dataset, without a variant's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from mmea_bench.bench.planning.cell import Cell, configured, published_note
from mmea_bench.bench.planning.keys import keyed
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.catalogue import CatalogueEntry, catalogue_entries
from mmea_bench.methods.meaformer import MEAformer
from mmea_bench.methods.transe import TransE

PAPER, STRICT = Protocol("paper"), Protocol("strict")


def cell(
    dataset: str = "fb15k-db15k",
    protocol: Protocol = PAPER,
    variant: str = "full",
    **overrides: object,
) -> Cell:
    return Cell("meaformer", variant, tuple(overrides.items()), dataset, 0.2, 1, protocol)


@pytest.mark.parametrize(
    ("dataset", "epochs", "feed_forward_dim"),
    [
        ("fb15k-db15k", 500, 0),
        ("fb15k-yago15k", 250, 0),
        ("dbp15k-zh-en", 250, 400),
        ("dbp15k-fr-en", 250, 400),
        ("synthetic[n=100]", 500, 0),  # nothing is published: the defaults
    ],
)
def test_meaformer_trains_as_published_on_each_dataset(
    dataset: str, epochs: int, feed_forward_dim: int
) -> None:
    params = configured(MEAformer, cell(dataset)).params
    assert (params.epochs, params.feed_forward_dim) == (epochs, feed_forward_dim)


def test_options_of_an_address_do_not_hide_its_published_settings() -> None:
    assert configured(MEAformer, cell("dbp15k-zh-en[copy=eva]")).params.feed_forward_dim == 400


def test_strict_applies_nothing() -> None:
    strict = cell("dbp15k-zh-en", STRICT)
    assert configured(MEAformer, strict).params == MEAformer.Params()
    assert published_note(MEAformer, strict) == ""


def test_variants_lie_above_published_settings_and_overrides_above_both() -> None:
    params = configured(MEAformer, cell("dbp15k-zh-en", variant="iterative")).params
    assert (params.iterative, params.epochs, params.feed_forward_dim) == (True, 1000, 400)
    single = cell("dbp15k-zh-en", variant="iterative", epochs=7)
    assert configured(MEAformer, single).params.epochs == 7


def test_the_note_names_what_was_applied_and_not_what_was_replaced() -> None:
    assert published_note(MEAformer, cell("dbp15k-zh-en")) == (
        "published settings for dbp15k-*: epochs=250, feed_forward_dim=400"
    )
    assert published_note(MEAformer, cell("dbp15k-zh-en", variant="iterative")) == (
        "published settings for dbp15k-*: feed_forward_dim=400"
    )
    assert published_note(MEAformer, cell("dbp15k-zh-en", epochs=7, feed_forward_dim=8)) == ""
    assert published_note(MEAformer, cell("synthetic[n=100]")) == ""
    assert published_note(TransE, cell()) == ""


def test_the_first_pattern_that_fits_counts() -> None:
    class Ordered(TransE):
        published_settings: ClassVar[Mapping[str, Mapping[str, object]]] = {
            "fb15k-db15k": {"epochs": 1},
            "fb15k-*": {"epochs": 2},
        }

    assert Ordered.configure("own", published_for="fb15k-db15k").params.epochs == 1
    assert Ordered.configure("own", published_for="fb15k-yago15k").params.epochs == 2
    assert Ordered.configure("own", published_for="dbp15k-zh-en").params.epochs == 1000


@pytest.mark.parametrize("entry", catalogue_entries(), ids=lambda entry: entry.name)
def test_published_settings_of_every_method_fit_its_parameters(
    entry: CatalogueEntry,
) -> None:
    assert entry.method_type is not None
    for pattern, published in entry.method_type.published_settings.items():
        method = entry.method_type.configure(entry.name, published_for=pattern.replace("*", "x"))
        assert {name: getattr(method.params, name) for name in published} == dict(published)


METHOD = """
from dataclasses import dataclass
from mmea_bench.methods.api import Method

@dataclass(frozen=True)
class Params:
    epochs: int = 5

class Own(Method):
    Params = Params
    published_settings = {{"synthetic": {{"epochs": {epochs}}}}}

    def fit(self, view, ctx):
        raise NotImplementedError
"""


def suite_of(tmp_path: Path, protocol: str, epochs: object) -> list[str]:
    (tmp_path / "own.py").write_text(METHOD.format(epochs=epochs), encoding="utf-8")
    suite = tmp_path / "mine.toml"
    suite.write_text(
        f'methods = ["own"]\ndatasets = ["synthetic[n=100]"]\nprotocol = "{protocol}"\n',
        encoding="utf-8",
    )
    load_suite(str(suite), None, tmp_path, (tmp_path / "own.py",))
    own = Cell("own", "full", (), "synthetic[n=100]", 0.3, 1, Protocol(protocol))  # type: ignore[arg-type]
    return [key for key, _ in keyed([own], {own.dataset: "v1"}, (tmp_path / "own.py",))]


def test_a_planned_suite_finds_published_settings_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="parameter of own 'epochs' must be int"):
        suite_of(tmp_path, "paper", "'many'")


def test_keys_cover_the_published_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(protocol: Protocol, epochs: int) -> str:
        published = {"dbp15k-*": {"epochs": epochs}}
        monkeypatch.setattr(MEAformer, "published_settings", published)
        return keyed([cell("dbp15k-zh-en", protocol)], {"dbp15k-zh-en": "v1"}, ())[0][0]

    assert key(PAPER, 250) != key(PAPER, 251)
    assert key(STRICT, 250) == key(STRICT, 251)

"""A cell's protocol in its own words: its name, and the settings that nobody would expect."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.reports.core.published.settings import (
    USUAL_SETTINGS,
    usual_words_dropped,
    with_own_protocols,
)
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import measured_cell


def own_words(stopped_on: str, **settings: Any) -> str:
    told = json.dumps(settings)
    record = measured_cell(0.3, protocol="strict", protocol_settings=told, stopped_on=stopped_on)
    (protocol,) = set(with_own_protocols(tables_of([record])).results["protocol"])
    return str(protocol)


def test_what_is_usual_is_what_the_program_does_unasked() -> None:
    defaults = {each.name: each.default for each in fields(Protocol)}
    told = {
        name: str(value)
        for name, value in defaults.items()
        if name not in ("name", "candidates", "csls", "decoders")
    }
    assert {**told, "stop_csls": str(Protocol().csls[-1])} == USUAL_SETTINGS


def test_only_what_is_unusual_is_named() -> None:
    assert own_words("valid", patience=5, tie_rule="realistic") == "strict"
    assert own_words("valid", patience=10, eval_every=1) == "strict[eval_every=1,patience=10]"


def test_numbers_tell_their_candidates_themselves() -> None:
    assert own_words("valid", candidates="both", decoders=["stable"]) == "strict"


def test_how_a_checkpoint_is_chosen_means_nothing_to_a_last_epoch() -> None:
    chosen = {"eval_every": 1, "stop_metric": "hits@1", "csls": [0]}
    assert own_words("last", **chosen) == "strict"
    assert own_words("test", **chosen) == ("strict[eval_every=1,stop_csls=0,stop_metric=hits@1]")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("paper", "paper"),
        ("paper[candidates=test]", "paper"),
        ("strict[eval_every=1,patience=5]", "strict[eval_every=1]"),
        ("paper[torch 2.5,tie_rule=optimistic]", "paper[torch 2.5,tie_rule=optimistic]"),
        (
            "paper[ranking=approximate[k=9,n=2],valid_share=0.1]",
            "paper[ranking=approximate[k=9,n=2]]",
        ),
    ],
)
def test_words_of_an_earlier_check_are_read_without_what_is_usual(written: str, meant: str) -> None:
    assert usual_words_dropped(written) == meant

"""Any damage to a foreign file is read or refused in a sentence; a small part of the campaign.

``python -m tests.fuzz.campaign --inputs 100000`` runs the large one. The hypothesis tests take a
profile: ``HYPOTHESIS_PROFILE=campaign pytest tests/fuzz`` runs a hundred times as many examples.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.options import format_address, parse_address
from mmea_bench.datasets.core.readers.names import lexical_value
from mmea_bench.reports.formats.escape import spreadsheet
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.safe_text import guarded, plain, unguarded
from tests.fuzz.campaign import main
from tests.fuzz.engine import Fuzzer
from tests.fuzz.targets import OLD_RECORD, TARGETS, Target

ResultT = TypeVar("ResultT")

LIGHT = [target for target in TARGETS if not target.needs]
settings.register_profile("suite", max_examples=15, deadline=None, derandomize=True)
settings.register_profile("campaign", max_examples=1500, deadline=None)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
SHARED_FOLDER = settings(PROFILE, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
WORD = st.text(st.characters(exclude_characters="[],=", exclude_categories=["Cs"]), min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(params=LIGHT, ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.param
    return found


@pytest.fixture
def fuzzer(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fuzzer]:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    yield Fuzzer(target, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_damaged_copies_are_read_or_refused(fuzzer: Fuzzer) -> None:
    for number in range(8):
        outcome = fuzzer.run(0, number)
        assert outcome.kind != "finding", f"seed 0, number {number}: {outcome.text}"


@SHARED_FOLDER
@given(content=st.binary(max_size=300), place=st.integers(0, 99))
def test_any_bytes_are_read_or_refused(fuzzer: Fuzzer, content: bytes, place: int) -> None:
    path = fuzzer.chosen[place % len(fuzzer.chosen)]
    outcome = fuzzer.read(path, content)
    assert outcome.kind != "finding", outcome.text


def result_or_sentence(parse: Callable[[str], ResultT], text: str) -> ResultT | str:
    try:
        return parse(text)
    except (UserError, ResultsError) as error:
        return str(error)


@PROFILE
@given(content=JSON)
def test_any_json_is_a_record_or_refused(content: object) -> None:
    with contextlib.suppress(ResultsError):
        Record.from_json(json.dumps(content))


@PROFILE
@given(text=st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    parsed = result_or_sentence(parse_address, text)
    if isinstance(parsed, str):
        assert parsed.isprintable()
    else:
        assert parse_address(format_address(*parsed)) == parsed


@PROFILE
@given(name=NAME, options=st.dictionaries(WORD.map(str.strip), WORD.map(str.strip), max_size=4))
def test_addresses_come_back_from_their_canonical_form(name: str, options: dict[str, str]) -> None:
    assume(all(key and value for key, value in options.items()))
    assert parse_address(format_address(name, options)) == (name, options)


@PROFILE
@given(text=st.text())
def test_any_text_is_an_old_setting_or_refused(text: str) -> None:
    content = json.loads(OLD_RECORD.read_bytes())
    content["results"]["rows"][0][0] = text
    record = result_or_sentence(Record.from_json, json.dumps(content))
    assert not isinstance(record, str) or record.isprintable()


@PROFILE
@given(text=st.text() | st.from_regex(r'"*[\^@"<>a\s]+'))
def test_names_and_values_come_out_of_any_text(text: str) -> None:
    assert lexical_value(text) in text
    assert surface_form(text) == surface_form(text).strip()


@PROFILE
@given(text=st.text() | st.from_regex(r"'*[=+@\t\r-].*"))
def test_no_text_is_a_formula_in_a_spreadsheet(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    shown = spreadsheet(text)
    assert shown == guarded(plain(text)) or float(shown) is not None


@pytest.mark.parametrize("text", ["-1", "+0.5", "-1e-05", "1"])
def test_numbers_stay_numbers_in_a_spreadsheet(text: str) -> None:
    assert spreadsheet(text) == text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks its children")
def test_the_campaign_counts_and_reports(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--inputs", "40", "--only", "old record"]) == 0
    printed = capfd.readouterr().out
    assert "old record" in printed
    assert "40 inputs in" in printed
    assert "0 findings" in printed

"""The web page as text: structure, escaping, policy, equal bytes; a browser reads it elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats import web
from mmea_bench.reports.formats.web import (
    PageState,
    content_security_policy,
    render_page,
    web_section,
)
from mmea_bench.reports.formats.web_data import as_script_data, page_data
from mmea_bench.reports.making.build import build_reports
from mmea_bench.reports.making.catalogue import catalogue_entries
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import fill_curves_folder, fill_rich_folder, make_record

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"
STATE = PageState("2026-01-01 00:00:00 UTC")
VOID = {"meta", "link", "img", "input", "br"}


class _Page(HTMLParser):
    """Collects what a test asks about, and fails on elements that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _render(tables: Tables, state: PageState = STATE, only: list[str] | None = None) -> str:
    sections = []
    for entry in catalogue_entries(["main_table", "learning_curves"] if only is None else only):
        assert entry.build is not None
        document = entry.build(tables, ReportOptions())
        if isinstance(document, Document):
            sections.append(web_section(document, [f"{document.name}.csv"]))
    return render_page(tables, sections, [("sweep", "nothing varied")], ReportOptions(), state)


def _tables(fill: Any, folder: Path) -> Tables:
    fill(folder)
    return ResultStore(folder).tables()


def _script_data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', text)
    assert found is not None
    data = json.loads(found.group(1))
    assert isinstance(data, dict)
    return data


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return _tables(fill_rich_folder, tmp_path_factory.mktemp("rich"))


def test_page_shows_every_number_of_its_tables(rich: Tables) -> None:
    text = _render(rich)
    (entry,) = catalogue_entries(["main_table"])
    assert entry.build is not None
    document = entry.build(rich, ReportOptions())
    assert isinstance(document, Document)
    for table in document.tables:
        for row in table.rows:
            assert all(cell.mean_text in text for cell in row.cells)
    page = _Page(text)
    assert len(page.all("caption")) == len(document.tables)
    assert {row.get("scope") for row in page.all("th")} == {"row", "col", "colgroup"}


def test_page_holds_every_figure_as_a_picture_with_words(tmp_path: Path) -> None:
    page = _Page(_render(_tables(fill_curves_folder, tmp_path)))
    pictures = page.all("img")
    assert len(pictures) == 2
    for picture in pictures:
        address = picture["src"] or ""
        assert address.startswith("data:image/svg+xml;base64,")
        assert b"<svg" in base64.b64decode(address.partition(",")[2])
        assert (picture["alt"] or "").startswith("Figure: ")


def test_page_asks_nothing_from_any_other_place(rich: Tables) -> None:
    page = _Page(_render(rich))
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "srcset", "data"):
            assert "//" not in (attributes.get(name) or "").partition("base64,")[0], (tag, name)
    assert "@import" not in "".join(page.texts["style"])
    assert "url(" not in "".join(page.texts["style"])


def test_policy_allows_exactly_the_style_and_script_of_the_page(rich: Tables) -> None:
    text = _render(rich)
    page = _Page(text)
    policy = next(
        meta["content"] or ""
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    scripts = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert (len(scripts), len(styles)) == (1, 1)
    for directive, content in (("script-src", scripts[0]), ("style-src", styles[0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    assert "connect-src 'self'" in content_security_policy(is_live=True)
    assert not any("style" in attributes for _, attributes in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_hostile_names_stay_text() -> None:
    record = make_record("evil", 0.3, variant=HOSTILE, dataset=HOSTILE, suite=HOSTILE)
    failed = make_record("worse", 0.0, status="failed", reason=HOSTILE, repeat=2, suite=HOSTILE)
    hostile = Document("main_table", HOSTILE, (Table(HOSTILE, (HOSTILE,)),), (HOSTILE,))
    tables = tables_of([record, failed], [HOSTILE])
    sections = [web_section(hostile, [HOSTILE])]
    text = render_page(tables, sections, [(HOSTILE, HOSTILE)], ReportOptions(), STATE)
    page = _Page(text)
    assert page.all("img") == []
    assert len(page.all("script")) == 2
    assert "<img" not in text
    data = _script_data(text)
    assert HOSTILE in {row["variant"] for row in data["rows"]}
    assert any(HOSTILE in run for run in data["runs"])


def test_data_inside_a_script_cannot_end_it() -> None:
    text = as_script_data({"name": "</script><!-- \u2028 &"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"name": "</script><!-- \u2028 &"}


def test_equal_tables_give_equal_pages_apart_from_the_time(rich: Tables, tmp_path: Path) -> None:
    again = _tables(fill_rich_folder, tmp_path)
    first = _render(rich).splitlines()
    second = _render(again, PageState("2027-07-07 07:07:07 UTC")).splitlines()
    different = [one for one, other in zip(first, second, strict=True) if one != other]
    assert different == ['<p class="made">Made on 2026-01-01 00:00:00 UTC.</p>']


def test_page_without_cells_says_so() -> None:
    text = _render(tables_of([]))
    assert "No cells yet" in text
    assert _script_data(text)["rows"] == []


def test_page_of_failures_keeps_their_reasons() -> None:
    records = [
        make_record("a", 0.0, status="failed", reason="out of luck", repeat=repeat)
        for repeat in (1, 2)
    ]
    text = _render(tables_of(records))
    data = _script_data(text)
    assert data["counts"] == {"failed": 2}
    (group,) = data["groups"]
    assert group["numbers"] == []
    assert [data["runs"][run][3] for run in group["runs"]] == ["out of luck", "out of luck"]
    assert '<li class="bad"><b>2</b> failed</li>' in text


def test_leaderboard_groups_hold_mean_deviation_and_single_values() -> None:
    records = [make_record("a", 0.3 + repeat / 100, repeat=repeat) for repeat in (1, 2, 3)]
    data = page_data(tables_of(records), ReportOptions())
    (group,) = data["groups"]
    wanted = (data["metrics"].index(_metric(data, "hits@1")), data["views"].index("src2tgt 3"))
    entry = next(entry for entry in group["numbers"] if tuple(entry[:2]) == wanted)
    assert entry[2:] == [".340", ".010", [0.33, 0.34, 0.35]]
    assert [data["mainMetrics"], data["start"]] == [[0, 1, 2], {"direction": "src2tgt", "csls": 3}]


def test_names_pseudo_labels_and_test_checkpoints_are_rows_of_their_own(rich: Tables) -> None:
    rows = page_data(rich, ReportOptions())["rows"]
    assert [row["method"] for row in rows if row["onTest"]] == ["meaformer"]
    assert rows[-1]["method"] == "meaformer"
    assert {row["section"] for row in rows if row["method"] == "mclea"} == {"no names"}


def test_a_failed_repeat_stands_beside_the_good_ones() -> None:
    good = make_record("a", 0.3)
    bad = make_record("a", 0.0, repeat=2, status="timeout", reason="too slow")
    data = page_data(tables_of([good, bad]), ReportOptions())
    (group,) = data["groups"]
    assert [data["runs"][run][2] for run in group["runs"]] == ["ok", "timeout"]
    assert group["numbers"][0][4] == [0.3, None]


def test_a_skipped_cell_without_a_data_version_stands_at_its_dataset() -> None:
    good = make_record("a", 0.3)
    skipped = make_record("b", 0.0, status="skipped", reason="lacks: name", dataset_version=None)
    data = page_data(tables_of([good, skipped]), ReportOptions())
    assert len(data["places"]) == 1
    assert {group["place"] for group in data["groups"]} == {0}


def test_partial_copies_are_marked() -> None:
    record = make_record("a", 0.3, lacking="image", partial_copy="KG images: 3 of 5 (60.0 %)")
    data = page_data(tables_of([record]), ReportOptions())
    assert [place["isPartial"] for place in data["places"]] == [True]


def test_curves_are_thinned_with_their_ends_kept() -> None:
    record = make_record("a", 0.4, n_points=500)
    data = page_data(tables_of([record]), ReportOptions())
    (curve,) = data["curves"].values()
    epochs, values = curve["valid"]
    assert len(values) == len(data["epochLists"][epochs]) == 60
    assert (data["epochLists"][epochs][0], data["epochLists"][epochs][-1]) == (10, 5000)
    assert len(data["epochLists"]) == 1


def test_a_cell_costs_less_than_a_kilobyte_and_a_half() -> None:
    records = [
        make_record(f"method{number}", 0.3, repeat=repeat, dataset=f"data{place}", n_points=40)
        for number in range(20)
        for place in range(10)
        for repeat in (1, 2)
    ]
    text = as_script_data(page_data(tables_of(records), ReportOptions()))
    assert len(text) < 400 * 1500


def test_report_command_writes_one_page(tmp_path: Path) -> None:
    fill_curves_folder(tmp_path)
    summary = build_reports(tmp_path, only=["main_table", "cost"], formats=("html",))
    assert [path.name for path in summary.files] == ["report.md", "index.html"]
    page = _Page((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    titles = {document.title for document in summary.documents}
    assert titles <= set(page.texts["h2"])
    assert "index.html" in summary.index.read_text(encoding="utf-8")


def test_a_page_that_breaks_leaves_the_other_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> dict[str, object]:
        raise ValueError("three")

    monkeypatch.setattr(web, "page_data", broken)
    ResultStore(tmp_path).write(make_record("a", 0.3))
    summary = build_reports(tmp_path, only=["cost"], formats=("csv", "html"))
    assert "index.html" in dict(summary.skipped)
    assert not (tmp_path / "report" / "index.html").exists()
    assert "index.html" in summary.index.read_text(encoding="utf-8")


def _metric(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = next(metric for metric in data["metrics"] if metric["id"] == name)
    assert isinstance(found, dict)
    return found

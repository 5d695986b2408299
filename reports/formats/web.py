"""Documents as one web page that needs no network and no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from mmea_bench.reports.core.document import Block, Document, Figure, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.reports.formats.templates import TEMPLATES, html_environment
from mmea_bench.reports.formats.web_data import as_script_data, page_data
from mmea_bench.results.core.schema import NO_SUITE, STATUSES
from mmea_bench.results.core.table import Tables

WEB_PAGE = "index.html"
"""File name of the page."""

_SCRIPTS = ("page_model.js", "page_board.js", "page_cell.js", "page_live.js")
_STYLE = "page.css"
_FIRST = "main_table"
_KINDS = {"ok": "good", "skipped": "wait"}


@dataclass(frozen=True)
class WebSection:
    """One report on the page.

    Attributes:
        document: The report.
        pictures: Name of each figure to its address, which holds the whole picture.
        files: Names of its files beside the page.
    """

    document: Document
    pictures: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the report."""
        return self.document.name

    @property
    def title(self) -> str:
        """Its heading."""
        return self.document.title

    @property
    def runs_of_blocks(self) -> list[tuple[bool, list[Block]]]:
        """Blocks in reading order; neighbouring figures together, which may stand side by side."""
        runs = groupby(self.document.blocks, lambda block: isinstance(block, Figure))
        return [(is_figures, list(blocks)) for is_figures, blocks in runs]


@dataclass(frozen=True)
class KeptSection:
    """A report on the page as an earlier call made it.

    Attributes:
        name: Name of the report.
        title: Its heading.
        html: All of it.
    """

    name: str
    title: Markup
    html: Markup


@dataclass(frozen=True)
class PageState:
    """What the page says about itself.

    Attributes:
        generated_at: Date and time for the reader; the one line in which two pages may differ.
        is_live: Whether the page comes from a server and asks it for news.
        signature: Of the results behind it; a live page with another one is out of date.
        kept: Sections that earlier calls made.
        kept_left_out: Name and reason of reports that earlier calls left out.
        remarks: Further sentences on the results.
    """

    generated_at: str
    is_live: bool = False
    signature: str = ""
    kept: tuple[KeptSection, ...] = ()
    kept_left_out: Mapping[str, Markup] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def web_section(document: Document, files: Iterable[str] = ()) -> WebSection:
    """A report with its figures drawn."""
    return WebSection(
        document,
        {figure.name: _picture_address(figure) for figure in document.figures},
        tuple(files),
    )


def render_page(
    tables: Tables,
    sections: Sequence[WebSection],
    skipped: Sequence[tuple[str, str]],
    options: ReportOptions,
    state: PageState,
) -> str:
    """The page: leaderboard, all reports and the runs behind every number.

    Args:
        tables: Tables behind the reports.
        sections: The reports; the main table comes first.
        skipped: Name and reason of each report that was not made.
        options: Choices of the reader; direction and CSLS are where the leaderboard starts.
        state: What the page says about itself.
    """
    css, script = _style(), _script()
    counts = tables.cells["status"].value_counts()
    n_by_status = {status: int(counts.get(status, 0)) for status in STATUSES}
    n_by_status = {status: n for status, n in n_by_status.items() if n}
    data = {
        **page_data(tables, options),
        "counts": n_by_status,
        "isLive": state.is_live,
        "signature": state.signature,
    }
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=options.title or _title(tables),
            policy=content_security_policy(is_live=state.is_live),
            css=Markup(css),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own files
            data=Markup(as_script_data(data)),  # noqa: S704 - made safe there
            counts=[
                {"n": n, "word": status.replace("_", " "), "kind": _KINDS.get(status, "bad")}
                for status, n in n_by_status.items()
            ],
            problems=tables.problems,
            remarks=state.remarks,
            sections=_in_order([*sections, *state.kept]),
            skipped=sorted([*skipped, *state.kept_left_out.items()]),
            is_live=state.is_live,
            generated_at=state.generated_at,
        )
    )


def _in_order(sections: Sequence[WebSection | KeptSection]) -> list[WebSection | KeptSection]:
    return sorted(sections, key=lambda section: (section.name != _FIRST, section.name))


def content_security_policy(*, is_live: bool) -> str:
    """What the page may load: nothing but its own style, script and pictures.

    Args:
        is_live: Whether it may ask its own server for news.
    """
    rules = [
        "default-src 'none'",
        f"script-src '{_hash(_script())}'",
        f"style-src '{_hash(_style())}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*rules, "connect-src 'self'"] if is_live else rules)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}"


def _style() -> str:
    return (TEMPLATES / _STYLE).read_text(encoding="utf-8")


def _script() -> str:
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def _environment() -> jinja2.Environment:
    filters: dict[str, Callable[..., Any]] = {"spread_columns": _spread_columns}
    return html_environment(filters)


def _title(tables: Tables) -> str:
    suites = sorted(set(tables.cells["suite"].dropna()) - {NO_SUITE})
    return f"Results of {', '.join(suites)}" if suites else "Results"


def _spread_columns(table: Table) -> list[bool]:
    """Whether each column has a deviation anywhere: its numbers leave room for one."""
    columns = zip(*(row.cells for row in table.rows if row.cells), strict=True)
    return [any(cell.sd is not None for cell in column) for column in columns]


def _picture_address(figure: Figure) -> str:
    # As a picture of its own, so that ids of several figures cannot clash and its styles, which
    # the policy of the page forbids, stay inside.
    return "data:image/svg+xml;base64," + base64.b64encode(draw_figure(figure, "svg")).decode()

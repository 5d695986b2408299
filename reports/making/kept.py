"""What earlier calls left in ``report.md`` and the web page, when only some reports are made."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from mmea_bench.reports.formats.web import KeptSection
from mmea_bench.results.core.disk.files import read_regular

_LINE = re.compile(r"^(- .*?)(?: \(kept\))? <!-- report: (\w+) -->$", re.MULTILINE)
_LINK = re.compile(r"\]\(([\w-]+\.\w+)\)")
_SECTION = re.compile(
    r"<!-- report: (?P<name>\w+) -->\n(?P<html>.*?)<!-- end: (?P=name) -->\n", re.DOTALL
)
_TITLE = re.compile(r'<h2 id="title-\w+">(.*?)</h2>')
_LEFT_OUT = re.compile(r"<!-- left out: (\w+) -->\n<dt>.*?</dt>\n<dd>(.*?)</dd>", re.DOTALL)


@dataclass(frozen=True)
class Kept:
    """What stays of an earlier index and page.

    Attributes:
        lines: Name of a report to its line of ``report.md``.
        sections: Its sections of the page.
        left_out: Name to the reason why a report is not on the page.
        has_page: Whether there is a page.
    """

    lines: Mapping[str, str] = field(default_factory=dict)
    sections: tuple[KeptSection, ...] = ()
    left_out: Mapping[str, Markup] = field(default_factory=dict)
    has_page: bool = False


def read_kept(index: Path, page: Path, remade: Collection[str]) -> Kept:
    """The parts of earlier files that no new report replaces.

    Args:
        index: ``report.md``, which need not be there.
        page: The web page, likewise.
        remade: Names of the reports that are made now.
    """
    text, html = _text(index), _text(page)
    sections = [
        KeptSection(found["name"], _title(found["html"]), _as_it_was(found["html"]))
        for found in _SECTION.finditer(html)
        if found["name"] not in remade
    ]
    return Kept(
        {name: line for line, name in _LINE.findall(text) if name not in remade},
        tuple(sections),
        {
            name: _as_it_was(reason)
            for name, reason in _LEFT_OUT.findall(html)
            if name not in remade
        },
        bool(html),
    )


def remove_left_out(index: Path, left_out: Collection[str]) -> None:
    """Removes the files of earlier reports that can no longer be made.

    Beside an index that says so they would pass for numbers of today's choice.

    Args:
        index: ``report.md`` of the earlier reports, which names their files.
        left_out: Names of reports.
    """
    for line, name in _LINE.findall(_text(index)):
        for file in _LINK.findall(line) if name in left_out else ():
            with contextlib.suppress(OSError):
                (index.parent / file).unlink()


def _title(html: str) -> Markup:
    found = _TITLE.search(html)
    return _as_it_was(found[1]) if found else Markup("")


def _as_it_was(html: str) -> Markup:
    # The page's policy lets no script but ours run, whoever has written into the file since.
    return Markup(html.rstrip("\n"))  # noqa: S704


def _text(path: Path) -> str:
    try:
        return read_regular(path).decode("utf-8")
    except (OSError, ValueError):
        return ""  # nothing to keep of a file that nobody can read

"""Whatever a results folder calls its datasets, file names stay inside the folder and short."""

from __future__ import annotations

import pytest

from mmea_bench.reports.core.rows.comparison import slug_of


@pytest.mark.parametrize(
    "title",
    ["../../etc/passwd", "/x", "a\0b", "\x1b[2J", "C:\\x", "x" * 2000, "Ä" * 2000, "con: <|>?*\n"],
)
def test_any_title_gives_one_short_harmless_name(title: str) -> None:
    slug = slug_of(title)
    assert len(slug.encode("utf-8")) < 160
    assert all(letter.isalnum() or letter == "-" for letter in slug)


def test_long_titles_that_begin_alike_stay_apart() -> None:
    assert slug_of("x" * 500 + "a") != slug_of("x" * 500 + "b")
    assert slug_of("FB15K-DB15K, 20 % seeds") == "fb15k-db15k-20-seeds"

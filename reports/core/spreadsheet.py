"""Text fields of a CSV file that a spreadsheet must not run as formulas."""

from __future__ import annotations

_RISKY = ("=", "+", "-", "@", "\t", "\r", "'")
"""Beginnings that are marked; the apostrophe itself is one, so that reading back is exact."""


def safe_text(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet might take it for a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text


def plain_text(text: str) -> str:
    """The inverse of ``safe_text``; text that was never marked stays as it is."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_RISKY) else text

"""The error of this folder; its text is written for the user."""

from __future__ import annotations


class ResultsError(Exception):
    """Results that are missing or break the schema; the text says what, where and what to do."""

"""The error of this folder; its text is written for the user."""

from __future__ import annotations

from mmea_bench.results.core.errors import ResultsError


class ReportError(ResultsError):
    """A report that was asked for in a way that cannot work; the text says what to do."""

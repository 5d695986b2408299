"""Measured against published: every number that a paper or repository prints too."""

from __future__ import annotations

from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.published import document as check_document
from mmea_bench.reports.core.published.verdicts import check_rows
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.table import Tables

NAME = check_document.NAME


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table per dataset, seed ratio and protocol; always source to target, as printed."""
    try:
        published = read_published()
        check = check_rows(tables, published.results, options.csls, scoring=published.scoring)
    except ReportError as error:
        return Missing(str(error))
    if not check.rows:
        return Missing(check_document.summary(check))
    return check_document.check_document(check, names=options.names)

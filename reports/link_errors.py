"""Link errors: which links each method finds and misses, by slices and in pairs."""

from __future__ import annotations

from mmea_bench.reports.core.document import Block, Document, Missing
from mmea_bench.reports.core.links.document import family_blocks, general_notes
from mmea_bench.reports.core.links.systems import families
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.results.core.table import Tables

NAME = "link_errors"
_NONE_KEPT = (
    "No predictions were kept. Run with --keep predictions, or `mmea-bench predict DIR KEY` for a "
    "cell that is done."
)


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Slices, pairs of systems and links that all miss, for every dataset, ratio and protocol."""
    if tables.folder is None:
        return cannot_be_made(_NONE_KEPT, tables, options)
    found, notes = families(tables.folder, tables, options)
    if not found:
        return cannot_be_made(" ".join(notes) or _NONE_KEPT, tables, options)
    blocks: list[Block] = []
    for family in found:
        blocks += family_blocks(family, options)
    shown = {key for family in found for each in family.systems for key in each.keys.values()}
    lacking = lacking_notes(tables, options, shown, "kept predictions")
    notes = (*general_notes(options), *notes, *lacking)
    return Document(NAME, "Errors link by link", tuple(blocks), notes)

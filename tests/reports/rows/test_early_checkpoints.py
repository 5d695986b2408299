"""Iterative rows whose checkpoint precedes the second stage say so."""

from __future__ import annotations

from mmea_bench.reports import ablation, main_table
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record

EARLY = {
    "iterative": "yes",
    "notes": "the kept checkpoint (epoch 240) precedes pseudo-label learning (from epoch 551)",
}


def test_tables_say_how_many_checkpoints_precede_the_second_stage() -> None:
    records = [
        *(make_record("mclea", 0.5, repeat=repeat, **EARLY) for repeat in (1, 2)),
        make_record("mclea", 0.5, repeat=3, iterative="yes"),
        *(make_record("mclea", 0.4, variant="w/o image", repeat=r, **EARLY) for r in (1, 2)),
        make_record("eva", 0.4),
    ]
    whole = "mclea: 2 of 3 checkpoints precede the second stage (learning from pseudo-labels)"
    part = "mclea w/o image: 2 of 2 checkpoints precede the second stage"
    for report in (main_table, ablation):
        made = report.build(tables_of(records), ReportOptions(csls=0))
        assert isinstance(made, Document)
        notes = " ".join((*made.notes, *(note for table in made.tables for note in table.notes)))
        assert whole in notes
        assert part in notes
        assert "eva:" not in notes

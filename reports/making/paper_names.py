"""Names for tables that go into a paper: as the papers print them, settings in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.results.core.published import name_key, read_published


def paper_names(names: Names, methods: Iterable[str]) -> Names:
    """The reader's names, and printed ones for whatever the reader did not name.

    Args:
        names: What the reader chose.
        methods: Ids of the methods that are shown.
    """
    printed = {name_key(str(name)): str(name) for name in read_published().results["method"]}
    known = {
        method: printed[name_key(method)]
        for method in sorted(set(methods))
        if name_key(method) in printed
    }
    datasets = {
        address: name for layout in read_layouts() for address, name in layout.datasets.items()
    }
    return replace(
        names,
        methods={**known, **names.methods},
        datasets={**datasets, **names.datasets},
        in_words=True,
    )

"""Names for tables that go into a paper: as the papers print them, settings in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.results.core.published import name_key, read_published


def paper_names(names: Names, methods: Iterable[str], datasets: Iterable[str] = ()) -> Names:
    """The reader's names, and printed ones for whatever the reader did not name.

    No reader chose that two things be printed alike here, so the id in brackets tells them apart.

    Args:
        names: What the reader chose.
        methods: Ids of the methods that are shown.
        datasets: Addresses of the datasets that are shown.
    """
    printed = {name_key(str(name)): str(name) for name in read_published().results["method"]}
    shown = sorted(set(methods))
    of_methods = {
        method: printed[name_key(method)] for method in shown if name_key(method) in printed
    }
    of_datasets = {
        address: name for layout in read_layouts() for address, name in layout.datasets.items()
    }
    made = replace(
        names,
        methods={**of_methods, **names.methods},
        datasets={**of_datasets, **names.datasets},
        in_words=True,
    )
    return replace(
        made,
        methods={**made.methods, **_apart(shown, made.method, names.methods)},
        datasets={**made.datasets, **_apart(sorted(set(datasets)), made.dataset, names.datasets)},
    )


def _apart(
    ids: Iterable[str], printed: Callable[[str], str], chosen: Collection[str]
) -> dict[str, str]:
    """Names with the id in brackets for those that others share and the reader did not choose."""
    found = {own: printed(own) for own in ids}
    n_same = Counter(found.values())
    return {
        own: f"{text} ({own})"
        for own, text in found.items()
        if n_same[text] > 1 and own not in chosen
    }
